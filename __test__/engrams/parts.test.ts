import test from 'ava'
import { createHash } from 'node:crypto'
import { rowsFor, tableOf } from '../../ts/engrams/lookup.ts'
import { tagsOf } from '../../ts/engrams/tags.ts'
import { LEAD_BYTES, blockBuffer, hashOf, levelsOver, treeOver } from '../../ts/engrams/tree.ts'
import { below, chooseSeed, seededRandom } from '../values/random.ts'

/** The hash of a block as the format has it, the slow way. */
function naiveHash(level: number, number: number, bytes: Buffer): Buffer {
  const lead = Buffer.alloc(9)
  lead[0] = level
  lead.writeBigUInt64LE(BigInt(number), 1)
  return createHash('sha256').update(lead).update(bytes).digest()
}

test('a block’s hash is that of its level, its number and its bytes', (t) => {
  for (const [level, number, bytes] of [
    [0, 0, 0],
    [0, 1, 10],
    [3, 2 ** 40 + 7, 65_536],
  ] as const) {
    const buffer = blockBuffer(bytes)
    buffer.fill(number % 251, LEAD_BYTES)
    t.deepEqual(hashOf(buffer, level, number), naiveHash(level, number, buffer.subarray(LEAD_BYTES)))
  }
})

test('a tree has as many levels as it takes until one is a block', (t) => {
  for (const leaves of [1, 2, 2_048, 2_049, 5_000]) {
    const hashes = Buffer.alloc(leaves * 32, 3)
    const { levels, root } = treeOver(hashes)
    t.deepEqual(
      levels.map(({ length }) => length),
      levelsOver(leaves * 65_536),
    )
    t.deepEqual(levels[0], hashes)
    for (const [at, level] of levels.entries()) {
      const blocks = Array.from({ length: Math.ceil(level.length / 65_536) }, (_, number) =>
        naiveHash(at + 1, number, level.subarray(number * 65_536, (number + 1) * 65_536)),
      )
      t.deepEqual(Buffer.concat(blocks), levels[at + 1] ?? root)
    }
  }
  t.is(levelsOver(1).length, 1)
  t.is(levelsOver(2_048 * 65_536).length, 1)
  t.is(levelsOver(2_048 * 65_536 + 1).length, 2)
  t.is(levelsOver(64 * 2 ** 30).length, 2)
})

test('a table has a power of two of rows, or three quarters of one, and is filled to three quarters at most', (t) => {
  t.is(rowsFor(0), 0)
  for (let keys = 1; keys < 3_000; keys++) {
    const rows = rowsFor(keys)
    const power = 2 ** Math.ceil(Math.log2(rows))
    t.true(rows === power || rows * 4 === power * 3)
    t.true(keys * 4 <= rows * 3)
    t.true(rows === 2 || keys * 4 > 1.5 * rows, 'no larger than it has to be')
  }
  t.is(rowsFor(1_000_000_000), 2 ** 29 * 3)
})

/** Robin Hood insertion, one key after the other, as it is taught. */
function naiveTable(keys: readonly string[]): (number | undefined)[] {
  const rows = rowsFor(keys.length)
  const tags = new Uint32Array(tagsOf(keys).buffer)
  const tag = (key: number): bigint =>
    (BigInt(tags[key * 4 + 3]!) << 96n) |
    (BigInt(tags[key * 4 + 2]!) << 64n) |
    (BigInt(tags[key * 4 + 1]!) << 32n) |
    BigInt(tags[key * 4]!)
  const home = (key: number): number => Number((BigInt(tags[key * 4 + 3]!) * BigInt(rows)) >> 32n)
  const table: (number | undefined)[] = Array.from({ length: rows }, () => undefined)
  for (let key = 0; key < keys.length; key++) {
    let [carried, distance] = [key, 0]
    for (let place = home(key); ; place = (place + 1) % rows, distance++) {
      const held = table[place]
      if (held === undefined) {
        table[place] = carried
        break
      }
      const theirs = (place - home(held) + rows) % rows
      const isRicher = theirs < distance || (theirs === distance && tag(carried) < tag(held))
      if (!isRicher) continue
      table[place] = carried
      carried = held
      distance = theirs
    }
  }
  return table
}

test('the table is the one that Robin Hood would have made, whatever came first', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  let wrapped = 0
  for (let round = 0; round < 300; round++) {
    const keys = Array.from({ length: below(random, 60) + 1 }, (_, at) => `${at} ${below(random, 2 ** 30)}`)
    const offsets = Float64Array.from(keys, (_, at) => 2 ** 40 + at)
    const table = Buffer.concat([
      ...tableOf(
        keys,
        offsets,
        Float64Array.from(keys, (_, at) => at),
      ),
    ])
    const rows = rowsFor(keys.length)
    t.is(table.length, rows * 32)
    const tags = tagsOf(keys)
    for (const [place, key] of naiveTable(keys).entries()) {
      const row = table.subarray(place * 32, place * 32 + 32)
      if (key === undefined) {
        t.true(row.every((byte) => byte === 0))
        continue
      }
      t.deepEqual([row.readBigUInt64LE(0), row.readBigUInt64LE(8)], [tags[key * 2]!, tags[key * 2 + 1]!])
      t.is(row.readUIntLE(16, 6), 2 ** 40 + key)
      t.is(row.readUIntLE(22, 6), key)
      if (row.readUInt32LE(28) > place) wrapped++
    }
  }
  t.true(wrapped > 0, 'some rows stand at the beginning as the end was full')
})
