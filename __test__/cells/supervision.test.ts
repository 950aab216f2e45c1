import { setTimeout as pause } from 'node:timers/promises'
import test from 'ava'
import { cell, message, supervisor, type ChildSpec } from '../../ts/cells/index.ts'
import { Kernel } from '../../ts/index.ts'
import { World, gate } from './fake.ts'

const moody = (log: string[] = [], restart: 'transient' | 'permanent' | 'temporary' = 'transient') =>
  cell({
    name: 'moody',
    messages: { fail: message(), ping: message<void, number>(), leave: message() },
    restart,
    init: (ctx, args: { name?: string } | undefined) => {
      log.push(`init ${args?.name ?? ''}`)
      ctx.signal.addEventListener('abort', () => log.push(`end ${args?.name ?? ''}`))
      return { pings: 0 }
    },
    on: {
      fail: () => {
        throw new Error('moody')
      },
      ping: (ctx) => ++ctx.state.pings,
      leave: (ctx) => ctx.stop(),
    },
  })

test('a plain cell is restarted five times in ten seconds, then stays down with an event', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(moody(), { args: undefined })
  for (let at = 0; at < 5; at++) {
    ref.send('fail')
    await world.rest()
  }
  t.is(world.of('cell.restarted').length, 5)
  t.true(ref.alive)
  ref.send('fail')
  ref.send('ping')
  await world.rest()
  t.is(world.of('cell.restarted').length, 5)
  t.like(world.of('cell.gave-up')[0], { path: 'root/moody' })
  t.like(world.of('message.dead-letter')[0], { message: 'ping' })
  t.false(ref.alive)
})

test('a group that is started again comes up by itself, also where one of it had been terminated', async (t) => {
  const kernel = Kernel.memory()
  const crew = kernel.spawn(
    supervisor({
      name: 'crew',
      strategy: 'one_for_all',
      children: ['one', 'two'].map((name) => ({ name, cell: moody(), args: { name } })),
    }),
  )
  await crew.child('two').ask('ping')
  await crew.terminateChild('one')
  crew.child('two').send('fail')
  const statuses = (): unknown[] => crew.children().map(({ ref }) => ref?.path && statusOf(kernel, ref.path))
  // Nothing else is said to the kernel meanwhile.
  for (let look = 0; look < 500 && statuses().some((status) => status !== 'live'); look++) await pause(10)
  t.deepEqual(statuses(), ['live', 'live'])
  await kernel.close()
})

function statusOf(kernel: Kernel, path: string): string | undefined {
  const all = kernel.cells().children.flatMap((child) => [child, ...child.children])
  return all.find((info) => info.path === path)?.status
}

test('the window moves on', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(moody(), { args: undefined })
  for (let at = 0; at < 12; at++) {
    ref.send('fail')
    await world.rest()
    await world.pass(2_500)
  }
  t.is(world.of('cell.restarted').length, 12)
  t.true(ref.alive)
})

test('transient cells come back after failures, permanent ones always, temporary ones never', async (t) => {
  const world = new World()
  const spawn = (restart: 'transient' | 'permanent' | 'temporary') =>
    world.cells.spawn(moody([], restart), { name: restart, args: undefined })
  const [transient, permanent, temporary] = [spawn('transient'), spawn('permanent'), spawn('temporary')]
  await world.rest()
  transient.send('leave')
  permanent.send('leave')
  temporary.send('fail')
  await world.rest()
  t.deepEqual([transient.alive, permanent.alive, temporary.alive], [false, true, false])
  t.like(world.of('cell.restarted')[0], { path: 'root/permanent', reason: 'ended' })
  t.deepEqual(
    world.of('cell.stopped').map(({ path, reason }) => [path, reason]),
    [
      ['root/transient', 'ended'],
      ['root/temporary', 'failed'],
    ],
  )
})

test('init runs again with the same args at each restart, and messages wait for it', async (t) => {
  const world = new World()
  const held = [gate(), gate()]
  const seen: unknown[] = []
  let starts = 0
  const ref = world.cells.spawn(
    cell({
      name: 'slow',
      messages: { fail: message(), read: message<void, string>() },
      init: async (_ctx, args: { path: string }) => {
        const at = starts++
        seen.push(args)
        await held[at]?.promise
        return { text: `${args.path} ${at}` }
      },
      on: {
        fail: () => Promise.reject(new Error('no')),
        read: (ctx) => ctx.state.text,
      },
    }),
    { args: { path: '/tmp' } },
  )
  const early = ref.ask('read')
  await world.rest()
  held[0]?.open()
  t.is(await early, '/tmp 0')
  ref.send('fail')
  const late = ref.ask('read')
  await world.rest()
  held[1]?.open()
  t.is(await late, '/tmp 1')
  t.deepEqual(seen, [{ path: '/tmp' }, { path: '/tmp' }])
  t.deepEqual(
    world.of('cell.started').map((event) => event.incarnation),
    [1, 2],
  )
})

test('an init that keeps failing gives up', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(
    cell({
      name: 'broken',
      messages: { ping: message<void, number>() },
      init: async () => {
        throw new Error('never')
      },
      on: { ping: () => 1 },
    }),
  )
  await t.throwsAsync(ref.ask('ping'), { code: 'ERR_KARYON_CELL_DEAD' })
  t.is(world.of('cell.restarted').length, 5)
  t.like(world.of('cell.restarted')[0], { reason: 'init' })
  t.is(world.of('cell.gave-up').length, 1)
})

const crew = (log: string[], intensity: number, initialMs = 0) =>
  supervisor({
    name: 'crew',
    restart: { intensity, periodMs: 1_000, backoff: { initialMs, factor: 2, maxMs: 1_000, jitter: 0 } },
    children: [
      { name: 'a', cell: moody(log), args: { name: 'a' } },
      { name: 'b', cell: moody(log), args: { name: 'b' } },
      { name: 'c', cell: moody(log), args: { name: 'c' } },
    ],
  })

test('one_for_one restarts the child that failed and leaves the others alone', async (t) => {
  const world = new World()
  const log: string[] = []
  const team = world.cells.spawn(crew(log, 3))
  await world.rest()
  const b = team.child('b')
  t.is(b.path, 'root/crew/b')
  b.send('fail')
  await world.rest()
  t.deepEqual(log, ['init a', 'init b', 'init c', 'end b', 'init b'])
  t.throws(() => team.child('d'), { code: 'ERR_KARYON_ARGUMENT' })
})

test('a restart waits for its backoff, which grows, and messages wait with it', async (t) => {
  const world = new World()
  const log: string[] = []
  const a = world.cells.spawn(crew(log, 10, 100)).child('a')
  await world.rest()
  a.send('fail')
  const asked = a.ask('ping', undefined, { timeoutMs: Infinity })
  await world.rest()
  await world.pass(99)
  t.deepEqual(log.slice(3), ['end a'])
  await world.pass(1)
  t.is(await asked, 1)
  a.send('fail')
  await world.rest()
  await world.pass(199)
  t.is(log.filter((line) => line === 'init a').length, 2)
  await world.pass(1)
  t.is(log.filter((line) => line === 'init a').length, 3)
})

test('a supervisor at the root that gives up stops its children in reverse order and fails the kernel', async (t) => {
  const world = new World()
  const log: string[] = []
  const team = world.cells.spawn(crew(log, 1))
  await world.rest()
  const b = team.child('b')
  b.send('fail')
  await world.rest()
  b.send('fail')
  await t.throwsAsync(world.cells.failed, { code: 'ERR_KARYON_RESTART_INTENSITY' })
  await world.rest()
  t.deepEqual(log, ['init a', 'init b', 'init c', 'end b', 'init b', 'end b', 'end c', 'end a'])
  t.like(world.of('supervisor.gave-up')[0], { path: 'root/crew' })
  t.false(team.alive)
})

test('a supervisor below another is restarted with all its children', async (t) => {
  const world = new World()
  const log: string[] = []
  const inner = crew(log, 0)
  const outer = world.cells.spawn(
    supervisor({ name: 'outer', restart: { intensity: 2, periodMs: 1_000 }, children: [inner] }),
  )
  await world.rest()
  const b = outer.supervisor('crew').child('b')
  t.is(b.path, 'root/outer/crew/b')
  b.send('fail')
  const asked = b.ask('ping')
  t.is(await asked, 1, 'the reference and the mailbox survive')
  t.deepEqual(log, ['init a', 'init b', 'init c', 'end b', 'end c', 'end a', 'init a', 'init b', 'init c'])
  t.like(world.of('cell.restarted')[0], { reason: 'supervisor' })
})

test('children of a cell end with its incarnation, and are named below it', async (t) => {
  const world = new World()
  const log: string[] = []
  const parent = cell({
    name: 'parent',
    messages: { fail: message(), child: message<void, string>() },
    init: (ctx) => ({ child: ctx.spawn(moody(log), { name: 'child', args: { name: 'child' } }) }),
    on: {
      fail: () => {
        throw new Error('no')
      },
      child: async (ctx) => `${ctx.state.child.path} ${await ctx.ask(ctx.state.child, 'ping')}`,
    },
  })
  const ref = world.cells.spawn(parent)
  t.is(await ref.ask('child'), 'root/parent/child 1')
  ref.send('fail')
  t.is(await ref.ask('child'), 'root/parent/child 1', 'the name is free again')
  t.deepEqual(log, ['init child', 'end child', 'init child'])
})

test('stopping tells all, the last started first, and each ends after its turn', async (t) => {
  const world = new World()
  const held = gate()
  const log: string[] = []
  const slow = cell({
    name: 'slow',
    messages: { go: message() },
    on: {
      go: async (ctx) => {
        ctx.signal.addEventListener('abort', () => log.push('told'))
        await held.promise
        log.push('came to its end')
      },
    },
  })
  world.cells.spawn(moody(log), { name: 'first', args: { name: 'first' } })
  const ref = world.cells.spawn(slow)
  world.cells.spawn(moody(log), { name: 'last', args: { name: 'last' } })
  ref.send('go')
  await world.rest()
  const stopped = world.cells.stop()
  await world.rest()
  t.deepEqual(log, ['init first', 'init last', 'end last', 'told', 'end first'])
  held.open()
  await stopped
  t.deepEqual(log.slice(5), ['came to its end'])
  t.deepEqual(
    world.of('cell.stopped').map((event) => event.path),
    ['root/last', 'root/first', 'root/slow', 'root'],
  )
  t.throws(() => world.cells.spawn(slow), { code: 'ERR_KARYON_CLOSED' })
  await t.notThrowsAsync(world.cells.stop())
})

test('a turn that does not end when its cell stops is cut off after five seconds', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(
    cell({ name: 'x', messages: { go: message() }, on: { go: () => new Promise<never>(() => {}) } }),
  )
  ref.send('go')
  await world.rest()
  const stopped = ref.stop()
  await world.rest()
  await world.pass(5_000)
  await stopped
  t.like(world.of('message.dead-letter')[0], { reason: 'lost-in-turn' })
})

test('names are unique among living siblings', async (t) => {
  const world = new World()
  const first = world.cells.spawn(moody(), { name: 'x', args: undefined })
  t.throws(() => world.cells.spawn(moody(), { name: 'x', args: undefined }), { code: 'ERR_KARYON_CELL_NAME' })
  t.throws(() => world.cells.spawn(moody(), { name: 'a/b', args: undefined }), {
    code: 'ERR_KARYON_ARGUMENT',
  })
  t.is(world.cells.spawn(moody(), { args: undefined }).path, 'root/moody')
  t.is(world.cells.spawn(moody(), { args: undefined }).path, 'root/moody-2')
  await first.stop()
  t.is(world.cells.spawn(moody(), { name: 'x', args: undefined }).path, 'root/x')
})

test('a monitor tells exactly once that a cell is gone for good, and not of restarts', async (t) => {
  const world = new World()
  const seen: unknown[] = []
  const watcher = cell({
    name: 'watcher',
    messages: {
      watch: message<string>(),
      down: message<{ readonly path: string; readonly reason: string }>(),
    },
    on: {
      watch: (ctx, which) => {
        const ref = refs.get(which)
        if (ref !== undefined) ctx.monitor(ref, 'down')
      },
      down: (_ctx, notice) => seen.push(notice),
    },
  })
  const refs = new Map(
    ['a', 'b'].map((name) => [name, world.cells.spawn(moody(), { name, args: undefined })] as const),
  )
  const ref = world.cells.spawn(watcher)
  ref.send('watch', 'a')
  await world.rest()
  refs.get('a')?.send('fail')
  await world.rest()
  t.deepEqual(seen, [])
  await refs.get('a')?.stop()
  await refs.get('b')?.stop()
  ref.send('watch', 'b')
  await world.rest()
  t.deepEqual(seen, [
    { path: 'root/a', incarnation: 2, reason: 'stopped' },
    { path: 'root/b', incarnation: 1, reason: 'stopped' },
  ])
})

const counting = cell({
  name: 'counting',
  messages: { read: message<void, number>(), fail: message() },
  init: (_ctx, args: { count: number }) => {
    try {
      args.count++
    } catch {}
    return args.count
  },
  on: {
    read: (ctx) => ctx.state,
    fail: () => {
      throw new Error('no')
    },
  },
})

test('args are frozen, so that each start gets the same; without the check they are handed on', async (t) => {
  for (const [sendableCheck, first, second] of [
    [true, 0, 0],
    [false, 1, 2],
  ] as const) {
    const ref = new World({ sendableCheck }).cells.spawn(counting, { args: { count: 0 } })
    t.is(await ref.ask('read'), first)
    ref.send('fail')
    t.is(await ref.ask('read'), second)
  }
  const args = { count: (() => 1) as unknown as number }
  t.throws(() => new World().cells.spawn(counting, { args }), {
    code: 'ERR_KARYON_NOT_SENDABLE',
    message: /^args\.count/,
  })
})

test('a stop does not lengthen a turn that is past its limit', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(
    cell({
      name: 'slow',
      limits: { turnTimeoutMs: 30 },
      messages: { go: message<void, never>() },
      on: { go: () => new Promise<never>(() => {}) },
    }),
  )
  const asked = t.throwsAsync(ref.ask('go', undefined, { timeoutMs: Infinity }), {
    code: 'ERR_KARYON_TURN_TIMEOUT',
  })
  await world.rest()
  await world.pass(40)
  const stopped = ref.stop()
  await world.rest()
  await world.pass(100)
  await asked
  await stopped
})

test('what a neighbour sends to a cell that waits for its restart is for the next incarnation', async (t) => {
  const world = new World()
  const lives: number[] = []
  const child = cell({
    name: 'child',
    messages: { fail: message(), work: message() },
    restart: 'permanent',
    on: {
      fail: () => {
        throw new Error('failed')
      },
      work: ({ self }) => lives.push(self.incarnation),
    },
  })
  const { crew, second } = pair(world, child)
  const neighbour = world.cells.spawn(
    cell({
      name: 'neighbour',
      messages: { go: message() },
      on: { go: () => void second.send('work') },
    }),
  )
  second.send('work')
  await world.rest()
  crew.child('first').send('fail')
  await world.rest()
  // Sent by a turn: it could run in the same batch, were the cell up.
  neighbour.send('go')
  await world.rest()
  t.deepEqual(lives, [1])
  await world.pass(100)
  t.deepEqual(lives, [1, 2])
})

test('a message to an idle cell that is brought down before its turn is for the next incarnation', async (t) => {
  const world = new World()
  const lives: number[] = []
  const child = cell({
    name: 'child',
    messages: { hang: message(), work: message() },
    restart: 'permanent',
    limits: { turnTimeoutMs: 30 },
    on: { hang: () => new Promise<never>(() => {}), work: ({ self }) => lives.push(self.incarnation) },
  })
  const { crew, second } = pair(world, child)
  const neighbour = world.cells.spawn(
    cell({
      name: 'neighbour',
      messages: { go: message() },
      on: {
        go: () => {
          second.send('work')
          // The event loop is due, and when it has come round the first child is past its time, and takes the second with it.
          world.nowMs += 1_000
        },
      },
    }),
  )
  second.send('work')
  crew.child('first').send('hang')
  await world.rest()
  await world.pass(40)
  neighbour.send('go')
  await world.rest()
  t.deepEqual(lives, [1])
  await world.pass(100)
  t.deepEqual(lives, [1, 2])
})

/** Two of one kind that come down and up together, a tenth of a second later. */
function pair(world: World, child: ChildSpec['cell']) {
  const restart = { intensity: 3, periodMs: 10_000, backoff: { initialMs: 100, jitter: 0 } }
  const children = [
    { name: 'first', cell: child },
    { name: 'second', cell: child },
  ]
  const crew = world.cells.spawn(supervisor({ name: 'crew', strategy: 'one_for_all', restart, children }))
  return { crew, second: crew.child('second') }
}

test('two children of one name are refused', (t) => {
  const child = cell({ name: 'child', messages: { ping: message() }, on: { ping: () => 1 } })
  for (const children of [
    [child, child],
    [child, { name: 'child', cell: child }],
  ])
    t.throws(() => supervisor({ name: 'crew', children }), {
      code: 'ERR_KARYON_ARGUMENT',
      message: /called child/,
    })
  t.notThrows(() => supervisor({ name: 'crew', children: [child, { name: 'other', cell: child }] }))
})
