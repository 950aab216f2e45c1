// What payloads are on the other side: arrays of numbers, references to what is gone, what is too deep.
import { PATIENT, both, threaded } from './both.ts'
import { inlineMirror, inlineCounter, threadMirror } from './cells.ts'

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

both('what is shared stays shared', async (t, { kernel }, tier) => {
  const ref = kernel.spawn(tier === 'inline' ? inlineMirror : threadMirror)
  const sent = new Int32Array(new SharedArrayBuffer(8))
  const got = (await ref.ask('echo', sent, PATIENT)) as Int32Array
  Atomics.store(sent, 1, 7)
  t.is(Atomics.load(got, 1), 7)
})

both('a reference to a cell that is gone comes back as one', async (t, { kernel }, tier) => {
  const ref = kernel.spawn(tier === 'inline' ? inlineMirror : threadMirror)
  const { address } = kernel.spawn(inlineCounter, { name: 'gone' })
  await ref.ask('echo', address, PATIENT)
  await kernel.find('root/gone')?.stop()
  const got = (await ref.ask('echo', address, PATIENT)) as typeof address
  t.deepEqual([got.alive, got.path], [false, 'root/gone'])
})

threaded(
  'an answer that is too deep to be read costs its worker, not the program',
  {},
  async (t, { kernel }) => {
    const ref = kernel.spawn(threadMirror)
    for (const depth of [10, 2_000, 3_000, 5_000]) {
      const answer: unknown = await ref.ask('deep', depth, PATIENT).catch((error: unknown) => error)
      t.truthy(answer)
    }
    t.is(await ref.ask('echo', 7, PATIENT), 7)
  },
)
