import { setImmediate as turnOfLoop } from 'node:timers/promises'
import test from 'ava'
import { cell, message } from '../../ts/cells/index.ts'
import { KaryonError } from '../../ts/errors.ts'
import { World, gate } from './fake.ts'

const counter = cell({
  name: 'counter',
  messages: { add: message<number>(), total: message<void, number>(), fail: message<void, number>() },
  init: () => ({ total: 0 }),
  on: {
    add: (ctx, by) => {
      ctx.state.total += by
    },
    total: (ctx) => ctx.state.total,
    fail: () => {
      throw new RangeError('no')
    },
  },
})

test('messages of one sender are handled in order, one at a time', async (t) => {
  const world = new World()
  const seen: string[] = []
  const gates = [gate(), gate()]
  const slow = world.cells.spawn(
    cell({
      name: 'slow',
      messages: { go: message<number>() },
      on: {
        go: async (_ctx, at) => {
          seen.push(`begin ${at}`)
          await gates[at]?.promise
          seen.push(`end ${at}`)
        },
      },
    }),
  )
  slow.send('go', 0)
  slow.send('go', 1)
  await world.rest()
  t.deepEqual(seen, ['begin 0'])
  gates[0]?.open()
  await world.rest()
  t.deepEqual(seen, ['begin 0', 'end 0', 'begin 1'])
  gates[1]?.open()
  await world.cells.stop()
})

test('an ask is answered by what the handler returns', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(counter)
  ref.send('add', 2)
  ref.send('add', 3)
  t.is(await ref.ask('total'), 5)
  t.is(ref.path, 'root/counter')
})

test('a failed ask carries what the handler threw, and the cell starts anew with its mailbox', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(counter)
  ref.send('add', 2)
  const failed = ref.ask('fail')
  const after = ref.ask('total')
  const error = await t.throwsAsync(failed, { instanceOf: KaryonError, code: 'ERR_KARYON_CELL_FAILED' })
  t.true(error?.cause instanceof RangeError)
  t.is(await after, 0)
  const [restarted] = world.of('cell.restarted')
  t.like(restarted, { path: 'root/counter', incarnation: 2, reason: 'error' })
  t.true(restarted?.error instanceof RangeError)
  t.is(world.cells.stats.restarts, 1)
})

test('a broken invariant undoes the turn and restarts the cell', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(
    cell({
      name: 'account',
      messages: { draw: message<number, number>(), left: message<void, number>() },
      init: () => ({ left: 10 }),
      on: {
        draw: (ctx, amount) => {
          ctx.tx.put('drawn', { props: { amount } })
          return (ctx.state.left -= amount)
        },
        left: (ctx) => ctx.state.left,
      },
      invariant: (state) => state.left >= 0,
    }),
  )
  t.is(await ref.ask('draw', 4), 6)
  world.graph.nodes.clear()
  await t.throwsAsync(ref.ask('draw', 40), { code: 'ERR_KARYON_INVARIANT' })
  t.is(await ref.ask('left'), 10)
  t.is(world.graph.nodes.size, 0)
  t.is(world.graph.open, 0)
})

test('a turn commits when it ends, and its reply waits until that is durable', async (t) => {
  const world = new World()
  world.graph.held = true
  const writer = world.cells.spawn(
    cell({
      name: 'writer',
      messages: { put: message<string, string>(), ping: message<void, string>() },
      on: {
        put: (ctx, key) => {
          ctx.tx.put(key, {})
          t.false(world.graph.nodes.has(key))
          return 'done'
        },
        ping: () => 'pong',
      },
    }),
  )
  let replied = false
  const put = writer.ask('put', 'a').then((reply) => {
    replied = true
    return reply
  })
  t.is(await writer.ask('ping'), 'pong', 'the next turn starts once the commit is validated')
  t.true(world.graph.nodes.has('a'))
  t.false(replied)
  world.graph.flush()
  t.is(await put, 'done')
  t.is(world.graph.writers.get('a'), 'root/writer#1')
})

test('a throw drops what the turn wrote', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(
    cell({
      name: 'x',
      messages: { go: message<void, never>() },
      on: {
        go: (ctx) => {
          ctx.tx.put('a', {})
          throw new Error('no')
        },
      },
    }),
  )
  await t.throwsAsync(ref.ask('go'), { code: 'ERR_KARYON_CELL_FAILED' })
  t.is(world.graph.nodes.size, 0)
  t.is(world.graph.open, 0)
  t.deepEqual(world.graph.killed, ['root/x#1'])
})

const putter = (log: string[]) =>
  cell({
    name: 'putter',
    messages: { put: message<string, number>(), other: message<string>() },
    init: () => ({ tries: 0 }),
    on: {
      put: (ctx, key) => {
        log.push(`put ${key}`)
        ctx.tx.put(key, {})
        return ++ctx.state.tries
      },
      other: (_ctx, what) => {
        log.push(what)
      },
    },
  })

test('after a conflict the cell starts anew and the message comes first again', async (t) => {
  const world = new World()
  const log: string[] = []
  world.graph.conflicts = 2
  const ref = world.cells.spawn(putter(log))
  const reply = ref.ask('put', 'a')
  ref.send('other', 'later')
  t.is(await reply, 1, 'the state of a turn that met a conflict is never used again')
  t.deepEqual(log, ['put a', 'put a', 'put a', 'later'])
  t.deepEqual(
    world.of('cell.restarted').map((event) => event.reason),
    ['conflict', 'conflict'],
  )
})

test('a message that meets conflicts six times is answered with the conflict, and the cell lives on', async (t) => {
  const world = new World()
  const log: string[] = []
  world.graph.conflicts = 6
  const ref = world.cells.spawn(putter(log))
  await t.throwsAsync(ref.ask('put', 'a'), { code: 'ERR_KARYON_CONFLICT' })
  t.is(log.length, 6)
  t.is(await ref.ask('put', 'b'), 1)
  t.is(world.cells.stats.conflicts, 1)
  t.is(world.of('message.conflict').length, 1)
})

test('a dead incarnation can do nothing, and what settles late is counted', async (t) => {
  const world = new World()
  const held = gate()
  const errors: unknown[] = []
  let aborted = false
  const ref = world.cells.spawn(
    cell({
      name: 'slow',
      messages: { go: message<void, number>(), ping: message<void, string>() },
      limits: { turnTimeoutMs: 100 },
      on: {
        go: async (ctx) => {
          ctx.signal.addEventListener('abort', () => (aborted = true))
          ctx.tx.put('never', {})
          await held.promise
          for (const use of [
            () => ctx.tx,
            () => ctx.graph,
            () => ctx.send(ctx.self, 'ping'),
            () => ctx.stop(),
            () => ctx.sendAfter(1, 'ping'),
          ]) {
            try {
              use()
            } catch (error) {
              errors.push(error)
            }
          }
          return 1
        },
        ping: () => 'pong',
      },
    }),
  )
  const asked = t.throwsAsync(ref.ask('go', undefined, { timeoutMs: Infinity }), {
    code: 'ERR_KARYON_TURN_TIMEOUT',
  })
  await world.rest()
  await world.pass(100)
  t.true(aborted)
  t.is(world.of('cell.restarted').length, 0, 'there is a little grace')
  await world.pass(100)
  await asked
  t.like(world.of('cell.restarted')[0], { reason: 'timeout' })
  t.is(await ref.ask('ping'), 'pong')
  held.open()
  await world.rest()
  t.is(errors.length, 5)
  t.true(errors.every((error) => error instanceof KaryonError && error.code === 'ERR_KARYON_CELL_DEAD'))
  t.is(world.cells.stats.lateSettlements, 1)
  t.is(world.of('turn.late-settlement').length, 1)
  t.like(world.of('message.dead-letter')[0], { reason: 'lost-in-turn', message: 'go' })
  t.is(world.graph.nodes.size, 0)
  t.is(world.graph.open, 0)
})

test('ctx.tx belongs to its turn alone', async (t) => {
  const world = new World()
  let leaked: (() => unknown) | undefined
  const ref = world.cells.spawn(
    cell({
      name: 'x',
      messages: { leak: message<void, void>(), use: message<void, string>() },
      on: {
        leak: (ctx) => {
          leaked = () => ctx.tx
        },
        use: () => {
          try {
            leaked?.()
            return 'used'
          } catch (error) {
            return (error as KaryonError).code
          }
        },
      },
    }),
  )
  await ref.ask('leak')
  t.is(await ref.ask('use'), 'ERR_KARYON_TRANSACTION_DONE')
})

test('deferred messages come back first when the behaviour changes', async (t) => {
  const world = new World()
  const log: string[] = []
  const ref = world.cells.spawn(
    cell({
      name: 'door',
      messages: { open: message(), enter: message<string>() },
      on: {
        open: (ctx) => {
          log.push('open')
          ctx.become({ enter: (_ctx, who) => log.push(who) })
        },
        enter: (ctx) => ctx.defer(),
      },
    }),
  )
  ref.send('enter', 'a')
  ref.send('enter', 'b')
  ref.send('open')
  ref.send('enter', 'c')
  await world.rest()
  t.deepEqual(log, ['open', 'a', 'b', 'c'])
})

test('handlers run in the async context in which the runtime was made', async (t) => {
  const { AsyncLocalStorage } = await import('node:async_hooks')
  const storage = new AsyncLocalStorage<string>()
  const world = storage.run('made', () => new World())
  const seen: (string | undefined)[] = []
  const ref = world.cells.spawn(
    cell({ name: 'x', messages: { go: message() }, on: { go: () => seen.push(storage.getStore()) } }),
  )
  storage.run('sent', () => ref.send('go'))
  await world.rest()
  t.deepEqual(seen, ['made'])
})

test('work left running fails its cell only after its turn', async (t) => {
  const world = new World()
  const held = gate()
  const ref = world.cells.spawn(
    cell({
      name: 'x',
      messages: { go: message<void, string>() },
      on: {
        go: (ctx) => {
          void ctx.run(async () => held.promise).catch(() => {})
          return 'begun'
        },
      },
    }),
  )
  t.is(await ref.ask('go'), 'begun')
  held.fail(new Error('later'))
  await world.rest()
  t.like(world.of('cell.restarted')[0], { reason: 'error', incarnation: 2 })
})

const worker = (handle: (work: Promise<unknown>) => unknown) =>
  cell({
    name: 'worker',
    messages: { go: message<void, string>() },
    on: {
      go: async (ctx) => {
        ctx.tx.put('a', {})
        const handled = handle(
          ctx.run(() => {
            throw new RangeError('work')
          }),
        )
        await turnOfLoop()
        await handled
        return 'went'
      },
    },
  })

test('work that fails during its turn and is nobody’s fails the turn', async (t) => {
  for (const handle of [
    () => {},
    (work: Promise<unknown>) => work,
    (work: Promise<unknown>) => work.finally(() => {}),
  ]) {
    const world = new World()
    const error = await t.throwsAsync(world.cells.spawn(worker(handle)).ask('go'), {
      code: 'ERR_KARYON_CELL_FAILED',
    })
    t.true(error?.cause instanceof RangeError)
    t.is(world.of('cell.restarted').length, 1)
    t.is(world.graph.nodes.size, 0)
  }
})

test('work that fails during its turn and is handled is the handler’s affair', async (t) => {
  const ways: ((work: Promise<unknown>) => unknown)[] = [
    (work) => work.catch(() => {}),
    (work) => work.then(undefined, () => {}),
    (work) => Promise.allSettled([work]),
    async (work) => {
      try {
        await work
      } catch {}
    },
  ]
  for (const handle of ways) {
    const world = new World()
    t.is(await world.cells.spawn(worker(handle)).ask('go'), 'went')
    t.is(world.of('cell.restarted').length, 0)
    t.is(world.graph.nodes.size, 1)
  }
})

test('work that fails during init and is nobody’s fails init', async (t) => {
  const world = new World()
  let starts = 0
  const ref = world.cells.spawn(
    cell({
      name: 'x',
      messages: { go: message<void, number>() },
      init: async (ctx) => {
        if (++starts === 1) void ctx.run(async () => Promise.reject(new Error('work')))
        await turnOfLoop()
      },
      on: { go: () => starts },
    }),
  )
  t.is(await ref.ask('go'), 2)
  t.like(world.of('cell.restarted')[0], { reason: 'init' })
})

test('work gives what the task gives, as any promise does', async (t) => {
  const ref = new World().cells.spawn(
    cell({
      name: 'x',
      messages: { go: message<void, unknown>() },
      on: {
        go: async (ctx) => [
          await ctx.run(() => 1),
          await ctx.run(async () => 2),
          ctx.run(() => 3).then(Array.of) instanceof Promise,
        ],
      },
    }),
  )
  t.deepEqual(await ref.ask('go'), [1, 2, true])
})

test('become and defer belong to their turn alone', async (t) => {
  const world = new World()
  let leaked: (() => void)[] = []
  const ref = world.cells.spawn(
    cell({
      name: 'door',
      messages: { leak: message(), enter: message<void, string>(), knock: message() },
      on: {
        leak: (ctx) => {
          leaked = [() => ctx.become({ enter: () => 'open' }), () => ctx.defer()]
        },
        enter: () => 'shut',
        knock: () => {},
      },
    }),
  )
  await ref.ask('leak')
  for (const late of leaked)
    t.throws(late, { code: 'ERR_KARYON_TRANSACTION_DONE', message: /ctx\.(become|defer)/ })
  t.is(await ref.ask('enter'), 'shut')
})

test('ctx.random follows from the seed', async (t) => {
  const draw = async (): Promise<number[]> => {
    const ref = new World({ seed: 42 }).cells.spawn(
      cell({
        name: 'dice',
        messages: { roll: message<void, number>() },
        on: { roll: (ctx) => ctx.random() },
      }),
    )
    return [await ref.ask('roll'), await ref.ask('roll')]
  }
  const [first, second] = [await draw(), await draw()]
  t.deepEqual(first, second)
  t.not(first[0], first[1])
})

test('messages may be called what every object has: handlers are its own alone', async (t) => {
  const world = new World()
  const messages = { toString: message<void, string>(), valueOf: message<void, string>(), turn: message() }
  const ref = world.cells.spawn(
    cell({
      name: 'odd',
      messages,
      on: {
        toString: () => 'text',
        valueOf: () => 'value',
        turn: (ctx) => ctx.become({ valueOf: () => 'other' }),
      },
    }),
  )
  await ref.ask('turn')
  t.deepEqual([await ref.ask('toString'), await ref.ask('valueOf')], ['text', 'other'])
  t.throws(() => cell({ name: 'none', messages, on: {} as never }), {
    code: 'ERR_KARYON_ARGUMENT',
    message: /toString has no handler/,
  })
})
