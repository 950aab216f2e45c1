// What payloads are on the other side: arrays of numbers, references to what is gone, what is too deep.
import test from 'ava'
import { KaryonError, supervisor } from '../../../ts/index.ts'
import { PATIENT, both, threaded, world } from './both.ts'
import {
  deep,
  inlineCaller,
  inlineCounter,
  inlineMirror,
  news,
  spawnHidden,
  threadCaller,
  threadCounter,
  threadMirror,
} from './cells.ts'

const one = { count: 1, spare: false }

const KINDS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
]

both('an array of numbers comes as it went, of whatever kind and length', async (t, { kernel }, tier) => {
  const ref = kernel.spawn(tier === 'inline' ? inlineMirror : threadMirror)
  const echo = (what: unknown): Promise<unknown> => ref.ask('echo', what, PATIENT)
  for (const kind of KINDS)
    for (const length of [0, 1, 3, 7, 1_000, 4_000]) {
      const sent = new kind(Array.from({ length }, (_, at) => at * 1.5 - 3))
      const got = await echo(sent.slice())
      t.deepEqual(got, sent)
      t.is(Object.getPrototypeOf(got), kind.prototype)
    }
  for (const sent of [BigInt64Array.of(-1n, 2n ** 62n), BigUint64Array.of(0n, 2n ** 64n - 1n)])
    t.deepEqual(await echo(sent.slice()), sent)
})

both('a view of part of a buffer shows the same numbers', async (t, { kernel }, tier) => {
  const ref = kernel.spawn(tier === 'inline' ? inlineMirror : threadMirror)
  const whole = Uint16Array.from({ length: 100 }, (_, at) => at)
  t.deepEqual(await ref.ask('echo', whole.subarray(10, 20), PATIENT), whole.slice(10, 20))
})

threaded('arrays on the same bytes stay so, in whichever way they go', one, async (t, { kernel }) => {
  const ref = kernel.spawn(threadMirror)
  const numbers = Float64Array.of(1, 2, 3)
  type Pair = { readonly first: Float64Array; readonly second: Float64Array; readonly name: string }
  const pair = (await ref.ask('echo', { first: numbers, second: numbers, name: 'same' }, PATIENT)) as Pair
  t.deepEqual([pair.first, pair.second, pair.name], [numbers, numbers, 'same'])
  t.is(pair.first, pair.second)
  const halves = {
    first: new Float64Array(numbers.buffer, 0, 2),
    second: new Float64Array(numbers.buffer, 8),
  }
  const got = (await ref.ask('echo', halves, PATIENT)) as Pair
  got.first[1] = 7
  t.is(got.second[0], 7)
  const single = (await ref.ask('echo', { name: 'one', first: numbers }, PATIENT)) as Pair
  t.deepEqual(single, { name: 'one', first: numbers } as Pair)
  single.first[0] = 9
  t.is(numbers[0], 1)
  const lost = Uint8Array.of(1)
  structuredClone(lost.buffer, { transfer: [lost.buffer] })
  await t.throwsAsync(ref.ask('echo', lost, PATIENT))
})

both('what is shared stays shared', async (t, { kernel }, tier) => {
  const ref = kernel.spawn(tier === 'inline' ? inlineMirror : threadMirror)
  const sent = new Int32Array(new SharedArrayBuffer(8))
  const got = (await ref.ask('echo', sent, PATIENT)) as Int32Array
  Atomics.store(sent, 1, 7)
  t.is(Atomics.load(got, 1), 7)
})

both('a reference to a cell that is gone comes back as one', async (t, { kernel, event }, tier) => {
  const ref = kernel.spawn(tier === 'inline' ? inlineMirror : threadMirror)
  const { address } = kernel.spawn(inlineCounter, { name: 'gone' })
  await ref.ask('echo', address, PATIENT)
  await kernel.find('root/gone')?.stop()
  const got = (await ref.ask('echo', address, PATIENT)) as typeof address
  t.deepEqual([got.alive, got.path], [false, 'root/gone'])
  t.false(got.send('add', 1))
  t.is((await event('message.dead-letter', ({ path }) => path === 'root/gone')).reason, 'stopped')
  await t.throwsAsync(got.ask('total'), { code: 'ERR_KARYON_CELL_DEAD' })
  await t.throwsAsync(got.deliver('add', 1), { code: 'ERR_KARYON_CELL_DEAD' })
})

both(
  'what is nested too deep is refused with its bound, as a payload and as an answer',
  async (t, { kernel }, tier) => {
    const ref = kernel.spawn(tier === 'inline' ? inlineMirror : threadMirror)
    const refusal = async (asked: Promise<unknown>): Promise<unknown> => {
      let error: unknown = await asked.catch((error: unknown) => error)
      while (error instanceof KaryonError && error.cause instanceof KaryonError) error = error.cause
      if (!(error instanceof KaryonError)) return error
      return [error.code, error.details['limit'], /^\w+ is nested/.exec(error.message)?.[0]]
    }
    t.deepEqual(await ref.ask('echo', deep(900), PATIENT), deep(900))
    for (const depth of [1_100, 5_000, 200_000]) {
      const code = 'ERR_KARYON_NOT_SENDABLE'
      t.deepEqual(await refusal(ref.ask('echo', deep(depth), PATIENT)), [code, 1_000, 'payload is nested'])
      t.deepEqual(await refusal(ref.ask('deep', depth, PATIENT)), [code, 1_000, 'reply is nested'])
      const spawned = async (): Promise<unknown> =>
        kernel.spawn(inlineCounter, { args: deep(depth) as never })
      t.deepEqual(await refusal(spawned()), [code, 1_000, 'args is nested'])
    }
  },
)

both(
  'what is thrown may be whatever it likes: only its own turn fails',
  async (t, { kernel, events }, tier) => {
    const definition = tier === 'inline' ? inlineMirror : threadMirror
    const [ref, neighbour] = [
      kernel.spawn(definition, { name: 'one' }),
      kernel.spawn(definition, { name: 'two' }),
    ]
    for (const what of ['getter', 'deep', 'function']) {
      const error = (await t.throwsAsync(ref.ask('throws', what, PATIENT))) as KaryonError
      t.is(error.code, 'ERR_KARYON_CELL_FAILED')
    }
    t.is(await neighbour.ask('echo', 7, PATIENT), 7)
    t.is(await ref.ask('echo', 7, PATIENT), 7)
    t.deepEqual([ref.incarnation, neighbour.incarnation], [4, 1])
    t.false(events.some(({ type }) => type === 'worker.lost'))
  },
)

both('a reference to a cell that is exported nowhere is one like others', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  const hidden = spawnHidden(kernel)
  t.is(await ref.ask('ask', { to: hidden, name: 'ping' }), 1)
  t.deepEqual(await ref.ask('path', hidden), [hidden.path, true, 1])
})

both('an answer that no clone can hold, to a cell, is refused there', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  const target = kernel.spawn(inlineMirror)
  const error = (await t.throwsAsync(
    ref.ask('ask', { to: target.address, name: 'deep', payload: 2_000 }, PATIENT),
  )) as KaryonError
  t.is(codes(error).at(-1), 'ERR_KARYON_NOT_SENDABLE')
  t.deepEqual(await ref.ask('ask', { to: target.address, name: 'echo', payload: 1 }), 1)
})

both(
  'arguments of a child that cannot leave are refused where it is spawned',
  async (t, { kernel, caller }) => {
    const error = await t.throwsAsync(kernel.spawn(caller).ask('misuse', undefined, PATIENT))
    t.is(codes(error).at(-1), 'ERR_KARYON_NOT_SENDABLE')
  },
)

for (const sendableCheck of [true, false])
  test.serial(
    `arguments that cannot leave are refused where they are given, with the check ${sendableCheck ? 'on' : 'off'}`,
    async (t) => {
      const { kernel, events } = world('thread', { sendableCheck })
      const args = (() => {}) as never
      const refused = { code: 'ERR_KARYON_NOT_SENDABLE', message: /^args is a function/ } as const
      t.throws(() => kernel.spawn(threadCounter, { name: 'one', args }), refused)
      const children = [{ name: 'one', cell: threadCounter, args }]
      t.throws(() => kernel.spawn(supervisor({ name: 'crew', children })), refused)
      const crew = kernel.spawn(supervisor({ name: 'other', children: [] }))
      t.throws(() => crew.startChild({ name: 'one', cell: threadCounter, args }), refused)
      await kernel.close()
      t.false(events.some(({ type }) => type === 'cell.restarted'))
    },
  )

test.serial(
  'arguments that cannot leave any more fail the cell that has them, and nobody else',
  async (t) => {
    const { kernel, event } = world('thread', { sendableCheck: false })
    const neighbour = kernel.spawn(threadMirror, { name: 'neighbour' })
    const args = { first: 1 as unknown }
    const ref = kernel.spawn(threadCaller, { name: 'one', args: args as never })
    await ref.ask('ticks', undefined, PATIENT)
    args.first = () => {}
    // Waiting for an event keeps no program alive.
    const alive = setInterval(() => {}, 1_000)
    ref.send('work', true)
    const { error } = await event('cell.gave-up')
    clearInterval(alive)
    t.is((error as KaryonError).code, 'ERR_KARYON_NOT_SENDABLE')
    t.false(ref.alive)
    t.is(await neighbour.ask('echo', 7, PATIENT), 7)
    t.is(neighbour.incarnation, 1)
    await kernel.close()
  },
)

test.serial('what is published and cannot leave reaches those who are here, and no others', async (t) => {
  const { kernel, event } = world('thread', { sendableCheck: false })
  const [here, there] = [
    kernel.spawn(inlineCaller, { name: 'here' }),
    kernel.spawn(threadCaller, { name: 'there' }),
  ]
  await Promise.all([here.ask('subscribe', undefined, PATIENT), there.ask('subscribe', undefined, PATIENT)])
  const { refused } = kernel.stats().cells
  const unsendable = (() => 1) as unknown as number
  t.is(kernel.publish(news, unsendable), 1)
  t.like(await event('message.refused'), { path: 'root/there', message: 'heard', reason: 'not-sendable' })
  t.is(kernel.stats().cells.refused, refused + 1)
  t.is(kernel.publish(news, 3), 2)
  t.deepEqual(await here.ask('heard', 'last'), [unsendable, 3, 'last'])
  t.deepEqual(await there.ask('heard', 'last', PATIENT), [3, 'last'])
  await kernel.close()
})

function codes(error: unknown): string[] {
  const found: string[] = []
  for (let at = error; at instanceof KaryonError; at = at.cause) found.push(at.code)
  return found
}
