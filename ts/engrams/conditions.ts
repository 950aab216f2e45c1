// What is asked of nodes, asked of their properties as they are encoded: values compare by order keys, as crates/model/src/order.rs has them.
import { KaryonError, badArgument } from '../errors.ts'
import type { Condition, NodeQuery } from '../graph/types.ts'
import { ByteReader } from '../values/decode.ts'
import { encodeValue } from '../values/encode.ts'
import { checkName } from '../values/keys.ts'
import { Writer } from '../values/writer.ts'
import { checkedOptions } from '../graph/arguments.ts'

/** Whether the value of a property, as it is encoded, is what is asked for. */
export interface Test {
  readonly property: string
  readonly holds: (encoded: Buffer) => boolean
}

/** What is asked of nodes. */
export interface Question {
  readonly label: string | undefined
  readonly tests: readonly Test[]
}

const OPERATORS = ['equals', 'from', 'to', 'prefix'] as const

const NUMBER = 2
const STRING = 4
const BYTES = 5
const COMPOSITE = 6

/** Reads a query, and refuses what the graph would refuse. */
export function questionOf(query: NodeQuery): Question {
  const { label, where } = checkedOptions(query, 'label', 'where')
  if (label !== undefined) checkName(label)
  const conditions: readonly Condition[] =
    where === undefined ? [] : Array.isArray(where) ? [...where] : [where as Condition]
  // Values are encoded first, all of them, and then compared with each other: so of two things that are wrong the graph tells the same one.
  return { label, tests: conditions.map(encodedTest).map((test) => test()) }
}

function encodedTest(condition: Condition): () => Test {
  const { property, ...values } = checkedOptions<Readonly<Record<string, unknown>>>(
    condition,
    'property',
    ...OPERATORS,
  )
  checkName(property)
  const [equals, from, to, prefix] = OPERATORS.map((operator) => values[operator])
  const given = [equals, from ?? to, prefix].filter((value) => value !== undefined)
  if (given.length !== 1)
    throw badArgument('a condition is a property with equals, with from and to, or with prefix')
  const keyOf = (value: unknown): Buffer => orderKey(encodedValue(value, property))
  const [equalKey, fromKey, toKey, prefixKey] = [equals, from, to, prefix].map((value) =>
    value === undefined ? undefined : keyOf(value),
  )
  return () => {
    const meets =
      equalKey !== undefined
        ? equalTo(equalKey)
        : prefixKey !== undefined
          ? beginningWith(prefixKey)
          : between(fromKey, toKey)
    return { property, holds: (encoded) => meets(orderKey(encoded)) }
  }
}

function encodedValue(value: unknown, where: string): Buffer {
  const writer = new Writer()
  encodeValue(writer, value, where)
  return writer.bytes.subarray(0, writer.length)
}

function equalTo(wanted: Buffer): (key: Buffer) => boolean {
  return (key) => key.equals(wanted)
}

function beginningWith(wanted: Buffer): (key: Buffer) => boolean {
  if (wanted[0] !== STRING && wanted[0] !== BYTES) throw wrongType('a prefix is a string or bytes')
  return (key) => key.length >= wanted.length && key.subarray(0, wanted.length).equals(wanted)
}

function between(from: Buffer | undefined, to: Buffer | undefined): (key: Buffer) => boolean {
  const rank = (from ?? to)?.[0]
  if (rank === COMPOSITE || (from && to && to[0] !== rank)) {
    throw wrongType('a range goes from one value to another of the same kind: numbers, strings, times, bytes')
  }
  return (key) => key[0] === rank && (!from || key.compare(from) >= 0) && (!to || key.compare(to) < 0)
}

function wrongType(message: string): KaryonError {
  return new KaryonError('ERR_KARYON_VALUE_TYPE', message)
}

/** Bytes that compare as the values do that they stand for. The value has to be well formed. */
function orderKey(encoded: Buffer): Buffer {
  const tag = encoded[0] as number
  switch (tag) {
    case 0:
      return Buffer.of(0)
    case 1:
    case 2:
      return Buffer.of(1, tag - 1)
    case 3:
    case 4:
    case 5:
      return numberKey(new ByteReader(encoded).value() as number | bigint)
    case 6:
    case 7: {
      const reader = new ByteReader(encoded)
      reader.at = 1
      const length = reader.varint()
      return Buffer.concat([Buffer.of(tag - 2), encoded.subarray(reader.at, reader.at + length)])
    }
    case 8: {
      const reader = new ByteReader(encoded)
      reader.at = 1
      const key = Buffer.alloc(9, 3)
      key.writeBigUInt64BE(BigInt.asUintN(64, reader.signedBig()) ^ SIGN, 1)
      return key
    }
    default:
      return Buffer.concat([Buffer.of(COMPOSITE), encoded])
  }
}

const SIGN = 1n << 63n

/** The nearest float, turned so that its bytes compare, and what a bigint is worth beyond it. */
function numberKey(value: number | bigint): Buffer {
  const near = Number(value)
  const key = Buffer.alloc(11, NUMBER)
  // Both zeros are worth the same.
  key.writeDoubleBE(near + 0, 1)
  const isNegative = (key[1] as number) >= 0x80
  for (let at = 1; at < 9; at++) key[at] = isNegative ? ~(key[at] as number) : (key[at] as number)
  if (!isNegative) key[1] = (key[1] as number) | 0x80
  const rest = typeof value === 'bigint' ? Number(value - BigInt(near)) : 0
  key.writeUInt16BE((rest & 0xffff) ^ 0x8000, 9)
  return key
}
