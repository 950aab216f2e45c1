// A detachment where a rule of the graph needs what was promoted: that stays, and is told, and all else goes.
import test from 'ava'
import { graftEngram } from '../../ts/engrams/grafts/graft.ts'
import { listGrafts } from '../../ts/engrams/grafts/opened.ts'
import { takeBack } from '../../ts/engrams/grafts/take-back.ts'
import type { Detached, Graft } from '../../ts/engrams/types.ts'
import { Kernel, type Graph, type PropertyChanges, type Transaction } from '../../ts/index.ts'
import { fakeEngram } from './fake-engram.ts'

const fact = (key: string, props: PropertyChanges) => (tx: Transaction) =>
  tx.put(key, { labels: ['Fact'], props })

/** A host of which a package has changed much. */
async function promoted(): Promise<{
  readonly kernel: Kernel
  readonly graph: Graph
  readonly graft: Graft
}> {
  const kernel = Kernel.memory()
  const { graph } = kernel
  await graph.write((tx) => {
    fact('sky', { text: 'blue', far: 1 })(tx)
    fact('sea', { depth: 5 })(tx)
    tx.patch('sea', { props: { warm: 1 }, valid: { from: '2026-01-01' } })
    tx.link('sky', 'OVER', 'sea', { valid: { from: '2026-01-01' } })
  })
  const engram = await fakeEngram((tx) => {
    fact('sky', { text: 'grey', far: 2 })(tx)
    fact('sea', { text: 'green', depth: 6, warm: 2 })(tx)
    tx.patch('sea', { labels: ['Water'] })
    for (let n = 0; n < 20; n++) fact(`drop ${n}`, { text: `wet ${n}` })(tx)
    for (let n = 0; n < 20; n++) tx.link(`drop ${n}`, 'FROM', 'sky')
    tx.link('sky', 'OVER', 'sea', { valid: { from: '2025-01-01' }, props: { far: 1 } })
  })
  const graft = await graftEngram(kernel, engram, { policies: { '*': 'take-package' } })
  await graft.promote()
  return { kernel, graph, graft }
}

function places({ kept }: Detached): string[] {
  return kept.map(({ target, slot }) => `${typeof target === 'string' ? target : target.type} ${slot}`)
}

test('a value that somebody else has by now is not taken back, and the rest is', async (t) => {
  const { kernel, graph, graft } = await promoted()
  const all = { ...graph.get('sky')?.props }
  await graph.index({ label: 'Fact', property: 'text', unique: true })
  await graph.write(fact('new', { text: 'blue' }))
  const detached = await graft.detach()
  t.deepEqual(places(detached), ['sky property:text'])
  t.is(detached.restored, 47)
  t.true(detached.kept[0]!.reason.includes('the same text'), detached.kept[0]!.reason)
  t.deepEqual(all, { text: 'grey', far: 2 })
  t.deepEqual(graph.get('sky')?.props, { text: 'grey', far: 1 })
  await graph.write((tx) => {
    tx.remove('new')
    tx.patch('sky', { props: { text: 'blue' } })
  })
  t.is(graph.digest(), graph.digest(1n), 'everything else is as it was')
  t.deepEqual([await listGrafts(kernel), graph.forks()], [[], []])
})

test('a property that is required by now is not taken back, what others have changed neither, and the rest is', async (t) => {
  const { kernel, graph, graft } = await promoted()
  await graph.index({ label: 'Fact', property: 'text', required: true })
  await graph.write((tx) => {
    tx.patch('sea', { props: { depth: 7 } })
    tx.put('roof')
    tx.link('drop 3', 'FROM', 'roof')
  })
  const detached = await graft.detach()
  t.deepEqual(places(detached).toSorted(), ['drop 3 existence', 'sea property:depth', 'sea property:text'])
  t.like(graph.get('sea'), { labels: ['Fact'], props: { text: 'green', depth: 7 } })
  t.is(graph.get('sea')?.intervals?.['warm']?.[0]?.value, 1)
  const edge = graph.edge({ from: 'sky', type: 'OVER', to: 'sea' })!
  t.deepEqual([edge.props, edge.valid?.[0]?.from?.toISOString().slice(0, 4)], [{}, '2026'])
  t.like(graph.get('drop 3'), { labels: [], props: {} })
  t.deepEqual([graph.get('drop 4'), graph.degree('sky', 'in')], [undefined, 0])
  t.deepEqual([await listGrafts(kernel), graph.forks()], [[], []])
})

test('what was taken back before, as far as it went, is no fact of others the next time', async (t) => {
  const { kernel, graph, graft } = await promoted()
  await graph.index({ label: 'Fact', property: 'text', required: true })
  await graph.write((tx) => {
    tx.put('roof')
    tx.link('drop 3', 'FROM', 'roof')
  })
  const first = await takeBack(kernel, graft.info)
  t.deepEqual(places(first).toSorted(), ['drop 3 existence', 'sea property:text'])
  const digest = graph.digest()
  // The process ended before the graft was dropped.
  t.deepEqual(places(await takeBack(kernel, graft.info)), places(first))
  t.is(graph.digest(), digest)
  await graph.write((tx) => tx.remove('roof', { detach: true }))
  t.deepEqual(places(await graft.detach()), ['sea property:text'])
  t.deepEqual([graph.get('drop 3'), graph.get('sea')?.props], [undefined, { text: 'green', depth: 5 }])
})
