// What the native side asks of the nodes it finds, asked of those that a pattern comes to: see crates/model/src/order.rs.
import { isDate, isFloat32Array, isUint8Array } from 'node:util/types'
import { KaryonError } from '../errors.ts'
import type { Condition } from '../graph/types.ts'
import { Instant } from '../time.ts'
import type { Properties, Value } from '../values/types.ts'
import { badPattern, checkedText, onlyFields } from './arguments.ts'

/** Whether properties meet a condition. */
export type Test = (props: Properties) => boolean

const OPERATORS = ['equals', 'from', 'to', 'prefix'] as const

/** Values compare with those of their kind alone; of the last kind they are equal or not. */
const NULL = 0
const BOOLEAN = 1
const NUMBER = 2
const TIME = 3
const STRING = 4
const BYTES = 5
const COMPOSITE = 6

/** A list of conditions, read once and checked. */
export function conditionsOf(where: Condition | readonly Condition[] | undefined): readonly Condition[] {
  if (where === undefined) return []
  return (Array.isArray(where) ? where : [where]).map((condition: Condition) => {
    const copy = onlyFields(condition, 'a condition', 'property', ...OPERATORS)
    // Made for its errors: a pattern is refused where it is written.
    testOf(copy)
    return copy
  })
}

/** A condition as a question to properties. Throws what the graph would throw. */
export function testOf(condition: Condition): Test {
  const { property, ...values } = condition as Readonly<Record<string, Value>> & { readonly property: string }
  checkedText(property, 'a condition’s property')
  const { equals, from, to, prefix } = values
  const given = [equals, from ?? to, prefix].filter((value) => value !== undefined)
  if (given.length !== 1)
    throw badPattern('a condition is a property with equals, with from and to, or with prefix')
  const holds =
    equals !== undefined ? equalTo(equals) : prefix !== undefined ? beginsWith(prefix) : between(from, to)
  return (props) => {
    // What every object inherits is no property.
    const held = Object.hasOwn(props, property) ? props[property] : undefined
    return held !== undefined && holds(held)
  }
}

function equalTo(wanted: Value): (held: Value) => boolean {
  const kind = kindOf(wanted)
  return (held) =>
    kindOf(held) === kind && (kind === COMPOSITE ? same(held, wanted) : compare(held, wanted) === 0)
}

function between(from: Value | undefined, to: Value | undefined): (held: Value) => boolean {
  const [kind, other] = [from, to].filter((bound) => bound !== undefined).map(kindOf)
  if (kind === COMPOSITE || (other !== undefined && other !== kind)) {
    throw wrongType('a range goes from one value to another of the same kind: numbers, strings, times, bytes')
  }
  return (held) =>
    kindOf(held) === kind &&
    (from === undefined || compare(held, from) >= 0) &&
    (to === undefined || compare(held, to) < 0)
}

function beginsWith(prefix: Value): (held: Value) => boolean {
  if (typeof prefix === 'string') return (held) => typeof held === 'string' && held.startsWith(prefix)
  if (!isUint8Array(prefix)) throw wrongType('a prefix is a string or bytes')
  return (held) => isUint8Array(held) && Buffer.compare(held.subarray(0, prefix.length), prefix) === 0
}

function kindOf(value: Value): number {
  switch (typeof value) {
    case 'boolean':
      return BOOLEAN
    case 'number':
    case 'bigint':
      return NUMBER
    case 'string':
      return STRING
    case 'object':
      if (value === null) return NULL
      if (isDate(value)) return TIME
      return isUint8Array(value) ? BYTES : COMPOSITE
    default:
      throw wrongType(`a ${typeof value} is no value that a property can hold`)
  }
}

/** Two values of one kind, which is none of lists and maps: less than, equal to or greater than 0. */
function compare(a: Value, b: Value): number {
  if (typeof a === 'string') return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b as string))
  if (isUint8Array(a)) return Buffer.compare(a, b as Uint8Array)
  if (isDate(a)) return order(microsOf(a), microsOf(b as Date))
  if (a === null) return 0
  // A bigint and a number compare by what they are worth; NaN is the last of all numbers.
  const [left, right] = [a, b] as [number, number]
  const [noLeft, noRight] = [Number.isNaN(left), Number.isNaN(right)]
  return noLeft || noRight ? Number(noLeft) - Number(noRight) : order(left, right)
}

function order(a: number | bigint, b: number | bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function microsOf(date: Date): bigint {
  return date instanceof Instant ? date.micros : BigInt(date.getTime()) * 1000n
}

/** Whether two values would be stored as the same bytes. */
function same(a: Value, b: Value): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b)
  const kind = kindOf(a)
  if (kind !== kindOf(b)) return false
  if (kind !== COMPOSITE) return compare(a, b) === 0
  if (isFloat32Array(a) || isFloat32Array(b)) {
    return isFloat32Array(a) && isFloat32Array(b) && everyIsSame([...a], [...b])
  }
  if (Array.isArray(a) || Array.isArray(b)) return Array.isArray(a) && Array.isArray(b) && everyIsSame(a, b)
  const [left, right] = [entriesOf(a), entriesOf(b)]
  return (
    left.size === right.size &&
    [...left].every(([key, value]) => right.has(key) && same(value, right.get(key)!))
  )
}

function everyIsSame(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((value, at) => same(value, b[at]!))
}

function entriesOf(map: object): Map<string, Value> {
  const entries = Object.entries(map) as [string, Value | undefined][]
  return new Map(entries.filter((entry): entry is [string, Value] => entry[1] !== undefined))
}

function wrongType(message: string): KaryonError {
  return new KaryonError('ERR_KARYON_VALUE_TYPE', message)
}
