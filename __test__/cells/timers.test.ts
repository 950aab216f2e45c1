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
