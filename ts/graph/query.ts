// What is asked of nodes and traversals, read once and encoded before anything is asked for: values may have getters.
import { badArgument } from '../errors.ts'
import { encodeValue } from '../values/encode.ts'
import { checkName } from '../values/keys.ts'
import { Writer } from '../values/writer.ts'
import { checkedOptions } from './arguments.ts'
import type { Condition, NodeQuery, WalkOptions } from './types.ts'

/** Nodes that one traversal reaches at most, as in crates/model/src/limits.rs. */
export const REACH_MAX = 65_536
/** The largest number of 32 bits. */
const HOPS_MAX = 2 ** 32 - 1

const DIRECTIONS = ['out', 'in', 'both']
const OPERATORS = ['equals', 'from', 'to', 'prefix'] as const

/** What was encoded, for `Writer.append`. */
export type Encoded = Pick<Writer, 'bytes' | 'length'>

/** For the next question. Whoever encodes has it for itself: a getter of a value may ask something else meanwhile. */
let idle: Writer | undefined

function encoded(encode: (writer: Writer) => void): Encoded {
  const writer = idle ?? new Writer()
  idle = undefined
  writer.length = 0
  encode(writer)
  idle = writer
  // A copy out of the pool: pages come later.
  return { bytes: Buffer.from(writer.bytes.subarray(0, writer.length)), length: writer.length }
}

/** A label and conditions, as the native side reads them. */
export function encodedQuery(query: NodeQuery): Encoded {
  const { label, where } = checkedOptions(query, 'label', 'where')
  if (label !== undefined) checkName(label)
  // A copy: a getter in one of them might make it longer.
  // A copy: a getter in one of them might make it longer.
  const conditions: readonly Condition[] =
    where === undefined ? [] : Array.isArray(where) ? [...where] : [where as Condition]
  return encoded((writer) => {
    writer.optionalText(label)
    writer.varint(conditions.length)
    for (const condition of conditions) putCondition(writer, condition)
  })
}

function putCondition(writer: Writer, condition: Condition): void {
  const { property, ...values } = checkedOptions<Readonly<Record<string, unknown>>>(
    condition,
    'property',
    ...OPERATORS,
  )
  checkName(property as string)
  const [equals, from, to, prefix] = OPERATORS.map((operator) => values[operator])
  const given = [equals, from ?? to, prefix].filter((value) => value !== undefined)
  if (given.length !== 1)
    throw badArgument('a condition is a property with equals, with from and to, or with prefix')
  writer.text(property as string)
  const put = (value: unknown): void => encodeValue(writer, value, property as string)
  if (equals !== undefined) {
    writer.byte(0)
    put(equals)
  } else if (prefix !== undefined) {
    writer.byte(2)
    put(prefix)
  } else {
    writer.byte(1)
    writer.byte((from === undefined ? 0 : 1) | (to === undefined ? 0 : 2))
    for (const bound of [from, to]) if (bound !== undefined) put(bound)
  }
}

/** Which edges to follow, how far, and how many nodes to find at most, as the native side reads them. */
export function encodedWalk({ type, direction = 'out', hops = 1 }: WalkOptions, limit: number): Encoded {
  if (type !== undefined) checkName(type)
  if (!DIRECTIONS.includes(direction)) throw badArgument("a direction is 'out', 'in' or 'both'")
  if (!isWithin(hops, HOPS_MAX)) throw badArgument('hops are a count of edges')
  if (!isWithin(limit, REACH_MAX) || limit === 0)
    throw badArgument(`a limit is a count of nodes, 1 to ${REACH_MAX}`)
  return encoded((writer) => {
    writer.optionalText(type)
    writer.byte(DIRECTIONS.indexOf(direction))
    writer.varint(hops)
    writer.varint(limit)
  })
}

function isWithin(count: number, most: number): boolean {
  return Number.isSafeInteger(count) && count >= 0 && count <= most
}
