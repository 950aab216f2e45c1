// Values to their one canonical encoding: crates/model/src/value.rs says what the bytes mean.
import { KaryonError } from '../errors.ts'
import { Instant } from '../time.ts'
import type { Writer } from './writer.ts'

/** Lists and maps inside each other, as in crates/model/src/limits.rs. */
export const NESTING_MAX: number = 32

const NULL = 0
const FALSE = 1
const TRUE = 2
const INTEGER = 3
const FLOAT = 4
const BIGINT = 5
const STRING = 6
const BYTES = 7
const TIMESTAMP = 8
const LIST = 9
const MAP = 10
const FLOATS = 11

const BIGINT_MIN = -(2n ** 63n)
const BIGINT_MAX = 2n ** 63n - 1n

/** Appends a value. `where` names it in errors. Nothing is to be kept of the writer when it throws. */
export function encodeValue(writer: Writer, value: unknown, where: string): void {
  encode(writer, value, where, [])
}

function encode(writer: Writer, value: unknown, where: string, around: object[]): void {
  switch (typeof value) {
    case 'string':
      writer.byte(STRING)
      writer.text(value)
      return
    case 'number':
      encodeNumber(writer, value, where)
      return
    case 'boolean':
      writer.byte(value ? TRUE : FALSE)
      return
    case 'bigint':
      if (value < BIGINT_MIN || value > BIGINT_MAX) throw beyond(`${value} at ${where} is beyond 64 bits`)
      writer.byte(BIGINT)
      writer.signedBig(value)
      return
    case 'object':
      if (value === null) writer.byte(NULL)
      else encodeObject(writer, value, where, around)
      return
    default:
      throw unstorable(value, where)
  }
}

function encodeNumber(writer: Writer, value: number, where: string): void {
  if (Number.isInteger(value) && !Object.is(value, -0)) {
    if (!Number.isSafeInteger(value)) throw beyond(`${value} at ${where} is beyond 2^53 − 1; pass a bigint`)
    writer.byte(INTEGER)
    writer.signed(value)
    return
  }
  writer.byte(FLOAT)
  writer.reserve(8)
  // One NaN: whatever bits this one has, the canonical ones are written.
  writer.bytes.writeDoubleLE(Number.isNaN(value) ? Number.NaN : value, writer.length)
  if (Number.isNaN(value)) writer.bytes.set(NAN_BYTES, writer.length)
  writer.length += 8
}

const NAN_BYTES = Uint8Array.of(0, 0, 0, 0, 0, 0, 0xf8, 0x7f)

function encodeObject(writer: Writer, value: object, where: string, around: object[]): void {
  if (value instanceof Uint8Array) {
    writer.byte(BYTES)
    writer.block(value)
  } else if (value instanceof Date) {
    encodeDate(writer, value, where)
  } else if (value instanceof Float32Array) {
    writer.byte(FLOATS)
    writer.varint(value.length)
    writer.reserve(value.length * 4)
    for (const float of value) writer.length = writer.bytes.writeFloatLE(float, writer.length)
  } else {
    if (around.includes(value)) {
      throw new KaryonError(
        'ERR_KARYON_VALUE_CYCLE',
        `the value at ${where} contains itself; store a key instead`,
      )
    }
    if (around.length >= NESTING_MAX) {
      throw new KaryonError(
        'ERR_KARYON_VALUE_DEPTH',
        `the value at ${where} is nested deeper than ${NESTING_MAX}; flatten it or link nodes`,
        { details: { limit: NESTING_MAX } },
      )
    }
    around.push(value)
    if (Array.isArray(value)) encodeList(writer, value, where, around)
    else encodeMap(writer, value, where, around)
    around.pop()
  }
}

function encodeDate(writer: Writer, value: Date, where: string): void {
  const ms = value.getTime()
  if (Number.isNaN(ms)) throw unstorable(value, where, 'an invalid Date')
  writer.byte(TIMESTAMP)
  if (value instanceof Instant) writer.signedBig(value.micros)
  else writer.signedBig(BigInt(ms) * 1000n)
}

function encodeList(writer: Writer, value: readonly unknown[], where: string, around: object[]): void {
  writer.byte(LIST)
  writer.varint(value.length)
  for (let at = 0; at < value.length; at++) encode(writer, value[at], `${where}[${at}]`, around)
}

function encodeMap(writer: Writer, value: object, where: string, around: object[]): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw unstorable(value, where)
  const entries = Object.entries(value).filter((entry) => entry[1] !== undefined)
  entries.sort((a, b) => compareUtf8(a[0], b[0]))
  writer.byte(MAP)
  writer.varint(entries.length)
  for (const [key, entry] of entries) {
    checkName(key)
    writer.text(key)
    encode(writer, entry, `${where}.${key}`, around)
  }
}

/** The order of two strings' UTF-8 bytes, which is that of their code points and not that of their UTF-16 units. */
export function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length)
  for (let at = 0; at < shared; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (left === right) continue
    // Surrogates stand for code points above all others.
    const surrogates = Number(isSurrogate(left)) - Number(isSurrogate(right))
    return surrogates || left - right
  }
  return a.length - b.length
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}

/** Refuses the one name that JavaScript would take for the prototype. */
export function checkName(name: string): void {
  if (name === '__proto__') {
    throw new KaryonError('ERR_KARYON_NAME_RESERVED', 'the name "__proto__" is refused; rename it')
  }
}

function beyond(message: string): KaryonError {
  return new KaryonError('ERR_KARYON_INTEGER_RANGE', message)
}

function unstorable(value: unknown, where: string, what = nameOf(value)): KaryonError {
  const message = `${where} is ${what}, which cannot be stored; store plain data`
  return new KaryonError('ERR_KARYON_VALUE_TYPE', message, { details: { where } })
}

function nameOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`
  const maker: unknown = (value as { constructor?: unknown }).constructor
  return typeof maker === 'function' ? `a ${maker.name || 'class instance'}` : 'an object with a prototype'
}
