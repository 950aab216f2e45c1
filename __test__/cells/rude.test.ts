// Whatever programs throw, return or pass: the pump goes on, and each message has one outcome.
/* oxlint-disable unicorn/no-thenable -- rude thenables are what is tested */
import test from 'ava'
import { cell, message, supervisor, type CellRef, type Message } from '../../ts/cells/index.ts'
import { World, gate } from './fake.ts'

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
const throwing = (): never => {
  throw new Error('rude')
}
const withGetter = (name: string): object =>
  Object.defineProperty({}, name, { get: throwing, enumerable: true })

/** What is rude to return. The first word says what the asker must see. */
const ANSWERS: Readonly<Record<string, () => unknown>> = {
  'fails: a getter of then that throws': () => withGetter('then'),
  'fails: a revoked proxy': revoked,
  'fails: a then that throws': () => ({ then: throwing }),
  'fails: a reply with a getter that throws': () => ({ deep: withGetter('a') }),
  'fails: a promise without a constructor': () =>
    Object.defineProperty(Promise.resolve(1), 'constructor', { get: throwing }),
  'answers: a then that answers twice': () => ({
    then: (end: (value: unknown) => void) => (end('A'), end('B')),
  }),
  'answers: a then that answers, fails and throws': () => ({
    then: (end: (value: unknown) => void, fail: (error: unknown) => void) => {
      end('A')
      fail(new Error('no'))
      throwing()
    },
  }),
  'answers: a promise whose then was replaced': () => Object.assign(Promise.resolve('A'), { then: throwing }),
}

/** What is rude to throw. */
const THROWN: readonly unknown[] = [
  undefined,
  revoked(),
  Symbol('thrown'),
  Object.create(null),
  Object.assign(new Error(), { message: Object.create(null) as string }),
  Object.assign(new Error(), { message: Symbol('text') as unknown as string }),
  Object.defineProperty(new Error(), 'message', { get: throwing }),
]

const rude = cell({
  name: 'rude',
  messages: {
    answer: message<string, unknown>(),
    fail: message<number>(),
    late: message<number>(),
    ping: message<void, string>(),
  },
  on: {
    answer: (_ctx, what) => ANSWERS[what]?.(),
    fail: (_ctx, at) => {
      throw THROWN[at]
    },
    late: async (_ctx, at) => {
      await Promise.resolve()
      throw THROWN[at]
    },
    ping: () => 'pong',
  },
  restart: 'permanent',
})

const patient = supervisor({
  name: 'patient',
  restart: { intensity: 1_000, periodMs: 1_000 },
  children: [rude],
})

interface Rude {
  readonly answer: Message<string, unknown>
  readonly fail: Message<number>
  readonly late: Message<number>
  readonly ping: Message<void, string>
}

function outcomes({ cells }: World): { sent: number; outcomes: number } {
  const { sent, ended, failed, refused, deadLetters, conflicts } = cells.stats
  return { sent, outcomes: ended + failed + refused + deadLetters + conflicts }
}

for (const title of Object.keys(ANSWERS))
  test(`an answer that is rude ${title}`, async (t) => {
    const world = new World()
    const ref: CellRef<Rude> = world.cells.spawn(patient).child('rude', rude)
    ref.send('answer', title)
    const asked = ref.ask('answer', title)
    if (title.startsWith('answers')) t.is(await asked, 'A')
    else await t.throwsAsync(asked, { code: 'ERR_KARYON_CELL_FAILED' })
    t.is(await ref.ask('ping'), 'pong')
    await world.rest()
    t.deepEqual(outcomes(world), { sent: 3, outcomes: 3 })
  })

test('whatever is thrown is the cause that the asker is given', async (t) => {
  const world = new World()
  const ref: CellRef<Rude> = world.cells.spawn(patient).child('rude', rude)
  for (const at of THROWN.keys())
    for (const name of ['fail', 'late'] as const) {
      ref.send(name, at)
      const error = await t.throwsAsync(ref.ask(name, at), { code: 'ERR_KARYON_CELL_FAILED' })
      t.true(Object.is(error?.cause, THROWN[at]))
    }
  t.is(await ref.ask('ping'), 'pong')
  await world.rest()
  t.deepEqual(outcomes(world), { sent: 29, outcomes: 29 })
})

test('init, invariant and tasks may be as rude', async (t) => {
  const world = new World()
  for (const thrown of THROWN) {
    const fail = (): never => {
      throw thrown
    }
    const make = (parts: { init?: () => unknown; invariant?: () => boolean; task?: () => unknown }) =>
      world.cells.spawn(
        cell({
          name: 'one',
          restart: 'temporary',
          messages: { go: message<void, unknown>() },
          init: parts.init ?? (() => undefined),
          ...(parts.invariant && { invariant: parts.invariant }),
          on: { go: (ctx) => (parts.task ? ctx.run(parts.task) : 'went') },
        }),
      )
    const dead = { code: 'ERR_KARYON_CELL_DEAD' }
    await t.throwsAsync(make({ init: fail }).ask('go'), dead)
    await t.throwsAsync(make({ init: async () => fail() }).ask('go'), dead)
    await t.throwsAsync(make({ init: () => ({ then: fail }) }).ask('go'), dead)
    await t.throwsAsync(make({ invariant: fail }).ask('go'), { code: 'ERR_KARYON_CELL_FAILED' })
    await t.throwsAsync(make({ task: fail }).ask('go'), { code: 'ERR_KARYON_CELL_FAILED' })
  }
  await world.rest()
  t.deepEqual(outcomes(world), { sent: 35, outcomes: 35 })
})

test('an invariant that is async is refused at the turn, and its promise is nobody’s', async (t) => {
  const world = new World()
  for (const invariant of [async () => true, async () => throwing()]) {
    const ref = world.cells.spawn(
      cell({
        name: 'async',
        messages: { go: message<void, string>() },
        on: { go: () => 'went' },
        invariant: invariant as unknown as () => boolean,
      }),
    )
    await t.throwsAsync(ref.ask('go'), { code: 'ERR_KARYON_INVARIANT', message: /promise/ })
  }
})

test('a signal that is none is refused before anything is taken', async (t) => {
  const world = new World()
  const held = gate()
  const ref = world.cells.spawn(
    cell({
      name: 'small',
      limits: { mailbox: 1 },
      messages: { go: message<void, string>() },
      on: { go: () => held.promise.then(() => 'went') },
    }),
  )
  const controller = new AbortController()
  const wrong = [
    controller,
    5,
    null,
    { aborted: false, addEventListener: () => {} },
  ] as unknown as AbortSignal[]
  for (const signal of wrong) {
    await t.throwsAsync(ref.ask('go', undefined, { signal }), { code: 'ERR_KARYON_ARGUMENT' })
    await t.throwsAsync(ref.deliver('go', undefined, { signal }), { code: 'ERR_KARYON_ARGUMENT' })
  }
  const brittle = { aborted: false, addEventListener: throwing, removeEventListener: throwing }
  await t.throwsAsync(ref.ask('go', undefined, { signal: brittle as unknown as AbortSignal }), {
    message: 'rude',
  })
  const rudely = { aborted: false, addEventListener: () => {}, removeEventListener: throwing }
  const asked = ref.ask('go', undefined, { signal: rudely as unknown as AbortSignal })
  await world.rest()
  t.true(ref.send('go'), 'the one place of the mailbox is free')
  const full = ref.deliver('go', undefined, { signal: brittle as unknown as AbortSignal })
  await t.throwsAsync(full, { message: 'rude' })
  held.open()
  t.is(await asked, 'went')
  await world.rest()
  t.deepEqual(outcomes(world), { sent: 2, outcomes: 2 })
})

const plain = cell({ name: 'plain', messages: { go: message<unknown, unknown>() }, on: { go: () => 1 } })
const any = (value: unknown): never => value as never

test('what nobody could read is refused where it is written', (t) => {
  const { cells } = new World()
  const ref = cells.spawn(plain)
  const spec = { name: 'x', messages: { go: message() }, on: { go: () => {} } }
  const backoff = (waits: object) => () =>
    supervisor({
      name: 's',
      restart: any({ intensity: 1, periodMs: 1, backoff: { initialMs: 1, ...waits } }),
      children: [],
    })
  const refused: readonly (() => unknown)[] = [
    () => cell(any({ messages: {}, on: {} })),
    ...['', 5, null, 'a/b', 'a\0b', '\ud800', 'x'.repeat(256), '€'.repeat(86)].flatMap((name) => [
      () => cell(any({ ...spec, name })),
      () => supervisor({ name: any(name), children: [] }),
      () => supervisor({ name: 's', children: [{ name: any(name), cell: plain }] }),
      () => cells.spawn(plain, { name: any(name) }),
    ]),
    () => cell(any({ ...spec, restart: 'permanant' })),
    () => cell(any({ ...spec, init: 5 })),
    () => cell(any({ ...spec, invariant: {} })),
    () => cell(any({ ...spec, limits: { mailbox: 0 } })),
    () => cell(any({ ...spec, grants: { write: 'Fact' } })),
    () => cell(any({ ...spec, grants: { reed: '*' } })),
    () => cell(any({ ...spec, grants: null })),
    () => cell(any({ ...spec, limits: { mailbox: null } })),
    () => cell(any({ ...spec, messages: { go: 5 } })),
    () => supervisor(any({ children: [] })),
    () => supervisor({ name: 's', children: any([null]) }),
    () => supervisor({ name: 's', children: any([{ cell: 5 }]) }),
    () => supervisor({ name: 's', children: any([{ cell: plain, arg: 1 }]) }),
    backoff({ initialMs: -5 }),
    backoff({ factor: NaN }),
    backoff({ jitter: 7 }),
    backoff({ maxMs: 'x' }),
    backoff({ maxMs: Infinity }),
    backoff({ maximal: 1 }),
    () => message(any(5)),
    () => message(any(null)),
    () => message(any({ '~standard': {} })),
    () => cells.spawn(plain, any({ nmae: 'x' })),
    () => cells.spawn(plain, any(null)),
    () => cells.spawn(any(null)),
    () => cells.spawn(any({ kind: 'cell', name: 'by-hand' })),
    () => cells.spawn({ ...plain }),
    () => supervisor({ name: 's', children: [{ ...plain }] }),
    () => ref.send(any(Symbol('go'))),
  ]
  for (const call of refused) t.throws(call, { code: 'ERR_KARYON_ARGUMENT' }, String(call))
})

test('options of ask and deliver that nobody reads are refused', async (t) => {
  const ref = new World().cells.spawn(plain)
  for (const options of [null, 5, { timeout: 1 }, { timeoutMs: '1' }, { timeoutMs: Symbol('1') }])
    await t.throwsAsync(ref.ask('go', 1, any(options)), { code: 'ERR_KARYON_ARGUMENT' })
  for (const options of [null, 5, { timeoutMs: 1 }])
    await t.throwsAsync(ref.deliver('go', 1, any(options)), { code: 'ERR_KARYON_ARGUMENT' })
})

test('what a context cannot use is refused', async (t) => {
  const world = new World()
  const codes: unknown[] = []
  const ref = world.cells.spawn(
    cell({
      name: 'user',
      messages: { go: message<readonly unknown[]>() },
      on: {
        go: async (ctx) => {
          const calls: readonly (() => unknown)[] = [
            () => ctx.send(any(5), any('go')),
            () => ctx.send(any({}), any('go')),
            () => ctx.ask(any(undefined), any('go')),
            () => ctx.monitor(any('root/x'), any('go')),
            () => ctx.run(any(null)),
            () => ctx.become(any({ go: 5 })),
            () => ctx.become(any(null)),
            () => ctx.sendAfter(any('soon'), 'go', []),
            () => ctx.sendAfter(any(Symbol('soon')), 'go', []),
            () => ctx.every(0.5, 'go', []),
            () => ctx.sendAfter(1, 'go', [], any({ unref: true })),
            () => ctx.sendAfter(1, 'go', [], any({ ref: 'no' })),
          ]
          for (const call of calls) {
            try {
              await call()
              codes.push(String(call))
            } catch (error) {
              codes.push((error as { code?: unknown }).code ?? error)
            }
          }
          t.false(ctx.cancel(any(undefined)))
        },
      },
    }),
  )
  await t.notThrowsAsync(ref.ask('go', []))
  t.deepEqual(codes, Array<string>(12).fill('ERR_KARYON_ARGUMENT'))
})
