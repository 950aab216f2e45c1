// Values to their one canonical encoding: crates/model/src/value.rs says what the bytes mean.
import { isDate, isFloat32Array, isUint8Array } from 'node:util/types'
import { KaryonError } from '../errors.ts'
import { Instant } from '../time.ts'
import { checkReserved } from './keys.ts'
import { NESTING_MAX, VALUE_BYTES_MAX } from './limits.ts'
import type { Writer } from './writer.ts'

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
/** Bytes of a value beside its text or bytes: the tag, and a length of at most 2^24. */
const HEAD_BYTES = 5

/** Where in a value the encoder stands. */
interface Place {
  /** The value's name. */
  readonly root: string
  /** The keys and indexes below it. */
  readonly path: (string | number)[]
  /** The lists and maps around. */
  readonly around: object[]
  /** How long the writer may become. */
  readonly end: number
}

/**
 * Appends a value; `where` names it in errors. Nothing is to be kept of the writer when it throws. It reads properties of what it is
 * given, so code of the caller's may run: nobody else may use the writer meanwhile.
 */
export function encodeValue(writer: Writer, value: unknown, where: string): void {
  const end = writer.length + VALUE_BYTES_MAX + HEAD_BYTES
  // What is no object runs no code of the caller's, and has no places in it.
  const flat = typeof value !== 'object' || value === null
  encode(writer, value, flat ? flatPlace(where, end) : { root: where, path: [], around: [], end })
}

const FLAT = { root: '', path: [], around: [], end: 0 }

function flatPlace(root: string, end: number): Place {
  FLAT.root = root
  FLAT.end = end
  return FLAT
}

function encode(writer: Writer, value: unknown, place: Place): void {
  switch (typeof value) {
    case 'string':
      checkSize(value.length, VALUE_BYTES_MAX)
      writer.byte(STRING)
      writer.text(value)
      break
    case 'number':
      encodeNumber(writer, value, place)
      break
    case 'boolean':
      writer.byte(value ? TRUE : FALSE)
      break
    case 'bigint':
      if (value < BIGINT_MIN || value > BIGINT_MAX)
        throw beyond(`${value} at ${nameOf(place)} is beyond 64 bits`)
      writer.byte(BIGINT)
      writer.signedBig(value)
      break
    case 'object':
      if (value === null) writer.byte(NULL)
      else encodeObject(writer, value, place)
      break
    default:
      throw unstorable(place, `a ${typeof value}`)
  }
  // Checked on the way: a small value that names another one often enough is larger than any memory.
  checkSize(writer.length, place.end)
}

function encodeNumber(writer: Writer, value: number, place: Place): void {
  if (Number.isInteger(value) && !Object.is(value, -0)) {
    if (!Number.isSafeInteger(value)) {
      throw beyond(`${value} at ${nameOf(place)} is beyond 2^53 − 1; pass a bigint`)
    }
    writer.byte(INTEGER)
    writer.signed(value)
    return
  }
  writer.byte(FLOAT)
  writer.reserve(8)
  writer.bytes.writeDoubleLE(value, writer.length)
  if (Number.isNaN(value)) writer.bytes.set(NAN_BYTES, writer.length)
  writer.length += 8
}

// One NaN of each width: whatever bits a NaN has, these are written.
const NAN_BYTES = Uint8Array.of(0, 0, 0, 0, 0, 0, 0xf8, 0x7f)
const NAN_BITS_SINGLE = 0x7fc00000

function encodeObject(writer: Writer, value: object, place: Place): void {
  // By what they are, not by their prototype: another realm’s are as good, an object dressed as one is not.
  if (isUint8Array(value)) {
    const length = lengthOf(value, place)
    checkSize(length, VALUE_BYTES_MAX)
    writer.byte(BYTES)
    writer.block(value, length)
  } else if (isDate(value)) {
    encodeDate(writer, value, place)
  } else if (isFloat32Array(value)) {
    encodeFloats(writer, value, lengthOf(value, place))
  } else {
    const { around } = place
    if (around.includes(value)) {
      const message = `the value at ${nameOf(place)} contains itself; store a key instead`
      throw new KaryonError('ERR_KARYON_VALUE_CYCLE', message)
    }
    if (around.length >= NESTING_MAX) {
      const message = `the value at ${nameOf(place)} is nested deeper than ${NESTING_MAX}; flatten it or link nodes`
      throw new KaryonError('ERR_KARYON_VALUE_DEPTH', message, { details: { limit: NESTING_MAX } })
    }
    around.push(value)
    if (Array.isArray(value)) encodeList(writer, value, place)
    else encodeMap(writer, value, place)
    around.pop()
  }
}

type TypedArray = Uint8Array | Float32Array

const TYPED_ARRAY = Object.getPrototypeOf(Uint8Array.prototype) as TypedArray
const LENGTH = Object.getOwnPropertyDescriptor(TYPED_ARRAY, 'length')?.get as () => number

/** How many elements there really are, whatever the array says of itself. */
function lengthOf(array: TypedArray, place: Place): number {
  try {
    // Refuses what the language itself refuses to read.
    TYPED_ARRAY.values.call(array)
  } catch {
    // It would read as empty: what its owner believes to store is gone.
    throw unstorable(place, 'a view of a buffer that was transferred away or shrunk')
  }
  return LENGTH.call(array)
}

function encodeFloats(writer: Writer, value: Float32Array, length: number): void {
  checkSize(length * 4, VALUE_BYTES_MAX)
  writer.byte(FLOATS)
  writer.varint(length)
  writer.reserve(length * 4)
  for (let at = 0; at < length; at++) {
    const float = value[at] as number
    if (Number.isNaN(float)) writer.bytes.writeUInt32LE(NAN_BITS_SINGLE, writer.length)
    else writer.bytes.writeFloatLE(float, writer.length)
    writer.length += 4
  }
}

function encodeDate(writer: Writer, value: Date, place: Place): void {
  const ms = Date.prototype.getTime.call(value)
  if (Number.isNaN(ms)) throw unstorable(place, 'an invalid Date')
  writer.byte(TIMESTAMP)
  if (value instanceof Instant) writer.signedBig(value.micros)
  else writer.signedBig(BigInt(ms) * 1000n)
}

function encodeList(writer: Writer, value: readonly unknown[], place: Place): void {
  // Read once: what is read below may run code that changes the list, and the count is already written.
  const { length } = value
  if (!Number.isSafeInteger(length) || length < 0) throw unstorable(place, 'a list without a length')
  writer.byte(LIST)
  writer.varint(length)
  for (let at = 0; at < length; at++) {
    place.path.push(at)
    encode(writer, value[at], place)
    place.path.pop()
  }
}

function encodeMap(writer: Writer, value: object, place: Place): void {
  if (!isPlain(value)) throw unstorable(place, className(value))
  const entries = Object.entries(value).filter((entry) => entry[1] !== undefined)
  entries.sort((a, b) => compareUtf8(a[0], b[0]))
  writer.byte(MAP)
  writer.varint(entries.length)
  for (const [key, entry] of entries) {
    checkReserved(key)
    place.path.push(key)
    writer.text(key)
    encode(writer, entry, place)
    place.path.pop()
  }
}

/** Whether an object is a plain one, of this realm or another, and no instance of a class. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
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

function checkSize(bytes: number, limit: number): void {
  if (bytes <= limit) return
  throw new KaryonError(
    'ERR_KARYON_VALUE_SIZE',
    `a value is over the limit of ${VALUE_BYTES_MAX} bytes; split it over several nodes`,
    { details: { limit: VALUE_BYTES_MAX } },
  )
}

function beyond(message: string): KaryonError {
  return new KaryonError('ERR_KARYON_INTEGER_RANGE', message)
}

function unstorable(place: Place, what: string): KaryonError {
  const where = nameOf(place)
  const message = `${where} is ${what}, which cannot be stored; store plain data`
  return new KaryonError('ERR_KARYON_VALUE_TYPE', message, { details: { where } })
}

/** As JavaScript would write it: `tags[3].name`. */
function nameOf({ root, path }: Place): string {
  return root + path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('')
}

function className(value: object): string {
  const maker: unknown = (value as { constructor?: unknown }).constructor
  return typeof maker === 'function' ? `a ${maker.name || 'class instance'}` : 'an object with a prototype'
}
