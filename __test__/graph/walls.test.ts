// What a principal without the grant must not learn, by whatever way it asks; and what ends with its session.
import test from 'ava'
import { cell, Kernel, message, supervisor, type Transaction } from '../../ts/index.ts'
import { freshDirectory, openFor } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { Principals } from './principals.ts'

test('history and blame leave out what a node was under a label that is not granted', async (t) => {
  const principals = new Principals()
  const { graph } = principals.session('root')
  await graph.write((tx) => tx.put('doc', { labels: ['Secret'], props: { pw: 'hunter2' } }))
  await graph.write((tx) => tx.put('doc', { labels: ['Public'], props: { text: 'open' } }))
  await graph.write((tx) => tx.patch('doc', { props: { text: 'opened' } }))
  const eve = principals.session('root/eve', { read: ['Public'] }).graph
  const told = JSON.stringify([...eve.history('doc')], (_name, value: unknown) => String(value))
  t.false(told.includes('hunter2'))
  t.deepEqual(
    [...eve.history('doc')].map(({ property, before, after }) => [property, before, after]),
    [['text', 'open', 'opened']],
  )
  t.is(eve.blame('doc', 'pw'), undefined)
  t.is(eve.blame('doc', 'text')?.version, 3n)
})

test('verify, stats, digest and revert, which tell of everything, need grants for everything', async (t) => {
  const principals = new Principals()
  await principals.session('root').graph.write((tx) => tx.put('a', { labels: ['Secret'] }))
  const eve = principals.session('root/eve', { read: ['Public'], write: '*' }).graph
  await refused(t, 'ERR_KARYON_ACCESS', () => eve.verify())
  await refused(t, 'ERR_KARYON_ACCESS', () => eve.stats())
  await refused(t, 'ERR_KARYON_ACCESS', () => eve.digest())
  await refused(t, 'ERR_KARYON_ACCESS', () => eve.revert({ principal: 'root', since: 0n, dryRun: true }))
})

test('what a write without the grant would come to is not told, be it impossible or nothing', async (t) => {
  const principals = new Principals()
  const root = principals.session('root').graph
  await root.write((tx) => {
    tx.put('secret', { labels: ['Secret'], props: { pw: 'hunter2' } })
    tx.put('fact', { labels: ['Fact'] })
    tx.put('bare')
    tx.link('fact', 'KNOWS', 'secret')
  })
  const eve = principals.session('root/eve', { read: ['Fact'], write: ['Fact'] }).graph
  const attempts: readonly ((tx: Transaction) => void)[] = [
    (tx) => tx.remove('secret'),
    (tx) => tx.increment('secret', 'pw'),
    (tx) => tx.append('secret', 'pw', ['of another type']),
    (tx) => tx.splice('secret', 'pw', 9, 0, 'beyond its end'),
    (tx) => tx.patch('secret', { props: { pw: 'hunter2' } }),
    (tx) => tx.patch('secret', { props: { pw: 'hunter3' } }),
    (tx) => tx.increment('never', 'n'),
    (tx) => tx.unlink('fact', 'KNOWS', 'never'),
    (tx) => tx.unlink('fact', 'KNOWS', 'secret'),
    (tx) => tx.patch('bare', { labels: ['Fact'] }),
  ]
  for (const attempt of attempts) {
    await refused(t, 'ERR_KARYON_ACCESS', () => eve.write(attempt), String(attempt))
  }
  // Reading its own writes, a transaction is told no more than by its commit.
  for (const attempt of attempts.slice(0, 6)) {
    const act = (): unknown => eve.write((tx) => (attempt(tx), tx.get('fact')))
    await refused(t, 'ERR_KARYON_ACCESS', act, String(attempt))
  }
  t.is(root.snapshot().version, 1n)
})

test('asking for labels and types that nothing has neither tells nor keeps anything', async (t) => {
  const principals = new Principals()
  const root = principals.session('root').graph
  const eve = principals.session('root/eve', { read: ['Public'] }).graph
  await refused(t, 'ERR_KARYON_ACCESS', () => eve.count({ label: 'Unheard' }))
  await refused(t, 'ERR_KARYON_ACCESS', () => [...eve.out('a', 'UNHEARD')])
  t.is(eve.count({ label: 'Public' }), 0)
  t.is(root.count({ label: 'Unheard' }), 0)
  t.is(root.degree('a', 'out', 'UNHEARD'), 0)
  await root.write((tx) => tx.put('a', { labels: ['Late'] }))
  t.is(root.count({ label: 'Late' }), 1)
})

test('a transaction that looked for a label before anything had it conflicts with whoever brings it', async (t) => {
  const principals = new Principals()
  const { graph } = principals.session('root')
  const seeker = graph.begin()
  t.is(seeker.count({ label: 'Late' }), 0)
  await graph.write((tx) => tx.put('a', { labels: ['Late'] }))
  seeker.put('b')
  await refused(t, 'ERR_KARYON_CONFLICT', seeker.commit())
})

test('a write that did nothing has ended all the same', async (t) => {
  const { graph } = new Principals().session('root')
  for (let n = 0; n < 1_100; n++) {
    const { value } = await graph.write((tx) => tx)
    await refused(t, 'ERR_KARYON_TRANSACTION_DONE', () => value.get('a'))
    await refused(t, 'ERR_KARYON_TRANSACTION_DONE', () => value.put('a'))
  }
  await graph.write((tx) => {
    tx.get('a')
    tx.put('a')
  })
  t.is(graph.count(), 1)
})

test('the transactions of a session end with it', async (t) => {
  const principals = new Principals()
  const { graph } = principals.session('root')
  for (let n = 0; n < 30; n++) {
    const session = principals.session('root/a', { read: '*' }, n)
    const open = Array.from({ length: 100 }, () => session.graph.begin())
    session.kill()
    await refused(t, 'ERR_KARYON_CELL_DEAD', () => open[0]?.get('a'))
  }
  await graph.write((tx) => {
    tx.get('a')
    tx.put('a')
  })
  t.is(graph.count(), 1)
})

test('a definition with a field or a strategy that nobody reads is refused', async (t) => {
  const spec = { name: 'a', messages: { go: message<void>() }, on: { go: () => {} } }
  const wrong = [
    () => cell({ ...spec, limit: {} } as never),
    () => cell({ ...spec, limits: { turnCpu: 5 } } as never),
    () => cell({ ...spec, grants: { reads: ['A'] } } as never),
    () => cell({ ...spec, on: { go: () => {}, come: () => {} } } as never),
    () => cell({ name: 'a', messages: spec.messages } as never),
    () => supervisor({ name: 's', strategy: 'one_for_two', children: [] } as never),
    () => Kernel.memory(null as never),
    () => Kernel.memory({ seed: 'x' } as never),
    () => Kernel.memory({ seed: -1 }),
  ]
  for (const act of wrong) await refused(t, 'ERR_KARYON_ARGUMENT', act)
  const kernel = Kernel.memory()
  const ref = kernel.spawn(cell(spec))
  await refused(t, 'ERR_KARYON_ARGUMENT', () => kernel.spawn(cell(spec), { name: 5 } as never))
  await refused(t, 'ERR_KARYON_ARGUMENT', () => kernel.spawn(cell(spec), { name: '\ud800' }))
  await refused(t, 'ERR_KARYON_ARGUMENT', () => ref.ask('go', undefined, { timeoutMs: '5' } as never))
  await refused(t, 'ERR_KARYON_ARGUMENT', () => kernel.events({ buffer: Number.NaN }))
  await refused(t, 'ERR_KARYON_ARGUMENT', () => kernel.events({ buffer: 0 }))
  await kernel.close()
})

test('an option that nobody would read is refused, and nothing is done', async (t) => {
  const directory = freshDirectory(t)
  const kernel = await openFor(t, directory)
  const { graph } = kernel
  await graph.write((tx) => tx.put('a', { labels: ['A'], props: { n: 1 } }))
  const before = graph.digest()
  const slips: readonly (() => unknown)[] = [
    () => graph.revert({ principal: 'root', since: 0n, dryrun: true } as never),
    () => graph.nodes({ labels: ['A'] } as never),
    () => graph.count({ lable: 'A' } as never),
    () => graph.history('a', { prop: 'n' } as never),
    () => graph.begin({ timeout: 5 } as never),
    () => graph.write(() => {}, { because: 1n } as never),
    () => graph.write((tx) => tx.put('a', { label: ['A'] } as never)),
    () => graph.write((tx) => tx.patch('a', { properties: {} } as never)),
    () => graph.write((tx) => tx.remove('a', { force: true } as never)),
    () => graph.write((tx) => tx.link('a', 'T', 'a', { properties: {} } as never)),
    () => graph.write((tx) => tx.unlink('a', 'T', 'a', { id: '' } as never)),
    () => Kernel.open(directory, { checkpointByte: 1 } as never),
    () => Kernel.memory({ sead: 1 } as never),
    () => kernel.events({ buffers: 1 } as never),
    () => kernel.run({ signal: true } as never),
  ]
  for (const slip of slips) await refused(t, 'ERR_KARYON_ARGUMENT', slip, String(slip))
  t.is(graph.digest(), before)
  t.is(graph.stats().head, 1n)
})

test('an edge whose identity has a field that no edge has is refused, and one that was read is not', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('a')
    tx.link('a', 'T', 'a')
    tx.link('a', 'T', 'a', { key: '2' })
  })
  const before = graph.digest()
  const slip = { from: 'a', type: 'T', to: 'a', kee: '2' }
  const acts: readonly (() => unknown)[] = [
    () => graph.edge(slip),
    () => graph.snapshot().edge(slip),
    () => [...graph.history(slip)],
    () => graph.blame(slip),
    () => graph.write((tx) => tx.edge(slip)),
    () => graph.write((tx) => tx.patch(slip, { props: { n: 1 } })),
    () => graph.write((tx) => tx.increment(slip, 'n')),
  ]
  for (const act of acts) await refused(t, 'ERR_KARYON_ARGUMENT', act, String(act))
  t.is(graph.digest(), before)
  for (const edge of graph.out('a')) t.deepEqual(graph.edge(edge), edge)
})

test('grants of another shape than a list of names are refused, and grant nothing else', async (t) => {
  const principals = new Principals()
  for (const grants of [
    { write: 'Fact' },
    { read: '**' },
    { read: [5] },
    { writes: ['A'] },
    { read: ['__proto__'] },
  ]) {
    const code = Object.values(grants).flat().includes('__proto__')
      ? 'ERR_KARYON_NAME_RESERVED'
      : 'ERR_KARYON_ARGUMENT'
    await refused(t, code, () => principals.session('a', grants as never))
  }
})
