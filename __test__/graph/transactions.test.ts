import test from 'ava'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Kernel, type Graph, type OpenTransaction, type Transaction } from '../../ts/index.ts'
import { freshDirectory, freshKernel, openFor } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'

test('a transaction sees its own writes, and nobody else does before they are settled', async (t) => {
  const { graph } = await freshKernel(t)
  await graph.write((tx) => tx.put('a', { labels: ['L'] }))
  using tx = graph.begin()
  tx.put('b', { labels: ['L'], props: { n: 1 } })
  tx.link('a', 'T', 'b', { props: { w: 1 } })
  tx.patch('a', { dropLabels: ['L'] })
  t.deepEqual(tx.get('b'), { key: 'b', labels: ['L'], props: { n: 1 }, version: 0n })
  t.deepEqual(
    [...tx.nodes({ label: 'L' })].map(({ key }) => key),
    ['b'],
  )
  t.deepEqual(
    [tx.count(), tx.count({ label: 'L' }), tx.degree('a', 'out'), tx.degree('b', 'in', 'T')],
    [2, 1, 1, 1],
  )
  t.is([...tx.out('a')][0]?.props['w'], 1)
  t.is(tx.edge({ from: 'a', type: 'T', to: 'b' })?.version, 0n)
  tx.remove('b', { detach: true })
  t.is(tx.get('b'), undefined)
  t.is(tx.degree('a', 'out'), 0)
  t.deepEqual([graph.count(), graph.count({ label: 'L' })], [1, 1])
})

test('one run of JavaScript sees one version, and a settled write is visible before its promise resolves', async (t) => {
  for (const { graph } of [await freshKernel(t), Kernel.memory()]) {
    const writing = graph.write((tx) => tx.put('a'))
    t.is(graph.get('a'), undefined, 'published, not settled')
    t.is(graph.count(), 0)
    const settled = writing.then(() => graph.get('a')?.key)
    t.is(graph.snapshot().version, 0n)
    t.is(await settled, 'a')
  }
})

test('a transaction builds on commits that are not settled yet', async (t) => {
  const { graph } = await freshKernel(t)
  const first = graph.write((tx) => tx.put('a', { props: { n: 1 } }))
  const second = graph.write((tx) => (tx.get('a')?.props['n'] as number) + 1)
  t.is((await second).value, 2)
  await first
})

test('promises of writes resolve in the order of their versions', async (t) => {
  const { graph } = await freshKernel(t)
  const order: bigint[] = []
  await Promise.all(
    Array.from({ length: 300 }, (_, n) =>
      graph.write((tx) => tx.put(`n${n % 10}`)).then(({ version }) => order.push(version)),
    ),
  )
  t.deepEqual(
    order,
    order.toSorted((a, b) => Number(a - b)),
  )
})

test('a write that writes nothing resolves to the version that it saw', async (t) => {
  const { graph } = await freshKernel(t)
  const { version } = await graph.write((tx) => tx.put('a'))
  t.is((await graph.write(() => 'nothing')).version, version)
  const read = await graph.write((tx) => tx.get('a')?.key)
  t.deepEqual([read.value, read.version], ['a', version])
})

test('a write that changes nothing resolves to the newest version and takes none of its own', async (t) => {
  const { graph } = await freshKernel(t)
  const first = await graph.write((tx) => tx.put('a', { labels: ['L'], props: { n: 1, text: 'one' } }))
  const pending = graph.write((tx) => tx.put('b'))
  const same = await graph.write((tx) => {
    tx.put('a', { labels: ['L'], props: { n: 1, text: 'one' } })
    tx.patch('a', { props: { n: 1, m: undefined } })
    tx.increment('a', 'n', 0)
    tx.splice('a', 'text', 0, 1, 'o')
    tx.unlink('a', 'T', 'b')
    tx.remove('never')
    return 'done'
  })
  const second = await pending
  t.deepEqual([first.version, second.version], [1n, 2n])
  t.deepEqual(same, { value: 'done', version: second.version, time: second.time })
  t.is((await graph.write((tx) => tx.put('c'))).version, 3n)
  const [stale, winner] = [graph.begin(), graph.begin()]
  stale.put('a', { labels: ['L'], props: { n: 1, text: 'one' } })
  winner.patch('a', { props: { n: 2 } })
  await winner.commit()
  await refused(t, 'ERR_KARYON_CONFLICT', () => stale.commit())
})

test('of two transactions that read and write the same, the second is refused', async (t) => {
  const { graph } = await freshKernel(t)
  await graph.write((tx) => tx.put('a', { props: { n: 1 } }))
  using one = graph.begin()
  using two = graph.begin()
  for (const tx of [one, two]) tx.patch('a', { props: { n: (tx.get('a')?.props['n'] as number) + 1 } })
  await one.commit()
  const error = await refused(t, 'ERR_KARYON_CONFLICT', two.commit())
  t.regex(error.message, /"a"/)
  t.is(graph.get('a')?.props['n'], 2)
})

test('what one has read as absent conflicts with its creation', async (t) => {
  const { graph } = await freshKernel(t)
  using one = graph.begin()
  using two = graph.begin()
  for (const tx of [one, two]) if (!tx.get('only once')) tx.put('only once', { props: { tx: tx === one } })
  await one.commit()
  await refused(t, 'ERR_KARYON_CONFLICT', two.commit())
})

test('an empty list that was read conflicts with the first to add to it', async (t) => {
  const { graph } = await freshKernel(t)
  await graph.write((tx) => ['a', 'b', 'c'].forEach((key) => tx.put(key)))
  using one = graph.begin()
  using two = graph.begin()
  t.is([...two.out('a', 'T')].length, 0)
  one.link('a', 'T', 'b')
  two.link('a', 'T', 'c')
  await one.commit()
  await refused(t, 'ERR_KARYON_CONFLICT', two.commit())
})

test('blind additions, increments and different properties do not conflict', async (t) => {
  const { graph } = await freshKernel(t)
  await graph.write((tx) => ['a', 'b', 'c'].forEach((key) => tx.put(key)))
  const all = Array.from({ length: 5 }, () => graph.begin())
  for (const [n, tx] of all.entries()) {
    tx.increment('a', 'n', n)
    tx.patch('a', { props: { [`own${n}`]: n }, labels: [`L${n}`] })
    tx.link('a', 'T', 'b', { key: `${n}` })
  }
  for (const tx of all) await tx.commit()
  t.is(graph.get('a')?.props['n'], 10)
  t.is(graph.degree('a', 'out', 'T'), 5)
  t.is(graph.get('a')?.labels.length, 5)
})

test('write runs again after a conflict until it fits', async (t) => {
  const { graph } = await freshKernel(t)
  await graph.write((tx) => tx.put('a', { props: { n: 0 } }))
  const meddlers = Array.from({ length: 2 }, () => graph.begin())
  for (const [n, tx] of meddlers.entries()) tx.increment('a', `m${n}`)
  let runs = 0
  const { value } = await graph.write((tx) => {
    const n = tx.get('a')?.props['n'] as number
    // Published in the middle of this transaction: what it has read is then out of date.
    const meddler = meddlers[runs++]
    if (meddler) void meddler.commit()
    tx.patch('a', { props: { n: n + 1 } })
    return n
  })
  t.deepEqual([runs, value, graph.get('a')?.props['n']], [3, 0, 1])
})

test('write gives up after 16 conflicts', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a'))
  const meddlers: OpenTransaction[] = []
  let runs = 0
  for (let n = 0; n < 20; n++) {
    const meddler = graph.begin()
    meddler.increment('a', 'm')
    meddlers.push(meddler)
  }
  await refused(
    t,
    'ERR_KARYON_CONFLICT',
    graph.write((tx) => {
      runs++
      tx.get('a')
      void meddlers.pop()?.commit()
      tx.increment('a', 'n')
    }),
  )
  t.is(runs, 16)
})

test('two openings of one store in one process conflict, retry and lose no update', async (t) => {
  const directory = freshDirectory(t)
  const kernels = await Promise.all([1, 2].map(() => openFor(t, directory)))
  await kernels[0]!.graph.write((tx) => tx.put('a', { props: { n: 0 } }))
  await kernels[1]!.graph.settled(1n)
  const add = (graph: Graph): Promise<unknown> =>
    graph.write((tx) => tx.patch('a', { props: { n: (tx.get('a')?.props['n'] as number) + 1 } }))
  await Promise.all(Array.from({ length: 100 }, (_, n) => add(kernels[n % 2]!.graph)))
  // Either opening is told in its own time what is durable; a transaction reads the newest commit of both.
  for (const { graph } of kernels) t.is((await graph.write((tx) => tx.get('a')?.props['n'])).value, 100)
})

test('threads of one process share a store, conflict, retry and lose no update', async (t) => {
  const directory = freshDirectory(t)
  const kernel = await openFor(t, directory)
  await kernel.graph.write((tx) => tx.put('a', { props: { n: 0 } }))
  const workers = [1, 2].map(
    () =>
      new Worker(new URL('../kernel/programs/add.ts', import.meta.url), {
        workerData: { directory, times: 100 },
        execArgv: ['--import=@oxc-node/core/register'],
      }),
  )
  await Promise.all(workers.map((worker) => once(worker, 'exit')))
  const { value } = await kernel.graph.write((tx) => tx.get('a')?.props['n'])
  t.is(value, 200)
  await kernel.graph.verify()
})

test('a transaction that ended is over for every verb and read', async (t) => {
  const { graph } = await freshKernel(t)
  const uses: readonly ((tx: OpenTransaction) => unknown)[] = [
    (tx) => tx.get('a'),
    (tx) => tx.getMany(['a']),
    (tx) => tx.edge({ from: 'a', type: 'T', to: 'a' }),
    (tx) => tx.out('a'),
    (tx) => tx.in('a'),
    (tx) => tx.nodes(),
    (tx) => tx.count(),
    (tx) => tx.degree('a', 'in'),
    (tx) => tx.put('a'),
    (tx) => tx.patch('a', {}),
    (tx) => tx.remove('a'),
    (tx) => tx.link('a', 'T', 'a'),
    (tx) => tx.unlink('a', 'T', 'a'),
    (tx) => tx.increment('a', 'n'),
    (tx) => tx.append('a', 't', 'x'),
    (tx) => tx.splice('a', 't', 0, 0, 'x'),
    (tx) => tx.commit(),
  ]
  const ends: readonly ((tx: OpenTransaction) => unknown)[] = [
    (tx) => tx.commit(),
    (tx) => tx.rollback(),
    (tx) => tx[Symbol.dispose](),
  ]
  for (const end of ends) {
    for (const use of uses) {
      const tx = graph.begin()
      tx.put('a')
      await end(tx)
      await refused(t, 'ERR_KARYON_TRANSACTION_DONE', () => use(tx), `${String(end)}, ${String(use)}`)
      t.notThrows(() => tx.rollback(), 'rolling back what has ended does nothing')
    }
  }
})

test('what was rolled back was never there', async (t) => {
  const { graph } = await freshKernel(t)
  {
    using tx = graph.begin()
    tx.put('a')
    t.truthy(tx.get('a'))
  }
  t.is((await graph.write((tx) => tx.count())).value, 0)
  t.is(graph.stats().head, 0n)
})

test('a transaction that takes too long ends with its own error', async (t) => {
  const { graph } = await freshKernel(t)
  const tx = graph.begin({ timeoutMs: 1 })
  tx.put('a')
  const ended = (): boolean => {
    try {
      tx.get('a')
      return false
    } catch {
      return true
    }
  }
  // On a busy machine timers of different lengths need not fire in the order of their time.
  while (!ended()) await new Promise((resolve) => setTimeout(resolve, 5))
  const error = await refused(t, 'ERR_KARYON_TRANSACTION_TIMEOUT', () => tx.get('a'))
  t.is(error.details['timeoutMs'], 1)
  await refused(t, 'ERR_KARYON_TRANSACTION_TIMEOUT', () => tx.commit())
  t.notThrows(() => tx.rollback())
})

test('a time limit that is no number of milliseconds is refused', async (t) => {
  const { graph } = Kernel.memory()
  for (const timeoutMs of [0, -1, Number.NaN, Infinity, 2 ** 31, '5', null]) {
    await refused(
      t,
      'ERR_KARYON_ARGUMENT',
      () => graph.begin({ timeoutMs: timeoutMs as number }),
      String(timeoutMs),
    )
  }
  await refused(t, 'ERR_KARYON_ARGUMENT', () => graph.begin(null as unknown as object))
})

test('more transactions and snapshots than can be open are refused, and ending one makes room', async (t) => {
  const { graph } = Kernel.memory()
  const views = Array.from({ length: 24 }, () => graph.snapshot())
  const open = Array.from({ length: 1000 }, () => graph.begin())
  const error = await refused(t, 'ERR_KARYON_SNAPSHOT_COUNT', () => graph.begin())
  t.is(error.details['limit'], 1024)
  await refused(t, 'ERR_KARYON_SNAPSHOT_COUNT', async () => graph.snapshot())
  open.pop()?.rollback()
  graph.begin().rollback()
  for (const view of views) view.close()
  graph.snapshot().close()
  await open.pop()?.commit()
  graph.begin().rollback()
  for (const tx of open) tx.rollback()
})

test('a function that returns a promise is refused, and nothing of it is written', async (t) => {
  const { graph } = await freshKernel(t)
  let late: Transaction | undefined
  await refused(
    t,
    'ERR_KARYON_WRITE_ASYNC',
    graph.write(async (tx) => {
      tx.put('a')
      late = tx
      await Promise.resolve()
      throw new Error('covered by the refusal')
    }),
  )
  await refused(
    t,
    'ERR_KARYON_WRITE_ASYNC',
    graph.write((tx) => {
      tx.put('b')
      // oxlint-disable-next-line unicorn/no-thenable -- to be taken for a promise is its purpose
      return { then: () => {} }
    }),
  )
  await refused(t, 'ERR_KARYON_TRANSACTION_DONE', () => late?.put('c'))
  t.is(graph.count(), 0)
})

test('the graph and its views are refused inside of the function given to write', async (t) => {
  const kernel = await freshKernel(t)
  const { graph } = kernel
  await graph.write((tx) => tx.put('a'))
  const view = graph.snapshot()
  const uses: Readonly<Record<string, () => unknown>> = {
    get: () => graph.get('a'),
    getMany: () => graph.getMany(['a']),
    edge: () => graph.edge({ from: 'a', type: 'T', to: 'a' }),
    out: () => graph.out('a'),
    in: () => graph.in('a'),
    nodes: () => graph.nodes(),
    count: () => graph.count(),
    degree: () => graph.degree('a', 'out'),
    write: () => graph.write(() => {}),
    begin: () => graph.begin(),
    at: () => graph.at(1n),
    snapshot: () => graph.snapshot(),
    settled: () => graph.settled(1n),
    ready: () => graph.ready('history'),
    history: () => graph.history('a'),
    diff: () => graph.diff(0n, 1n),
    blame: () => graph.blame('a'),
    revert: () => graph.revert({ principal: 'root', since: 0n }),
    digest: () => graph.digest(),
    verify: () => graph.verify(),
    stats: () => graph.stats(),
    viewGet: () => view.get('a'),
    viewNodes: () => view.nodes(),
    viewDigest: () => view.digest(),
    viewTime: () => view.time,
    now: () => kernel.now(),
  }
  for (const [name, use] of Object.entries(uses)) {
    await refused(
      t,
      'ERR_KARYON_WRITE_OUTSIDE',
      graph.write((tx) => void (tx.put(name), use())),
      name,
    )
    t.is(graph.get(name), undefined, name)
  }
  t.is(graph.get('a')?.key, 'a', 'and it works again afterwards')
})

test('what the function throws rejects the promise as it is', async (t) => {
  const { graph } = Kernel.memory()
  const mine = new Error('mine')
  const act = (tx: Transaction): never => {
    tx.put('a')
    throw mine
  }
  t.is(await t.throwsAsync(graph.write(act)), mine)
  t.is(graph.count(), 0)
})

test('write refuses what is no function and options that are none', async (t) => {
  const { graph } = Kernel.memory()
  await refused(t, 'ERR_KARYON_ARGUMENT', graph.write(5 as never))
  await refused(
    t,
    'ERR_KARYON_ARGUMENT',
    graph.write(() => 1, null as never),
  )
})

test('a cause must be a version that exists', async (t) => {
  const { graph } = Kernel.memory()
  const { version } = await graph.write((tx) => tx.put('a'))
  for (const cause of [0n, -1n, 99n, 1, 'x']) {
    await refused(
      t,
      'ERR_KARYON_ARGUMENT',
      graph.write((tx) => tx.put('b'), { cause: cause as bigint }),
      String(cause),
    )
  }
  await graph.write((tx) => tx.put('b'), { cause: version })
  t.is(graph.blame('b')?.cause, version)
  using tx = graph.begin({ cause: version })
  tx.put('c')
  await tx.commit()
  t.is(graph.blame('c')?.cause, version)
})
