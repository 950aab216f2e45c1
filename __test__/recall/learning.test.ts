import test from 'ava'
import { Kernel } from '../../ts/index.ts'
import type { Graph, Target } from '../../ts/graph/types.ts'
import { reinforce, weaken } from '../../ts/recall/learning.ts'
import { openRecall } from '../../ts/recall/recall.ts'
import { refused } from '../kernel/refused.ts'

const EDGE = { from: 'n0', type: 'NEXT', to: 'n1' }
const PARALLEL = { ...EDGE, key: 'other' }
const TARGETS: readonly Target[] = ['n0', EDGE, PARALLEL]

/** A ring of nodes with texts, and two edges from each to the next one. */
async function ringOf(size: number): Promise<Graph> {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (let at = 0; at < size; at++)
      tx.put(`n${at}`, { labels: ['Fact'], props: { text: `the red house ${at}`, other: at } })
    for (let at = 0; at < size; at++) {
      for (const key of ['', 'other'])
        tx.link(`n${at}`, 'NEXT', `n${(at + 1) % size}`, { key, props: { text: 'leads to', other: at } })
    }
  })
  return graph
}

const weightOf = (graph: Graph, target: Target): unknown =>
  (typeof target === 'string' ? graph.get(target) : graph.edge(target))?.props['weight']

test('what helped counts more, and nothing else has changed', async (t) => {
  const graph = await ringOf(3)
  const memory = await openRecall(graph, { label: 'Fact', text: 'text', weight: 'weight' })
  const before = memory.find('red house')
  t.deepEqual(
    before.map(({ key }) => key),
    ['n0', 'n1', 'n2'],
  )
  await reinforce(graph, 'n1', 'weight', 0.5)
  await Promise.all([reinforce(graph, 'n1', 'weight', 0.25), reinforce(graph, 'n1', 'weight', 0.25)])
  const after = memory.find('red house')
  t.deepEqual(
    after.map(({ key }) => key),
    ['n1', 'n0', 'n2'],
  )
  t.is(weightOf(graph, 'n1'), 2)
  t.is(after[0]?.score, (before[1]?.score as number) * 2)
  t.deepEqual(after.slice(1), [before[0], before[2]])
  await weaken(graph, 'n1', 'weight', 2)
  t.is(memory.find('red house').at(-1)?.score, 0)
  await reinforce(graph, 'n1', 'weight', 1)
  t.deepEqual(memory.find('red house'), before)
})

for (const learn of [reinforce, weaken]) {
  test(`${learn.name} changes one fact, however large the graph, and nothing else by a byte`, async (t) => {
    for (const size of [3, 3_000]) {
      const graph = await ringOf(size)
      for (const target of TARGETS) {
        // The first time it is set, the second time it is changed.
        for (const _ of ['set', 'changed']) {
          using then = graph.snapshot()
          const held = weightOf(graph, target)
          await learn(graph, target, 'weight', 0.25)
          using now = graph.snapshot()
          t.is(now.version, then.version + 1n)
          t.deepEqual(
            [...graph.diff(then.version, now.version)].map((one) => one.target),
            [typeof target === 'string' ? target : { key: '', ...target }],
          )
          // With its weight put back it is the graph that it was.
          await graph.write((tx) => tx.patch(target, { props: { weight: held as never } }))
          t.not(now.digest(), then.digest())
          t.is(graph.digest(), then.digest())
          await learn(graph, target, 'weight', 0.25)
        }
      }
      const expected = learn === reinforce ? 1.5 : 0.5
      for (const target of TARGETS) t.is(weightOf(graph, target), expected)
      t.is(weightOf(graph, { from: 'n1', type: 'NEXT', to: 'n2' }), undefined)
    }
  })
}

test('the change has a writer, a past, and is taken back as any other', async (t) => {
  const graph = await ringOf(3)
  using before = graph.snapshot()
  await reinforce(graph, PARALLEL, 'weight', 1)
  t.like(graph.blame(PARALLEL, 'weight'), { principal: 'root', version: before.version + 1n })
  t.is(before.edge(PARALLEL)?.props['weight'], undefined)
  await graph.revert({ principal: 'root', since: before.version })
  t.is(graph.digest(), before.digest())
})

test('a weight is weakened to 0 and no further', async (t) => {
  const graph = await ringOf(3)
  for (const target of TARGETS) {
    await weaken(graph, target, 'weight', 1.5)
    t.is(weightOf(graph, target), 0)
    await reinforce(graph, target, 'weight', 0.5)
    await weaken(graph, target, 'weight', 0.125)
    t.is(weightOf(graph, target), 0.375)
    await weaken(graph, target, 'weight', 7)
    t.is(weightOf(graph, target), 0)
    // Whoever wants less than nothing writes it.
    await graph.write((tx) => tx.patch(target, { props: { weight: -3 } }))
    using before = graph.snapshot()
    await weaken(graph, target, 'weight', 1)
    t.is(graph.snapshot().version, before.version)
    await reinforce(graph, target, 'weight', 1)
    t.is(weightOf(graph, target), -2)
  }
})

test('many at once are all counted', async (t) => {
  const graph = await ringOf(3)
  for (const target of TARGETS) {
    await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        at % 4 === 3 ? weaken(graph, target, 'weight', 0.5) : reinforce(graph, target, 'weight', 0.5),
      ),
    )
    t.is(weightOf(graph, target), 1 + 30 * 0.5 - 10 * 0.5)
  }
})

test('what is not there is not made, and what is no weight is left as it is', async (t) => {
  const graph = await ringOf(3)
  await graph.write((tx) => {
    tx.patch('n1', { props: { weight: 'heavy' } })
    tx.patch('n2', { props: { weight: 1 }, valid: { from: '2026-01-01' } })
  })
  using before = graph.snapshot()
  for (const learn of [reinforce, weaken]) {
    await refused(t, 'ERR_KARYON_NODE_MISSING', learn(graph, 'nobody', 'weight', 1))
    await refused(t, 'ERR_KARYON_EDGE_MISSING', learn(graph, { ...EDGE, key: 'third' }, 'weight', 1))
    await refused(t, 'ERR_KARYON_VALUE_TYPE', learn(graph, 'n1', 'weight', 1))
    await refused(t, 'ERR_KARYON_VALUE_TYPE', learn(graph, 'n2', 'weight', 1))
    for (const by of [0, -1, NaN, Infinity, '1', 1n, undefined])
      await refused(t, 'ERR_KARYON_ARGUMENT', learn(graph, 'n0', 'weight', by as never))
    await refused(t, 'ERR_KARYON_ARGUMENT', learn(graph, 'n0', 5 as never, 1))
    await refused(t, 'ERR_KARYON_ARGUMENT', learn(graph, { ...EDGE, label: 'x' } as never, 'weight', 1))
  }
  t.is(graph.digest(), before.digest())
})

test('a weight has the name of whatever every object has', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('n'))
  await reinforce(graph, 'n', 'constructor', 0.5)
  await weaken(graph, 'n', 'toString', 0.25)
  t.deepEqual({ ...graph.get('n')?.props }, { constructor: 1.5, toString: 0.75 } as never)
})
