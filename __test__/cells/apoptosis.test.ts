// Programmed termination: invariants, leases, budgets, kills, links, and who is told.
import test from 'ava'
import {
  cell,
  message,
  supervisor,
  type Down,
  type OwnedRef,
  type SupervisorRef,
} from '../../ts/cells/index.ts'
import { World, gate } from './fake.ts'

const put = (ctx: { readonly tx: { put(key: string, node: never): unknown } }, key: string): void => {
  ctx.tx.put(key, {} as never)
}

test('an invariant sees state, message and reply, and what breaks it is not committed', async (t) => {
  const world = new World()
  const seen: unknown[] = []
  const teller = cell({
    name: 'teller',
    messages: { add: message<number, number>(), say: message<string, string>() },
    init: () => ({ sum: 0 }),
    on: {
      add: (ctx, n) => {
        put(ctx, `add ${n}`)
        return (ctx.state.sum += n)
      },
      say: (_ctx, text) => `${text}!`,
    },
    invariant: (state, turn) => {
      seen.push([state.sum, turn.message, turn.payload, turn.reply])
      if (turn.message === 'add') return turn.payload < 10 && turn.reply < 15
      return turn.reply.length < 5
    },
  })
  const ref = world.cells.spawn(teller)
  t.is(await ref.ask('add', 9), 9)
  await t.throwsAsync(ref.ask('add', 10), { code: 'ERR_KARYON_INVARIANT' }, 'the payload')
  t.is(await ref.ask('add', 9), 9, 'its state was undone with it')
  await t.throwsAsync(ref.ask('add', 7), { code: 'ERR_KARYON_INVARIANT' }, 'the reply')
  await t.throwsAsync(ref.ask('say', 'hello'), { code: 'ERR_KARYON_INVARIANT' })
  t.deepEqual([...world.graph.nodes.keys()], ['add 9'])
  t.deepEqual(seen.at(-1), [0, 'say', 'hello', 'hello!'])
  t.deepEqual(
    world.of('cell.restarted').map(({ reason }) => reason),
    ['invariant', 'invariant', 'invariant'],
  )
})

function leased(log: string[], idle = false) {
  return cell({
    name: 'leased',
    limits: { lease: { periodMs: 10, idle } },
    messages: { work: message<Promise<void>>(), note: message(), renew: message<number>() },
    on: {
      work: async (ctx, done) => {
        void ctx.run(() => done)
        put(ctx, 'work')
        await done
      },
      note: () => void log.push('note'),
      renew: (ctx, progress) => void log.push(String(ctx.renew(progress))),
    },
  })
}

test('a turn that goes on without progress is warned, then begins no other, then dies within two periods', async (t) => {
  const world = new World({ sendableCheck: false })
  const ref = world.cells.spawn(leased([]))
  ref.send('work', new Promise(() => {}))
  await world.rest()
  await world.pass(9)
  t.deepEqual(world.of('cell.warned'), [])
  await world.pass(1)
  await world.pass(5)
  t.deepEqual(
    world.of('cell.warned').map(({ reason, quiescent }) => [reason, quiescent]),
    [
      ['lease', false],
      ['lease', true],
    ],
  )
  t.is((await ref.inspect()).status, 'quiescent')
  ref.pause()
  t.is((await ref.inspect()).status, 'paused')
  ref.resume()
  t.is((await ref.inspect()).status, 'quiescent')
  await world.pass(5)
  t.like(world.of('cell.restarted')[0], { path: 'root/leased', incarnation: 2, reason: 'lease' })
  t.is(world.graph.nodes.size, 0)
  t.is(world.graph.open, 0)
})

test('only progress renews a lease: a cell that beats and does nothing is caught', async (t) => {
  const world = new World({ sendableCheck: false })
  const log: string[] = []
  const ref = world.cells.spawn(leased(log, true))
  await world.rest()
  for (const progress of [1, 2, 3]) {
    await world.pass(8)
    ref.send('renew', progress)
    await world.rest()
  }
  t.deepEqual([log, world.of('cell.warned')], [['true', 'true', 'true'], []])
  for (let ms = 1; ms <= 20; ms++) {
    await world.pass(1)
    if (ms % 8 === 0) ref.send('renew', 3)
    await world.rest()
  }
  t.deepEqual(log.slice(3), ['false', 'true'], 'the last one waited for the next incarnation')
  t.is(world.of('cell.restarted')[0]?.reason, 'lease')
})

test('a lease that runs with turns alone leaves an idle cell be, and ends with the work', async (t) => {
  const world = new World({ sendableCheck: false })
  const ref = world.cells.spawn(leased([]))
  const held = gate()
  ref.send('work', held.promise)
  await world.rest()
  await world.pass(9)
  held.open()
  await world.rest()
  await world.pass(1_000)
  t.deepEqual(world.of('cell.warned'), [])
})

test('a budget of messages warns, then quiets, then ends the incarnation with its turn', async (t) => {
  const world = new World()
  const held = gate()
  const log: number[] = []
  const frugal = cell({
    name: 'frugal',
    limits: { budget: { messages: 5 } },
    messages: { spend: message<number>() },
    on: {
      spend: async (ctx, n) => {
        log.push(ctx.self.incarnation * 10 + n)
        if (n === 5) await held.promise
      },
    },
  })
  const ref = world.cells.spawn(frugal)
  for (let n = 1; n <= 7; n++) ref.send('spend', n)
  await world.rest()
  t.deepEqual(log, [11, 12, 13, 14, 15])
  t.deepEqual(
    world.of('cell.warned').map(({ reason, quiescent }) => [reason, quiescent]),
    [
      ['budget', false],
      ['budget', true],
    ],
  )
  held.open()
  await world.rest()
  t.deepEqual(log.slice(5), [26, 27])
  t.is(world.of('cell.restarted')[0]?.reason, 'budget')
  t.is(world.cells.stats.ended, 7)
})

test('a budget of CPU time counts what turns use, whatever time passes, and ends the incarnation', async (t) => {
  let usedMs = 0
  const world = new World({ cpuMs: () => usedMs })
  const log: number[] = []
  const frugal = cell({
    name: 'frugal',
    limits: { budget: { cpuMs: 10 } },
    messages: { spend: message<number>() },
    on: {
      spend: (ctx, ms) => {
        usedMs += ms
        log.push(ctx.self.incarnation)
        if (ms === 1) throw new Error('what a turn used that failed counts too')
      },
    },
  })
  const ref = world.cells.spawn(frugal)
  for (const ms of [3, 4]) {
    ref.send('spend', ms)
    usedMs += 100
    await world.pass(1_000)
  }
  t.deepEqual(world.of('cell.warned'), [])
  for (const ms of [2, 5, 3, 8]) ref.send('spend', ms)
  await world.rest()
  t.deepEqual(
    world.of('cell.warned').map(({ incarnation, quiescent }) => [incarnation, quiescent]),
    [
      [1, false],
      [1, true],
      [2, false],
      [2, true],
    ],
  )
  t.deepEqual(log, [1, 1, 1, 1, 2, 2])
  t.deepEqual(
    world.of('cell.restarted').map(({ reason }) => reason),
    ['budget', 'budget'],
  )
  ref.send('spend', 1)
  await world.rest()
  t.is(world.of('cell.restarted').at(-1)?.reason, 'error')
})

test('a budget that is used up by quick turns loses none of the messages behind it', async (t) => {
  const world = new World()
  const log: number[] = []
  const frugal = cell({
    name: 'frugal',
    limits: { budget: { messages: 3 } },
    messages: { spend: message<number>() },
    on: { spend: (ctx, n) => void log.push(ctx.self.incarnation * 10 + n) },
  })
  const ref = world.cells.spawn(frugal)
  for (let n = 1; n <= 7; n++) {
    ref.send('spend', n)
    if (n % 2 === 0) await world.rest()
  }
  await world.rest()
  t.deepEqual(log, [11, 12, 13, 24, 25, 26, 37])
})

test('a kill ends a turn that a stop would wait for', async (t) => {
  const world = new World()
  const stuck = cell({
    name: 'stuck',
    messages: { hang: message() },
    on: {
      hang: async (ctx) => {
        put(ctx, 'hang')
        await new Promise(() => {})
      },
    },
  })
  const ref = world.cells.spawn(stuck)
  ref.send('hang')
  await world.rest()
  const stopped = ref.stop()
  await world.rest()
  t.is((await ref.inspect()).status, 'stopping')
  await ref.kill()
  await stopped
  t.deepEqual([world.graph.nodes.size, world.graph.open], [0, 0])
  t.is(world.of('message.dead-letter')[0]?.reason, 'lost-in-turn')
})

test('an address has no power over its cell, and what spawn returned has', (t) => {
  const world = new World()
  const ref = world.cells.spawn(cell({ name: 'a', messages: {}, on: {} }))
  for (const power of ['stop', 'kill', 'pause', 'resume'])
    t.deepEqual([power in ref, power in ref.address], [true, false])
  t.is(ref.address.path, ref.path)
})

function pair(log: string[]) {
  const one = cell({
    name: 'one',
    messages: {
      fail: message(),
      quit: message(),
      link: message<OwnedRef<never> | SupervisorRef>(),
      unlink: message(),
    },
    init: () => ({ cancel: (): boolean => false }),
    on: {
      fail: () => {
        throw new Error('broken')
      },
      quit: (ctx) => ctx.stop(),
      link: (ctx, other) => {
        const link = ctx.link(other)
        ctx.state.cancel = () => link.cancel()
      },
      unlink: (ctx) => void log.push(`${ctx.state.cancel()} ${ctx.state.cancel()}`),
    },
  })
  return one
}

test('linked cells share their end, whichever it is, once', async (t) => {
  for (const first of ['a', 'b']) {
    const world = new World()
    const one = pair([])
    const [a, b] = [world.cells.spawn(one, { name: 'a' }), world.cells.spawn(one, { name: 'b' })]
    a.send('link', b as OwnedRef<never>)
    await world.rest()
    ;(first === 'a' ? a : b).send('fail')
    await world.rest()
    const restarts = world.of('cell.restarted').map(({ path, reason }) => `${path} ${reason}`)
    const other = first === 'a' ? 'b' : 'a'
    t.deepEqual(restarts.toSorted(), [`root/${first} error`, `root/${other} linked`].toSorted())
    a.send('fail')
    await world.rest()
    t.is(world.of('cell.restarted').length, 3, 'a link binds incarnations')
  }
})

test('a link does not tell of an end of its own, and can be undone once', async (t) => {
  const world = new World()
  const log: string[] = []
  const one = pair(log)
  const [a, b, c] = ['a', 'b', 'c'].map((name) => world.cells.spawn(one, { name }))
  if (!a || !b || !c) return t.fail()
  a.send('link', b as OwnedRef<never>)
  c.send('link', a as OwnedRef<never>)
  await world.rest()
  b.send('quit')
  c.send('unlink')
  await world.rest()
  c.send('fail')
  await world.rest()
  t.deepEqual(
    world.of('cell.restarted').map(({ path }) => path),
    ['root/c'],
  )
  t.deepEqual(log, ['true false'])
})

test('a link to a child that waits for those before it ends the incarnation that waits, not the child', async (t) => {
  for (const init of [true, false]) {
    const world = new World()
    let open = (): void => {}
    const first = cell({
      name: 'first',
      messages: {},
      on: {},
      init: () => new Promise<void>((up) => (open = up)),
    })
    const messages = { ping: message<void, number>() }
    const on = { ping: (ctx: { self: { incarnation: number } }) => ctx.self.incarnation }
    const waits = cell({ name: 'waits', messages, on, ...(init && { init: () => ({}) }) })
    const crew = world.cells.spawn(supervisor({ name: 'crew', children: [first, waits] }))
    const a = world.cells.spawn(pair([]), { name: 'a' })
    const child = crew.child('waits')
    a.send('link', child as OwnedRef<never>)
    await world.rest()
    a.send('fail')
    await world.rest()
    t.like(world.of('cell.restarted')[1] ?? {}, { path: 'root/crew/waits', incarnation: 2, reason: 'linked' })
    const asked = child.ask('ping')
    await world.rest()
    open()
    await world.rest()
    t.is(await asked, 2)
  }
})

test('a link to a supervisor takes the cell with it, and the supervisor with nobody', async (t) => {
  const world = new World()
  const one = pair([])
  const restart = { intensity: 0, periodMs: 1_000 }
  const inner = supervisor({ name: 'inner', restart, children: [one] })
  const crew = world.cells.spawn(supervisor({ name: 'crew', children: [inner] })).supervisor('inner')
  const [a, b, c] = ['a', 'b', 'c'].map((name) => world.cells.spawn(one, { name }))
  if (!a || !b || !c) return t.fail()
  for (const each of [a, b, c]) each.send('link', crew)
  b.send('unlink')
  await world.rest()
  a.send('fail')
  await world.rest()
  t.deepEqual([crew.incarnation, c.incarnation], [1, 1])
  a.send('link', crew)
  crew.child('one', one).send('fail')
  await world.rest()
  const restarts = world.of('cell.restarted').map(({ path, reason }) => `${path} ${reason}`)
  t.deepEqual(restarts.toSorted(), [
    'root/a error',
    'root/a linked',
    'root/c linked',
    'root/crew/inner/one error',
  ])
  t.deepEqual([crew.incarnation, a.incarnation, b.incarnation, c.incarnation], [2, 3, 1, 2])
  c.send('link', crew)
  await world.rest()
  await crew.stop()
  await world.rest()
  t.is(c.incarnation, 3)
  c.send('link', crew)
  await world.rest()
  t.like(world.of('cell.restarted').at(-1)?.error, { code: 'ERR_KARYON_CELL_DEAD' })
})

test('a link to a cell that is gone, or without the power over it, is refused', async (t) => {
  const world = new World()
  const one = pair([])
  const [a, b] = [world.cells.spawn(one, { name: 'a' }), world.cells.spawn(one, { name: 'b' })]
  await b.stop()
  a.send('link', b as OwnedRef<never>)
  await world.rest()
  t.like(world.of('cell.restarted')[0]?.error, { code: 'ERR_KARYON_CELL_DEAD' })
  a.send('link', a.address as OwnedRef<never>)
  await world.rest()
  t.like(world.of('cell.restarted')[1]?.error, { code: 'ERR_KARYON_ARGUMENT' })
})

test('a monitor of an incarnation tells of its end once, a monitor of a cell not of its restarts', async (t) => {
  const world = new World()
  const seen: string[] = []
  const one = pair([])
  const watched = world.cells.spawn(one, { name: 'watched' })
  const watcher = cell({
    name: 'watcher',
    messages: { down: message<Down>(), life: message<Down>() },
    init: (ctx) => {
      ctx.monitor(watched, 'down')
      ctx.monitor(watched, 'life', { of: 'incarnation' })
    },
    on: {
      down: (_ctx, { incarnation, reason }) => void seen.push(`cell ${incarnation} ${reason}`),
      life: (_ctx, { incarnation, reason }) => void seen.push(`incarnation ${incarnation} ${reason}`),
    },
  })
  world.cells.spawn(watcher)
  await world.rest()
  watched.send('fail')
  await world.rest()
  watched.send('fail')
  await world.rest()
  await watched.stop()
  await world.rest()
  t.deepEqual(seen, ['incarnation 1 error', 'cell 3 stopped'])
})

test('what a hundred thousand monitors owe one cell arrives, whatever its mailbox', async (t) => {
  const world = new World()
  const seen = { count: 0 }
  const idle = cell({ name: 'idle', messages: {}, on: {} })
  const watcher = cell({
    name: 'watcher',
    limits: { mailbox: 1 },
    messages: { down: message<Down>() },
    init: (ctx) => {
      for (let n = 0; n < 100_000; n++) ctx.monitor(ctx.spawn(idle), 'down')
    },
    on: { down: () => void seen.count++ },
  })
  const ref = world.cells.spawn(watcher)
  await world.rest()
  ref.pause()
  const crew = world.cells.cells.filter((each) => each?.parent?.path === 'root/watcher')
  for (const each of crew) if (each) void world.cells.stopCell(each)
  for (let round = 0; round < 200 && world.of('cell.stopped').length < 100_000; round++) await world.rest()
  t.is(seen.count, 0)
  ref.resume()
  for (let round = 0; round < 200 && seen.count < 100_000; round++) await world.rest()
  t.is(seen.count, 100_000)
})

test('what outside work comes to is sent to the cell, unless its incarnation is over', async (t) => {
  const world = new World()
  const log: string[] = []
  const [first, second] = [gate(), gate()]
  const worker = cell({
    name: 'worker',
    limits: { mailbox: 1 },
    messages: { go: message<number>(), done: message<string>(), fail: message() },
    on: {
      go: (ctx, n) => {
        const work = n === 1 ? first : second
        // oxlint-disable-next-line unicorn/no-thenable -- what is done with the result then
        void ctx.run(async () => work.promise.then(() => `${n} of ${ctx.self.incarnation}`), { then: 'done' })
      },
      done: (_ctx, text) => void log.push(text),
      fail: () => {
        throw new Error('broken')
      },
    },
  })
  const ref = world.cells.spawn(worker)
  ref.send('go', 1)
  await world.rest()
  first.open()
  await world.rest()
  ref.send('go', 2)
  await world.rest()
  ref.send('fail')
  await world.rest()
  second.open()
  await world.rest()
  t.deepEqual(log, ['1 of 1'])
})

test('work whose result the message does not take fails the cell', async (t) => {
  const world = new World()
  const worker = cell({
    name: 'worker',
    messages: { go: message(), done: message<() => void>() },
    // oxlint-disable-next-line unicorn/no-thenable -- what is done with the result then
    on: { go: (ctx) => void ctx.run(() => () => {}, { then: 'done' }), done: () => {} },
  })
  world.cells.spawn(worker).send('go')
  await world.rest()
  t.like(world.of('cell.restarted')[0], { reason: 'error' })
  t.like(world.of('cell.restarted')[0]?.error, { code: 'ERR_KARYON_NOT_SENDABLE' })
})
