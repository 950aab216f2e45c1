// Promotions into a graph that has gone on since the graft: only what the package says comes, and what was removed since comes back by policy alone.
import test from 'ava'
import { graftEngram } from '../../ts/engrams/grafts/graft.ts'
import type { ConflictPolicy, Graft } from '../../ts/engrams/types.ts'
import { Kernel, type Graph, type PropertyChanges, type Transaction } from '../../ts/index.ts'
import { refused } from '../kernel/refused.ts'
import { fakeEngram } from './fake-engram.ts'

const POLICIES = ['keep-host', 'take-package', 'newest-valid', 'keep-both'] as const
const fact =
  (key: string, props: PropertyChanges, labels = ['Fact']) =>
  (tx: Transaction) =>
    tx.put(key, { labels, props })

/** A host with a sky, and a package that says something else of it. */
async function grafted(
  policy: ConflictPolicy,
  others: Readonly<Record<string, ConflictPolicy>> = {},
): Promise<{ readonly graph: Graph; readonly graft: Graft }> {
  const kernel = Kernel.memory()
  await kernel.graph.write(fact('sky', { text: 'blue', secret: 'of the host' }, ['Fact', 'Secret']))
  const engram = await fakeEngram((tx) => {
    fact('sky', { text: 'grey', far: 1 }, ['Fact', 'Weather'])(tx)
    fact('rain', { text: 'wet' }, ['Fact', 'Weather'])(tx)
    tx.link('rain', 'FROM', 'sky')
  })
  return {
    graph: kernel.graph,
    graft: await graftEngram(kernel, engram, { policies: { '*': policy, ...others } }),
  }
}

test('both are what the graph holds now and what the package says, and nothing that the graph has let go', async (t) => {
  const { graph, graft } = await grafted('keep-both')
  t.deepEqual(graft.view.get('sky')?.props['text'], ['blue', 'grey'])
  await graph.write((tx) => tx.patch('sky', { props: { text: 'mine' } }))
  t.is((await graft.promote()).conflicting, 1)
  t.deepEqual(graph.get('sky')?.props['text'], ['mine', 'grey'])
  t.is((await graft.promote()).version, undefined)

  const other = await grafted('keep-both')
  await other.graph.write((tx) => tx.patch('sky', { props: { text: undefined } }))
  await other.graft.promote()
  t.deepEqual(other.graph.get('sky')?.props['text'], ['grey'])
})

const COMES_BACK: readonly ConflictPolicy[] = ['take-package', 'keep-both']

for (const policy of POLICIES) {
  const comes = COMES_BACK.includes(policy)
  test(`what the graph has removed since it was promoted ${comes ? 'comes back' : 'stays away'} with ${policy}`, async (t) => {
    for (const remove of [
      (tx: Transaction) => tx.remove('rain', { detach: true }),
      (tx: Transaction) => tx.patch('rain', { props: { text: undefined } }),
      (tx: Transaction) => tx.patch('rain', { dropLabels: ['Weather'] }),
      (tx: Transaction) => tx.unlink('rain', 'FROM', 'sky'),
      (tx: Transaction) => tx.patch('sky', { props: { far: undefined } }),
    ]) {
      const { graph, graft } = await grafted(policy)
      const empty = graph.digest()
      await graft.promote()
      const all = graph.digest()
      await graph.write(remove)
      const without = graph.digest()
      const { conflicting, version } = await graft.promote()
      t.true(conflicting > 0, String(remove))
      t.is(graph.digest(), comes ? all : without, String(remove))
      t.is(version === undefined, !comes)
      await graft.detach()
      t.is(graph.digest(), empty, String(remove))
    }
  })
}

test('a removal of what was promoted refuses a promotion where conflicts are rejected', async (t) => {
  const { graph, graft } = await grafted('reject', { text: 'keep-host' })
  await graft.promote()
  await graph.write((tx) => tx.remove('rain', { detach: true }))
  const { details } = await refused(t, 'ERR_KARYON_GRAFT_CONFLICT', graft.promote())
  t.like(details, { conflicts: [{ target: 'rain', policy: 'reject' }] })
})

test('of a node that the graph has removed only what the package says of it comes back', async (t) => {
  const { graph, graft } = await grafted('take-package')
  await graph.write((tx) => tx.remove('sky'))
  t.is((await graft.promote()).conflicting, 1)
  const { labels, props } = graph.get('sky')!
  t.deepEqual([labels, props], [['Weather'], { text: 'grey', far: 1 }])
  t.is(graph.degree('sky', 'in'), 1)
})

test('a node that the graph has made in the place of one that it had is another one', async (t) => {
  const { graph, graft } = await grafted('take-package')
  await graph.write((tx) => tx.remove('sky'))
  await graph.write(fact('sky', { by: 'x' }, ['Song']))
  const { details } = await refused(t, 'ERR_KARYON_GRAFT', graft.promote())
  t.deepEqual(details['clashes'], ['sky'])
  t.deepEqual(graph.get('sky')?.props, { by: 'x' })
})

test('what the graph has made and removed since the graft is a conflict as well', async (t) => {
  const { graph, graft } = await grafted('keep-host')
  await graph.write(fact('rain', { text: 'dry' }))
  await graph.write((tx) => tx.remove('rain'))
  const { conflicting, dangling } = await graft.promote()
  t.deepEqual([conflicting, dangling.count, graph.get('rain')], [1, 1, undefined])
})
