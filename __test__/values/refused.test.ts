import test from 'ava'
import { runInNewContext } from 'node:vm'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kernel, type KaryonErrorCode, type Transaction, type Value } from '../../ts/index.ts'
import * as limits from '../../ts/values/limits.ts'
import { ROOT } from '../house/source.ts'
import { refused } from '../kernel/refused.ts'

class Point {
  readonly x = 1
}

/** Expects a verb to be refused where it is called, to leave nothing behind, and the transaction to go on. */
function refusesVerb(code: KaryonErrorCode, title: string, act: (tx: Transaction) => void): void {
  test(`${title}: refused, and nothing of the verb is kept`, async (t) => {
    const { graph } = Kernel.memory()
    await graph.write((tx) => tx.put('there', { props: { n: 1 } }))
    using tx = graph.begin()
    tx.put('before', { props: { n: 1 } })
    const error = await refused(t, code, () => act(tx))
    t.is(typeof error.message, 'string')
    t.deepEqual(tx.get('before')?.props, { n: 1 })
    tx.put('after')
    await tx.commit()
    t.deepEqual([...graph.nodes()].map(({ key }) => key).toSorted(), ['after', 'before', 'there'])
    t.deepEqual(graph.get('there')?.props, { n: 1 })
  })
}

function refusesValue(code: KaryonErrorCode, title: string, make: () => unknown): void {
  refusesVerb(code, title, (tx) => tx.put('bad', { props: { fine: 1, value: make() as Value } }))
  refusesVerb(code, `${title}, inside of a list of a patch`, (tx) =>
    tx.patch('there', { props: { n: 2, value: [1, make() as Value] } }),
  )
}

const RANGE = 'ERR_KARYON_INTEGER_RANGE'
const TYPE = 'ERR_KARYON_VALUE_TYPE'
const SIZE = 'ERR_KARYON_KEY_SIZE'

refusesValue(RANGE, '2^53', () => 2 ** 53)
refusesValue(RANGE, '−2^53', () => -(2 ** 53))
refusesValue(RANGE, '1e300', () => 1e300)
refusesValue(RANGE, 'a bigint of 2^63', () => 2n ** 63n)
refusesValue(RANGE, 'a bigint below −2^63', () => -(2n ** 63n) - 1n)
refusesValue('ERR_KARYON_STRING_MALFORMED', 'a lone high surrogate', () => 'a\ud800b')
refusesValue('ERR_KARYON_STRING_MALFORMED', 'a lone low surrogate', () => '\udc00')
refusesValue('ERR_KARYON_STRING_MALFORMED', 'surrogates the wrong way round', () =>
  '\udc00\ud800'.repeat(100),
)
refusesValue('ERR_KARYON_STRING_MALFORMED', 'a map key with a lone surrogate', () => ({ '\ud800': 1 }))
refusesValue(TYPE, 'a function', () => () => 1)
refusesValue(TYPE, 'a symbol', () => Symbol('s'))
refusesValue(TYPE, 'a class instance', () => new Point())
refusesValue(TYPE, 'a Map', () => new Map([['a', 1]]))
refusesValue(TYPE, 'a Set', () => new Set([1]))
refusesValue(TYPE, 'a RegExp', () => /x/)
refusesValue(TYPE, 'a boxed string', () => Object('x'))
refusesValue(TYPE, 'undefined in a list', () => [undefined])
refusesValue(TYPE, 'a hole in a list', () => Array.from({ length: 2 }).concat(1))
refusesValue(TYPE, 'a list of four billion holes', () => Object.assign([], { length: 2 ** 32 - 1 }))
refusesValue(TYPE, 'an invalid Date', () => new Date(Number.NaN))
refusesValue(TYPE, 'an object dressed as bytes', () => Object.create(Uint8Array.prototype))
refusesValue(TYPE, 'an object dressed as a Date', () => Object.create(Date.prototype))
refusesValue(TYPE, 'a Proxy of a Date', () => new Proxy(new Date(0), {}))
refusesValue(TYPE, 'another typed array', () => Float64Array.of(1))
refusesValue(TYPE, 'an ArrayBuffer', () => new ArrayBuffer(4))
refusesValue(TYPE, 'a promise', () => Promise.resolve(1))
refusesValue(TYPE, 'bytes whose buffer was transferred', () => {
  const bytes = Uint8Array.of(1, 2, 3)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
})
refusesValue(TYPE, 'bytes beyond the end of a buffer that has shrunk', () => {
  const memory = runInNewContext(`
    const buffer = new ArrayBuffer(16, { maxByteLength: 16 })
    const bytes = new Uint8Array(buffer, 8, 8)
    buffer.resize(4)
    bytes
  `)
  return memory as Uint8Array
})

refusesValue(TYPE, 'floats whose buffer was transferred', () => {
  const floats = Float32Array.of(1)
  structuredClone(floats.buffer, { transfer: [floats.buffer] })
  return floats
})
refusesValue('ERR_KARYON_VALUE_CYCLE', 'a list in itself', () => {
  const list: unknown[] = []
  list.push([list])
  return list
})
refusesValue('ERR_KARYON_VALUE_CYCLE', 'a map in itself', () => {
  const map: Record<string, unknown> = {}
  map['self'] = { map }
  return map
})
refusesValue('ERR_KARYON_VALUE_DEPTH', 'a nesting of 33', () => nested(33))
refusesValue('ERR_KARYON_NAME_RESERVED', 'a map key of __proto__', () => JSON.parse('{"a":{"__proto__":1}}'))
refusesVerb('ERR_KARYON_VALUE_SIZE', 'a string of one byte too many', (tx) =>
  tx.put('bad', { props: { value: 'x'.repeat(limits.VALUE_BYTES_MAX + 1) } }),
)
refusesVerb('ERR_KARYON_VALUE_SIZE', 'text that is too long in UTF-8 alone', (tx) =>
  tx.put('bad', { props: { value: 'é'.repeat(limits.VALUE_BYTES_MAX / 2 + 1) } }),
)
refusesVerb('ERR_KARYON_VALUE_SIZE', 'bytes of one too many', (tx) =>
  tx.put('bad', { props: { value: new Uint8Array(limits.VALUE_BYTES_MAX + 1) } }),
)
refusesVerb('ERR_KARYON_VALUE_SIZE', 'floats of too many bytes', (tx) =>
  tx.put('bad', { props: { value: new Float32Array(limits.VALUE_BYTES_MAX / 4 + 1) } }),
)
refusesVerb('ERR_KARYON_VALUE_SIZE', 'a list whose items are too large together', (tx) =>
  tx.put('bad', { props: { value: ['x'.repeat(9_000_000), 'y'.repeat(9_000_000)] } }),
)
refusesVerb('ERR_KARYON_VALUE_SIZE', 'a small value that names itself over and over', (tx) => {
  let value: Value = 'x'
  for (let depth = 0; depth < 31; depth++) value = [value, value]
  tx.put('bad', { props: { value } })
})

function nested(depth: number): Value {
  let value: Value = 1
  for (let level = 0; level < depth; level++) value = level % 2 ? [value] : { value }
  return value
}

const LONG = 'k'.repeat(limits.KEY_BYTES_MAX + 1)
const LONG_IN_UTF8 = 'é'.repeat(limits.KEY_BYTES_MAX / 2 + 1)
for (const [what, key] of [
  ['a key of 1,025 bytes', LONG],
  ['a key of too many bytes in UTF-8', LONG_IN_UTF8],
  ['an empty key', ''],
] as const) {
  refusesVerb(SIZE, `${what}, put`, (tx) => tx.put(key))
  refusesVerb(SIZE, `${what}, patched`, (tx) => tx.patch(key, { props: { n: 1 } }))
  refusesVerb(SIZE, `${what}, removed`, (tx) => tx.remove(key))
  refusesVerb(SIZE, `${what}, linked`, (tx) => tx.link('there', 'T', key))
  refusesVerb(SIZE, `${what}, as a label`, (tx) => tx.put('bad', { labels: ['A', key] }))
  refusesVerb(SIZE, `${what}, as a property`, (tx) => tx.put('bad', { props: { [key]: 1 } }))
  refusesVerb(SIZE, `${what}, as an edge type`, (tx) => tx.link('there', key, 'there'))
}
refusesVerb(SIZE, 'an edge key of 1,025 bytes', (tx) => tx.link('there', 'T', 'there', { key: LONG }))

const MALFORMED = 'ERR_KARYON_STRING_MALFORMED'
refusesVerb(MALFORMED, 'a lone surrogate as a key', (tx) => tx.put('\ud800'))
refusesVerb(MALFORMED, 'a lone surrogate as a label', (tx) => tx.put('bad', { labels: ['\ud800'] }))
refusesVerb(MALFORMED, 'a lone surrogate as a property', (tx) => tx.put('bad', { props: { '\ud800': 1 } }))
refusesVerb(MALFORMED, 'a lone surrogate as an edge type', (tx) => tx.link('there', '\ud800', 'there'))

const RESERVED = 'ERR_KARYON_NAME_RESERVED'
refusesVerb(RESERVED, '__proto__ as a property', (tx) =>
  tx.put('bad', { props: JSON.parse('{"__proto__":1}') }),
)
refusesVerb(RESERVED, '__proto__ as a patched property', (tx) =>
  tx.patch('there', { props: JSON.parse('{"n":2,"__proto__":1}') }),
)
refusesVerb(RESERVED, '__proto__ as a label', (tx) => tx.put('bad', { labels: ['__proto__'] }))
refusesVerb(RESERVED, '__proto__ as an edge type', (tx) => tx.link('there', '__proto__', 'there'))
refusesVerb(RESERVED, '__proto__ as what is incremented', (tx) => tx.increment('there', '__proto__'))

refusesVerb('ERR_KARYON_PROPERTY_COUNT', '1,025 properties', (tx) => tx.put('bad', { props: numbered(1025) }))
refusesVerb('ERR_KARYON_PROPERTY_COUNT', '257 labels', (tx) =>
  tx.put('bad', { labels: Object.keys(numbered(257)) }),
)
refusesVerb(TYPE, 'an increment by text', (tx) => tx.increment('there', 'n', '1' as unknown as number))
refusesVerb(RANGE, 'an increment by 2^53', (tx) => tx.increment('there', 'n', 2 ** 53))
refusesVerb(TYPE, 'appending a number', (tx) => tx.append('there', 'n', 1 as unknown as string))
refusesVerb(TYPE, 'inserting a map', (tx) => tx.splice('there', 'n', 0, 0, {} as unknown as string))

const ARGUMENT = 'ERR_KARYON_ARGUMENT'
refusesVerb(ARGUMENT, 'a number as a key', (tx) => tx.put(5 as unknown as string))
refusesVerb(ARGUMENT, 'null as what to put', (tx) => tx.put('bad', null as unknown as object))
refusesVerb(ARGUMENT, 'labels that are a string', (tx) =>
  tx.put('bad', { labels: 'A' as unknown as string[] }),
)
refusesVerb(ARGUMENT, 'a label that is a number', (tx) => tx.put('bad', { labels: [1 as unknown as string] }))
refusesVerb(ARGUMENT, 'a Map of properties', (tx) => tx.put('bad', { props: new Map([['a', 1]]) as never }))
refusesVerb(ARGUMENT, 'a list of properties', (tx) => tx.put('bad', { props: [1] as never }))
refusesVerb(ARGUMENT, 'a patch of nothing', (tx) => tx.patch('there', undefined as never))
refusesVerb(ARGUMENT, 'a target of null', (tx) => tx.patch(null as never, {}))
refusesVerb(ARGUMENT, 'an edge without an end', (tx) => tx.patch({ from: 'there', type: 'T' } as never, {}))
refusesVerb(ARGUMENT, 'a detach that is no boolean', (tx) => tx.remove('there', { detach: 'no' as never }))
refusesVerb(ARGUMENT, 'a splice from a negative start', (tx) => tx.splice('there', 'n', -1, 0, 'x'))
refusesVerb(ARGUMENT, 'a splice of half a unit', (tx) => tx.splice('there', 'n', 0, 0.5, 'x'))

function numbered(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`p${at}`, at]))
}

test('what lies at the limits is stored', async (t) => {
  const { graph } = Kernel.memory()
  const key = 'é'.repeat(limits.KEY_BYTES_MAX / 2)
  const props = numbered(limits.PROPERTIES_MAX)
  const labels = Object.keys(numbered(limits.LABELS_MAX))
  const text = 'x'.repeat(limits.VALUE_BYTES_MAX)
  const deep = nested(limits.NESTING_MAX)
  await graph.write((tx) => {
    tx.put(key, { labels, props })
    tx.put('large', { props: { text } })
    tx.put('deep', { props: { deep } })
  })
  t.is(graph.get(key)?.labels.length, limits.LABELS_MAX)
  t.deepEqual(graph.get(key)?.props, props)
  t.true(graph.get('large')?.props['text'] === text)
  t.deepEqual(graph.get('deep')?.props, { deep })
})

test('properties beyond the limit are refused also when they come one patch at a time', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('n', { props: numbered(1024) }))
  await refused(
    t,
    'ERR_KARYON_PROPERTY_COUNT',
    graph.write((tx) => tx.patch('n', { props: { more: 1 } })),
  )
})

test('more verbs than a transaction holds are refused, and smaller ones still fit', async (t) => {
  const { graph } = Kernel.memory()
  const bytes = new Uint8Array(16 * 1024 * 1024 - 100)
  using tx = graph.begin()
  for (let at = 0; at < 3; at++) tx.put(`n${at}`, { props: { bytes } })
  await refused(t, 'ERR_KARYON_TRANSACTION_SIZE', () => {
    tx.put('n3', { props: { bytes } })
    tx.put('n4', { props: { bytes } })
  })
  t.notThrows(() => tx.put('small', { props: { n: 1 } }))
})

test('a key that is too long or malformed is refused by every read', async (t) => {
  const { graph } = Kernel.memory()
  const reads: Readonly<Record<string, (key: string) => unknown>> = {
    get: (key) => graph.get(key),
    getMany: (key) => graph.getMany(['a', key]),
    edge: (key) => graph.edge({ from: key, type: 'T', to: 'b' }),
    out: (key) => [...graph.out(key)],
    in: (key) => [...graph.in(key)],
    degree: (key) => graph.degree(key, 'out'),
    blame: (key) => graph.blame(key),
    history: (key) => [...graph.history(key)],
  }
  for (const [name, read] of Object.entries(reads)) {
    await refused(t, 'ERR_KARYON_KEY_SIZE', () => read(LONG), name)
    await refused(t, 'ERR_KARYON_STRING_MALFORMED', () => read('\ud800'), name)
    await refused(t, 'ERR_KARYON_ARGUMENT', () => read(7 as unknown as string), name)
  }
})

test('an error names the place inside of the value', async (t) => {
  const { graph } = Kernel.memory()
  const error = await refused(
    t,
    TYPE,
    graph.write((tx) => tx.put('n', { props: { a: [0, { b: [() => 1] as unknown as Value }] } })),
  )
  t.is(error.details['where'], 'a[1].b[0]')
})

test('the limits in TypeScript are those of the store', (t) => {
  const source = readFileSync(join(ROOT, 'crates/model/src/limits.rs'), 'utf8')
  for (const [name, value] of Object.entries(limits)) {
    const found = new RegExp(`pub const ${name}: usize = ([^;]+);`).exec(source)?.[1] ?? 'absent'
    const product = found.split('*').reduce((sum, part) => sum * Number(part.replaceAll('_', '')), 1)
    t.is(value, product, name)
  }
})
