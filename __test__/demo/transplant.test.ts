import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { compareAnswers, drawQuestions, type Comparison } from '../../ts/demo/checks/answers.ts'
import { cuttingOf } from '../../ts/demo/checks/cutting.ts'
import { graftComesAndGoes } from '../../ts/demo/checks/graft.ts'
import { flippedByteIsRefused, refused, strangersAreRefused } from '../../ts/demo/checks/package.ts'
import { namesWhoWroteIt, tellsWhatIsInIt, transplantHolds } from '../../ts/demo/checks/transplant.ts'
import { authorKey, commitKey, EDGE, LABEL, pathKey, personKey } from '../../ts/demo/model.ts'
import { Seeded } from '../../ts/demo/seed.ts'
import { exportEngram, Kernel, openEngram, type Engram, type Graph, type Reader } from '../../ts/index.ts'
import { scratchDirectory } from './scratch.ts'

const ADA = { name: 'Ada', email: 'ada@example.org' }
const COMMITS = 30

/** A history of one author, and a path that stays at home. */
async function history(t: ExecutionContext<unknown>): Promise<Graph> {
  const kernel = Kernel.memory()
  t.teardown(() => kernel.close())
  await kernel.graph.write((tx) => {
    tx.put(authorKey(ADA), { labels: [LABEL.author], props: ADA })
    tx.put(personKey(ADA), { labels: [LABEL.person] })
    tx.link(authorKey(ADA), EDGE.is, personKey(ADA))
    tx.put(pathKey('a'), { labels: [LABEL.path] })
    for (let at = 0; at < COMMITS; at++) {
      tx.put(commitKey(`${at}`), { labels: [LABEL.commit], props: { subject: `step ${at}` } })
      tx.link(commitKey(`${at}`), EDGE.writtenBy, authorKey(ADA))
      tx.link(commitKey(`${at}`), 'TOUCHES', pathKey('a'))
      if (at > 0) tx.link(commitKey(`${at}`), EDGE.parent, commitKey(`${at - 1}`), { props: { place: 0 } })
    }
  })
  return kernel.graph
}

/** The package of one graph. */
async function packageOf(t: ExecutionContext<unknown>, graph: Graph): Promise<Engram & { path: string }> {
  const path = join(await scratchDirectory(t), 'a.engram')
  const { select } = cuttingOf(graph)
  await exportEngram(graph, path, { name: 'a', version: '1.0.0', select })
  const engram = openEngram(path)
  t.teardown(() => engram.close())
  return Object.assign(engram, { path })
}

test('a part of a graph is packed, read, refused, grafted and taken out, and each is told', async (t) => {
  const graph = await history(t)
  const before = graph.digest()
  const checks = await transplantHolds(graph, join(await scratchDirectory(t), 'packages'), 7)
  t.deepEqual(
    checks.flatMap(({ problems }) => problems),
    [],
  )
  t.deepEqual(
    checks.map(({ id }) => id),
    ['package', 'open', 'sources', 'flipped', 'signer', 'graft', 'detach'].map((id) => `transplant/${id}`),
  )
  t.is(graph.digest(), before)
  const [packed, read] = checks
  t.regex(packed?.says ?? '', /32 nodes, 60 edges, 185 facts in .* KiB/)
  t.regex(read?.says ?? '', /32 nodes, 60 edges, 2 absent keys and a pattern of 30 rows/)
})

test('what is packed is told without the package', async (t) => {
  const cutting = cuttingOf(await history(t))
  t.is(cutting.keys.length, COMMITS + 2)
  t.deepEqual(cutting.left, [pathKey('a')])
  t.is(cutting.edges, COMMITS + (COMMITS - 1) + 1)
})

test('a package that tells of more or fewer than there are, or is not signed, does not pass', async (t) => {
  const graph = await history(t)
  const engram = await packageOf(t, graph)
  await graph.write((tx) => {
    tx.put(commitKey('new'), { labels: [LABEL.commit] })
    tx.link(commitKey('new'), EDGE.writtenBy, authorKey(ADA))
  })
  const told = tellsWhatIsInIt(engram, cuttingOf(graph))
  t.false(told.held)
  t.deepEqual(told.problems, [
    'it tells of 32 nodes, the graph has 33',
    'it tells of 60 edges, the graph has 61',
    'it tells of 185 facts, the graph has 188',
    'it is signed by nobody, not by the demonstration',
  ])
})

test('every answer that is another one is a problem: of a node, an edge, what is not there, and a pattern', async (t) => {
  const graph = await history(t)
  const engram = await packageOf(t, graph)
  const changed: readonly (readonly [problem: RegExp, change: () => Promise<unknown>])[] = [
    [
      /^commit:3: .*"step 3".*, the graph has .*"other"/,
      () => graph.write((tx) => tx.patch(commitKey('3'), { props: { subject: 'other' } })),
    ],
    [
      /^\(commit:4\)-\[PARENT\]->\(commit:3\) "" by its name: .*0.*, the graph has .*1/,
      () =>
        graph.write((tx) =>
          tx.patch({ from: commitKey('4'), type: EDGE.parent, to: commitKey('3') }, { props: { place: 1 } }),
        ),
    ],
    [
      /^\(commit:5\)-\[PARENT\]->\(commit:4\) "": the graph has no such edge$/,
      () => graph.write((tx) => tx.unlink(commitKey('5'), EDGE.parent, commitKey('4'))),
    ],
    [
      /^\(commit:6\)-\[PARENT\]->\(commit:1\) "": absent, the graph has/,
      () => graph.write((tx) => tx.link(commitKey('6'), EDGE.parent, commitKey('1'))),
    ],
    [
      /^the pattern has 30 rows, in the graph 29$/,
      () => graph.write((tx) => tx.unlink(commitKey('7'), EDGE.writtenBy, authorKey(ADA))),
    ],
    [
      /^commit:8 is there, and should not be$/,
      () => graph.write((tx) => tx.patch(commitKey('8'), { dropLabels: [LABEL.commit] })),
    ],
  ]
  const compared = (): readonly string[] => {
    const cutting = cuttingOf(graph)
    const questions = drawQuestions(graph, cutting, new Seeded(7, 'test'))
    return compareAnswers(graph, engram, cutting, questions).problems
  }
  t.deepEqual(compared(), [])
  for (const [problem, change] of changed) {
    await change()
    t.true(
      compared().some((said) => problem.test(said)),
      `${problem}: ${compared().join('\n')}`,
    )
  }
})

test('another writer than the one whom blame names is a problem', async (t) => {
  const graph = await history(t)
  const engram = await packageOf(t, graph)
  t.true(namesWhoWroteIt(graph, engram, [commitKey('3')]).held)
  await graph.write((tx) => tx.patch(commitKey('3'), { props: { subject: 'other' } }))
  const { held, problems } = namesWhoWroteIt(graph, engram, [commitKey('3')])
  t.false(held)
  t.is(problems.length, 1)
  t.regex(problems[0] ?? '', /^commit:3 subject: root at .*, blame says root at /)
  t.false(namesWhoWroteIt(graph, engram, []).held)
})

test('a package that opens although it should not is a problem, and so is another error', async (t) => {
  const { path } = await packageOf(t, await history(t))
  const opened = refused('a', 'a', 'ERR_KARYON_SIGNATURE', () => openEngram(path).close())
  t.deepEqual(opened.problems, ['it was opened, and ERR_KARYON_SIGNATURE expected'])
  const missing = refused('a', 'a', 'ERR_KARYON_SIGNATURE', () => openEngram(`${path}.missing`).close())
  t.regex(missing.problems[0] ?? '', /not ERR_KARYON_SIGNATURE$/)
  t.true(strangersAreRefused(path).held)
  // Nobody has signed this one: it is refused as such, wherever a byte was changed.
  const keys = { ada: generateKeyPairSync('ed25519').publicKey }
  t.false((await flippedByteIsRefused(path, keys, new Seeded(7, 'test'))).held)
})

test('a graft that is more than was packed, or answers otherwise, is a problem', async (t) => {
  const graph = await history(t)
  const engram = await packageOf(t, graph)
  const cutting = cuttingOf(graph)
  const wrong = { says: '', problems: ['another answer'] }
  const [grafted, detached] = await graftComesAndGoes(engram, () => wrong, { ...cutting, facts: 1 })
  t.deepEqual(grafted?.problems, ['185 new, 0 known, 0 conflicting planned; 1 are packed', 'another answer'])
  t.deepEqual(detached?.problems, ['another answer'])
})

test('what somebody else has changed meanwhile is kept, and told as what is left of the graft', async (t) => {
  const graph = await history(t)
  const engram = await packageOf(t, graph)
  let meddled: Promise<unknown> | undefined
  let asked = 0
  // First the graft's view is asked, then the graph, once it is promoted.
  const meddle = (reader: Reader): Comparison => {
    asked += 1
    const change = { props: { subject: 'other' } }
    if (asked === 2) meddled = (reader as Graph).write((tx) => tx.patch(commitKey('3'), change))
    return { says: '', problems: [] }
  }
  const [grafted, detached] = await graftComesAndGoes(engram, meddle, cuttingOf(graph))
  await t.notThrowsAsync(async () => meddled)
  t.is(asked, 2)
  t.true(grafted?.held)
  t.false(detached?.held)
  t.regex(detached?.problems[0] ?? '', /^commit:3 .* is kept/)
  t.regex(detached?.problems.at(-1) ?? '', /^[0-9a-f]{64} is not [0-9a-f]{64}$/)
})
