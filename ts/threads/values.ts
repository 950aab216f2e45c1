// Payloads in a ring: what is flat, word by word; everything else as a parcel, which the engine clones.
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { badArgument } from '../errors.ts'
import { Reference } from '../cells/ref.ts'
import type { RingReader, RingWriter } from './ring.ts'
import { pack, unpack, type ReferenceFacts } from './parcels.ts'

/** Property names in one order, of which a direction knows so many; objects of other shapes go as parcels. */
const SHAPES_MAX = 4_096
/** The longest string that is written word by word. */
const TEXT_UNITS_MAX = 1_024
/** A string of so many units is decoded unit by unit; a longer one by the engine. */
const SHORT_UNITS = 24

const Kind = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  integer: 4,
  float: 5,
  latin: 6,
  wide: 7,
  object: 8,
  shape: 9,
  parcel: 10,
  array: 11,
} as const

/** Arrays of numbers that are written as the bytes that they are, where one is the whole of its buffer and the only one of its payload. */
const ARRAYS = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigUint64Array,
  BigInt64Array,
] as const
const ARRAY_TYPES: ReadonlyMap<unknown, number> = new Map(ARRAYS.map((type, at) => [type.prototype, at]))

/** One more property name on the way to a shape. */
interface Step {
  readonly next: Map<string, Step>
  /** The way that was gone last. */
  name: string
  step: Step | undefined
  /** The shape that ends here, from 1; 0 if nobody was told of it. */
  shape: number
}

const step = (): Step => ({ next: new Map(), name: '', step: undefined, shape: 0 })

const float = new Float64Array(1)
const halves = new Int32Array(float.buffer)

/** What references become on the way out, and are again on the way in. */
export interface Passage {
  out(reference: Reference): ReferenceFacts
  in(facts: ReferenceFacts): Reference
}

/** Writes payloads. */
export class ValueWriter {
  readonly #ring: RingWriter
  readonly #words: Int32Array
  readonly #text: Buffer
  readonly #port: MessagePort
  readonly #passage: Passage
  readonly #root = step()
  #steps = 0
  #shapes = 0
  /** The payload has one already: it might be the same, or on the same bytes. */
  #hasArray = false

  constructor(ring: RingWriter, words: Int32Array, port: MessagePort, passage: Passage) {
    this.#ring = ring
    this.#words = words
    this.#text = Buffer.from(words.buffer, words.byteOffset, words.byteLength)
    this.#port = port
    this.#passage = passage
  }

  /** Writes a value as the payload of the record that was begun. Throws what the engine refuses to clone; nothing is written then. */
  write(value: unknown): void {
    const { at } = this.#ring
    this.#hasArray = false
    if (this.#primitive(value) || this.#flat(value)) return
    this.#ring.at = at
    this.#port.postMessage(pack(value, this.#passage))
    this.#words[this.#ring.at++] = Kind.parcel
  }

  /** False if it is none, or does not fit. */
  #primitive(value: unknown): boolean {
    const ring = this.#ring
    const words = this.#words
    if (ring.at + 4 > ring.end) return false
    switch (typeof value) {
      case 'undefined':
        words[ring.at++] = Kind.undefined
        return true
      case 'boolean':
        words[ring.at++] = value ? Kind.true : Kind.false
        return true
      case 'number':
        if ((value | 0) === value && !Object.is(value, -0)) {
          words[ring.at++] = Kind.integer
          words[ring.at++] = value
        } else {
          float[0] = value
          words[ring.at++] = Kind.float
          words[ring.at++] = halves[0] as number
          words[ring.at++] = halves[1] as number
        }
        return true
      case 'string':
        return this.#string(value)
      default:
        if (value !== null) return ArrayBuffer.isView(value) && this.#array(value)
        words[ring.at++] = Kind.null
        return true
    }
  }

  #array(value: ArrayBufferView): boolean {
    const ring = this.#ring
    const type = ARRAY_TYPES.get(Object.getPrototypeOf(value))
    const { buffer, byteLength } = value
    const end = ring.at + 3 + Math.ceil(byteLength / 4)
    if (type === undefined || this.#hasArray || end > ring.end) return false
    // One that lost its bytes is refused by the engine; what others may see, or what may grow, is no copy's.
    const isWhole = byteLength > 0 && buffer.byteLength === byteLength
    if (!isWhole || !(buffer instanceof ArrayBuffer) || Reflect.get(buffer, 'resizable')) return false
    this.#hasArray = true
    this.#words[ring.at] = Kind.array
    this.#words[ring.at + 1] = type
    this.#words[ring.at + 2] = byteLength
    this.#text.set(new Uint8Array(buffer), (ring.at + 3) * 4)
    ring.at = end
    return true
  }

  #string(value: string): boolean {
    const ring = this.#ring
    const { length } = value
    const text = this.#text
    if (length > TEXT_UNITS_MAX || ring.at + 2 + length > ring.end) return false
    const head = ring.at
    const first = (head + 2) * 4
    let wide = false
    for (let at = 0; at < length; at++) {
      const unit = value.charCodeAt(at)
      if (unit > 0xff) {
        wide = true
        break
      }
      text[first + at] = unit
    }
    if (wide) text.write(value, first, 'utf16le')
    this.#words[head] = wide ? Kind.wide : Kind.latin
    this.#words[head + 1] = length
    ring.at = head + 2 + (wide ? (length + 1) >> 1 : (length + 3) >> 2)
    return true
  }

  /** An object of nothing but primitives. */
  #flat(value: unknown): boolean {
    if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
      return false
    const head = this.#ring.at
    this.#ring.at += 2
    let at = this.#root
    for (const name in value) {
      let next = at.name === name ? at.step : at.next.get(name)
      if (next === undefined) {
        if (this.#steps >= SHAPES_MAX || name === '__proto__') return false
        this.#steps++
        next = step()
        at.next.set(name, next)
      }
      at.name = name
      at.step = next
      at = next
      if (!this.#primitive((value as Record<string, unknown>)[name])) return false
    }
    this.#words[head] = Kind.object
    if (at.shape === 0) return this.#teach(value, at, head)
    this.#words[head + 1] = at.shape
    return true
  }

  /** Tells the reader of a shape before its first use. */
  #teach(value: object, shape: Step, head: number): boolean {
    const ring = this.#ring
    const names = Object.keys(value)
    ring.at = head
    this.#hasArray = false
    // A getter may have changed it since it was looked through.
    let end: Step | undefined = this.#root
    for (const name of names) end = end?.next.get(name)
    if (end !== shape || ring.at + 4 > ring.end) return false
    this.#words[ring.at++] = Kind.shape
    this.#words[ring.at++] = names.length
    for (const name of names) if (!this.#string(name)) return false
    for (const name of names) if (!this.#primitive((value as Record<string, unknown>)[name])) return false
    shape.shape = ++this.#shapes
    return true
  }
}

/** Reads payloads. */
export class ValueReader {
  readonly #ring: RingReader
  readonly #words: Int32Array
  readonly #text: Buffer
  readonly #port: MessagePort
  readonly #passage: Passage
  readonly #shapes: (readonly string[])[] = [[]]

  constructor(ring: RingReader, words: Int32Array, port: MessagePort, passage: Passage) {
    this.#ring = ring
    this.#words = words
    this.#text = Buffer.from(words.buffer, words.byteOffset, words.byteLength)
    this.#port = port
    this.#passage = passage
  }

  /** The payload of the record that the ring's reader stands at. */
  read(): unknown {
    const ring = this.#ring
    const kind = this.#words[ring.at++] as number
    if (kind === Kind.object) return this.#object(this.#shapes[this.#words[ring.at++] as number] ?? [])
    if (kind === Kind.parcel) {
      const received = receiveMessageOnPort(this.#port)
      if (received === undefined) throw badArgument('a parcel is missing, a defect in Karyon')
      return unpack(received.message, this.#passage)
    }
    if (kind !== Kind.shape) return this.#primitive(kind)
    const count = this.#words[ring.at++] as number
    const names: string[] = []
    for (let at = 0; at < count; at++) names.push(this.#primitive(this.#words[ring.at++] as number) as string)
    this.#shapes.push(names)
    return this.#object(names)
  }

  #object(names: readonly string[]): unknown {
    const object: Record<string, unknown> = {}
    for (const name of names) object[name] = this.#primitive(this.#words[this.#ring.at++] as number)
    return object
  }

  #primitive(kind: number): unknown {
    const ring = this.#ring
    const words = this.#words
    switch (kind) {
      case Kind.integer:
        return words[ring.at++]
      case Kind.float:
        halves[0] = words[ring.at++] as number
        halves[1] = words[ring.at++] as number
        return float[0]
      case Kind.latin:
      case Kind.wide:
        return this.#string(kind === Kind.wide)
      case Kind.array:
        return this.#array()
      case Kind.true:
        return true
      case Kind.false:
        return false
      case Kind.null:
        return null
      default:
        return undefined
    }
  }

  #array(): unknown {
    const ring = this.#ring
    const type = ARRAYS[this.#words[ring.at++] as number] ?? Uint8Array
    const length = this.#words[ring.at++] as number
    const bytes = new Uint8Array(length)
    bytes.set(this.#text.subarray(ring.at * 4, ring.at * 4 + length))
    ring.at += (length + 3) >> 2
    return type === Uint8Array ? bytes : new type(bytes.buffer)
  }

  #string(wide: boolean): string {
    const ring = this.#ring
    const length = this.#words[ring.at++] as number
    const first = ring.at * 4
    ring.at += wide ? (length + 1) >> 1 : (length + 3) >> 2
    if (wide) return this.#text.toString('utf16le', first, first + 2 * length)
    if (length > SHORT_UNITS) return this.#text.toString('latin1', first, first + length)
    let text = ''
    for (let at = first; at < first + length; at++) text += String.fromCharCode(this.#text[at] as number)
    return text
  }
}
