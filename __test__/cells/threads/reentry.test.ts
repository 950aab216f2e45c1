// Code of the program's that runs in the middle of what the sides of a line do, and a worker that says what is none.
import test from 'ava'
import { cell, message, type KaryonError, type KernelOptions } from '../../../ts/index.ts'
import { Reference } from '../../../ts/cells/ref.ts'
import { watches } from '../../../ts/threads/calls.ts'
import { RECORD_WORDS_MAX, Place, partsOf } from '../../../ts/threads/wire.ts'
import { PATIENT, threaded, threadOf, world, type World } from './both.ts'
import { threadCounter } from './cells.ts'
import { empty, getters } from './getters.ts'

const one = { count: 1, spare: false }

const sinkOf = (got: unknown[]) =>
  cell({
    name: 'sink',
    messages: { put: message<unknown>() },
    on: { put: (_ctx, what) => void got.push(what) },
  })

async function within(options: KernelOptions, does: (here: World) => Promise<void>): Promise<void> {
  const here = world('thread', options)
  const alive = setInterval(() => {}, 1_000)
  try {
    await does(here)
  } finally {
    clearInterval(alive)
    await here.kernel.close()
  }
}

for (const sendableCheck of [true, false]) {
  const title = `with the check ${sendableCheck ? 'on' : 'off'}`

  test.serial(
    `what a getter sends as its payload is written arrives whole, and so does that; ${title}`,
    (t) =>
      within({ sendableCheck }, async ({ kernel, events }) => {
        const got: unknown[] = []
        const [ref, sink] = [kernel.spawn(getters), kernel.spawn(sinkOf(got))]
        await ref.ask('twice', sink.address as never, PATIENT)
        await ref.ask('ping', undefined, PATIENT)
        const plain = { before: 1, outer: 'plain', after: 3 }
        const outer = (what: string): unknown => ({ before: 1, outer: what, after: 3 })
        const sent = [
          outer('flat'),
          plain,
          [outer('list')],
          plain,
          { flat: outer('long'), text: 'x'.repeat(9_000) },
          plain,
        ]
        const isInner = (what: unknown): what is { inner: string; to: typeof sink } =>
          typeof what === 'object' && what !== null && 'inner' in what
        t.deepEqual(
          got.filter((what) => !isInner(what)),
          sent,
        )
        const inner = got.filter(isInner)
        t.deepEqual([...new Set(inner.map((what) => what.inner))], ['flat', 'list', 'long'])
        t.true(inner.every(({ to }) => to.path === sink.path && to.alive))
        t.false(events.some(({ type }) => type === 'worker.lost'))
      }),
  )

  test.serial(`what a getter sends before it fails arrives, and what follows it; ${title}`, (t) =>
    within({ sendableCheck }, async ({ kernel }) => {
      const got: unknown[] = []
      const [ref, sink] = [kernel.spawn(getters), kernel.spawn(sinkOf(got))]
      await ref.ask('throws', sink.address as never, PATIENT)
      await ref.ask('ping', undefined, PATIENT)
      t.deepEqual([...new Set(got)], ['from one that fails', 'after it'])
      t.is(got.at(-1), 'after it')
    }),
  )

  test.serial(`a getter that calls the kernel from a worker is refused; ${title}`, (t) =>
    within({ sendableCheck }, async ({ kernel }) => {
      const [ref, sink] = [kernel.spawn(getters), kernel.spawn(sinkOf([]))]
      t.is(await ref.ask('calls', sink.address as never, PATIENT), 'ERR_KARYON_NOT_SENDABLE')
      t.is(await ref.ask('ping', undefined, PATIENT), 'pong')
    }),
  )

  test.serial(`a getter looks at a cell in a worker as its payload is written there; ${title}`, (t) =>
    within({ sendableCheck }, async ({ kernel }) => {
      const ref = kernel.spawn(getters)
      await ref.ask('ping', undefined, PATIENT)
      const looks: Promise<{ readonly path: string }>[] = []
      const looking = (): unknown => ({
        get looked() {
          looks.push(ref.inspect())
          return looks.length
        },
      })
      t.true(ref.send('down', looking()))
      t.true(ref.send('down', [looking()]))
      t.is(await ref.ask('ping', undefined, PATIENT), 'pong')
      t.true(looks.length >= 2)
      for (const { path } of await Promise.all(looks)) t.is(path, ref.path)
    }),
  )
}

test.serial('a getter that changes its object as that is written changes no other of its shape', (t) =>
  within({ sendableCheck: false }, async ({ kernel }) => {
    const got: unknown[] = []
    const [ref, sink] = [kernel.spawn(getters), kernel.spawn(sinkOf(got))]
    await ref.ask('grows', sink.address as never, PATIENT)
    await ref.ask('ping', undefined, PATIENT)
    t.deepEqual(got, [
      { a: 1, b: 2, c: 3 },
      { a: 4, b: 5 },
      { a: 6, b: 7, c: 8 },
    ])
  }),
)

for (const [what, garble] of [
  ['a record of no length', (words: Int32Array, at: number) => (words[at] = -1)],
  ['a record that is too long', (words: Int32Array, at: number) => (words[at] = RECORD_WORDS_MAX + 1)],
  ['one longer than what was written', (words: Int32Array, at: number) => (words[at] = 100)],
  ['something of no kind', (words: Int32Array, at: number) => words.set([16, 999], at)],
  ['a ring that begins anew in the middle', (words: Int32Array, at: number) => (words[at] = 0)],
] as const) {
  threaded(`a worker that says ${what} is replaced, once`, one, async (t, { kernel, events, event }) => {
    const ref = kernel.spawn(threadCounter, { args: 3 })
    await ref.ask('total', undefined, PATIENT)
    const thread = threadOf(ref)
    const { control } = thread.line
    const { up } = partsOf(control.buffer as SharedArrayBuffer)
    // Nothing is on its way, and nothing comes: this side plays the worker's part.
    const at = Atomics.load(control, Place.upWritten)
    garble(up, at & (up.length - 1))
    Atomics.store(control, Place.upWritten, at + 16)
    thread.read()
    t.notThrows(() => thread.read())
    kernel.spawn(threadCounter)
    t.is(await ref.ask('total', undefined, PATIENT), 3)
    const { error } = await event('worker.lost')
    t.is((error as KaryonError).code, 'ERR_KARYON_NOT_SENDABLE')
    t.is(events.filter(({ type }) => type === 'worker.lost').length, 1)
    t.is((await event('cell.restarted', ({ path }) => path === ref.path)).reason, 'collateral')
  })
}

threaded(
  'what a cell in a worker watched is kept by nobody once that is over',
  one,
  async (t, { kernel }) => {
    const [ref, of] = [kernel.spawn(getters), kernel.spawn(sinkOf([]))]
    for (const how of ['monitor', 'link']) {
      ref.send('watches', { of: of as never, how, count: 100 })
      t.is(await ref.ask('ping', undefined, PATIENT), 'pong')
    }
    const kept = (): number => watches.get(Reference.cellOf(ref as never).incarnation)?.size ?? 0
    t.is(kept(), 0)
    ref.send('watches', { of: of as never, how: 'kept', count: 100 })
    await ref.ask('ping', undefined, PATIENT)
    t.is(kept(), 100)
    await of.stop()
    await ref.ask('ping', undefined, PATIENT)
    t.is(kept(), 0)
  },
)

threaded(
  'a look at a cell in a worker is refused when the kernel closes first',
  one,
  async (t, { kernel }) => {
    const ref = kernel.spawn(getters)
    await ref.ask('ping', undefined, PATIENT)
    const { line } = threadOf(ref)
    // Nobody there hears it any more.
    line.say = () => true
    const look = t.throwsAsync(ref.inspect(), { code: 'ERR_KARYON_CLOSED' })
    await kernel.close()
    await look
  },
)

threaded('what is no name is told so in a worker as elsewhere', one, async (t, { kernel }) => {
  const ref = kernel.spawn(getters)
  const crew = kernel.spawn(empty)
  t.deepEqual(
    await ref.ask('names', crew, PATIENT),
    Array.from({ length: 5 }, () => 'ERR_KARYON_ARGUMENT'),
  )
})
