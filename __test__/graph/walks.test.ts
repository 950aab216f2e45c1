import test from 'ava'
import { Kernel, type Edge, type Graph, type Reader, type WalkOptions } from '../../ts/index.ts'
import { refused } from '../kernel/refused.ts'

/** A line of 30 nodes, whose ends are linked by another type, and a hub that everybody follows. */
async function line(): Promise<Graph> {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('hub')
    for (let at = 0; at < 30; at++) tx.put(`n${at}`, { props: { at } })
    for (let at = 0; at < 29; at++) tx.link(`n${at}`, 'NEXT', `n${at + 1}`)
    for (let at = 0; at < 30; at++) tx.link(`n${at}`, 'FOLLOWS', 'hub')
    tx.link('n0', 'JUMPS', 'n29')
  })
  return graph
}

function near(reader: Reader, key: string, options?: WalkOptions & { limit?: number }): string[] {
  return reader.within(key, options).map(({ node, hops }) => `${node.key}:${hops}`)
}

function way(edges: readonly Edge[] | undefined): string | undefined {
  return edges?.map(({ from, type, to }) => `${from} ${type} ${to}`).join(', ')
}

test('what lies within some edges comes in one crossing, near ones first', async (t) => {
  const graph = await line()
  const next = { type: 'NEXT' }
  t.deepEqual(near(graph, 'n3', next), ['n4:1'])
  t.deepEqual(near(graph, 'n3', { ...next, hops: 3 }), ['n4:1', 'n5:2', 'n6:3'])
  t.deepEqual(near(graph, 'n3', { ...next, hops: 2, direction: 'both' }), ['n4:1', 'n2:1', 'n5:2', 'n1:2'])
  t.deepEqual(near(graph, 'n3', { ...next, direction: 'in' }), ['n2:1'])
  t.deepEqual(near(graph, 'n3', { ...next, hops: 20, limit: 2 }), ['n4:1', 'n5:2'])
  t.is(graph.within('hub', { direction: 'in' }).length, 30)
  t.deepEqual(near(graph, 'n3', { hops: 0 }), [])
  t.deepEqual(near(graph, 'nobody'), [])
  t.deepEqual(graph.within('n3', next)[0]?.node, graph.get('n4'))
})

test('a shortest way is one with the fewest edges, within the bounds', async (t) => {
  const graph = await line()
  t.is(way(graph.path('n0', 'n29')), 'n0 JUMPS n29')
  t.is(graph.path('n0', 'n16', { type: 'NEXT' })?.length, 16)
  t.is(graph.path('n0', 'n17', { type: 'NEXT' }), undefined)
  t.is(graph.path('n0', 'n17', { type: 'NEXT', hops: 17 })?.length, 17)
  t.is(way(graph.path('n2', 'n5', { direction: 'both', hops: 2 })), 'n2 FOLLOWS hub, n5 FOLLOWS hub')
  t.deepEqual(graph.path('n1', 'n1'), [])
  t.is(graph.path('nobody', 'n1'), undefined)
  t.is(graph.path('n1', 'nobody'), undefined)
})

test('traversals answer as of a version and see own writes', async (t) => {
  const graph = await line()
  using before = graph.snapshot()
  await graph.write((tx) => {
    tx.unlink('n0', 'JUMPS', 'n29')
    t.is(way(tx.path('n0', 'n29', { hops: 3 })), undefined)
    tx.link('n0', 'LEAPS', 'n28')
    t.is(way(tx.path('n0', 'n29', { hops: 3 })), 'n0 LEAPS n28, n28 NEXT n29')
    t.deepEqual(near(tx, 'n0', { type: 'LEAPS' }), ['n28:1'])
  })
  t.is(way(before.path('n0', 'n29')), 'n0 JUMPS n29')
  t.deepEqual(near(before, 'n0', { type: 'LEAPS' }), [])
})

test('who walks too far is told so', async (t) => {
  const graph = await line()
  const wrong: unknown[] = [
    { hops: -1 },
    { hops: 1.5 },
    { limit: 0 },
    { limit: 65_537 },
    { direction: 'up' },
    { depth: 2 },
  ]
  for (const options of wrong) {
    await refused(t, 'ERR_KARYON_ARGUMENT', async () => graph.within('n0', options as WalkOptions))
  }
  await refused(t, 'ERR_KARYON_ARGUMENT', async () => graph.path('n0', 'n1', { limit: 5 } as WalkOptions))
})
