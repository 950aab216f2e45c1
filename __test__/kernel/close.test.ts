import test from 'ava'
import { KaryonError, Kernel, cell, message } from '../../ts/index.ts'
import { freshDirectory, freshKernel, openFor } from './directory.ts'
import { refused } from './refused.ts'

test('closing while writing settles every write one way or the other, and loses nothing', async (t) => {
  for (const openings of [1, 2]) {
    const directory = freshDirectory(t)
    const kernels = await Promise.all(Array.from({ length: openings }, () => Kernel.open(directory)))
    const { graph } = kernels[0]!
    const acknowledged: string[] = []
    const writes = Array.from({ length: 400 }, (_, n) =>
      graph
        .write((tx) => tx.put(`n${n}`))
        .then(() => acknowledged.push(`n${n}`))
        .then(() => graph.write((tx) => tx.put(`m${n}`)))
        .then(() => acknowledged.push(`m${n}`)),
    )
    const closing = kernels[0]!.close()
    const outcomes = await Promise.allSettled(writes)
    await closing
    for (const outcome of outcomes) {
      const code = outcome.status === 'rejected' ? (outcome.reason as KaryonError).code : 'ERR_KARYON_CLOSED'
      t.is(code, 'ERR_KARYON_CLOSED')
    }
    t.true(acknowledged.length >= 400, 'what was committed before is settled first')
    await kernels[1]?.close()
    const again = await openFor(t, directory)
    t.deepEqual(
      acknowledged.filter((key) => !again.graph.get(key)),
      [],
    )
    t.is(again.graph.count(), acknowledged.length, 'and nothing refused was written')
  }
})

test('closing twice is closing once, at the same time or later', async (t) => {
  const directory = freshDirectory(t)
  const kernel = await Kernel.open(directory)
  const writing = kernel.graph.write((tx) => tx.put('a'))
  await Promise.all([kernel.close(), kernel.close()])
  await writing
  await kernel.close()
  await kernel[Symbol.asyncDispose]()
  const other = await openFor(t, directory)
  await kernel.close()
  t.is(other.graph.get('a')?.key, 'a', 'a later close touches nothing of the next opening')
  await other.graph.write((tx) => tx.put('b'))
})

test('after close every method is refused', async (t) => {
  for (const kernel of [await freshKernel(t), Kernel.memory()]) {
    const { graph } = kernel
    await graph.write((tx) => tx.put('a'))
    const view = graph.snapshot()
    const tx = graph.begin()
    const scans = [graph.nodes(), graph.out('a'), graph.in('a'), graph.history('a'), graph.diff(0n, 1n)]
    await kernel.close()
    // The numbers of what is gone go to the next ones, which must not answer in their place.
    const next = Kernel.memory()
    await next.graph.write((tx) => tx.put('a'))
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
      now: () => kernel.now(),
      viewGet: () => view.get('a'),
      viewCount: () => view.count(),
      viewDigest: () => view.digest(),
      viewTime: () => view.time,
      txGet: () => tx.get('a'),
      txPut: () => tx.put('b'),
      txCommit: () => tx.commit(),
    }
    for (const [name, use] of Object.entries(uses)) await refused(t, 'ERR_KARYON_CLOSED', use, name)
    for (const scan of scans) await refused(t, 'ERR_KARYON_CLOSED', () => scan.next())
    t.notThrows(() => tx.rollback())
    t.notThrows(() => view.close())
    t.is(next.graph.get('a')?.key, 'a')
    await next.close()
  }
})

test('a view that is closed is refused, and the graph goes on', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a'))
  let leaked
  {
    using view = graph.at(1n)
    leaked = view
    t.is(view.get('a')?.key, 'a')
  }
  for (const use of [
    () => leaked.get('a'),
    () => leaked.nodes(),
    () => leaked.digest(),
    () => leaked.count(),
    () => leaked.time,
  ]) {
    await refused(t, 'ERR_KARYON_CLOSED', use)
  }
  t.is(leaked.version, 1n)
  t.is(graph.get('a')?.key, 'a')
})

test('who waits for what will not come is told when the store closes', async (t) => {
  for (const kernel of [await freshKernel(t), Kernel.memory()]) {
    const waiting = [kernel.graph.settled(1_000n), kernel.graph.settled(new Date(Date.now() + 3_600_000))]
    const told = Promise.all(waiting.map((each) => refused(t, 'ERR_KARYON_CLOSED', each)))
    await kernel.close()
    await told
  }
})

test('a kernel that is disposed of is closed', async (t) => {
  let graph
  {
    await using kernel = Kernel.memory()
    graph = kernel.graph
    await graph.write((tx) => tx.put('a'))
  }
  const { get } = { get: () => graph.get('a') }
  await refused(t, 'ERR_KARYON_CLOSED', get)
})

test('opening and closing over and over leaves nothing behind', async (t) => {
  const directory = freshDirectory(t)
  for (let round = 1; round <= 30; round++) {
    const kernel = await Kernel.open(directory)
    t.is(kernel.graph.count(), round - 1)
    await kernel.graph.write((tx) => tx.put(`n${round}`))
    await kernel.close()
  }
})

test('a kernel that is closed still tells its counts: the last ones', async (t) => {
  for (const kernel of [await freshKernel(t), Kernel.memory()]) {
    const counter = cell({ name: 'counter', messages: { count: message() }, on: { count: () => 1 } })
    const ref = kernel.spawn(counter)
    await ref.ask('count')
    void kernel.graph.write((tx) => tx.put('a'))
    await kernel.close()
    const { graph, cells } = kernel.stats()
    t.like(graph, { head: 1n, durable: 1n, nodes: 1, waiting: 0 })
    t.like(cells, { sent: 1, ended: 1, cells: 0, asks: 0 })
    t.regex(kernel.metrics(), /^karyon_cells_ended_total 1$|ended/m)
  }
})
