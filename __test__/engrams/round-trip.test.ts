import test from 'ava'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { exportEngram, inspectEngram, openEngram } from '../../ts/engrams/index.ts'
import { Kernel, type Graph, type Reader } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { chooseSeed, seededRandom } from '../values/random.ts'
import { copyInto, plainEdge, plainNode, plainOf, randomWorld, shuffled } from './worlds.ts'

const ROUNDS = 12
const ABOUT = { name: 'world', version: '1.0.0' }

test('whatever a graph holds comes back out of its package, with who wrote it', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const directory = freshDirectory(t)
  for (let round = 0; round < ROUNDS; round++) {
    const { graph } = Kernel.memory()
    await randomWorld(random, graph, round * 6)
    const path = join(directory, `${round}.engram`)
    const told = await exportEngram(graph, path, ABOUT)
    using engram = openEngram(path, { verify: 'full' })
    const plain = plainOf(graph)
    t.deepEqual(plainOf(engram), plain)
    t.deepEqual([...engram.nodes()].map(plainNode), plain.nodes, 'nodes come in the order of their keys')
    t.deepEqual([...engram.edges()].map(plainEdge), plain.edges, 'edges come in the order of their identity')

    let facts = 0
    const sources = new Set<string>()
    for (const target of [...engram.nodes(), ...engram.edges()]) {
      const names = [...Object.keys(target.props), ...Object.keys(target.intervals ?? {})]
      facts += 1 + names.length + ('labels' in target ? target.labels.length : 0)
      for (const property of [undefined, ...names]) {
        const of = 'from' in target ? target : target.key
        const { principal, time } = graph.blame(of, property)!
        t.deepEqual(engram.source(of, property), { principal, time })
        sources.add(`${time.toISOString()} ${principal}`)
      }
    }
    const { nodes, edges } = plain
    t.deepEqual(told.manifest.counts, {
      nodes: nodes.length,
      edges: edges.length,
      facts,
      sources: sources.size,
    })
    t.deepEqual(inspectEngram(path), told)
  }
})

test('the same knowledge is the same file, however it came to be', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const directory = freshDirectory(t)
  for (let round = 0; round < 6; round++) {
    const { graph } = Kernel.memory()
    await randomWorld(random, graph, 10 + round * 8)
    const path = (name: string): string => join(directory, `${round}-${name}.engram`)
    const bytes = (name: string): Buffer => readFileSync(path(name))
    await exportEngram(graph, path('a'), ABOUT)
    await exportEngram(graph, path('b'), ABOUT)
    t.deepEqual(bytes('b'), bytes('a'), 'twice')
    using engram = openEngram(path('a'))
    await exportEngram(engram, path('c'), ABOUT)
    t.deepEqual(bytes('c'), bytes('a'), 'out of the package')

    await exportEngram(graph, path('d'), { ...ABOUT, provenance: false })
    const other = Kernel.memory().graph
    await copyInto(other, {
      nodes: shuffled(random, [...engram.nodes()]),
      edges: shuffled(random, [...engram.edges()]),
    })
    await exportEngram(other, path('e'), { ...ABOUT, provenance: false })
    t.deepEqual(bytes('e'), bytes('d'), 'out of another graph, written in another order')
    t.is(inspectEngram(path('e')).manifest.counts.sources, 0)
  }
})

test('without provenance nothing says who wrote it', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('a', { labels: ['L'], props: { n: 1 } })
    tx.link('a', 'T', 'a')
  })
  const path = join(freshDirectory(t), 'a.engram')
  await exportEngram(graph, path, { ...ABOUT, provenance: false })
  using engram = openEngram(path)
  t.is(engram.source('a'), undefined)
  t.is(engram.source('a', 'n'), undefined)
  t.is(engram.source({ from: 'a', type: 'T', to: 'a' }), undefined)
  t.false(readFileSync(path).includes('root'))
})

test('a package of nothing is one', async (t) => {
  const path = join(freshDirectory(t), 'nothing.engram')
  await exportEngram(Kernel.memory().graph, path, ABOUT)
  using engram = openEngram(path, { verify: 'full' })
  t.deepEqual(engram.manifest.counts, { nodes: 0, edges: 0, facts: 0, sources: 0 })
  t.is(engram.get('a'), undefined)
  t.deepEqual(plainOf(engram), { nodes: [], edges: [] })
  t.deepEqual([...engram.handles(['a'])], [2 ** 32 - 1])
})

test('nodes of many blocks, and a node of many edges, come back', async (t) => {
  const { graph } = Kernel.memory()
  const large = { text: 'é'.repeat(150_000), bytes: new Uint8Array(200_000).fill(7) }
  await graph.write((tx) => {
    tx.put('hub', { props: large })
    tx.put('large', { labels: ['L'], props: { ...large, list: Array.from({ length: 30_000 }, (_, n) => n) } })
    for (let at = 0; at < 3_000; at++) {
      tx.put(`leaf ${at}`)
      tx.link('hub', 'HAS', `leaf ${at}`, { props: { at } })
      tx.link(`leaf ${at}`, 'OF', 'hub', { props: { at } })
    }
    tx.link('hub', 'HAS', 'large', { props: large })
  })
  const path = join(freshDirectory(t), 'large.engram')
  await exportEngram(graph, path, ABOUT)
  // So small a cache that blocks are let go of and read again.
  using engram = openEngram(path, { cacheBytes: 0 })
  t.deepEqual(plainOf(engram), plainOf(graph))
  t.is(engram.degree('hub', 'out'), 3_001)
  t.is([...engram.in('hub')].length, 3_000)
  for (const at of [0, 1, 63, 64, 65, 127, 128, 2_999]) {
    t.is(engram.edge({ from: 'hub', type: 'HAS', to: `leaf ${at}` })?.props['at'], at)
  }
  t.is(engram.edge({ from: 'hub', type: 'HAS', to: 'leaf' }), undefined)
  t.is(engram.edge({ from: 'hub', type: 'HAS', to: 'zero' }), undefined)
})

test('an export that fails leaves nothing, and what was there before', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a', { props: { n: 1 } }))
  const directory = freshDirectory(t)
  const path = join(directory, 'a.engram')
  await exportEngram(graph, path, ABOUT)
  const before = readFileSync(path)
  await t.throwsAsync(exportEngram(graph, path, { ...ABOUT, limits: { bytes: 100 } }), {
    code: 'ERR_KARYON_PACKAGE_LIMIT',
  })
  await t.throwsAsync(exportEngram(graph, path, { ...ABOUT, limits: { manifestBytes: 10 } }), {
    code: 'ERR_KARYON_PACKAGE_LIMIT',
  })
  t.deepEqual(readdirSync(directory), ['a.engram'])
  t.deepEqual(readFileSync(path), before)
  await t.throwsAsync(exportEngram(graph, join(directory, 'nowhere', 'a.engram'), ABOUT), {
    code: 'ERR_KARYON_IO',
  })
})

test('a view is refused: a graph is packed as of a moment', async (t) => {
  const kernel = Kernel.memory()
  await kernel.graph.write((tx) => tx.put('a'))
  const path = join(freshDirectory(t), 'a.engram')
  for (const view of [kernel.graph.at(1n), kernel.graph.snapshot(), kernel.graph.validAt('2026-01-01')])
    await refused(
      t,
      'ERR_KARYON_ARGUMENT',
      exportEngram(view as Reader as Graph, path, { name: 'a', version: '1.0.0' }),
    )
})
