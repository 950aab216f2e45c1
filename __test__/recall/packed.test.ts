import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test, { type ExecutionContext } from 'ava'
import {
  exportEngram,
  type Engram,
  type ExportOptions,
  type Graph,
  inspectEngram,
  Kernel,
  openEngram,
  type RecallOptions,
} from '../../ts/index.ts'
import { openRecall, type Recall } from '../../ts/recall/recall.ts'
import { SLOT_ROWS_MAX } from '../../ts/recall/slots.ts'
import { Principals } from '../graph/principals.ts'
import { refused } from '../kernel/refused.ts'
import { below, chooseSeed, pick, type Random, seededRandom } from '../values/random.ts'

const ABOUT = { name: 'texts', version: '1.0.0' }
const PLAIN: RecallOptions = { label: 'Fact', text: 'text' }
const SAYING: RecallOptions = {
  ...PLAIN,
  weight: 'weight',
  threshold: 'needs',
  confidence: 'sure',
  trust: 'trusted',
}

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'karyon-packed-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A package of a graph, opened. */
async function packed(
  t: ExecutionContext,
  from: Graph | Engram,
  options: Partial<ExportOptions> = {},
): Promise<{ readonly path: string; readonly engram: Engram }> {
  const path = join(folderOf(t), 'texts.engram')
  await exportEngram(from, path, { ...ABOUT, ...options })
  const engram = openEngram(path)
  t.teardown(() => engram.close())
  return { path, engram }
}

/** Texts of words some of which nearly all have; keys that are in another order in UTF-16 than in UTF-8; nodes without a text, or without the label. */
async function randomTexts(random: Random, graph: Graph, count: number): Promise<void> {
  await graph.write((tx) => {
    for (let at = 0; at < count; at++) {
      const words = Array.from(
        { length: below(random, 14) },
        () => `w${below(random, 1 + below(random, 500))}`,
      )
      const text = [below(random, 8) > 0 ? 'common' : 'rare', ...words].join(' ')
      const key = `${pick(random, ['a', '\uffff', '𐀀', 'é', ''])}${at}`
      const labels = below(random, 10) > 0 ? ['Fact'] : ['Other']
      const said = [
        ['weight', 4] as const,
        ['needs', 0.4] as const,
        ['sure', 1] as const,
        ['trusted', 1] as const,
      ]
        .filter(() => below(random, 3) === 0)
        .map(([name, most]) => [name, pick(random, [random() * most, 0, -1, 1e9, 'much'])])
      const props = { ...Object.fromEntries(said), text: below(random, 20) > 0 ? text : at }
      tx.put(key, { labels, props })
      if (below(random, 30) === 0)
        tx.patch(key, { props: { text: 'sometimes' }, valid: { from: '2026-01-01' } })
    }
  })
}

const ASKED = [
  {},
  { limit: 1 },
  { limit: 1_000 },
  { minHeads: 1, limit: 100 },
  { minHeads: 8 },
  { minConfidence: 0.3, limit: 50 },
  { minTrust: 0.7, limit: 50 },
] as const

/** Whether two recalls find the same, by cues of words of `randomTexts`. */
function checkSame(t: ExecutionContext, random: Random, one: Recall, other: Recall, seed: number): void {
  for (let round = 0; round < 120; round++) {
    const words = Array.from({ length: 1 + below(random, 6) }, () =>
      pick(random, ['common', 'rare', 'sometimes', `w${below(random, 20)}`, `w${below(random, 520)}`]),
    )
    const [cue, options] = [words.join(' '), pick(random, ASKED)]
    const found = one.find(cue, options)
    t.deepEqual(other.find(cue, options), found, `${cue}, ${JSON.stringify(options)}, KARYON_SEED=${seed}`)
    t.is(other.stats().probes, one.stats().probes)
  }
}

test('what lies in a package finds what one finds that is built anew: full slots, ties, thresholds, weights', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  // The common word is in more texts than a slot has room for.
  for (const count of [0, 1, 40, 2 * SLOT_ROWS_MAX]) {
    const { graph } = Kernel.memory()
    await randomTexts(random, graph, count)
    const { engram } = await packed(t, graph, { recall: [SAYING, PLAIN] })
    const { engram: without } = await packed(t, graph)
    for (const options of [PLAIN, SAYING]) {
      const [placed, built] = [await openRecall(engram, options), await openRecall(without, options)]
      t.true(placed.stats().inPlace)
      t.false(built.stats().inPlace)
      checkSame(t, random, built, placed, seed)
      const { bytes, inPlace: _placed, ...stats } = placed.stats()
      const { bytes: memory, inPlace: _built, ...others } = built.stats()
      t.deepEqual(stats, others)
      t.is(stats.overflow > 0, count > SLOT_ROWS_MAX)
      t.true(bytes > 0 && memory > 0)
    }
  }
})

test('texts that tell the same come by their keys, in place as in memory, whatever their alphabet', async (t) => {
  const { graph } = Kernel.memory()
  const keys = ['b', 'a', '𐀀', '\uffff', 'é', 'ab']
  await graph.write((tx) =>
    keys.forEach((key) => tx.put(key, { labels: ['Fact'], props: { text: 'same words' } })),
  )
  const { engram } = await packed(t, graph, { recall: [PLAIN] })
  const expected = ['a', 'ab', 'b', 'é', '\uffff', '𐀀']
  for (const source of [graph, engram]) {
    const recall = await openRecall(source, PLAIN)
    for (const limit of [1, 3, 6])
      t.deepEqual(
        recall.find('same words', { limit }).map(({ key }) => key),
        expected.slice(0, limit),
      )
  }
})

test('the same knowledge and recalls give the same bytes; what is packed again carries what is asked for, and no more', async (t) => {
  const { graph } = Kernel.memory()
  await randomTexts(seededRandom(1), graph, 300)
  const recall = [SAYING, PLAIN]
  const { path, engram } = await packed(t, graph, { recall })
  const { path: other } = await packed(t, graph, { recall: [PLAIN, { ...SAYING }, PLAIN] })
  t.deepEqual(readFileSync(other), readFileSync(path))
  const { path: again } = await packed(t, engram, { recall })
  t.deepEqual(readFileSync(again), readFileSync(path))
  const [{ path: bare }, { path: dropped }] = [await packed(t, graph), await packed(t, engram)]
  t.deepEqual(readFileSync(dropped), readFileSync(bare))
  t.is(inspectEngram(bare).manifest.format, 1)
  const { path: none } = await packed(t, graph, { recall: [] })
  t.deepEqual(readFileSync(none), readFileSync(bare))

  const { manifest } = inspectEngram(path, { verify: 'full' })
  t.is(manifest.format, 3)
  const texts = [...graph.nodes({ label: 'Fact' })].filter(
    ({ props }) => typeof props['text'] === 'string',
  ).length
  t.deepEqual(manifest.recall, {
    normaliser: 1,
    grams: 1,
    tables: [
      { ...PLAIN, texts },
      { ...SAYING, texts },
    ],
  })
})

test('a package with its past carries tables too, and reads both', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a', { labels: ['Fact'], props: { text: 'the first words' } }))
  await graph.write((tx) => tx.patch('a', { props: { text: 'other words' } }))
  const options = { recall: [PLAIN], select: { history: 'kept' } } as const
  const { path, engram } = await packed(t, graph, options)
  t.like(engram.manifest, { format: 3, history: 'kept' })
  const recall = await openRecall(engram, PLAIN)
  t.deepEqual([recall.find('words').length, recall.find('first').length], [1, 0])
  t.is([...engram.history('a', { property: 'text' })].length, 2)
  const { path: again } = await packed(t, engram, options)
  t.deepEqual(readFileSync(again), readFileSync(path))
  // Tables and no past: there is none to ask for, and none to pack.
  const { engram: cut } = await packed(t, engram, { recall: [PLAIN] })
  t.is(cut.manifest.history, undefined)
  t.throws(() => cut.history('a').next(), { code: 'ERR_KARYON_HORIZON' })
  await refused(t, 'ERR_KARYON_HORIZON', packed(t, cut, options))
})

test('tables are of what is packed alone: of the labels, writers and trust that were selected, as of the moment', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const principals = new Principals()
  const [root, crew] = [principals.session('root').graph, principals.session('root/crew').graph]
  await randomTexts(random, root, 120)
  await crew.write((tx) => {
    for (let at = 0; at < 60; at++)
      tx.put(`crew${at}`, { labels: ['Fact'], props: { text: `common w${at} w${at % 7}`, trusted: at / 60 } })
  })
  const { version } = root.snapshot()
  await crew.write((tx) => tx.put('late', { labels: ['Fact'], props: { text: 'common rare w1' } }))
  for (const select of [
    { labels: ['Other'] },
    { labels: ['Fact'], at: version },
    { writers: ['root/crew'] },
    { trust: { property: 'trusted', atLeast: 0.5 } },
    { around: { keys: ['crew1', 'crew2'], hops: 1 } },
  ]) {
    const { engram } = await packed(t, root, { select, recall: [SAYING] })
    const { engram: without } = await packed(t, root, { select })
    const [placed, built] = [await openRecall(engram, SAYING), await openRecall(without, SAYING)]
    t.true(placed.stats().inPlace)
    checkSame(t, random, built, placed, seed)
    t.is(placed.stats().rows, built.stats().rows)
  }
})

test('other options than those of the tables are recalled by what is built', async (t) => {
  const { graph } = Kernel.memory()
  await randomTexts(seededRandom(3), graph, 50)
  const { engram } = await packed(t, graph, { recall: [SAYING] })
  const { trust: _trust, ...fewer } = SAYING
  for (const options of [PLAIN, fewer, { ...SAYING, label: 'Other' }, { ...SAYING, trust: 'sure' }]) {
    const recall = await openRecall(engram, options)
    t.false(recall.stats().inPlace)
    t.deepEqual(recall.find('common w1'), (await openRecall(graph, options)).find('common w1'))
  }
  t.true((await openRecall(engram, { ...SAYING })).stats().inPlace)
})

test('what never changes is as it is, and what is closed is closed', async (t) => {
  const { graph } = Kernel.memory()
  await randomTexts(seededRandom(4), graph, 50)
  const { engram } = await packed(t, graph, { recall: [PLAIN] })
  const recall = await openRecall(engram, PLAIN)
  t.is(recall.stats().version, 0n)
  t.throws(() => recall.find('common', { at: 1n }), { code: 'ERR_KARYON_ARGUMENT' })
  t.deepEqual(recall.find(''), [])
  recall.follow()
  t.true(recall.find('common').length > 0)
  engram.close()
  t.throws(() => recall.find('common'), { code: 'ERR_KARYON_CLOSED' })
  await refused(t, 'ERR_KARYON_CLOSED', openRecall(engram, PLAIN))
})

test('who recalls a package has it: it is not let go of, though nobody else knows it any more', async (t) => {
  const { graph } = Kernel.memory()
  await randomTexts(seededRandom(5), graph, 50)
  const { path } = await packed(t, graph, { recall: [PLAIN] })
  const recall = await openRecall(openEngram(path), PLAIN)
  t.true(recall.stats().inPlace)
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let round = 0; round < 5; round++) {
    collect()
    // What was let go of is told in a turn of its own.
    await turnOfLoop()
  }
  t.true(recall.find('common').length > 0)
})

test('recalls that are none, or too many, are not packed', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a', { labels: ['Fact'], props: { text: 'a' } }))
  const bad: unknown[] = [
    PLAIN,
    'Fact',
    [{ label: 'Fact' }],
    [{ text: 'text' }],
    [{ ...PLAIN, weight: 5 }],
    [{ ...PLAIN, wieght: 'w' }],
    [null],
    Array.from({ length: 9 }, (_, at) => ({ label: 'Fact', text: `t${at}` })),
  ]
  for (const recall of bad)
    await refused(
      t,
      'ERR_KARYON_ARGUMENT',
      packed(t, graph, { recall: recall as never }),
      JSON.stringify(recall),
    )
  await refused(t, 'ERR_KARYON_KEY_SIZE', packed(t, graph, { recall: [{ ...PLAIN, label: '' }] }))
  await refused(
    t,
    'ERR_KARYON_STRING_MALFORMED',
    packed(t, graph, { recall: [{ ...PLAIN, label: '\ud800' }] }),
  )
  const most = Array.from({ length: 8 }, (_, at) => ({ label: 'Fact', text: at === 0 ? 'text' : `t${at}` }))
  const { engram } = await packed(t, graph, { recall: most })
  for (const options of most) t.true((await openRecall(engram, options)).stats().inPlace)
})
