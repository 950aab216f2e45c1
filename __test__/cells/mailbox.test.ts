import test from 'ava'
import { cell, message, type CellRef, type Message } from '../../ts/cells/index.ts'
import { Reference } from '../../ts/cells/ref.ts'
import { World, gate } from './fake.ts'

const sink = (held: Promise<void>, seen: number[], mailbox = 2) =>
  cell({
    name: 'sink',
    messages: { take: message<number>(), ask: message<void, number>() },
    limits: { mailbox },
    on: {
      take: async (_ctx, at) => {
        await held
        seen.push(at)
      },
      ask: () => seen.length,
    },
  })

test('a full mailbox refuses, says so, and takes messages again once there is room', async (t) => {
  const world = new World()
  const held = gate()
  const seen: number[] = []
  const ref = world.cells.spawn(sink(held.promise, seen))
  t.true(ref.send('take', 0))
  await world.rest()
  t.deepEqual([ref.send('take', 1), ref.send('take', 2), ref.send('take', 3)], [true, true, false])
  t.like(world.of('message.refused')[0], { path: 'root/sink', message: 'take', reason: 'full' })
  await t.throwsAsync(ref.ask('ask'), { code: 'ERR_KARYON_MAILBOX_FULL' })
  held.open()
  await world.rest()
  t.deepEqual(seen, [0, 1, 2])
  t.true(ref.send('take', 4))
  await world.rest()
  const { sent, ended, refused } = world.cells.stats
  t.deepEqual({ sent, ended, refused }, { sent: 6, ended: 4, refused: 2 })
})

test('deliver waits for room and keeps the order', async (t) => {
  const world = new World()
  const held = gate()
  const seen: number[] = []
  const ref = world.cells.spawn(sink(held.promise, seen, 1))
  ref.send('take', 0)
  await world.rest()
  const settled: number[] = []
  const deliveries = [1, 2, 3].map(async (at) => {
    await ref.deliver('take', at)
    settled.push(at)
  })
  await world.rest()
  t.deepEqual(settled, [1], 'one found room, two wait')
  t.false(ref.send('take', 9), 'nobody overtakes those that wait')
  held.open()
  await Promise.all(deliveries)
  await world.rest()
  t.deepEqual(seen, [0, 1, 2, 3])
})

test('a delivery can be called off while it waits', async (t) => {
  const world = new World()
  const held = gate()
  const seen: number[] = []
  const ref = world.cells.spawn(sink(held.promise, seen, 1))
  ref.send('take', 0)
  await world.rest()
  ref.send('take', 1)
  const controller = new AbortController()
  const waiting = ref.deliver('take', 2, { signal: controller.signal })
  await world.rest()
  controller.abort(new Error('enough'))
  const error = await t.throwsAsync(waiting, { code: 'ERR_KARYON_ASK_ABORTED' })
  t.like(error?.cause, { message: 'enough' })
  const late = t.throwsAsync(ref.deliver('take', 3, { signal: AbortSignal.abort() }), {
    code: 'ERR_KARYON_ASK_ABORTED',
  })
  await late
  held.open()
  await world.rest()
  t.deepEqual(seen, [0, 1])
})

test('messages to a cell that is gone are dead letters', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(sink(Promise.resolve(), []))
  await ref.stop()
  t.false(ref.alive)
  t.false(ref.send('take', 1))
  t.like(world.of('message.dead-letter')[0], { reason: 'stopped', message: 'take' })
  await t.throwsAsync(ref.ask('ask'), { code: 'ERR_KARYON_CELL_DEAD' })
  await t.throwsAsync(ref.deliver('take', 1), { code: 'ERR_KARYON_CELL_DEAD' })
  await t.notThrowsAsync(ref.stop())
})

test('messages that wait when a cell stops are dead letters, and their asks rejected', async (t) => {
  const world = new World()
  const held = gate()
  const ref = world.cells.spawn(sink(held.promise, [], 10))
  ref.send('take', 0)
  ref.send('take', 1)
  const asked = t.throwsAsync(ref.ask('ask'), { code: 'ERR_KARYON_CELL_DEAD' })
  await world.rest()
  const stopped = ref.stop()
  await world.rest()
  held.open()
  await stopped
  await asked
  t.is(world.of('message.dead-letter').length, 2)
  t.is(world.cells.stats.ended, 1, 'the turn that ran came to its end')
})

test('a message that the cell does not have is refused at once', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(sink(Promise.resolve(), [])) as unknown as CellRef<{
    no: Message
  }>
  t.throws(() => ref.send('no'), { code: 'ERR_KARYON_MESSAGE_UNKNOWN' })
  await t.throwsAsync(ref.ask('no'), { code: 'ERR_KARYON_MESSAGE_UNKNOWN' })
})

test('an ask ends with its time limit, and the turn goes on', async (t) => {
  const world = new World()
  const held = gate()
  const seen: number[] = []
  const ref = world.cells.spawn(sink(held.promise, seen, 10))
  ref.send('take', 7)
  const asked = t.throwsAsync(ref.ask('ask', undefined, { timeoutMs: 50 }), {
    code: 'ERR_KARYON_ASK_TIMEOUT',
  })
  await world.rest()
  await world.pass(50)
  await asked
  held.open()
  await world.rest()
  t.is(world.cells.stats.ended, 2)
})

test('an ask can be called off', async (t) => {
  const world = new World()
  const held = gate()
  const ref = world.cells.spawn(sink(held.promise, [], 10))
  ref.send('take', 7)
  const controller = new AbortController()
  const asked = t.throwsAsync(ref.ask('ask', undefined, { signal: controller.signal }), {
    code: 'ERR_KARYON_ASK_ABORTED',
  })
  await world.rest()
  controller.abort()
  await asked
  await t.throwsAsync(ref.ask('ask', undefined, { signal: AbortSignal.abort() }), {
    code: 'ERR_KARYON_ASK_ABORTED',
  })
  held.open()
})

test('cells that would wait for each other are told at once, with the path', async (t) => {
  const world = new World()
  interface Asking {
    readonly go: Message<readonly string[], string>
  }
  const refs = new Map<string, CellRef<Asking>>()
  const asking = cell({
    name: 'asking',
    messages: { go: message<readonly string[], string>() },
    on: {
      go: async (ctx, [next, ...rest]): Promise<string> =>
        next === undefined ? 'end' : ctx.ask(refs.get(next)!, 'go', rest),
    },
  })
  for (const name of ['a', 'b', 'c']) refs.set(name, world.cells.spawn(asking, { name }))
  t.is(await refs.get('a')!.ask('go', ['b', 'c']), 'end')
  const error = await t.throwsAsync(refs.get('a')!.ask('go', ['b', 'c', 'a']), {
    code: 'ERR_KARYON_CELL_FAILED',
  })
  let cause: unknown = error
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause
  t.like(cause, { code: 'ERR_KARYON_ASK_CYCLE' })
  t.deepEqual((cause as { details: { cycle: string[] } }).details.cycle, [
    'root/c',
    'root/a',
    'root/b',
    'root/c',
  ])
  t.is(world.of('cell.restarted').length, 3)
})

test('a cell cannot wait for itself', async (t) => {
  const world = new World()
  const self = cell({
    name: 'self',
    messages: { go: message<void, unknown>() },
    on: { go: (ctx) => ctx.ask(ctx.self, 'go') },
  })
  const error = await t.throwsAsync(world.cells.spawn(self).ask('go'), { code: 'ERR_KARYON_CELL_FAILED' })
  t.like(error?.cause, { code: 'ERR_KARYON_ASK_CYCLE' })
})

test('cells take turns: a busy one does not starve the others', async (t) => {
  const world = new World()
  const order: string[] = []
  const note = cell({
    name: 'note',
    messages: { go: message<string>() },
    on: { go: (_ctx, who) => order.push(who) },
  })
  const busy = world.cells.spawn(note, { name: 'busy' })
  const quiet = world.cells.spawn(note, { name: 'quiet' })
  for (let at = 0; at < 900; at++) busy.send('go', 'busy')
  quiet.send('go', 'quiet')
  await world.rest()
  t.is(order.length, 901)
  t.true(order.indexOf('quiet') <= 64)
})

test('ten thousand messages in one synchronous stretch all arrive', async (t) => {
  const world = new World()
  let sum = 0
  const ref = world.cells.spawn(
    cell({
      name: 'sum',
      messages: { add: message<number>() },
      limits: { mailbox: 20_000 },
      on: { add: (_ctx, by) => (sum += by) },
    }),
  )
  for (let at = 0; at < 10_000; at++) t.true(ref.send('add', 1))
  for (let round = 0; round < 10; round++) await world.rest()
  t.is(sum, 10_000)
})

test('nobody overtakes a delivery that is under way elsewhere, though there is room', (t) => {
  const world = new World()
  const ref = world.cells.spawn(sink(Promise.resolve(), [], 10))
  const delivering = new Map([[Reference.cellOf(ref).id, 1]])
  Object.assign(world.cells.scheduler, { delivering })
  t.false(ref.send('take', 1))
  delivering.clear()
  t.true(ref.send('take', 1))
})
