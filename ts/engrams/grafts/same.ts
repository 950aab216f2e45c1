// When two values are the same: when they are stored as the same bytes.
import { Instant } from '../../time.ts'
import { encodeValue } from '../../values/encode.ts'
import type { Value } from '../../values/types.ts'
import { Writer } from '../../values/writer.ts'
import { isFailure } from './refusals.ts'
import type { Timed } from '../types.ts'

/** Whether two values are stored as the same bytes: 1 is not 1n, and −0 not 0, but NaN is NaN. */
export function sameValue(one: Value, other: Value): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return Object.is(one, other)
  return bytesOf(one).equals(bytesOf(other))
}

/** Whether two lists of what holds when say the same. */
export function sameTimes(one: readonly Timed[] = [], other: readonly Timed[] = []): boolean {
  return one.length === other.length && one.every((timed, at) => sameTimed(timed, other[at]!))
}

function sameTimed(one: Timed, other: Timed): boolean {
  if (microsOf(one.from) !== microsOf(other.from) || microsOf(one.to) !== microsOf(other.to)) return false
  if ('value' in one && 'value' in other) return sameValue(one.value, other.value)
  return 'value' in one === 'value' in other
}

/** Microseconds since 1970, where there is an instant. */
export function microsOf(date: Date | undefined): bigint | undefined {
  if (date === undefined) return undefined
  return date instanceof Instant ? date.micros : BigInt(date.getTime()) * 1000n
}

/** Whether a property can hold it: it is not nested too deep, nor too large. */
export function isStorable(value: Value): boolean {
  try {
    bytesOf(value)
    return true
  } catch (error) {
    if (isFailure(error, 'ERR_KARYON_VALUE_DEPTH') || isFailure(error, 'ERR_KARYON_VALUE_SIZE')) return false
    throw error
  }
}

/** What values have in common that are the same, and only those. */
export function identityOf(value: Value): unknown {
  if (typeof value === 'object' && value !== null) return `object ${bytesOf(value).toString('latin1')}`
  // A set takes −0 for 0.
  return typeof value === 'string' ? `string ${value}` : Object.is(value, -0) ? '-0' : value
}

function bytesOf(value: Value): Buffer {
  const writer = new Writer()
  encodeValue(writer, value, 'value')
  return writer.bytes.subarray(0, writer.length)
}
