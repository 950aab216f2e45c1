import test, { type ExecutionContext } from 'ava'
import { join } from 'node:path'
import { exportEngram, openEngram, type ExportOptions, type Selection } from '../../ts/engrams/index.ts'
import { Kernel, type Graph } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { below, chooseSeed, pick, seededRandom } from '../values/random.ts'
import { allOf, selected } from './selected.ts'
import { LABELS, TYPES, plainEdge, plainOf, randomWorld } from './worlds.ts'

const ABOUT = { name: 'world', version: '1.0.0' }

async function pack(
  t: ExecutionContext,
  graph: Graph,
  options: Partial<ExportOptions>,
): Promise<ReturnType<typeof plainOf>> {
  const path = join(freshDirectory(t), 'a.engram')
  await exportEngram(graph, path, { ...ABOUT, ...options })
  using engram = openEngram(path, { verify: 'full' })
  return plainOf(engram)
}

test('any selection is what trying everything selects', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  let edges = 0
  for (let world = 0; world < 4; world++) {
    const { graph } = Kernel.memory()
    await randomWorld(random, graph, 16 + world * 6)
    const keys = [...graph.nodes()].map(({ key }) => key)
    for (let round = 0; round < 12; round++) {
      const select: Selection = {
        ...(below(random, 2) === 0 && { labels: [pick(random, LABELS), pick(random, LABELS)] }),
        ...(below(random, 2) === 0 && { types: [pick(random, TYPES), pick(random, TYPES)] }),
        ...(below(random, 2) === 0 && { around: { keys: [pick(random, keys)], hops: below(random, 4) } }),
      }
      const found = await pack(t, graph, { select })
      t.deepEqual(found, selected(allOf(graph), select), JSON.stringify(select))
      edges += found.edges.length
    }
  }
  t.true(edges > 0)
})

test('nodes without edges, parallel edges and edges to oneself are packed', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('alone', { labels: ['L'] })
    tx.put('bare')
    tx.put('b', { labels: ['L'] })
    for (const key of ['', 'again', 'once more']) tx.link('b', 'T', 'b', { key, props: { key } })
  })
  t.deepEqual(await pack(t, graph, {}), plainOf(graph))
  const labelled = await pack(t, graph, { select: { labels: ['L'] } })
  t.is(labelled.nodes.length, 2)
  t.is(labelled.edges.length, 3)
  t.is((await pack(t, graph, { select: { types: [] } })).edges.length, 0)
  t.is((await pack(t, graph, { select: { labels: ['unknown'] } })).nodes.length, 0)
})

test('a moment of the past is packed as it was, and by whom', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('a', { labels: ['L'], props: { n: 1, same: true } })
    tx.put('b')
    tx.link('a', 'T', 'b', { props: { n: 1 } })
  })
  const first = graph.stats().head
  await graph.write((tx) => {
    tx.patch('a', { props: { n: 2 } })
    tx.patch({ from: 'a', type: 'T', to: 'b' }, { props: { n: 2 } })
  })
  await graph.write((tx) => tx.remove('b', { detach: true }))
  await graph.write((tx) => {
    tx.put('b')
    tx.link('a', 'T', 'b')
  })
  const then = graph.at(first)
  const path = join(freshDirectory(t), 'a.engram')
  await exportEngram(graph, path, { ...ABOUT, select: { at: first } })
  using engram = openEngram(path)
  t.deepEqual(plainOf(engram), plainOf(then))
  const edge = { from: 'a', type: 'T', to: 'b' }
  for (const [target, property] of [['a'], ['a', 'n'], ['a', 'same'], ['b'], [edge], [edge, 'n']] as const) {
    t.deepEqual(engram.source(target, property)?.time, then.time, `${JSON.stringify(target)} ${property}`)
  }
  t.is(engram.manifest.counts.sources, 1)
})

test('writers go on while a graph is packed, and are not in it', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (let at = 0; at < 3_000; at++) tx.put(`n${at}`, { props: { at } })
  })
  const before = plainOf(graph)
  const path = join(freshDirectory(t), 'a.engram')
  const packing = exportEngram(graph, path, ABOUT)
  for (let round = 0; round < 20; round++) {
    await graph.write((tx) => tx.put(`n${round}`, { props: { at: -1 } }))
    await graph.write((tx) => tx.put(`new ${round}`))
  }
  await packing
  using engram = openEngram(path)
  t.deepEqual(plainOf(engram), before)
  t.is(engram.manifest.counts.sources, 1)
})

test('a package can be packed from a fork, and a part of it from a package', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (const key of ['a', 'b', 'c']) tx.put(key, { labels: key === 'c' ? [] : ['L'] })
    tx.link('a', 'T', 'b')
    tx.link('b', 'T', 'c')
  })
  const fork = await graph.fork('idea')
  await fork.write((tx) => tx.patch('a', { props: { new: true } }))
  const path = join(freshDirectory(t), 'a.engram')
  await exportEngram(fork, path, ABOUT)
  using engram = openEngram(path)
  t.deepEqual(plainOf(engram), plainOf(fork))
  const part = join(freshDirectory(t), 'part.engram')
  const { manifest } = await exportEngram(engram, part, {
    ...ABOUT,
    select: { labels: ['L'] },
    parents: [engram.root],
  })
  t.deepEqual(manifest.parents, [engram.root])
  t.deepEqual(manifest.schema.labels, { L: 2 })
  using own = openEngram(part)
  t.deepEqual([...own.edges()].map(plainEdge), [plainEdge(graph.edge({ from: 'a', type: 'T', to: 'b' })!)])
  t.deepEqual(own.source('a', 'new'), engram.source('a', 'new'))
  await refused(t, 'ERR_KARYON_ARGUMENT', exportEngram(engram, part, { ...ABOUT, select: { at: 1n } }))
})

test('what nobody can mean is refused before anything is written', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a'))
  const path = join(freshDirectory(t), 'a.engram')
  const wrong: object[] = [
    { name: '' },
    { name: 'with blanks' },
    { name: 'x'.repeat(129) },
    { version: '1' },
    { version: '01.0.0' },
    { version: 'v1.0.0' },
    { description: 5 },
    { description: 'x'.repeat(65_537) },
    { licence: 'x'.repeat(257) },
    { parents: ['abc'] },
    { parents: 'abc' },
    { policies: { text: 'newest' } },
    { policies: [] },
    { select: { label: 'L' } },
    { select: { labels: 'L' } },
    { select: { around: { keys: 'a', hops: 1 } } },
    { select: { around: { keys: ['a'], hops: -1 } } },
    { select: { around: { keys: ['a'] } } },
    { select: { writers: 'root' } },
    { select: { writers: [5] } },
    { select: { writers: [''] } },
    { select: { writers: ['root/'] } },
    { select: { writers: ['/root'] } },
    { select: { writers: ['root//crew'] } },
    { select: { writers: ['r'.repeat(65_537)] } },
    { select: { writers: Array.from({ length: 1_025 }, (_, at) => `root/${at}`) } },
    { select: { trust: 'n' } },
    { select: { trust: { property: 'n' } } },
    { select: { trust: { property: 5, atLeast: 1 } } },
    { select: { trust: { property: 'n', atLeast: '1' } } },
    { select: { trust: { property: 'n', atLeast: 1.1 } } },
    { select: { trust: { property: 'n', atLeast: -0.1 } } },
    { select: { trust: { property: 'n', atLeast: Number.NaN } } },
    { select: { trust: { property: 'n', atLeast: 1, atMost: 1 } } },
    { selection: {} },
  ]
  for (const options of wrong) {
    const given = { ...ABOUT, ...options }
    await refused(
      t,
      'ERR_KARYON_ARGUMENT',
      exportEngram(graph, path, given),
      JSON.stringify(options).slice(0, 80),
    )
  }
  const around = { keys: ['a', 'nobody'], hops: 1 }
  await refused(t, 'ERR_KARYON_NODE_MISSING', exportEngram(graph, path, { ...ABOUT, select: { around } }))
  await refused(
    t,
    'ERR_KARYON_STRING_MALFORMED',
    exportEngram(graph, path, { ...ABOUT, description: '\ud800' }),
  )
  const lone = { writers: ['root/\ud800'] }
  await refused(t, 'ERR_KARYON_STRING_MALFORMED', exportEngram(graph, path, { ...ABOUT, select: lone }))
  const nameless = { trust: { property: '', atLeast: 1 } }
  await refused(t, 'ERR_KARYON_KEY_SIZE', exportEngram(graph, path, { ...ABOUT, select: nameless }))
  await refused(t, 'ERR_KARYON_UNSETTLED', exportEngram(graph, path, { ...ABOUT, select: { at: 99n } }))
  await refused(t, 'ERR_KARYON_ARGUMENT', exportEngram(graph, '', ABOUT))
  await refused(t, 'ERR_KARYON_ARGUMENT', exportEngram(undefined as unknown as Graph, path, ABOUT))
  t.throws(() => openEngram(path), { code: 'ERR_KARYON_IO' })
})
