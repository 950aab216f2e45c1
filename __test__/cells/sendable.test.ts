import { createSecretKey } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Socket } from 'node:net'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { cell, message, supervisor, type StandardSchema } from '../../ts/cells/index.ts'
import { Instant, Kernel } from '../../ts/index.ts'
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

class Registry extends Map<string, number> {
  total(): number {
    return this.size
  }
}

class Refusal extends Error {}

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
    [{ own: new Holder(1) }, 'payload.own'],
    [new Registry([['a', 1]]), 'payload'],
    [{ list: new (class Rows extends Array<number> {})() }, 'payload.list'],
    [{ controller: new AbortController() }, 'payload.controller'],
    [[new ReadableStream()], 'payload[0]'],
    [{ file }, 'payload.file'],
    [{ rows: [1].values() }, 'payload.rows'],
    [{ made: (function* () {})() }, 'payload.made'],
    [{ socket: new Socket() }, 'payload.socket'],
  ]
  for (const [payload, path] of refusals) {
    const error = t.throws(() => ref.send('take', payload), { code: 'ERR_KARYON_NOT_SENDABLE' })
    t.deepEqual((error as unknown as { details: unknown }).details, { path })
  }
  t.throws(() => ref.send('take', { own: new Holder(1) }), {
    message: /payload\.own is an instance of Holder, .* or a key/,
  })
})

test('a graph, a view, a transaction are refused, and work as before', async (t) => {
  const kernel = Kernel.memory()
  const ref = kernel.spawn(taker([]))
  await kernel.graph.write((tx) => tx.put('a'))
  const view = kernel.graph.at(1n)
  for (const graph of [
    kernel.graph,
    view,
    kernel.graph.begin(),
    kernel,
    kernel.events(),
    kernel.graph.nodes(),
  ])
    await t.throwsAsync(ref.ask('give', { graph }), { code: 'ERR_KARYON_NOT_SENDABLE' })
  await t.notThrowsAsync(kernel.graph.write((tx) => tx.put('b')))
  t.is(view.get('a')?.key, 'a')
  await kernel.close()
})

test('what graphs answer may be sent: nodes, edges, changes with their instants', async (t) => {
  const kernel = Kernel.memory()
  const seen: unknown[] = []
  const ref = kernel.spawn(taker(seen))
  await kernel.graph.write((tx) => {
    tx.put('a', { labels: ['L'], props: { list: [1, new Date(0)] } })
    tx.link('a', 'T', 'a')
  })
  const payload = {
    node: kernel.graph.get('a'),
    edges: [...kernel.graph.out('a')],
    history: [...kernel.graph.history('a')],
    now: kernel.now(),
    foreign: runInNewContext(
      '({ list: [1], map: new Map([[1, {}]]), date: new Date(0), error: new Error() })',
    ) as object,
  }
  t.true(ref.send('take', payload))
  t.true(Object.isFrozen(payload.foreign))
  t.false(Object.isFrozen(payload.now))
  await ref.ask('give', 1)
  t.is(seen[0], payload)
  await kernel.close()
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

test('what the engine can clone may be sent, and references', async (t) => {
  const seen: unknown[] = []
  const world = new World()
  const ref = world.cells.spawn(taker(seen))
  const payloads = [
    createSecretKey(Buffer.from('key')),
    new Blob(['blob']),
    new RangeError('no'),
    Object.create(null) as object,
    { when: new Date(0), pattern: /a/, big: 1n, nothing: undefined, own: new Refusal(), bytes: Buffer.of(1) },
    Instant.fromMicros(1n),
    [ref, world.cells.spawn(supervisor({ name: 's', children: [] }))],
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

test('the schema of replies makes what the asker gets, and an answer that does not fit fails the turn', async (t) => {
  const world = new World()
  const ref = world.cells.spawn(
    cell({
      name: 'shop',
      messages: { price: message(positive, positive) },
      on: {
        price: (ctx, amount) => {
          ctx.tx.put(`sold ${amount}`, {})
          return amount > 5 ? -1 : `${amount}0`
        },
      },
    }),
  )
  t.is(await ref.ask('price', 4), 40)
  const error = await t.throwsAsync(ref.ask('price', 6), { code: 'ERR_KARYON_CELL_FAILED' })
  t.like(error?.cause, {
    code: 'ERR_KARYON_ARGUMENT',
    message: 'the reply does not fit its schema: -1 is not positive',
  })
  t.deepEqual([...world.graph.nodes.keys()], ['sold 4'])
})
