import test, { type ExecutionContext } from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportEngram, openEngram, type ExportOptions, type Selection } from '../../ts/engrams/index.ts'
import { Kernel, type Engram, type Graph } from '../../ts/index.ts'
import { Principals } from '../graph/principals.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { below, chooseSeed, pick, seededRandom } from '../values/random.ts'
import { allOf, selected, writtenBy } from './selected.ts'
import { type Plain, LABELS, TYPES, change, plainNode, plainOf, randomKeys } from './worlds.ts'

const ABOUT = { name: 'world', version: '1.0.0' }
const WRITERS = ['root', 'root/crew', 'root/crew/ledger', 'root/crew2', 'root/eve'] as const

interface Packed {
  readonly plain: Plain
  readonly bytes: Buffer
}

async function pack(
  t: ExecutionContext,
  from: Graph | Engram,
  select: Selection,
  options: Partial<ExportOptions> = {},
): Promise<Packed> {
  const path = join(freshDirectory(t), 'a.engram')
  await exportEngram(from, path, { ...ABOUT, select, ...options })
  using engram = openEngram(path, { verify: 'full' })
  return { plain: plainOf(engram), bytes: readFileSync(path) }
}

test('what some have written, and what is trusted, is what the last change of each fact says', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  let [facts, edges, left] = [0, 0, 0]
  for (let world = 0; world < 4; world++) {
    const principals = new Principals()
    const { graph } = principals.session('root')
    const keys = randomKeys(random, 16 + world * 6)
    for (let commit = 0; commit < 8; commit++) {
      const writer = principals.session(pick(random, WRITERS)).graph
      await writer.write((tx) => {
        change(random, tx, keys, keys.length)
        for (const key of keys.filter((each) => tx.get(each) && random() < 0.2)) {
          tx.patch(key, { props: { trust: pick(random, [0, 0.25, 0.5, 1, 2, -1, Number.NaN, 'high', 1n]) } })
        }
      })
    }
    const { head } = graph.stats()
    for (let round = 0; round < 12; round++) {
      const at = below(random, 3) === 0 ? BigInt(1 + below(random, Number(head))) : head
      const writers = below(random, 4) > 0 ? [pick(random, WRITERS), pick(random, WRITERS)] : undefined
      const all = writers ? writtenBy(graph, writers, at) : allOf(graph.at(at))
      const trust = {
        property: pick(random, ['trust', 'trust', 'n']),
        atLeast: pick(random, [0, 0.3, 0.5, 1]),
      }
      const choice: Selection = {
        ...(below(random, 2) === 0 && { trust }),
        ...(below(random, 2) === 0 && { labels: [pick(random, LABELS), pick(random, LABELS)] }),
        ...(below(random, 2) === 0 && { types: [pick(random, TYPES), pick(random, TYPES)] }),
      }
      const start = selected(all, { trust: choice.trust ?? { property: 'none', atLeast: 0 } }).nodes
      const hops = below(random, 4)
      const near = start.length > 0 && below(random, 3) === 0 && pick(random, start)
      const rest = { ...choice, ...(near && { around: { keys: [(near as { key: string }).key], hops } }) }
      const select = { ...rest, at, ...(writers && { writers }) }
      const said = `${JSON.stringify(rest)} ${writers} at ${at}`
      const { plain, bytes } = await pack(t, graph, select)
      t.deepEqual(plain, selected(all, rest), said)
      t.deepEqual((await pack(t, graph, select)).bytes, bytes, `twice: ${said}`)
      const silent = await pack(t, graph, select, { provenance: false })
      t.deepEqual(silent.plain, plain, `without provenance: ${said}`)
      facts += plain.nodes.length
      edges += plain.edges.length
      left += allOf(graph.at(at)).nodes.length - plain.nodes.length
    }
  }
  t.true(facts > 0 && edges > 0 && left > 0)
})

test('facts of others are left out one by one, and what they have made with its edges', async (t) => {
  const principals = new Principals()
  const { graph } = principals.session('root')
  const [crew, ledger, other] = ['root/crew', 'root/crew/ledger', 'root/crew2'].map(
    (name) => principals.session(name).graph,
  ) as [Graph, Graph, Graph]
  await crew.write((tx) => {
    tx.put('a', { labels: ['Fact', 'Old'], props: { theirs: 1, changed: 1, unset: 1 } })
    tx.put('b', { labels: ['Fact'] })
    tx.link('a', 'T', 'b', { props: { p: 1 } })
    tx.link('a', 'T', 'b', { key: 'timed' })
  })
  await ledger.write((tx) => {
    tx.patch('a', { props: { below: 1 } })
    tx.put('c')
    tx.link('b', 'T', 'c')
  })
  await other.write((tx) => {
    tx.patch('a', { labels: ['Fact', 'Forged'], props: { changed: 2, unset: undefined, new: 1 } })
    tx.patch({ from: 'a', type: 'T', to: 'b' }, { props: { p: 2 } })
    tx.link('a', 'T', 'b', { key: 'forged' })
    tx.unlink('a', 'T', 'b', { key: 'timed', valid: { from: '2026-01-01' } })
    tx.put('d')
    tx.link('c', 'T', 'd')
    tx.link('c', 'T', 'c')
  })
  const { plain } = await pack(t, graph, { writers: ['root/crew'] })
  t.deepEqual(plain, {
    nodes: [
      { key: 'a', labels: ['Fact', 'Old'], props: { below: 1, theirs: 1 } },
      { key: 'b', labels: ['Fact'], props: {} },
      { key: 'c', labels: [], props: {} },
    ],
    edges: [
      { from: 'a', type: 'T', to: 'b', key: '', props: {} },
      { from: 'b', type: 'T', to: 'c', key: '', props: {} },
    ],
  })
  const forged = await pack(t, graph, { writers: ['root/crew'], labels: ['Forged'] })
  t.deepEqual(forged.plain.nodes, [], 'a label of somebody else is none')
  t.deepEqual((await pack(t, graph, { writers: [] })).plain, { nodes: [], edges: [] })
  t.deepEqual((await pack(t, graph, { writers: ['root'] })).plain, plainOf(graph))
  t.deepEqual((await pack(t, graph, { writers: ['root/crew/led'] })).plain.nodes, [])
  const around = { keys: ['d'], hops: 1 }
  await refused(t, 'ERR_KARYON_NODE_MISSING', pack(t, graph, { writers: ['root/crew'], around }))
})

test('what does not say how far it is trusted is trusted, as a recall does', async (t) => {
  const { graph } = Kernel.memory()
  const held = {
    none: undefined,
    low: 0.49,
    half: 0.5,
    high: 7,
    text: '0',
    bigint: 0n,
    nan: Number.NaN,
    negative: -1,
  }
  await graph.write((tx) => {
    for (const [key, trust] of Object.entries(held)) tx.put(key, { props: { trust } })
    tx.put('sometimes')
    tx.patch('sometimes', { props: { trust: 0 }, valid: { to: '2026-01-01' } })
    tx.link('none', 'T', 'half', { props: { trust: 0.1 } })
    tx.link('none', 'T', 'half', { key: 'good', props: { trust: 0.9 } })
    tx.link('none', 'T', 'low')
    tx.link('low', 'T', 'half')
  })
  const trust = { property: 'trust', atLeast: 0.5 }
  const { plain } = await pack(t, graph, { trust })
  const keys = (plain.nodes as { key: string }[]).map(({ key }) => key)
  t.deepEqual(keys, ['bigint', 'half', 'high', 'nan', 'none', 'sometimes', 'text'])
  t.deepEqual(
    (plain.edges as { key: string }[]).map(({ key }) => key),
    ['good'],
  )
  const near = await pack(t, graph, { trust, around: { keys: ['none'], hops: 3 }, types: ['T'] })
  t.deepEqual(
    (near.plain.nodes as { key: string }[]).map(({ key }) => key),
    ['half', 'none'],
    'what is not trusted leads nowhere',
  )
  await refused(t, 'ERR_KARYON_NODE_MISSING', pack(t, graph, { trust, around: { keys: ['low'], hops: 0 } }))
  t.is((await pack(t, graph, { trust: { ...trust, atLeast: 0 } })).plain.nodes.length, 8)
})

test('of a package, labels are nobody’s; without provenance nothing is anybody’s', async (t) => {
  const principals = new Principals()
  const { graph } = principals.session('root')
  await principals.session('root/crew').graph.write((tx) => {
    tx.put('a', { labels: ['L'], props: { n: 1 } })
    tx.link('a', 'T', 'a')
    tx.link('a', 'T', 'a', { key: 'timed', valid: { to: '2026-01-01' } })
  })
  await graph.write((tx) => tx.put('b'))
  const path = join(freshDirectory(t), 'all.engram')
  await exportEngram(graph, path, ABOUT)
  using engram = openEngram(path)
  const { plain } = await pack(t, engram, { writers: ['root/crew'] })
  t.deepEqual(plain, {
    nodes: [{ key: 'a', labels: [], props: { n: 1 } }],
    edges: [{ from: 'a', type: 'T', to: 'a', key: '', props: {} }],
  })
  await exportEngram(graph, path, { ...ABOUT, provenance: false })
  using silent = openEngram(path)
  t.deepEqual((await pack(t, silent, { writers: ['root'] })).plain, { nodes: [], edges: [] })
})

test('who wrote what was changed since the moment that is packed is who wrote it then', async (t) => {
  const principals = new Principals()
  const { graph } = principals.session('root')
  const [crew, eve] = [principals.session('root/crew').graph, principals.session('root/eve').graph]
  await crew.write((tx) => tx.put('a', { labels: ['L'], props: { n: 1 } }))
  await eve.write((tx) => tx.patch('a', { props: { m: 1 } }))
  const at = graph.stats().head
  await eve.write((tx) => tx.put('a', { props: { n: 2 } }))
  await crew.write((tx) => tx.patch('a', { labels: ['M'], props: { m: 2 } }))
  const then = await pack(t, graph, { at, writers: ['root/crew'] })
  t.deepEqual(then.plain.nodes, [{ key: 'a', labels: ['L'], props: { n: 1 } }])
  const now = await pack(t, graph, { writers: ['root/crew'] })
  t.deepEqual(now.plain.nodes, [plainNode({ key: 'a', labels: ['M'], props: { m: 2 }, version: 0n })])
})
