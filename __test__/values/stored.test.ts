import test from 'ava'
import { runInNewContext } from 'node:vm'
import { Instant, Kernel, type Value } from '../../ts/index.ts'
import { freshDirectory, freshKernel, openFor } from '../kernel/directory.ts'
import { chooseSeed, randomText, randomValue, seededRandom } from './random.ts'

const EVERY_TYPE: Readonly<Record<string, Value>> = {
  null: null,
  true: true,
  false: false,
  zero: 0,
  largest: Number.MAX_SAFE_INTEGER,
  smallest: Number.MIN_SAFE_INTEGER,
  negativeZero: -0,
  fraction: 0.1,
  nan: Number.NaN,
  infinite: Infinity,
  negativeInfinite: -Infinity,
  denormal: Number.MIN_VALUE,
  bigint: 1n,
  largestBigint: 2n ** 63n - 1n,
  smallestBigint: -(2n ** 63n),
  empty: '',
  text: 'naïve 𝒳 \u{10ffff} \0 e\u0301',
  byteOrderMark: '\ufeffx',
  bytes: Uint8Array.of(0, 255, 128),
  noBytes: new Uint8Array(0),
  date: new Date(1_700_000_000_123),
  before1970: new Date(-1),
  earliest: new Date(-8_640_000_000_000_000),
  latest: new Date(8_640_000_000_000_000),
  floats: Float32Array.of(1.5, -0, Infinity),
  list: [1, [2, [3, 'four']], null],
  noList: [],
  map: { b: 1, a: { c: [true] }, '': 'an empty key', constructor: 1, toString: 2 },
  noMap: {},
}

test('every type comes back as it was stored, also after reopening', async (t) => {
  const directory = freshDirectory(t)
  const first = await Kernel.open(directory)
  await first.graph.write((tx) => tx.put('n', { props: EVERY_TYPE }))
  t.deepEqual(first.graph.get('n')?.props, EVERY_TYPE)
  await first.close()
  const second = await openFor(t, directory)
  t.deepEqual(second.graph.get('n')?.props, EVERY_TYPE)
})

test('a transaction reads its own values as others will read them', async (t) => {
  const { graph } = await freshKernel(t)
  const { value } = await graph.write((tx) => {
    tx.put('n', { props: EVERY_TYPE })
    return tx.get('n')?.props
  })
  t.deepEqual(value, EVERY_TYPE)
})

test('any value is encoded in the form that the store takes for the only one', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const { graph } = Kernel.memory()
  for (let round = 0; round < 1_500; round++) {
    const value = randomValue(random, 4)
    await graph.write((tx) => tx.put('n', { props: { value } }))
    t.deepEqual(graph.get('n')?.props['value'], value, `KARYON_SEED=${seed}, round ${round}`)
  }
})

test('the order in which a map was made does not show in the digest', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  for (let round = 0; round < 100; round++) {
    const entries = new Map(Array.from({ length: 8 }, () => [randomText(random), randomText(random)]))
    const shuffled = [...entries].map((entry) => ({ entry, at: random() })).toSorted((a, b) => a.at - b.at)
    const digests = [[...entries], shuffled.map(({ entry }) => entry)].map(async (list) => {
      const { graph } = Kernel.memory()
      await graph.write((tx) => tx.put('n', { props: { map: Object.fromEntries(list) } }))
      return graph.digest()
    })
    const [one, other] = await Promise.all(digests)
    t.is(one, other, `KARYON_SEED=${seed}, round ${round}`)
  }
})

test('an entry of undefined in a map is absent', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('n', { props: { map: { a: undefined, b: 1 }, gone: undefined } }))
  t.deepEqual(graph.get('n')?.props, { map: { b: 1 } })
})

test('all NaNs are one, of either width', async (t) => {
  const odd = new Float64Array(BigUint64Array.of(0xfff8_0000_0000_0123n).buffer)[0] as number
  const oddSingle = new Float32Array(Uint32Array.of(0xffc0_0123).buffer)
  const digests = await Promise.all(
    [
      { double: Number.NaN, single: Float32Array.of(Number.NaN) },
      { double: odd, single: oddSingle },
    ].map(async (props) => {
      const { graph } = Kernel.memory()
      await graph.write((tx) => tx.put('n', { props }))
      return graph.digest()
    }),
  )
  t.is(digests[0], digests[1])
})

test('a Buffer and a part of a larger buffer are stored as their own bytes', async (t) => {
  const { graph } = Kernel.memory()
  const whole = Uint8Array.from({ length: 100 }, (_, at) => at)
  const floats = new Float32Array([1, 2, 3, 4])
  const props = {
    buffer: Buffer.from('abc'),
    part: whole.subarray(10, 13),
    floats: floats.subarray(1, 3),
  }
  await graph.write((tx) => tx.put('n', { props }))
  const stored = graph.get('n')?.props
  t.deepEqual(stored, {
    buffer: Uint8Array.from(Buffer.from('abc')),
    part: Uint8Array.of(10, 11, 12),
    floats: Float32Array.of(2, 3),
  })
})

test('what was read is not changed by later reads or writes', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('n', { props: { bytes: Uint8Array.of(1, 2, 3) } }))
  const read = graph.get('n')
  await graph.write((tx) => tx.put('n', { props: { bytes: Uint8Array.of(9, 9, 9) } }))
  graph.get('n')
  t.deepEqual(read?.props, { bytes: Uint8Array.of(1, 2, 3) })
})

test('values are encoded when the verb is called', async (t) => {
  const { graph } = Kernel.memory()
  const list = [1]
  await graph.write((tx) => {
    tx.put('n', { props: { list } })
    list.push(2)
  })
  t.deepEqual(graph.get('n')?.props, { list: [1] })
})

test('plain data of another realm is plain data', async (t) => {
  const { graph } = Kernel.memory()
  const value: Value = runInNewContext('({ list: [1, { a: new Date(5) }], bytes: new Uint8Array([7]) })')
  await graph.write((tx) => tx.put('n', { props: { value } }))
  t.deepEqual(graph.get('n')?.props, {
    value: { list: [1, { a: new Date(5) }], bytes: Uint8Array.of(7) },
  })
})

test('objects without a prototype, frozen ones and proxies of plain ones are plain data', async (t) => {
  const { graph } = Kernel.memory()
  const bare = Object.assign(Object.create(null) as Record<string, Value>, { a: 1 })
  const props = {
    bare,
    frozen: Object.freeze([1]),
    proxy: new Proxy({ a: [1] }, {}),
    list: new Proxy([1, 2], {}),
  }
  await graph.write((tx) => tx.put('n', { props }))
  t.deepEqual(graph.get('n')?.props, { bare: { a: 1 }, frozen: [1], proxy: { a: [1] }, list: [1, 2] })
})

test('an Instant keeps its microseconds', async (t) => {
  const { graph } = Kernel.memory()
  const instants = [1n, -1n, 1_700_000_000_123_456n, -1_700_000_000_123_456n].map((micros) =>
    Instant.fromMicros(micros),
  )
  await graph.write((tx) => tx.put('n', { props: { instants } }))
  const stored = graph.get('n')?.props['instants'] as readonly Instant[]
  t.deepEqual(
    stored.map(({ micros }) => micros),
    instants.map(({ micros }) => micros),
  )
})

test('one object at several places is stored at each', async (t) => {
  const { graph } = Kernel.memory()
  const shared = { a: 1 }
  await graph.write((tx) => tx.put('n', { props: { list: [shared, shared, { shared }] } }))
  t.deepEqual(graph.get('n')?.props, { list: [{ a: 1 }, { a: 1 }, { shared: { a: 1 } }] })
})

test('keys, labels, types and names of any well-formed text come back', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const { graph } = Kernel.memory()
  for (let round = 0; round < 200; round++) {
    const [key, label, type, name, edgeKey] = Array.from(
      { length: 5 },
      () => `x${randomText(random, 40)}`,
    ) as [string, string, string, string, string]
    await graph.write((tx) => {
      tx.put(key, { labels: [label], props: { [name]: 1 } })
      tx.link(key, type, key, { key: edgeKey, props: { [name]: 2 } })
    })
    const node = graph.get(key)
    t.deepEqual([node?.key, node?.labels, node?.props], [key, [label], { [name]: 1 }])
    const [edge] = [...graph.out(key, type)].filter((edge) => edge.key === edgeKey)
    t.deepEqual([edge?.from, edge?.type, edge?.to, edge?.props], [key, type, key, { [name]: 2 }])
  }
})

test('an array that lies about its length is stored as long as it is', async (t) => {
  const { graph } = Kernel.memory()
  const long = Object.defineProperty(Uint8Array.of(1, 2), 'length', { value: 20 })
  const negative = Object.defineProperty(Float32Array.of(1, 2), 'length', { value: -1 })
  await graph.write((tx) => tx.put('n', { props: { long, negative } }))
  t.deepEqual(graph.get('n')?.props, { long: Uint8Array.of(1, 2), negative: Float32Array.of(1, 2) })
})

test('a time that a setter has moved is stored as what it says', async (t) => {
  const { graph } = Kernel.memory()
  const moved = Instant.fromMicros(1_000_000_123_456n)
  moved.setMilliseconds(moved.getMilliseconds() - 200)
  t.is(moved.micros % 1000n, 0n)
  await graph.write((tx) => tx.put('n', { props: { moved } }))
  const stored = graph.get('n')?.props['moved'] as Date
  t.is(stored.toISOString().slice(0, 23), moved.toISOString().slice(0, 23))
  t.is(stored.getTime(), moved.getTime())
})
