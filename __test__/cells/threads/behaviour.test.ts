// What a cell does does not depend on where it runs.
import { KaryonError, supervisor } from '../../../ts/index.ts'
import { both, emptied } from './both.ts'

both('messages of one sender are handled in order and keep their state', async (t, { kernel, counter }) => {
  const before = kernel.stats().cells.ended
  const ref = kernel.spawn(counter, { args: 10 })
  for (let at = 0; at < 500; at++) t.true(ref.send('add', 1))
  t.is(await ref.ask('total'), 510)
  t.is(kernel.stats().cells.ended - before, 501)
})

both(
  'a turn that throws fails its ask with the cause, and the cell starts anew',
  async (t, { kernel, counter, event }) => {
    const ref = kernel.spawn(counter)
    ref.send('add', 2)
    const failed = ref.ask('fail', 'no')
    const after = ref.ask('total')
    const error = await t.throwsAsync(failed, { instanceOf: KaryonError, code: 'ERR_KARYON_CELL_FAILED' })
    t.true(error?.cause instanceof RangeError)
    t.is((error!.cause as Error).message, 'no')
    t.is(await after, 0)
    const restarted = await event('cell.restarted')
    t.like(restarted, { path: ref.path, incarnation: 2, reason: 'error' })
    t.true(restarted.error instanceof RangeError)
    t.is(ref.incarnation, 2)
  },
)

both('a rejected promise fails the turn', async (t, { kernel, counter }) => {
  const ref = kernel.spawn(counter)
  const error = await t.throwsAsync(ref.ask('refuse'), { code: 'ERR_KARYON_CELL_FAILED' })
  t.true(error?.cause instanceof TypeError)
  t.is(await ref.ask('total'), 0)
})

both(
  'what is sent behind a promise that is rejected is for the next incarnation',
  async (t, { kernel, counter }) => {
    const ref = kernel.spawn(counter)
    for (let round = 0; round < 4; round++) {
      await ref.ask('total')
      const failed = t.throwsAsync(ref.ask('refuse'), { code: 'ERR_KARYON_CELL_FAILED' })
      for (let at = 0; at < 5; at++) ref.send('add', 1)
      t.is(await ref.ask('total'), 5)
      await failed
    }
  },
)

both('a stack overflow fails the turn alone', async (t, { kernel, counter }) => {
  const ref = kernel.spawn(counter)
  const error = await t.throwsAsync(ref.ask('overflow'), { code: 'ERR_KARYON_CELL_FAILED' })
  t.true(error?.cause instanceof RangeError)
  t.is(await ref.ask('total'), 0)
})

both('a broken invariant undoes the turn', async (t, { kernel, counter, event }) => {
  const ref = kernel.spawn(counter)
  await t.throwsAsync(ref.ask('break'), { code: 'ERR_KARYON_INVARIANT' })
  t.is(await ref.ask('total'), 0)
  t.is((await event('cell.restarted')).reason, 'invariant')
})

both(
  'a promise that never settles ends with the time limit of its turn',
  async (t, { kernel, counter, event }) => {
    const ref = kernel.spawn(counter)
    await t.throwsAsync(ref.ask('never'), { code: 'ERR_KARYON_TURN_TIMEOUT' })
    t.is(await ref.ask('total'), 0)
    t.is((await event('cell.restarted')).reason, 'timeout')
  },
)

both(
  'a cell that fails too often gives up, and its messages become dead letters',
  async (t, { kernel, counter, event }) => {
    const ref = kernel.spawn(counter)
    for (let at = 0; at < 6; at++) await t.throwsAsync(ref.ask('fail', 'again'))
    await event('cell.gave-up')
    t.false(ref.alive)
    t.false(ref.send('add', 1))
    await t.throwsAsync(ref.ask('total'), { code: 'ERR_KARYON_CELL_DEAD' })
  },
)

both('a message to a cell that was stopped is a dead letter', async (t, { kernel, counter, event }) => {
  const ref = kernel.spawn(counter)
  await ref.ask('total')
  await ref.stop()
  t.false(ref.send('add', 1))
  t.like(await event('message.dead-letter'), { path: ref.path, message: 'add', reason: 'stopped' })
})

both(
  'a stop waits for the turn that runs; what waits behind it becomes dead letters',
  async (t, { kernel, counter }) => {
    const ref = kernel.spawn(counter)
    await ref.ask('total')
    const slow = ref.ask('slow', 30)
    const behind = ref.ask('total')
    await new Promise((resolve) => setTimeout(resolve, 10))
    await Promise.all([
      ref.stop(),
      t.notThrowsAsync(slow),
      t.throwsAsync(behind, { code: 'ERR_KARYON_CELL_DEAD' }),
    ])
  },
)

both('a kill cuts the turn short', async (t, { kernel, counter }) => {
  const ref = kernel.spawn(counter)
  await ref.ask('total')
  const lost = ref.ask('slow', 300)
  await new Promise((resolve) => setTimeout(resolve, 20))
  await Promise.all([ref.kill(), t.throwsAsync(lost, { code: 'ERR_KARYON_CELL_DEAD' })])
})

both('a cell that stops itself is gone when its turn is over', async (t, { kernel, counter, event }) => {
  const ref = kernel.spawn(counter)
  t.true(ref.send('finish'))
  const behind = t.throwsAsync(ref.ask('total'), { code: 'ERR_KARYON_CELL_DEAD' })
  t.like(await event('cell.stopped', ({ path }) => path === ref.path), { reason: 'ended' })
  await behind
})

both(
  'deferred messages come back before all others when the behaviour changes',
  async (t, { kernel, waiter }) => {
    const ref = kernel.spawn(waiter)
    for (const number of [1, 2, 3]) ref.send('note', number)
    ref.send('open')
    for (const number of [4, 5]) ref.send('note', number)
    t.deepEqual(await ref.ask('seen'), [1, 2, 3, 4, 5])
  },
)

both('a full mailbox refuses, and the sender is told at once', async (t, { kernel, counter, event }) => {
  const ref = kernel.spawn(counter)
  await ref.ask('total')
  const slow = ref.ask('slow', 100)
  let taken = 0
  for (let at = 0; at < 10_000; at++) if (ref.send('add', 1)) taken++
  t.true(taken >= 990 && taken <= 1_064, `${taken} were taken`)
  t.like(await event('message.refused'), { path: ref.path, message: 'add', reason: 'full' })
  await slow
  t.is(await ref.ask('total'), taken)
})

both('a delivery waits for room', async (t, { kernel, counter }) => {
  const ref = kernel.spawn(counter)
  await ref.ask('total')
  const slow = ref.ask('slow', 50)
  while (ref.send('add', 1));
  await ref.deliver('add', 1)
  await slow
  await emptied(ref)
  t.true((await ref.ask('total')) >= 990)
})

both('an ask that takes too long is given up; its turn goes on', async (t, { kernel, counter }) => {
  const ref = kernel.spawn(counter)
  await ref.ask('total')
  await t.throwsAsync(ref.ask('slow', 300, { timeoutMs: 10 }), { code: 'ERR_KARYON_ASK_TIMEOUT' })
  const controller = new AbortController()
  const aborted = ref.ask('slow', 300, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.throwsAsync(aborted, { code: 'ERR_KARYON_ASK_ABORTED' })
  t.is(await ref.ask('total'), 0)
})

both('what a turn writes is committed with it, under its own name', async (t, { kernel, keeper }) => {
  const ref = kernel.spawn(keeper)
  await ref.ask('put', { key: 'a', text: 'x' })
  t.is(kernel.graph.get('a')?.props['text'], 'x')
  t.is(kernel.graph.blame('a', 'text')?.principal, ref.path)
  await kernel.graph.write((tx) => tx.patch('a', { props: { text: 'y' } }))
  t.is(await ref.ask('get', 'a'), 'y')
})

both('a turn that fails takes its writes with it', async (t, { kernel, keeper }) => {
  const ref = kernel.spawn(keeper)
  await t.throwsAsync(ref.ask('putAndFail', 'b'))
  t.is(kernel.graph.get('b'), undefined)
})

both('what is not granted is refused, and told', async (t, { kernel, keeper, event }) => {
  const ref = kernel.spawn(keeper)
  const error = await t.throwsAsync(ref.ask('forbidden'), { code: 'ERR_KARYON_CELL_FAILED' })
  t.is((error!.cause as KaryonError).code, 'ERR_KARYON_ACCESS')
  t.like(await event('access.refused'), { principal: ref.path, action: 'write', name: 'Secret' })
})

both(
  'a conflict is not a crash: the message is tried again five times, uncounted',
  async (t, { kernel, keeper, events }) => {
    const ref = kernel.spawn(keeper)
    await t.throwsAsync(ref.ask('contend', 'c'), { code: 'ERR_KARYON_CONFLICT' })
    t.is(kernel.graph.get('c')?.props['count'], 6)
    await kernel.close()
    t.is(events.filter((event) => event.type === 'cell.restarted' && event.reason === 'conflict').length, 6)
  },
)

both('a schema is kept where the message is sent', async (t, { kernel, halver }) => {
  const ref = kernel.spawn(halver)
  t.is(await ref.ask('halve', 8), 4)
  t.throws(() => ref.send('halve', 7), { code: 'ERR_KARYON_ARGUMENT' })
})

both('payloads of every kind arrive as they were', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  const same: unknown[] = [
    null,
    true,
    0,
    -0,
    2 ** 31,
    1.5,
    Number.NaN,
    'plain',
    'ünïcödé ☃ 😀',
    'x'.repeat(5_000),
    10n ** 30n,
    new Date(5),
    { a: 1, b: 'two', c: null, d: undefined, e: 2.5 },
    { nested: { list: [1, [2, { three: 3 }]] } },
    new Map([['key', new Set([1, 2])]]),
    new Uint8Array([1, 2, 3]),
    { a: 1, b: 'two', c: null, d: undefined, e: 2.5 },
    Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`name-${at}`, at])),
  ]
  for (const value of same) t.deepEqual(await ref.ask('hold', value), value)
  const failure = new KaryonError('ERR_KARYON_BUSY', 'full', {
    details: { limit: 3 },
    cause: new RangeError('why'),
  })
  const back = (await ref.ask('hold', { failure })) as { failure: KaryonError }
  t.true(back.failure instanceof KaryonError)
  t.like(back.failure, { code: 'ERR_KARYON_BUSY', message: 'full', details: { limit: 3 } })
  t.true(back.failure.cause instanceof RangeError)
})

both('what cannot leave its isolate is refused to its sender', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  t.throws(() => ref.send('hold', () => 1), { code: 'ERR_KARYON_NOT_SENDABLE' })
  t.throws(() => ref.send('hold', { inside: [Symbol('no')] }), { code: 'ERR_KARYON_NOT_SENDABLE' })
  t.is(await ref.ask('hold', 5), 5)
})

both('a million messages to a busy cell are refused beyond its mailbox', async (t, { kernel, counter }) => {
  const ref = kernel.spawn(counter)
  await ref.ask('total')
  let taken = 0
  for (let at = 0; at < 1_000_000; at++) if (ref.send('add', 1)) taken++
  t.true(taken >= 990 && taken <= 20_000, `${taken} were taken`)
  await ref.deliver('add', 0)
  await emptied(ref)
  t.is(await ref.ask('total'), taken)
  const { refused } = kernel.stats().cells
  t.is(refused, 1_000_000 - taken)
})

both(
  'spawns without end are refused at a depth, and whoever went too deep starts anew',
  async (t, { kernel, digger, event }) => {
    const ref = kernel.spawn(digger)
    ref.send('dig')
    const { path, error } = await event('cell.restarted')
    t.is(path.split('/').length, 65)
    t.is((error as KaryonError).code, 'ERR_KARYON_ARGUMENT')
  },
)

both(
  'a supervisor that is killed takes its children with it, and nobody else',
  async (t, { kernel, counter, event }) => {
    const other = kernel.spawn(counter, { name: 'other', args: 1 })
    const crew = kernel.spawn(
      supervisor({ name: 'crew', children: [{ name: 'one', cell: counter as never }] }),
    )
    const one = crew.child('one')
    t.is(await one.ask('total'), 0)
    await crew.kill()
    await event('cell.stopped', ({ path }) => path === 'root/crew/one')
    t.false(one.alive)
    t.is(await other.ask('total'), 1)
  },
)
