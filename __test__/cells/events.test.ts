import test from 'ava'
import { EventHub, type KernelEvent } from '../../ts/events.ts'

const started = (incarnation: number): KernelEvent => ({ type: 'cell.started', path: 'root/a', incarnation })

test('a reader sees events from its opening on, in order', async (t) => {
  const hub = new EventHub()
  hub.emit(started(1))
  const stream = hub.open()
  hub.emit(started(2))
  const waiting = stream.next().then(() => stream.next())
  hub.emit(started(3))
  t.deepEqual(await waiting, { done: false, value: started(3) })
})

test('a reader that lags loses the oldest and is told how many', async (t) => {
  const hub = new EventHub()
  const stream = hub.open({ buffer: 3 })
  for (let at = 1; at <= 10; at++) hub.emit(started(at))
  hub.end()
  const seen: KernelEvent[] = []
  for await (const event of stream) seen.push(event)
  t.deepEqual(seen, [{ type: 'events.lagged', count: 7 }, started(8), started(9), started(10)])
})

test('return ends a stream and lets go of it', async (t) => {
  const hub = new EventHub()
  const stream = hub.open()
  const waiting = stream.next()
  hub.emit(started(1))
  await waiting
  hub.emit(started(2))
  await stream.return()
  hub.emit(started(3))
  t.deepEqual(await stream.next(), { done: true, value: undefined })
})

test('two readers see the same events', async (t) => {
  const hub = new EventHub()
  const [first, second] = [hub.open(), hub.open()]
  hub.emit(started(1))
  t.deepEqual(await first.next(), await second.next())
})
