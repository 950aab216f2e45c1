// Values as JSON and back: what JSON cannot say has one tagged form.
import { isDate, isFloat32Array, isUint8Array } from 'node:util/types'
import { KaryonError, type Value } from '../../index.ts'
import { badArgument } from '../failures.ts'
import { JSON_DEPTH_MAX } from '../limits.ts'
import { byName } from '../order.ts'
import { parseTime } from '../times.ts'

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

type JsonObject = { readonly [name: string]: Json }

/** The numbers that JSON has no word for. */
const FLOATS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity,
  '-Infinity': -Infinity,
  '-0': -0,
}

/**
 * A value as JSON. What JSON can say is said as it is, a whole number and one with a fraction both as numbers; anything else is an object
 * of one entry, whose name begins with `$`:
 *
 * | value | JSON |
 * |---|---|
 * | bigint | `{"$bigint":"-12"}` |
 * | bytes | `{"$bytes":"AP8="}`, base64 |
 * | timestamp | `{"$time":"2026-01-02T03:04:05.678Z"}`, with six decimals where it has microseconds |
 * | `Float32Array` | `{"$float32":"AADAPw=="}`, base64 of little-endian floats |
 * | NaN, ±Infinity, −0 | `{"$float":"NaN"}`, `"Infinity"`, `"-Infinity"`, `"-0"` |
 * | a map of one entry, whose name begins with `$` | `{"$map":{"$x":1}}` |
 *
 * The entries of maps come in one order, so that equal values give equal text.
 */
export function toJson(value: Value): Json {
  switch (typeof value) {
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value
      return { $float: Object.is(value, -0) ? '-0' : String(value) }
    case 'bigint':
      return { $bigint: String(value) }
    case 'object':
      return value === null ? null : objectToJson(value)
    default:
      return value
  }
}

function objectToJson(value: object & Value): Json {
  if (isUint8Array(value)) return { $bytes: base64Of(value) }
  if (isDate(value)) return { $time: value.toISOString() }
  if (isFloat32Array(value)) return { $float32: base64Of(littleEndian(value)) }
  if (isList(value)) return value.map(toJson)
  const entries = byName(value as Readonly<Record<string, Value>>).map(([name, each]) => [name, toJson(each)])
  const map = Object.fromEntries(entries) as JsonObject
  return tagOf(map) === undefined ? map : { $map: map }
}

/**
 * The value that JSON says; throws `ERR_KARYON_ARGUMENT` for a tag that is none, or that does not hold what it should, and for a number that JSON has
 * taken for an infinite one. `where` names the
 * value in errors.
 */
export function fromJson(json: Json, where: string, depth = 0): Value {
  if (typeof json === 'number' && !Number.isFinite(json)) {
    throw badArgument(
      `${where} is a number beyond those of 64 bits; write {"$float":"Infinity"} if that is meant`,
    )
  }
  if (typeof json !== 'object' || json === null) return json
  if (depth >= JSON_DEPTH_MAX) {
    const message = `${where} is nested deeper than ${JSON_DEPTH_MAX}; flatten it or link nodes`
    throw new KaryonError('ERR_KARYON_VALUE_DEPTH', message, { details: { limit: JSON_DEPTH_MAX } })
  }
  if (isList(json)) return json.map((each) => fromJson(each, where, depth + 1))
  const map = json as JsonObject
  const tag = tagOf(map)
  if (tag === undefined) return mapFromJson(map, where, depth)
  const held = map[tag]
  if (tag === '$map' && isObject(held)) return mapFromJson(held, where, depth)
  const value = typeof held === 'string' ? tagged(tag, held) : undefined
  if (value !== undefined) return value
  const what = JSON.stringify({ [tag]: held }).slice(0, 80)
  throw badArgument(`${where} is ${what}, which is no tagged value; write {"$map":…} around a map of yours`)
}

function mapFromJson(map: JsonObject, where: string, depth: number): Value {
  const entries = Object.entries(map).map(([name, each]) => [name, fromJson(each, where, depth + 1)])
  // Not by assignment, which takes one name for the prototype: the store refuses that one by name.
  return Object.fromEntries(entries) as Value
}

function tagged(tag: string, text: string): Value | undefined {
  switch (tag) {
    case '$bigint':
      return /^-?\d{1,20}$/.test(text) ? BigInt(text) : undefined
    case '$bytes':
      return bytesOf(text)
    case '$time':
      return parseTime(text)
    case '$float':
      return Object.hasOwn(FLOATS, text) ? FLOATS[text] : undefined
    case '$float32':
      return floatsOf(bytesOf(text))
    default:
      return undefined
  }
}

/** The name of a map's only entry, if it begins as a tag. */
function tagOf(map: JsonObject): string | undefined {
  let only: string | undefined
  for (const name in map) {
    if (only !== undefined) return undefined
    only = name
  }
  return only?.startsWith('$') ? only : undefined
}

/** Whether JSON is an object, and no list. */
export function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value)
}

/** Bytes as base64. */
export function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** The bytes that base64 says; `undefined` for what is none, or not in its one form: Node itself would leave out what is wrong. */
export function bytesOf(base64: string): Uint8Array | undefined {
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? new Uint8Array(bytes) : undefined
}

function littleEndian(floats: Float32Array): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(floats.length * 4))
  floats.forEach((float, at) => bytes.setFloat32(at * 4, float, true))
  return new Uint8Array(bytes.buffer)
}

function floatsOf(bytes: Uint8Array | undefined): Float32Array | undefined {
  if (!bytes || bytes.length % 4 !== 0) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Float32Array.from({ length: bytes.length / 4 }, (_, at) => view.getFloat32(at * 4, true))
}
