import { createSecretKey } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Socket } from 'node:net'
import test from 'ava'
import { cell, message, type StandardSchema } from '../../ts/cells/index.ts'
import { World } from './fake.ts'

const taker = (seen: unknown[]) =>
  cell({
    name: 'taker',
    messages: { take: message<unknown>(), give: message<unknown, unknown>() },
    on: {
      take: (_ctx, payload) => seen.push(payload),
      give: (_ctx, payload) => payload ?? (() => {}),
    },
  })

class Holder {
  readonly held: unknown
  constructor(held: unknown) {
    this.held = held
  }
}

test('what could not leave its isolate is refused with the path to it', async (t) => {
  const { port1: port, port2 } = new MessageChannel()
  const file = await open(import.meta.filename)
  t.teardown(() => (port2.close(), file.close()))
  const ref = new World().cells.spawn(taker([]))
  const refusals: [unknown, string][] = [
    [() => {}, 'payload'],
    [{ a: [1, { call: () => {} }] }, 'payload.a[1].call'],
    [{ s: Symbol('s') }, 'payload.s'],
    [{ p: Promise.resolve() }, 'payload.p'],
    [new Map([['k', new WeakMap()]]), 'payload.values()[0]'],
    [{ proxy: new Proxy({}, {}) }, 'payload.proxy'],
    [new Proxy({}, {}), 'payload'],
    [{ port }, 'payload.port'],
    [{ own: new Holder(port) }, 'payload.own'],
    [[new ReadableStream()], 'payload[0]'],
    [{ file }, 'payload.file.close'],
    [{ rows: [1].values() }, 'payload.rows'],
    [{ made: (function* () {})() }, 'payload.made'],
    [{ socket: new Socket() }, 'payload.socket._events.end'],
  ]
  for (const [payload, path] of refusals) {
    const error = t.throws(() => ref.send('take', payload), { code: 'ERR_KARYON_NOT_SENDABLE' })
    t.deepEqual((error as unknown as { details: unknown }).details, { path })
  }
})

test('what is sent is frozen, arrives by reference, and may hold cycles, bytes and references', async (t) => {
  const seen: unknown[] = []
  const world = new World()
  const ref = world.cells.spawn(taker(seen))
  const payload: Record<string, unknown> = {
    list: [{ deep: true }],
    bytes: new Uint8Array(3),
    at: new Date(0),
    ref,
  }
  payload['self'] = payload
  ref.send('take', payload)
  await world.rest()
  t.is(seen[0], payload)
  t.true(Object.isFrozen(payload) && Object.isFrozen((payload['list'] as unknown[])[0]))
  t.false(Object.isFrozen(ref))
})

test('what the engine can clone may be sent, whatever its class', async (t) => {
  const seen: unknown[] = []
  const world = new World()
  const ref = world.cells.spawn(taker(seen))
  const payloads = [
    createSecretKey(Buffer.from('key')),
    new Blob(['blob']),
    new Holder({ deep: [1] }),
    new RangeError('no'),
    Object.create(null) as object,
    { when: new Date(0), pattern: /a/, big: 1n, nothing: undefined, holder: new Holder(ref) },
    new Map([[{ key: 1 }, new Set(['a'])]]),
  ]
  for (const payload of payloads) t.true(ref.send('take', payload))
  await world.rest()
  t.deepEqual(seen, payloads)
})

test('a refused payload is left as it was', (t) => {
  const payload = { fine: {}, bad: () => {} }
  t.throws(() => new World().cells.spawn(taker([])).send('take', payload))
  t.false(Object.isFrozen(payload.fine))
})

test('a reply that could not leave its isolate fails the turn', async (t) => {
  const ref = new World().cells.spawn(taker([]))
  const error = await t.throwsAsync(ref.ask('give', undefined), { code: 'ERR_KARYON_CELL_FAILED' })
  t.like(error?.cause, { code: 'ERR_KARYON_NOT_SENDABLE' })
})

test('without the check nothing is looked at', async (t) => {
  const seen: unknown[] = []
  const world = new World({ sendableCheck: false })
  const payload = { call: () => 7 }
  world.cells.spawn(taker(seen)).send('take', payload)
  await world.rest()
  t.is(seen[0], payload)
  t.false(Object.isFrozen(payload))
})

const positive: StandardSchema<number | string, number> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const number = Number(value)
      return number > 0 ? { value: number } : { issues: [{ message: `${String(value)} is not positive` }] }
    },
  },
}

test('a schema validates what is sent when it is sent, and the handler gets its output', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(
    cell({
      name: 'double',
      messages: { go: message(positive, positive) },
      on: { go: (_ctx, amount) => amount * 2 },
    }),
  )
  t.is(await ref.ask('go', '21'), 42)
  t.throws(() => ref.send('go', -1), { code: 'ERR_KARYON_ARGUMENT', message: /-1 is not positive/ })
})
