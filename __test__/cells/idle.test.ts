// Messages to idle cells run without a crossing of their own; whatever comes of them is accounted for all the same.
import test from 'ava'
import { cell, message, type CellRef, type Message } from '../../ts/cells/index.ts'
import { World, gate } from './fake.ts'

type Kind = 'end' | 'throw' | 'wait' | 'defer' | 'become' | 'conflict' | 'break' | 'stop' | 'arm'

interface Target {
  readonly go: Message<Kind>
  readonly plain: Message
}

/** A world with one target that has had its first message, and a sender whose turn sends to it what the test says. */
async function scene(): Promise<{
  world: World
  target: CellRef<Target>
  send: (...kinds: Kind[]) => Promise<void>
  log: string[]
  held: ReturnType<typeof gate>
}> {
  const world = new World()
  const held = gate()
  const log: string[] = []
  const target = world.cells.spawn(
    cell({
      name: 'target',
      messages: { go: message<Kind>(), plain: message(), late: message() },
      init: () => ({ sound: true }),
      on: {
        go: (ctx, kind) => {
          log.push(kind)
          switch (kind) {
            case 'throw':
              throw new Error('no')
            case 'wait':
              return held.promise.then(() => log.push('waited'))
            case 'defer':
              return ctx.defer()
            case 'become':
              return ctx.become({ go: (_ctx, again) => log.push(`became ${again}`) })
            case 'conflict':
              world.graph.conflicts = log.filter((each) => each === 'conflict').length === 1 ? 1 : 0
              ctx.tx.put('a', {})
              break
            case 'break':
              ctx.state.sound = false
              break
            case 'stop':
              return ctx.stop()
            case 'arm':
              ctx.sendAfter(5, 'late')
          }
          return undefined
        },
        plain: () => log.push('plain'),
        late: () => log.push('late'),
      },
      invariant: (state) => state.sound,
    }),
  )
  const sender = world.cells.spawn(
    cell({
      name: 'sender',
      messages: { send: message<readonly Kind[]>() },
      on: {
        send: (_ctx, kinds) => {
          for (const kind of kinds) target.send('go', kind)
        },
      },
    }),
  )
  const send = async (...kinds: Kind[]): Promise<void> => {
    sender.send('send', kinds)
    await world.rest()
  }
  await send()
  target.send('plain')
  await world.rest()
  return { world, target, send, log, held }
}

test('one that ends is counted', async (t) => {
  const { world, send, log } = await scene()
  await send('end')
  await send('end')
  t.deepEqual(log, ['plain', 'end', 'end'])
  const { sent, ended } = world.cells.stats
  t.deepEqual({ sent, ended }, { sent: 6, ended: 6 })
})

test('one that throws restarts its cell, and what follows it waits for the new incarnation', async (t) => {
  const { world, send, log } = await scene()
  await send('throw')
  await send('throw', 'end')
  t.deepEqual(log, ['plain', 'throw', 'throw', 'end'])
  t.deepEqual(
    world.of('cell.restarted').map(({ path, incarnation, reason }) => [path, incarnation, reason]),
    [
      ['root/target', 2, 'error'],
      ['root/target', 3, 'error'],
    ],
  )
  const { sent, ended, failed } = world.cells.stats
  t.deepEqual({ sent, ended, failed }, { sent: 7, ended: 5, failed: 2 })
})

test('one that breaks the invariant fails for that reason', async (t) => {
  const { world, send } = await scene()
  await send('break')
  t.like(world.of('cell.restarted')[0], { reason: 'invariant' })
  t.is(world.cells.stats.failed, 1)
})

test('one that goes on keeps later messages waiting', async (t) => {
  const { world, target, send, log, held } = await scene()
  await send('wait')
  await send('end')
  target.send('plain')
  await world.rest()
  t.deepEqual(log, ['plain', 'wait'])
  held.open()
  await world.rest()
  t.deepEqual(log, ['plain', 'wait', 'waited', 'end', 'plain'])
  const { sent, ended } = world.cells.stats
  t.deepEqual({ sent, ended }, { sent: 7, ended: 7 })
})

test('one that is deferred comes back when the behaviour changes', async (t) => {
  const { world, send, log } = await scene()
  await send('defer')
  await send('become')
  t.deepEqual(log, ['plain', 'defer', 'become', 'became defer'])
  const { sent, ended } = world.cells.stats
  t.deepEqual({ sent, ended }, { sent: 6, ended: 6 })
})

test('one that meets a conflict comes first again', async (t) => {
  const { world, send, log } = await scene()
  await send('conflict', 'end')
  t.deepEqual(log, ['plain', 'conflict', 'conflict', 'end'])
  t.like(world.of('cell.restarted')[0], { reason: 'conflict' })
  t.true(world.graph.nodes.has('a'))
  t.is(world.cells.stats.failed, 0)
})

test('one that stops its cell is the last', async (t) => {
  const { world, target, send, log } = await scene()
  await send('stop', 'end')
  t.deepEqual(log, ['plain', 'stop'])
  t.false(target.alive)
  t.like(world.of('message.dead-letter')[0], { message: 'go', reason: 'stopped' })
  const { sent, ended, deadLetters } = world.cells.stats
  t.deepEqual({ sent, ended, deadLetters }, { sent: 5, ended: 4, deadLetters: 1 })
})

test('one that arms a timer is waited for', async (t) => {
  const { world, send, log } = await scene()
  await send('arm')
  await world.pass(5)
  t.deepEqual(log, ['plain', 'arm', 'late'])
})

test('cells that hand a message round without end leave the event loop its turn, and every timer its time', async (t) => {
  // A clock of which every look takes ten microseconds.
  let nowMs = 0
  const world = new World({ now: () => (nowMs += 0.01) })
  let passed = 0
  const over = gate()
  let stop = false
  const refs: CellRef<{ readonly go: Message }>[] = []
  const round = cell({
    name: 'round',
    messages: { go: message(), end: message() },
    init: (ctx) => {
      ctx.sendAfter(20, 'end')
    },
    on: {
      go: () => {
        passed++
        if (!stop) refs[passed % 3]?.send('go')
      },
      end: () => {
        stop = true
        over.open()
      },
    },
  })
  for (let at = 0; at < 3; at++) refs.push(world.cells.spawn(round))
  refs[0]?.send('go')
  await over.promise
  await world.rest()
  const { sent, ended } = world.cells.stats
  t.true(passed > 1_000)
  t.is(sent, ended)
})

test('an outbox that is full in the middle of it loses and reorders nothing', async (t) => {
  const world = new World()
  const seen: number[] = []
  const many = Array.from({ length: 5_000 }, (_, at) => at)
  const taker = cell({
    name: 'taker',
    messages: { take: message<number>() },
    on: { take: (_ctx, at) => seen.push(at) },
  })
  const takers = many.map(() => world.cells.spawn(taker))
  const sender = world.cells.spawn(
    cell({
      name: 'sender',
      messages: { send: message() },
      on: { send: () => many.forEach((at) => takers[at]?.send('take', at)) },
    }),
  )
  for (let round = 0; round < 2; round++) {
    sender.send('send')
    for (let wait = 0; wait < 4; wait++) await world.rest()
  }
  t.deepEqual(seen, [...many, ...many])
  const { sent, ended } = world.cells.stats
  t.deepEqual({ sent, ended }, { sent: 10_002, ended: 10_002 })
})
