// What nodes and edges hold: properties with their sources, and when things hold.
import type { Intervals, Node, ValidValue } from '../graph/types.ts'
import { Instant } from '../time.ts'
import { compareUtf8, encodeValue } from '../values/encode.ts'
import { PROPERTIES_MAX } from '../values/limits.ts'
import type { Properties, Value } from '../values/types.ts'
import type { Writer } from '../values/writer.ts'
import { Cursor } from './cursor.ts'
import { Encoded } from './encoded.ts'
import { BLOCK_BYTES } from './layout.ts'
import { INTERVALS_MAX, RECORD_MEMORY_MAX, checkMemory } from './limits.ts'
import type { Names } from './names.ts'

/** In front of what does not hold always. No value begins with it. */
const INTERVALS = 255
const HAS_FROM = 1
const HAS_TO = 2
/** About what an interval and a property take in memory, in bytes, beside their values. */
const INTERVAL_MEMORY = 320
const PROPERTY_MEMORY = 64
/** No properties of so few bytes take more memory than they may. */
const LIGHT_BYTES: number = RECORD_MEMORY_MAX / 128

/** When something holds. */
export type Span = Omit<ValidValue, 'value'>

/** What is written of a property. */
export interface Fact {
  readonly name: number
  /** 0 where it is not told. */
  readonly source: number
  readonly held: Value | readonly ValidValue[]
  readonly isTemporal: boolean
}

/** The properties that hold always and those that do not, in the order of their names. */
export function inOrder(
  props: Properties,
  intervals: Intervals = {},
): (Pick<Fact, 'held' | 'isTemporal'> & { readonly name: string })[] {
  const facts: ReturnType<typeof inOrder> = []
  for (const name of Object.keys(props)) facts.push({ name, held: props[name]!, isTemporal: false })
  for (const name of Object.keys(intervals)) facts.push({ name, held: intervals[name]!, isTemporal: true })
  return facts.length > 1 ? facts.toSorted((a, b) => compareUtf8(a.name, b.name)) : facts
}

/** The names of all properties, in any order. */
export function namesOf({ props, intervals }: Pick<Node, 'props' | 'intervals'>): readonly string[] {
  return intervals ? [...Object.keys(props), ...Object.keys(intervals)] : Object.keys(props)
}

/** Appends properties, which are in the order of their names. Throws `ERR_KARYON_PACKAGE_LIMIT` where they could not be read again. */
export function putProperties(writer: Writer, facts: readonly Fact[], names: Names): void {
  const start = writer.length
  writer.varint(facts.length)
  for (const { name, source, held, isTemporal } of facts) {
    writer.varint(name)
    writer.varint(source)
    putHeld(writer, { held, isTemporal }, names.texts[name]!)
  }
  if (writer.length - start > LIGHT_BYTES) readAgain(writer.bytes.subarray(start, writer.length), names)
}

/** Appends what a property holds. */
export function putHeld(
  writer: Writer,
  { held, isTemporal }: Pick<Fact, 'held' | 'isTemporal'>,
  name: string,
): void {
  if (!isTemporal) {
    putValue(writer, held, name)
    return
  }
  const spans = held as readonly ValidValue[]
  writer.byte(INTERVALS)
  writer.varint(spans.length)
  for (const span of spans) {
    putSpan(writer, span)
    putValue(writer, span.value, name)
  }
}

function putValue(writer: Writer, value: unknown, name: string): void {
  if (value instanceof Encoded) value.put(writer)
  else encodeValue(writer, value, name)
}

/** Reads properties that were written, as whoever has the package will. */
function readAgain(bytes: Buffer, names: Names): void {
  const block = (number: number): Buffer => bytes.subarray(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES)
  const cursor = new Cursor({ block }, 0, bytes.length)
  cursor.need(bytes.length)
  skipProperties(cursor, names)
}

/** Appends when an edge holds; always without anything. */
export function putValid(writer: Writer, valid: readonly Span[] = []): void {
  writer.varint(valid.length)
  for (const span of valid) putSpan(writer, span)
}

function putSpan(writer: Writer, { from, to }: Span): void {
  writer.byte((from ? HAS_FROM : 0) | (to ? HAS_TO : 0))
  for (const time of [from, to]) if (time) writer.signedBig(microsOf(time))
}

function microsOf(time: Date): bigint {
  return time instanceof Instant ? time.micros : BigInt(time.getTime()) * 1000n
}

/** A property that was passed over: where it begins in the bytes at hand, and where it ends. */
export interface Held {
  readonly name: string
  readonly source: number
  readonly start: number
  readonly end: number
  readonly isTemporal: boolean
}

/** Passes over properties. All of them have to be at hand. */
export function skipProperties(cursor: Cursor, names: Names): Held[] {
  const count = cursor.count(3)
  if (count > PROPERTIES_MAX) throw cursor.malformed(`there are more than ${PROPERTIES_MAX} properties`)
  const all: Held[] = []
  let memory = 0
  for (let before = -1, left = count; left > 0; left--) {
    const number = cursor.varint()
    const name = names.texts[number]
    if (name === undefined || number <= before) throw cursor.malformed('properties are out of order')
    before = number
    const source = cursor.varint()
    const start = cursor.at
    const isTemporal = skipHeld(cursor)
    memory += PROPERTY_MEMORY + cursor.memory
    checkMemory(memory)
    all.push({ name, source, start, end: cursor.at, isTemporal })
  }
  return all
}

/** Passes over what a property holds, all of which has to be at hand. Says whether that is not one value always. */
export function skipHeld(cursor: Cursor): boolean {
  const isTemporal = cursor.peek() === INTERVALS
  if (isTemporal) cursor.memory = skipIntervals(cursor)
  else cursor.skipValue()
  return isTemporal
}

/** What a property holds that was passed over. */
export function decodeHeld(cursor: Cursor, start: number, isTemporal: boolean): Value | ValidValue[] {
  if (!isTemporal) return cursor.decoded(start)
  const end = cursor.at
  cursor.at = start + 1
  const held = Array.from({ length: cursor.varint() }, () => {
    const span = readSpan(cursor)
    return { ...span, value: cursor.value() }
  })
  cursor.at = end
  return held
}

/** What properties hold that were passed over. */
export function decodeProperties(
  cursor: Cursor,
  held: readonly Held[],
): { readonly props: Record<string, Value>; readonly intervals?: Record<string, ValidValue[]> } {
  const props: Record<string, Value> = {}
  let intervals: Record<string, ValidValue[]> | undefined
  for (const { name, start, isTemporal } of held) {
    if (isTemporal) (intervals ??= {})[name] = decodeHeld(cursor, start, true) as ValidValue[]
    else props[name] = cursor.decoded(start)
  }
  return intervals ? { props, intervals } : { props }
}

/** Returns about how much memory they take. */
function skipIntervals(cursor: Cursor): number {
  cursor.byte()
  const count = countOfSpans(cursor)
  if (count === 0) throw cursor.malformed('a property holds nothing at any time')
  const before = new Order(cursor, count)
  let memory = 0
  for (let left = count; left > 0; left--) {
    before.take(readSpan(cursor))
    const start = cursor.skipValue()
    before.holds(cursor.bytes.subarray(start, cursor.at))
    memory += INTERVAL_MEMORY + cursor.memory
    checkMemory(memory)
  }
  return memory
}

function countOfSpans(cursor: Cursor): number {
  const count = cursor.count(2)
  if (count > INTERVALS_MAX) throw cursor.malformed(`there are more than ${INTERVALS_MAX} intervals`)
  return count
}

/** Reads when an edge holds; `undefined` for always. */
export function readValid(cursor: Cursor): Span[] | undefined {
  const count = countOfSpans(cursor)
  if (count === 0) return undefined
  const before = new Order(cursor, count)
  return Array.from({ length: count }, () => {
    const span = readSpan(cursor)
    before.take(span)
    before.holds(TRUE)
    return span
  })
}

const TRUE = Buffer.of(2)

function readSpan(cursor: Cursor): Span {
  const bounds = cursor.byte()
  if (bounds > (HAS_FROM | HAS_TO)) throw cursor.malformed('an interval has other bounds')
  const from = (bounds & HAS_FROM) > 0 && { from: timeOf(cursor.time()) }
  const to = (bounds & HAS_TO) > 0 && { to: timeOf(cursor.time()) }
  return { ...from, ...to }
}

/** A Date as it was stored; only what a Date cannot hold comes back as an Instant. */
function timeOf(micros: bigint): Date {
  return micros % 1000n === 0n ? new Date(Number(micros / 1000n)) : Instant.fromMicros(micros)
}

/** Refuses intervals that are out of order, overlap, or say in two what one would say. */
class Order {
  readonly #cursor: Cursor
  readonly #count: number
  /** Where the last one ends: `undefined` before the first, `null` where it is open. */
  #end: bigint | null | undefined
  #value: Buffer | undefined
  #touches = false

  constructor(cursor: Cursor, count: number) {
    this.#cursor = cursor
    this.#count = count
  }

  take({ from, to }: Span): void {
    const begin = from ? microsOf(from) : undefined
    const end = to ? microsOf(to) : null
    const isAfter =
      this.#end === undefined || (this.#end !== null && begin !== undefined && begin >= this.#end)
    const isEmpty = begin !== undefined && end !== null && end <= begin
    if (!isAfter || isEmpty || (this.#count === 1 && begin === undefined && end === null)) {
      throw this.#cursor.malformed('intervals are out of order')
    }
    this.#touches = this.#end !== undefined && begin === this.#end
    this.#end = end
  }

  holds(value: Buffer): void {
    if (this.#touches && this.#value?.equals(value)) {
      throw this.#cursor.malformed('two intervals say what one would')
    }
    this.#value = value
  }
}
