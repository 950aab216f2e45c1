import test from 'ava'
import { Kernel, type Fork, type Graph } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { Principals } from './principals.ts'

async function plans(graph: Graph): Promise<void> {
  await graph.write((tx) => {
    tx.put('plan', { labels: ['Plan'], props: { budget: 10, title: 'first' } })
    tx.put('ann', { labels: ['Person'] })
    tx.link('ann', 'OWNS', 'plan')
  })
}

test('what is written in a fork is seen in it alone, until it is merged', async (t) => {
  const { graph } = Kernel.memory()
  await plans(graph)
  const idea = await graph.fork('idea')
  await idea.write((tx) => {
    tx.patch('plan', { props: { budget: tx.get('plan')?.props['budget'] === 10 ? 20 : 0 } })
    tx.put('bob', { labels: ['Person'] })
    tx.link('bob', 'HELPS', 'plan')
  })
  await graph.write((tx) => tx.patch('plan', { props: { title: 'second' } }))

  t.deepEqual(graph.get('plan')?.props, { budget: 10, title: 'second' })
  t.deepEqual(idea.get('plan')?.props, { budget: 20, title: 'first' })
  t.deepEqual([graph.count(), idea.count(), idea.count({ label: 'Person' })], [2, 3, 2])
  t.deepEqual([idea.degree('plan', 'in'), graph.degree('plan', 'in')], [2, 1])
  t.is(idea.path('bob', 'ann', { direction: 'both' })?.length, 2)

  const changed = [...idea.diff()].map(
    ({ kind, target }) => `${kind} ${typeof target === 'string' ? target : target.type}`,
  )
  t.deepEqual(changed, ['changed plan', 'created bob', 'created HELPS'])

  const report = await idea.merge()
  t.deepEqual([report.conflicts, report.applied], [[], 4])
  t.deepEqual(graph.get('plan')?.props, { budget: 20, title: 'second' })
  t.deepEqual(
    [...graph.in('plan')].map(({ from }) => from),
    ['ann', 'bob'],
  )
  t.is(graph.blame('plan', 'title')?.version, 4n)
})

test('a fork has a past of its own, on top of what it stands on', async (t) => {
  const { graph } = Kernel.memory()
  await plans(graph)
  const { version } = await graph.write((tx) => tx.patch('plan', { props: { budget: 11 } }))
  await graph.write((tx) => tx.patch('plan', { props: { budget: 12 } }))
  const idea = await graph.fork('idea', { from: version })
  const first = await idea.write((tx) => tx.increment('plan', 'budget', 100))
  const second = await idea.write((tx) => tx.increment('plan', 'budget', 100))
  t.deepEqual(
    [first, second].map((commit) => idea.at(commit.version).get('plan')?.props['budget']),
    [111, 211],
  )
  t.is(idea.at(1n).get('plan')?.props['budget'], 10)
  const told = [...idea.history('plan', { property: 'budget' })].map(({ after }) => after)
  t.deepEqual(told, [211, 111, 11, 10])
  t.is(idea.blame('plan', 'budget')?.version, second.version)
  t.is(idea.blame('plan', 'title')?.version, 1n)
  t.is(graph.get('plan')?.props['budget'], 12)
  t.not(idea.digest(), graph.digest())
  t.is(idea.digest(1n), graph.digest(1n))
  t.deepEqual([...graph.history('plan')].length, 6)
})

test('what both have changed is a conflict, and told per property', async (t) => {
  const { graph } = Kernel.memory()
  await plans(graph)
  const idea = await graph.fork('idea')
  await idea.write((tx) => {
    tx.patch('plan', { props: { budget: 1, title: 'mine' } })
    tx.link('ann', 'LEAVES', 'plan')
  })
  await graph.write((tx) => tx.patch('plan', { props: { budget: 2 } }))
  const { conflicts, version } = await idea.merge()
  t.is(version, undefined)
  t.deepEqual(
    conflicts.map(({ target, slot }) => [target, slot]),
    [['plan', 'property:budget']],
  )
  t.deepEqual(graph.get('plan')?.props, { budget: 2, title: 'first' })
  const decided = await idea.merge({ prefer: 'fork' })
  t.is(typeof decided.version, 'bigint')
  t.deepEqual(graph.get('plan')?.props, { budget: 1, title: 'mine' })
  t.deepEqual((await idea.merge()).conflicts, [], 'it is merged')
})

test('an edge that was added while its end was removed is a conflict', async (t) => {
  const { graph } = Kernel.memory()
  await plans(graph)
  const idea = await graph.fork('idea')
  await idea.write((tx) => tx.link('plan', 'PART_OF', 'ann'))
  await graph.write((tx) => tx.remove('ann', { detach: true }))
  const { conflicts } = await idea.merge()
  t.deepEqual(
    conflicts.map(({ target, slot }) => [target, slot]),
    [[{ from: 'plan', type: 'PART_OF', to: 'ann', key: '' }, 'existence']],
  )
  await idea.merge({ prefer: 'base' })
  t.is(graph.get('ann'), undefined)
})

test('a fork catches up with the graph in a new one', async (t) => {
  const { graph } = Kernel.memory()
  await plans(graph)
  const idea = await graph.fork('idea')
  await idea.write((tx) => {
    tx.patch('plan', { props: { budget: 20, title: 'mine' } })
    tx.put('bob', { labels: ['Person'] })
    tx.link('bob', 'HELPS', 'ann')
  })
  await graph.write((tx) => {
    tx.patch('plan', { props: { title: 'second', due: 7 } })
    tx.put('cid')
  })
  const today = await graph.fork('today')
  const before = graph.digest()
  const { conflicts, version } = await idea.merge({ into: 'today' })
  t.is(version, undefined)
  t.deepEqual(
    conflicts.map(({ target, slot }) => [target, slot]),
    [['plan', 'property:title']],
  )
  await idea.merge({ into: 'today', prefer: 'fork' })
  t.deepEqual(today.get('plan')?.props, { budget: 20, title: 'mine', due: 7 })
  t.deepEqual([today.count(), today.degree('ann', 'in'), graph.digest()], [4, 1, before])
  t.is(idea.get('plan')?.props['due'], undefined, 'which it came from is as it was')

  // What was merged goes on from there: only what is new is taken over, and nothing clashes with itself.
  await idea.write((tx) => tx.patch('plan', { props: { title: 'mine again' } }))
  t.like(await idea.merge({ into: 'today' }), { conflicts: [], applied: 1 })
  t.is(today.get('plan')?.props['title'], 'mine again')
  await idea.drop()
  t.deepEqual((await today.merge({ prefer: 'fork' })).applied, 5)
  t.is(graph.digest(), today.digest())
})

test('what was merged below before a fork was made is not merged into that again', async (t) => {
  const { graph } = Kernel.memory()
  await plans(graph)
  const idea = await graph.fork('idea')
  await idea.write((tx) => tx.patch('plan', { props: { budget: 20 } }))
  await idea.merge()
  await graph.write((tx) => tx.patch('plan', { props: { budget: 30 } }))
  await idea.write((tx) => tx.patch('plan', { props: { title: 'mine' } }))
  const today = await graph.fork('today')
  t.like(await idea.merge({ into: 'today' }), { conflicts: [], applied: 1 })
  t.deepEqual(today.get('plan')?.props, { budget: 30, title: 'mine' })
})

test('a fork is merged into what stands where it does, and into nothing else', async (t) => {
  const { graph } = Kernel.memory()
  await plans(graph)
  const [idea, other] = [await graph.fork('idea'), await graph.fork('other')]
  const deeper = await other.fork('deeper')
  await idea.write((tx) => tx.put('x'))
  for (const into of ['idea', 'deeper', 'nobody']) await refused(t, 'ERR_KARYON_LAYER', idea.merge({ into }))
  await refused(t, 'ERR_KARYON_LAYER', deeper.merge({ into: 'idea' }))
  await refused(t, 'ERR_KARYON_ARGUMENT', idea.merge({ into: 7 as unknown as string }))
  await refused(t, 'ERR_KARYON_KEY_SIZE', idea.merge({ into: '' }))
  t.deepEqual([other.count(), deeper.count()], [2, 2])
})

test('forks outlive the process, and forks of forks too', async (t) => {
  const directory = freshDirectory(t)
  const open = async (): Promise<[Kernel, Graph]> => {
    const kernel = await Kernel.open(directory)
    return [kernel, kernel.graph]
  }
  let [kernel, graph] = await open()
  await plans(graph)
  const idea = await graph.fork('idea')
  await idea.write((tx) => tx.patch('plan', { props: { budget: 20 } }))
  const deeper = await idea.fork('deeper')
  await deeper.write((tx) => tx.put('deep'))
  await kernel.close()
  ;[kernel, graph] = await open()
  t.deepEqual(
    graph.forks().map(({ name }) => name),
    ['idea'],
  )
  const again = graph.openFork('idea')
  t.is(again.get('plan')?.props['budget'], 20)
  const below = again.openFork('deeper')
  t.deepEqual([below.count(), again.count(), below.get('plan')?.props['budget']], [3, 2, 20])
  await below.merge()
  t.is(again.count(), 3)
  t.is(graph.count(), 2)
  await graph.verify()
  await refused(t, 'ERR_KARYON_LAYER', again.drop(), 'another stands on it')
  await below.drop()
  await again.drop()
  t.deepEqual(graph.forks(), [])
  await refused(t, 'ERR_KARYON_LAYER', async () => graph.openFork('idea'))
  await kernel.close()
})

test('rules hold in a fork as they did where it stands', async (t) => {
  const { graph } = Kernel.memory()
  await plans(graph)
  await graph.index({ label: 'Plan', property: 'title', unique: true })
  const idea = await graph.fork('idea')
  const twice = { labels: ['Plan'], props: { title: 'first' } }
  await refused(
    t,
    'ERR_KARYON_UNIQUE',
    idea.write((tx) => tx.put('plan2', twice)),
  )
  await idea.write((tx) => tx.put('plan2', { ...twice, props: { title: 'zweiter' } }))
  const titles = (reader: Graph): string[] =>
    [...reader.nodes({ label: 'Plan', where: { property: 'title', from: '' } })].map(({ key }) => key)
  t.deepEqual([titles(graph), titles(idea)], [['plan'], ['plan', 'plan2']])
  await refused(t, 'ERR_KARYON_LAYER', idea.index({ label: 'Plan', property: 'budget' }))
})

test('what cannot be done with a fork says so', async (t) => {
  const kernel = Kernel.memory()
  const { graph } = kernel
  await plans(graph)
  const idea = await graph.fork('idea')
  await refused(t, 'ERR_KARYON_LAYER', graph.fork('idea'))
  await refused(t, 'ERR_KARYON_UNSETTLED', graph.fork('future', { from: 99n }))
  await refused(t, 'ERR_KARYON_LAYER', idea.revert({ principal: 'root', since: 0n }))
  await refused(t, 'ERR_KARYON_ARGUMENT', idea.merge({ prefer: 'me' as 'fork' }))
  let deep: Fork = idea
  for (let depth = 2; depth <= 7; depth++) deep = await deep.fork(`deep ${depth}`)
  await refused(t, 'ERR_KARYON_LAYER', deep.fork('too deep'))
  const tx = idea.begin()
  tx.put('late')
  const second = graph.openFork('idea')
  for (const fork of ['deep 7', 'deep 6', 'deep 5', 'deep 4', 'deep 3', 'deep 2']) t.truthy(fork)
  await kernel.close()
  await refused(t, 'ERR_KARYON_CLOSED', async () => second.get('plan'))
})

test('a cell may write in a fork that was made for it, and its fork ends with it', async (t) => {
  const principals = new Principals()
  const root = principals.session('root')
  await plans(root.graph)
  const session = principals.session('root/planner', { read: ['Plan'], write: ['Plan'] })
  await refused(t, 'ERR_KARYON_ACCESS', session.graph.fork('idea'))
  await refused(t, 'ERR_KARYON_ACCESS', async () => session.graph.forks())
  await root.graph.fork('idea')
  const idea = session.graph.openFork('idea')
  await idea.write((tx) => tx.patch('plan', { props: { budget: 5 } }))
  t.is(idea.get('plan')?.props['budget'], 5)
  await refused(t, 'ERR_KARYON_ACCESS', async () => idea.get('ann'))
  await refused(
    t,
    'ERR_KARYON_ACCESS',
    idea.write((tx) => tx.put('x', { labels: ['Person'] })),
  )
  await refused(t, 'ERR_KARYON_ACCESS', idea.merge())
  await refused(t, 'ERR_KARYON_ACCESS', idea.drop())
  session.kill()
  await refused(t, 'ERR_KARYON_CELL_DEAD', async () => idea.get('plan'))
  t.is(root.graph.openFork('idea').get('plan')?.props['budget'], 5)
})

test('what a merge took over leads back into the fork', async (t) => {
  const { graph } = Kernel.memory()
  await plans(graph)
  const idea = await graph.fork('idea')
  const { version } = await idea.write((tx) => tx.patch('plan', { props: { budget: 20 } }))
  const merged = await idea.merge()
  const chain = [...graph.why('plan', 'budget')].map((commit) => commit.version)
  t.deepEqual(chain.slice(0, 2), [merged.version, version])
})

test('what a merge brought back whole leads to whoever wrote each part of it', async (t) => {
  const { graph } = Kernel.memory()
  const made = await graph.write((tx) => tx.put('m', { props: { x: 7 } }))
  const idea = await graph.fork('idea')
  const patched = await idea.write((tx) => tx.patch('m', { props: { y: 9 } }))
  await graph.write((tx) => tx.remove('m'))
  const { version } = await idea.merge({ prefer: 'fork' })
  const led = [...graph.why('m', 'x')].map((commit) => commit.version)
  t.deepEqual(led, [version, patched.version, made.version])
})

test('a fork that was closed or dropped says so, whatever it is asked', async (t) => {
  const { graph } = Kernel.memory()
  await plans(graph)
  const [one, two] = [await graph.fork('idea'), graph.openFork('idea')]
  const waiting = one.changes().next()
  one.close()
  t.deepEqual(await waiting, { done: true, value: undefined })
  await refused(t, 'ERR_KARYON_CLOSED', async () => one.get('plan'))
  await graph.openFork('idea').drop()
  const questions = [
    () => two.get('plan'),
    () => two.digest(),
    () => two.blame('plan'),
    () => [...two.history('plan')],
    () => [...two.diff()],
    () => two.changes({ from: 0n }).next(),
    () => two.write((tx) => tx.put('x')),
  ]
  for (const ask of questions) await refused(t, 'ERR_KARYON_LAYER', async () => ask())
})

test('a diff and a feed of a fork show what was below as well', async (t) => {
  const { graph } = Kernel.memory()
  await plans(graph)
  await graph.write((tx) => tx.patch('plan', { props: { budget: 11 } }))
  const idea = await graph.fork('idea')
  await idea.write((tx) => tx.put('new'))
  await graph.write((tx) => tx.put('not there'))
  const changed = [...idea.diff(1n)].map(({ target }) => target)
  t.deepEqual(changed, ['plan', 'new'])
  const told: unknown[] = []
  for await (const { version, target } of idea.changes({ from: 1n })) {
    told.push([version, target])
    if (target === 'new') break
  }
  t.deepEqual(told, [
    [2n, 'plan'],
    [4n, 'new'],
  ])
})
