import test, { type ExecutionContext } from 'ava'
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  exportEngram,
  graftEngram,
  inspectEngram,
  openEngram,
  planGraft,
  type Engram,
  type Selection,
} from '../../ts/engrams/index.ts'
import { KaryonError, Kernel, type Graph, type Target } from '../../ts/index.ts'
import { Principals } from '../graph/principals.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { type Random, below, chooseSeed, pick, seededRandom } from '../values/random.ts'
import { type Told, told, toldBy } from './told.ts'
import { LABELS, NAMES, change, plainOf, randomKeys } from './worlds.ts'

const ABOUT = { name: 'world', version: '1.0.0' }
const KEPT = { history: 'kept' } as const
const WRITERS = ['root', 'root/crew', 'root/crew/ledger', 'root/crew2'] as const

async function pack(t: ExecutionContext, from: Graph | Engram, select: Selection): Promise<string> {
  const path = join(freshDirectory(t), 'a.engram')
  await exportEngram(from, path, { ...ABOUT, select })
  return path
}

/** A graph that several principals have written, in many commits. */
async function aged(random: Random, size: number): Promise<{ principals: Principals; graph: Graph }> {
  const principals = new Principals()
  const keys = randomKeys(random, size)
  for (let commit = 0; commit < 12; commit++) {
    const writer = principals.session(pick(random, WRITERS)).graph
    await writer.write((tx) => change(random, tx, keys, size))
  }
  return { principals, graph: principals.session('root').graph }
}

function targetsOf(engram: Engram): Target[] {
  return [...[...engram.nodes()].map(({ key }) => key), ...engram.edges()]
}

function countOf(histories: readonly Told[]): number {
  return histories.reduce((sum, { changes }) => sum + changes.length, 0)
}

test('the past of whatever is packed is told as the graph tells it', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  let all = 0
  for (let world = 0; world < 4; world++) {
    const { graph } = await aged(random, 10 + world * 5)
    const { head } = graph.stats()
    for (let round = 0; round < 3; round++) {
      const at = round === 0 ? head : BigInt(1 + below(random, Number(head)))
      const labels = below(random, 2) === 0 && { labels: [pick(random, LABELS), pick(random, LABELS)] }
      const select: Selection = { ...KEPT, at, ...labels }
      const path = await pack(t, graph, select)
      using engram = openEngram(path, { verify: 'full' })
      const targets = targetsOf(engram)
      const histories = targets.map((target) => told(graph.history(target, { to: at })))
      t.deepEqual(
        targets.map((target) => told(engram.history(target))),
        histories,
      )
      t.is(engram.manifest.history, 'kept')
      t.is(engram.manifest.counts.changes, countOf(histories))
      all += countOf(histories)

      for (const [place, target] of targets.entries()) {
        if (below(random, 4) > 0) continue
        const property = pick(random, [...NAMES, 'unknown'])
        t.deepEqual(
          told(engram.history(target, { property })),
          told(graph.history(target, { property, to: at })),
        )
        const times = histories[place]!.changes.map(({ time }) => time)
        if (times.length === 0) continue
        const [from, to] = [pick(random, times), pick(random, times)].toSorted(
          (a, b) => a.getTime() - b.getTime(),
        )
        if (from!.micros > to!.micros) continue
        t.deepEqual(
          told(engram.history(target, { from: from!, to: to! })),
          told(graph.history(target, { from: from!, to: to! })),
        )
      }

      t.deepEqual(readFileSync(await pack(t, graph, select)), readFileSync(path), 'twice')
      t.deepEqual(readFileSync(await pack(t, engram, KEPT)), readFileSync(path), 'out of the package')
      const cut = await pack(t, graph, { at, ...labels })
      t.deepEqual(readFileSync(await pack(t, engram, {})), readFileSync(cut), 'cut out of the package')
    }
  }
  t.true(all > 200, `${all} changes`)
})

test('of some writers only what they wrote is told of the past, out of a graph or of a package', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  let all = 0
  for (let world = 0; world < 4; world++) {
    const { graph } = await aged(random, 10 + world * 5)
    using whole = openEngram(await pack(t, graph, KEPT))
    for (let round = 0; round < 3; round++) {
      const writers = [pick(random, WRITERS), pick(random, WRITERS)]
      const isTheirs = (by: string): boolean =>
        writers.some((path) => by === path || by.startsWith(`${path}/`))
      const select: Selection = {
        ...(below(random, 2) === 0 && { labels: [pick(random, LABELS), pick(random, LABELS)] }),
        writers,
      }
      const path = await pack(t, graph, { ...select, ...KEPT })
      using engram = openEngram(path, { verify: 'full' })
      const targets = targetsOf(engram)
      const histories = targets.map((target) => toldBy(told(graph.history(target)), isTheirs))
      t.deepEqual(
        targets.map((target) => told(engram.history(target))),
        histories,
        String(writers),
      )
      t.is(engram.manifest.counts.changes, countOf(histories))
      t.deepEqual(
        readFileSync(await pack(t, whole, { ...select, ...KEPT })),
        readFileSync(path),
        'of the package of all',
      )
      t.deepEqual(
        readFileSync(await pack(t, engram, { ...select, ...KEPT })),
        readFileSync(path),
        'of its own',
      )
      const cut = await pack(t, graph, select)
      t.deepEqual(readFileSync(await pack(t, whole, select)), readFileSync(cut), 'cut, of the package of all')
      all += countOf(histories)
    }
  }
  t.true(all > 50, `${all} changes`)
})

test('what is not kept any more is not told, and that it is not is', async (t) => {
  const kernel = await Kernel.open(freshDirectory(t))
  const { graph } = kernel
  const age = async (): Promise<void> => {
    for (let n = 0; n < 100; n++) {
      await graph.write((tx) => {
        tx.patch('a', { labels: ['Fact'], props: { n, same: true, [`p${n % 3}`]: n } })
        tx.put('b', { props: { n } })
        tx.link('a', 'T', 'b', { props: { n } })
      })
    }
  }
  await graph.write((tx) => tx.put('untouched'))
  await age()
  await graph.compact({ since: graph.stats().head })
  await age()
  await graph.compact({ since: graph.stats().head - 20n })
  await age()
  const edge = { from: 'a', type: 'T', to: 'b' }
  const path = await pack(t, graph, KEPT)
  using engram = openEngram(path, { verify: 'full' })
  let cut = 0
  for (const target of ['a', 'b', 'untouched', edge]) {
    const expected = told(graph.history(target))
    t.deepEqual(told(engram.history(target)), expected)
    if (expected.isCut) cut++
    const oldest = expected.changes.findLast(({ property }) => property === 'n')
    t.is(oldest?.before === undefined, target === 'untouched', 'what was before is told, not by whom')
    const act = (): unknown => [...engram.history(target, { property: 'p0' })]
    if (expected.isCut) await refused(t, 'ERR_KARYON_HORIZON', act)
  }
  t.true(cut >= 3)
  const { time } = graph.at(graph.stats().head - 5n)
  t.deepEqual(told(engram.history('a', { from: time })), told(graph.history('a', { from: time })))
  t.deepEqual(readFileSync(await pack(t, engram, KEPT)), readFileSync(path), 'out of the package')
  // Who gave it its label is not known any more.
  using theirs = openEngram(await pack(t, graph, { writers: ['root'] }))
  t.deepEqual(theirs.get('a')?.labels, [])
  t.deepEqual(theirs.get('a')?.props, graph.get('a')?.props)
  t.deepEqual(theirs.edge(edge)?.props, graph.edge(edge)?.props, 'an edge that holds always is its maker’s')
  await kernel.close()
})

test('what whoever packs may not see is not told either, and what it left is', async (t) => {
  const principals = new Principals()
  const { graph } = principals.session('root')
  await graph.write((tx) => tx.put('doc', { labels: ['Public'], props: { text: 'first', gone: 1 } }))
  await graph.write((tx) => tx.put('doc', { labels: ['Secret'], props: { text: 'hidden' } }))
  await graph.write((tx) => tx.put('doc', { labels: ['Public'], props: { text: 'open' } }))
  await graph.write((tx) => tx.patch('doc', { props: { text: 'opened' } }))
  const eve = principals.session('root/eve', { read: ['Public'] }).graph
  const path = await pack(t, eve, KEPT)
  using engram = openEngram(path, { verify: 'full' })
  const seen = told(eve.history('doc'))
  t.deepEqual(told(engram.history('doc')), seen)
  t.is(seen.changes[0]?.before, 'open')
  t.false(readFileSync(path).includes('hidden'))
  t.deepEqual(readFileSync(await pack(t, engram, KEPT)), readFileSync(path))
})

test('a past of many blocks, and one with millions of bytes in each change, come back', async (t) => {
  const { graph } = Kernel.memory()
  const large = (of: number): Uint8Array => new Uint8Array(70_000).fill(of)
  for (let round = 0; round < 30; round++) {
    await graph.write((tx) => {
      tx.put('large', { props: { bytes: large(round), small: round } })
      for (let at = 0; at < 200; at++) {
        tx.put(`leaf ${at}`, { props: { round } })
        tx.link('large', 'HAS', `leaf ${at}`, { props: { round, at } })
      }
    })
  }
  for (let round = 0; round < 600; round++) await graph.write((tx) => tx.increment('leaf 7', 'count'))
  const path = await pack(t, graph, KEPT)
  using engram = openEngram(path, { cacheBytes: 0 })
  for (const target of [
    'large',
    'leaf 7',
    'leaf 199',
    ...[0, 63, 64, 65, 199].map((at) => ({ from: 'large', type: 'HAS', to: `leaf ${at}` })),
  ]) {
    t.deepEqual(told(engram.history(target)), told(graph.history(target)))
  }
  t.is([...engram.history('leaf 7', { property: 'count' })].length, 600)
  t.deepEqual([...engram.history('nobody')], [])
  t.deepEqual([...engram.history({ from: 'large', type: 'HAS', to: 'nobody' })], [])
})

test('where history was cut, it is told to be', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a', { props: { n: 1 } }))
  const path = await pack(t, graph, { history: 'cut' })
  t.deepEqual(readFileSync(path), readFileSync(await pack(t, graph, {})), 'it is cut by default')
  const { manifest } = inspectEngram(path)
  t.deepEqual([manifest.format, manifest.history, manifest.counts.changes], [1, undefined, undefined])
  using engram = openEngram(path)
  await refused(t, 'ERR_KARYON_HORIZON', () => engram.history('a'))
  await refused(t, 'ERR_KARYON_HORIZON', () => engram.history('nobody'))
  await refused(t, 'ERR_KARYON_HORIZON', pack(t, engram, KEPT))
  await refused(t, 'ERR_KARYON_ARGUMENT', pack(t, graph, { history: true as unknown as 'kept' }))
  const silent = exportEngram(graph, path, { ...ABOUT, select: KEPT, provenance: false })
  await refused(t, 'ERR_KARYON_ARGUMENT', silent)
})

test('what is asked of the past is checked', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a', { props: { n: 1 } }))
  const path = await pack(t, graph, KEPT)
  const engram = openEngram(path)
  for (const time of [0n, 1, '2026-02-01', null, new Date(Number.NaN)] as unknown as Date[]) {
    await refused(t, 'ERR_KARYON_TIME', () => engram.history('a', { from: time }), String(time))
    await refused(t, 'ERR_KARYON_TIME', () => engram.history('a', { to: time }), String(time))
  }
  const [from, to] = [new Date(1), new Date(0)]
  await refused(t, 'ERR_KARYON_TIME', () => engram.history('a', { from, to }))
  await refused(t, 'ERR_KARYON_ARGUMENT', () => engram.history('a', { at: to } as object))
  await refused(t, 'ERR_KARYON_KEY_SIZE', () => engram.history('a', { property: '' }))
  await refused(t, 'ERR_KARYON_KEY_SIZE', () => engram.history(''))
  const half = engram.history('a')
  half.next()
  engram.close()
  await refused(t, 'ERR_KARYON_CLOSED', () => half.next())
  await refused(t, 'ERR_KARYON_CLOSED', () => engram.history('a'))
})

test('how much of the past there may be is checked when it is packed, and when it is opened', async (t) => {
  const { graph } = Kernel.memory()
  for (let n = 0; n < 9; n++) await graph.write((tx) => tx.put('a', { props: { n } }))
  const path = await pack(t, graph, KEPT)
  t.is(inspectEngram(path).manifest.counts.changes, 10)
  t.is(inspectEngram(path, { limits: { changes: 10 } }).manifest.schema.changes?.['n'], 9)
  for (const act of [inspectEngram, openEngram]) {
    const error = await refused(t, 'ERR_KARYON_PACKAGE_LIMIT', () => act(path, { limits: { changes: 9 } }))
    t.deepEqual([error.details['limit'], error.details['found']], [9, 10])
  }
  const less = exportEngram(graph, path, { ...ABOUT, select: KEPT, limits: { changes: 9 } })
  await refused(t, 'ERR_KARYON_PACKAGE_LIMIT', less)
})

/** A graph whose past is let go of after so many looks at it. */
function forgetting(graph: Graph, looks: number): Graph {
  let left = looks
  const forgotten = function* (): IterableIterator<never> {
    yield* []
    throw new KaryonError('ERR_KARYON_HORIZON', 'it was let go of')
  }
  return new Proxy(graph, {
    get: (of, name) => {
      const member: unknown = Reflect.get(of, name, of)
      if (typeof member !== 'function') return member
      return name === 'history' && left-- <= 0 ? forgotten : member.bind(of)
    },
  })
}

test('where the past is let go of while it is packed, nothing is packed', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a', { labels: ['L'], props: { n: 1 } }))
  await graph.write((tx) => tx.patch('a', { props: { n: 2 } }))
  const path = join(freshDirectory(t), 'a.engram')
  // The past is looked through twice; who gave a label once in each of three passes.
  const selections: readonly (readonly [Selection, number])[] = [
    [KEPT, 2],
    [{ writers: ['root'] }, 3],
  ]
  for (const [select, looks] of selections) {
    const act = exportEngram(forgetting(graph, looks - 1), path, { ...ABOUT, select })
    await refused(t, 'ERR_KARYON_HORIZON', act)
    t.deepEqual(readdirSync(dirname(path)), [])
    await exportEngram(forgetting(graph, looks), path, { ...ABOUT, select })
    rmSync(path)
  }
})

test('a graft takes what is there now, and nothing of the past', async (t) => {
  const { graph } = Kernel.memory()
  for (let n = 0; n < 5; n++) await graph.write((tx) => tx.put('a', { labels: ['L'], props: { n } }))
  using kept = openEngram(await pack(t, graph, KEPT))
  using cut = openEngram(await pack(t, graph, {}))
  const pupil = Kernel.memory()
  t.deepEqual((await planGraft(pupil, kept)).counts, (await planGraft(pupil, cut)).counts)
  using graft = await graftEngram(pupil, kept)
  await graft.promote()
  t.deepEqual(plainOf(pupil.graph), plainOf(kept))
  const changes = [...pupil.graph.history('a')]
  t.true(changes.every(({ principal }) => principal === graft.principal))
  t.deepEqual(
    changes.filter(({ property }) => property === 'n').map(({ after }) => after),
    [4],
  )
  await pupil.close()
})
