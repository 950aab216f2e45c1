import test from 'ava'
import { BLOCK_BYTES } from '../../ts/engrams/layout.ts'
import { Instant, KaryonError, type Value } from '../../ts/index.ts'
import { encodeValue } from '../../ts/values/encode.ts'
import { decodeHeld, putHeld, skipHeld } from '../../ts/engrams/properties.ts'
import { Writer } from '../../ts/values/writer.ts'
import { refused } from '../kernel/refused.ts'
import { over } from './spans.ts'
import { below, chooseSeed, randomText, randomValue, seededRandom } from '../values/random.ts'

function encoded(value: Value): Buffer {
  const writer = new Writer()
  encodeValue(writer, value, 'value')
  return Buffer.from(writer.bytes.subarray(0, writer.length))
}

test('every value comes back, wherever a block ends in it', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  for (let round = 0; round < 500; round++) {
    const value = randomValue(random)
    const bytes = encoded(value)
    const cursor = over(bytes, Math.max(0, BLOCK_BYTES - below(random, bytes.length + 1)))
    cursor.need(bytes.length)
    t.deepEqual(encoded(cursor.value()), bytes)
    cursor.done()
  }
  const large = 'é'.repeat(200_000)
  const cursor = over(encoded(large), 7)
  cursor.need(cursor.left)
  t.is(cursor.value(), large)
})

test('times come back that begin in one block and end in the next', (t) => {
  for (const micros of [
    0n,
    -1n,
    1_795_762_000_840_306n,
    8_640_000_000_000_000_000n,
    -8_640_000_000_000_000_000n,
  ]) {
    const writer = new Writer()
    writer.signedBig(micros)
    const bytes = writer.bytes.subarray(0, writer.length)
    for (let back = 0; back < 12; back++) {
      t.is(over(bytes, BLOCK_BYTES - back).time(), micros, `${micros}, ${back} bytes before the end`)
      const skipped = over(bytes, BLOCK_BYTES - back)
      skipped.skipTime()
      skipped.done()
    }
  }
})

test('what holds at some times comes back, wherever a block ends in it, and whatever comes behind', (t) => {
  const writer = new Writer()
  const spans = [{ from: Instant.fromMicros(1n), to: Instant.fromMicros(1_795_762_000_840_306n), value: 7 }]
  // It ends with the time and one byte: nothing is to be looked for behind that.
  const last = { from: Instant.fromMicros(1_795_762_000_840_307n), value: null }
  putHeld(writer, { held: [...spans, last], isTemporal: true }, 'warm')
  const bytes = Buffer.concat([writer.bytes.subarray(0, writer.length), Buffer.alloc(64, 1)])
  for (let back = 0; back <= writer.length; back++) {
    const cursor = over(bytes, BLOCK_BYTES - back)
    cursor.need(writer.length)
    const start = cursor.at
    t.true(skipHeld(cursor))
    t.deepEqual(decodeHeld(cursor, start, true), [...spans, last], `${back} bytes before the end`)
  }
})

test('numbers and texts come back, also one byte at a time', (t) => {
  const random = seededRandom(1)
  const numbers = [
    0,
    1,
    127,
    128,
    2 ** 14 - 1,
    2 ** 14,
    2 ** 32,
    2 ** 49 - 1,
    2 ** 49,
    Number.MAX_SAFE_INTEGER,
  ]
  const texts = ['', 'é', '\ufffd', ...Array.from({ length: 40 }, () => randomText(random, 40))]
  for (let back = 0; back < 12; back++) {
    for (const number of numbers) {
      const writer = new Writer()
      writer.varint(number)
      t.is(over(writer.bytes.subarray(0, writer.length), BLOCK_BYTES - back).varint(), number)
    }
    for (const text of texts) {
      const writer = new Writer()
      writer.text(text)
      t.is(over(writer.bytes.subarray(0, writer.length), BLOCK_BYTES - back).text(), text)
    }
  }
})

const FORMS: Readonly<Record<string, readonly number[]>> = {
  'nothing at all': [],
  'an unknown kind': [12],
  'a marker of intervals': [255],
  'an integer longer than needed': [3, 0x80, 0],
  'the integer 2^53': [3, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20],
  'the integer −2^53': [3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f],
  'an integral float': [4, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
  'another NaN': [4, 1, 0, 0, 0, 0, 0, 0xf8, 0x7f],
  'a negative NaN': [4, 0, 0, 0, 0, 0, 0, 0xf8, 0xff],
  'half a float': [4, 0, 0, 0],
  'a bigint of more than 64 bits': [5, ...Array.from({ length: 9 }, () => 0xff), 2],
  'a bigint without an end': [5, ...Array.from({ length: 30 }, () => 0xff)],
  'a text beyond the end': [6, 5, 97],
  'a text that is not UTF-8': [6, 1, 0xff],
  'a text with a lone surrogate': [6, 3, 0xed, 0xa0, 0x80],
  'a text in a longer form': [6, 2, 0xc1, 0xa1],
  'bytes beyond the end': [7, 0xff, 0xff, 0xff, 0x7f, 0],
  'a length of 2^53': [7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
  'a time beyond a Date': [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
  'a list beyond the end': [9, 3, 0, 0],
  'a list of 2^52': [9, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x08, 0],
  'keys out of order': [10, 2, 1, 98, 0, 1, 97, 0],
  'a key twice': [10, 2, 1, 97, 0, 1, 97, 0],
  'the key __proto__': [10, 1, 9, ...Buffer.from('__proto__'), 0],
  'a key without a value': [10, 1, 1, 97],
  'floats beyond the end': [11, 2, 0, 0, 0, 0],
  'floats of 2^52': [11, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x08],
  'lists in lists in lists': [...Array.from({ length: 33 }, () => [9, 1]).flat(), 0],
  'lists without an end': Array.from({ length: 60_000 }, () => [9, 1]).flat(),
}

for (const [what, bytes] of Object.entries(FORMS)) {
  test(`a value is refused: ${what}`, async (t) => {
    await refused(t, 'ERR_KARYON_PACKAGE', () => over(Buffer.from(bytes)).value())
  })
}

test('the largest and the deepest there may be are let through', (t) => {
  const [least, most] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]
  const deep = JSON.parse('['.repeat(32) + ']'.repeat(32)) as Value
  for (const value of [least, most, deep, new Date(8.64e15), new Date(-8.64e15), 2n ** 63n - 1n]) {
    const cursor = over(encoded(value))
    t.deepEqual(cursor.value(), value)
    cursor.done()
  }
})

test('random bytes are a value or are refused', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  let values = 0
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(Array.from({ length: below(random, 20) }, () => below(random, 256)))
    if (bytes.length > 0) bytes[0] = below(random, 13)
    const cursor = over(bytes)
    try {
      const value = cursor.value()
      const used = bytes.length - cursor.left
      // Floats of four bytes keep the bits that a NaN has.
      if (bytes[0] !== 11) t.deepEqual(encoded(value), bytes.subarray(0, used))
      values++
    } catch (error) {
      if (!(error instanceof KaryonError) || error.code !== 'ERR_KARYON_PACKAGE') throw error
    }
  }
  t.true(values > 1_000)
})
