// Classes of messages, full mailboxes that make room, topics.
import test from 'ava'
import { cell, control, message, topic } from '../../ts/cells/index.ts'
import { World, gate } from './fake.ts'

function recorder(log: string[], limits = {}, hold?: Promise<void>) {
  return cell({
    name: 'recorder',
    limits,
    messages: { say: message<string>(), order: control(message<string>()), wait: message() },
    on: {
      say: (_ctx, text) => void log.push(text),
      order: (_ctx, text) => void log.push(text),
      wait: () => hold,
    },
  })
}

test('a message of control goes before those of users, in its own order', async (t) => {
  const world = new World()
  const log: string[] = []
  const held = gate()
  const ref = world.cells.spawn(recorder(log, {}, held.promise))
  ref.send('wait')
  await world.rest()
  ref.send('say', 'a')
  ref.send('order', '1')
  ref.send('say', 'b')
  ref.send('order', '2')
  held.open()
  await world.rest()
  t.deepEqual(log, ['1', '2', 'a', 'b'])
})

test('a message of control needs no room, up to a thousand of them', async (t) => {
  const world = new World()
  const held = gate()
  const ref = world.cells.spawn(recorder([], { mailbox: 1 }, held.promise))
  ref.send('wait')
  await world.rest()
  t.true(ref.send('say', 'a'))
  t.false(ref.send('say', 'b'))
  await ref.deliver('order', '1')
  for (let n = 0; n < 1_000; n++) ref.send('order', 'more')
  await world.rest()
  t.is(world.of('message.refused').length, 2)
  held.open()
})

test('a message of control is not asked', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(recorder([]))
  // @ts-expect-error it is sent
  await t.throwsAsync(ref.ask('order', 'x'), { code: 'ERR_KARYON_ARGUMENT' })
})

test('a mailbox that drops its oldest takes every message, and says what it dropped', async (t) => {
  const world = new World()
  const log: string[] = []
  const held = gate()
  const ref = world.cells.spawn(recorder(log, { mailbox: 2, overflow: 'drop-oldest' }, held.promise))
  ref.send('wait')
  await world.rest()
  const asked = ref.ask('say', 'a').catch((error: { code: string }) => error.code)
  for (const text of ['b', 'c', 'd']) t.true(ref.send('say', text))
  await ref.deliver('say', 'e')
  t.is(await asked, 'ERR_KARYON_MAILBOX_FULL')
  held.open()
  await world.rest()
  t.deepEqual(log, ['d', 'e'])
  const dropped = world.of('message.dead-letter').map(({ reason }) => reason)
  t.deepEqual(dropped, ['dropped', 'dropped', 'dropped'])
  const { sent, ended, deadLetters } = world.cells.stats
  t.deepEqual([sent, ended, deadLetters], [6, 3, 3])
})

test('a paused cell begins no turn, also after a restart, and loses nothing', async (t) => {
  const world = new World()
  const log: string[] = []
  const held = gate()
  const ref = world.cells.spawn(recorder(log, {}, held.promise))
  ref.send('say', 'a')
  await world.rest()
  ref.send('wait')
  await world.rest()
  ref.pause()
  held.fail(new Error('broken'))
  await world.rest()
  t.is(ref.incarnation, 2)
  ref.send('say', 'b')
  await world.rest()
  t.deepEqual([log.join(''), (await ref.inspect()).status], ['a', 'paused'])
  ref.resume()
  ref.send('say', 'c')
  await world.rest()
  t.deepEqual([log.join(''), (await ref.inspect()).status], ['abc', 'live'])
})

test('what is published reaches every cell that has subscribed, until its incarnation ends', async (t) => {
  const world = new World()
  const news = topic<string>('news')
  const log: string[] = []
  const reader = cell({
    name: 'reader',
    messages: { read: message<string>(), quit: message(), fail: message() },
    init: (ctx) => ({ subscription: ctx.subscribe(news, 'read') }),
    on: {
      read: (ctx, text) => void log.push(`${ctx.self.path.at(-1)}${ctx.self.incarnation} ${text}`),
      quit: (ctx) => void log.push(`${ctx.state.subscription.cancel()} ${ctx.state.subscription.cancel()}`),
      fail: () => {
        throw new Error('broken')
      },
    },
  })
  const [a, b] = [world.cells.spawn(reader, { name: 'a' }), world.cells.spawn(reader, { name: 'b' })]
  await world.rest()
  t.is(world.cells.topics.publish(news, 'one', undefined), 2)
  await world.rest()
  a.send('fail')
  b.send('quit')
  await world.rest()
  t.is(world.cells.topics.publish(news, 'two', undefined), 1)
  await world.rest()
  t.deepEqual(log, ['a1 one', 'b1 one', 'true false', 'a2 two'])
  await a.stop()
  t.is(world.cells.topics.publish(news, 'three', undefined), 0)
})

test('a topic with a schema checks what is published, once', async (t) => {
  const world = new World()
  let checks = 0
  const whole = topic('whole', {
    '~standard': {
      version: 1,
      vendor: 'here',
      validate: (value: unknown) => {
        checks++
        return Number.isInteger(value) ? { value: value as number } : { issues: [{ message: 'not whole' }] }
      },
    },
  })
  const seen: number[] = []
  const counter = cell({
    name: 'counter',
    messages: { add: message<number>() },
    init: (ctx) => void ctx.subscribe(whole, 'add'),
    on: { add: (_ctx, n) => void seen.push(n) },
  })
  world.cells.spawn(counter)
  world.cells.spawn(counter)
  await world.rest()
  t.is(world.cells.topics.publish(whole, 5, undefined), 2)
  t.throws(() => world.cells.topics.publish(whole, 1.5, undefined), { code: 'ERR_KARYON_ARGUMENT' })
  await world.rest()
  t.deepEqual([seen, checks], [[5, 5], 2])
})

test('what is no topic is refused where it is used', async (t) => {
  const world = new World()
  const bad = { name: 'news' } as never
  t.throws(() => world.cells.topics.publish(bad, 1, undefined), { code: 'ERR_KARYON_ARGUMENT' })
  t.throws(() => world.cells.topics.publish(undefined as never, 1, undefined), {
    code: 'ERR_KARYON_ARGUMENT',
  })
  const reader = cell({
    name: 'reader',
    messages: { read: message<number>() },
    init: (ctx) => void ctx.subscribe(bad, 'read'),
    on: { read: () => {} },
    restart: 'temporary',
  })
  world.cells.spawn(reader)
  await world.rest()
  t.like(world.of('cell.stopped')[0]?.error, { code: 'ERR_KARYON_ARGUMENT' })
})
