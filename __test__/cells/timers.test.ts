import { setImmediate as turnOfLoop } from 'node:timers/promises'
import test from 'ava'
import { cell, message, type Timer } from '../../ts/cells/index.ts'
import { World } from './fake.ts'

const clock = (seen: string[]) =>
  cell({
    name: 'clock',
    messages: {
      after: message<number>(),
      every: message<number>(),
      cancel: message<void, boolean>(),
      tick: message<string>(),
      fail: message(),
    },
    init: (): { timer: Timer | undefined } => ({ timer: undefined }),
    on: {
      after: (ctx, ms) => {
        ctx.state.timer = ctx.sendAfter(ms, 'tick', `after ${ms}`)
      },
      every: (ctx, ms) => {
        ctx.state.timer = ctx.every(ms, 'tick', `every ${ms}`)
      },
      cancel: (ctx) => ctx.state.timer !== undefined && ctx.cancel(ctx.state.timer),
      tick: (_ctx, what) => seen.push(what),
      fail: () => {
        throw new Error('no')
      },
    },
  })

test('after a long rest a timer and an ask have their whole time', async (t) => {
  const world = new World()
  const seen: string[] = []
  const ref = world.cells.spawn(clock(seen))
  await world.rest()
  world.nowMs += 60_000
  ref.send('after', 10)
  const answer = ref.ask('cancel', undefined, { timeoutMs: 5_000 })
  await world.rest()
  t.true(await answer, 'answered, and the timer was still armed')
  world.nowMs += 60_000
  ref.send('after', 10)
  await world.rest()
  t.deepEqual(seen, [])
  await world.pass(10)
  t.deepEqual(seen, ['after 10'])
})

test('sendAfter sends once, in time', async (t) => {
  const world = new World()
  const seen: string[] = []
  const ref = world.cells.spawn(clock(seen))
  ref.send('after', 10)
  await world.rest()
  await world.pass(9)
  t.deepEqual(seen, [])
  await world.pass(1)
  await world.pass(100)
  t.deepEqual(seen, ['after 10'])
  t.false(await ref.ask('cancel'), 'it is no longer armed')
})

test('every keeps its beat, skips what it missed, and can be cancelled once', async (t) => {
  const world = new World()
  const seen: string[] = []
  const ref = world.cells.spawn(clock(seen))
  ref.send('every', 10)
  await world.rest()
  await world.pass(10)
  t.is(seen.length, 1)
  await world.pass(35)
  t.is(seen.length, 2)
  await world.pass(5)
  t.is(seen.length, 3, 'at 50, on its own beat')
  t.true(await ref.ask('cancel'))
  t.false(await ref.ask('cancel'))
  await world.pass(100)
  t.is(seen.length, 3)
})

test('a timer is called off by the cell that armed it, and by no other', async (t) => {
  const [world, elsewhere] = [new World(), new World()]
  const timers: Timer[] = []
  const arming = cell({
    name: 'arming',
    messages: { arm: message(), cancel: message<number, boolean>(), due: message(), fail: message() },
    on: {
      arm: (ctx) => void timers.push(ctx.sendAfter(10, 'due')),
      cancel: (ctx, at) => ctx.cancel(timers[at] as Timer),
      due: () => {},
      fail: () => {
        throw new Error('no')
      },
    },
  })
  const [one, other] = [world.cells.spawn(arming), world.cells.spawn(arming)]
  const foreign = elsewhere.cells.spawn(arming)
  one.send('arm')
  await world.rest()
  for (const ref of [other, foreign]) {
    const error = await t.throwsAsync(ref.ask('cancel', 0), { code: 'ERR_KARYON_CELL_FAILED' })
    const message = 'a timer is called off by the cell that armed it, which is root/arming'
    t.like(error?.cause, { code: 'ERR_KARYON_ARGUMENT', message })
  }
  t.true(timers[0]?.armed)
  t.false(await one.ask('cancel', 1), 'there is none')
  one.send('fail')
  t.false(await one.ask('cancel', 0), 'it ended with its incarnation')
  one.send('arm')
  await world.rest()
  t.true(await one.ask('cancel', 1))
})

test('timers end with their incarnation', async (t) => {
  const world = new World()
  const seen: string[] = []
  const ref = world.cells.spawn(clock(seen))
  ref.send('every', 10)
  ref.send('after', 10)
  ref.send('fail')
  await world.rest()
  await world.pass(100)
  t.deepEqual(seen, [])
  t.is(world.of('cell.restarted').length, 1)
})

test('a timer with an impossible time is refused', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(clock([]))
  for (const name of ['after', 'every'] as const) {
    ref.send(name, -1)
    await world.rest()
  }
  t.deepEqual(
    world.of('cell.restarted').map((event) => (event.error as { code: string }).code),
    ['ERR_KARYON_ARGUMENT', 'ERR_KARYON_ARGUMENT'],
  )
})

test('a million armed timers are the limit, and cancelling makes room', async (t) => {
  const world = new World()
  const hoarder = cell({
    name: 'hoarder',
    messages: { hoard: message<void, string>() },
    on: {
      hoard: (ctx) => {
        const first = ctx.sendAfter(60_000, 'hoard')
        for (let armed = 1; armed < 1_000_000; armed++) ctx.sendAfter(60_000, 'hoard')
        let code = 'none'
        try {
          ctx.sendAfter(60_000, 'hoard')
        } catch (error) {
          code = (error as { code: string }).code
        }
        ctx.cancel(first)
        ctx.sendAfter(60_000, 'hoard')
        return code
      },
    },
  })
  const ref = world.cells.spawn(hoarder)
  t.is(await ref.ask('hoard'), 'ERR_KARYON_TIMER_COUNT')
  await ref.stop()
})

test('what the scheduler still says of a timer that was called off never meets another', async (t) => {
  let ticks = 0
  // A clock that goes on by itself: the pump lets the loop have its turn after each crossing.
  const world: World = new World({ now: () => (world.nowMs += ticks) })
  const seen: number[] = []
  let context:
    { sendAfter(ms: number, name: 'due', at: number): Timer; cancel(timer: Timer): boolean } | undefined
  const ref = world.cells.spawn(
    cell({
      name: 'many',
      limits: { mailbox: 10_000 },
      messages: { arm: message<number>(), due: message<number>() },
      on: {
        arm: (ctx, count) => {
          context = ctx
          for (let at = 0; at < count; at++) timers.push(ctx.sendAfter(10, 'due', at))
        },
        due: (_ctx, at) => seen.push(at),
      },
    }),
  )
  const timers: Timer[] = []
  // More than one crossing hands over.
  ref.send('arm', 6_000)
  await world.rest()
  world.nowMs += 10
  ticks = 3
  world.cells.wake()
  await turnOfLoop()
  t.false(timers[0]?.armed, 'the first are due')
  t.true(timers[5_999]?.armed, 'the last are not told yet')
  t.true(context?.cancel(timers[5_999] as Timer))
  const fresh = context?.sendAfter(60_000, 'due', -1)
  ticks = 0
  for (let round = 0; round < 20; round++) await world.rest()
  t.true(fresh?.armed)
  t.is(seen.length, 5_999)
  t.false(seen.includes(-1))
  await world.pass(60_000)
  t.is(seen.at(-1), -1)
})
