// Fields of a package, read one after the other, none of them believed to be well formed.
import { isUtf8 } from 'node:buffer'
import { ByteReader } from '../values/decode.ts'
import { KEY_BYTES_MAX, NESTING_MAX, VALUE_BYTES_MAX } from '../values/limits.ts'
import type { Value } from '../values/types.ts'
import { asciiOf } from './ascii.ts'
import type { Blocks } from './blocks.ts'
import { BLOCK_BYTES } from './layout.ts'
import { RECORD_BYTES_MAX, checkLimit, checkMemory } from './limits.ts'
import { malformed } from './refusals.ts'

const VARINT_BYTES_MAX = 10
/** Seven bits each of a number below 2^53: seven bytes, and four bits of the eighth. */
const EXACT_BYTES = 8
const EXACT_LAST_MAX = 0x0f
/** Beside its text or bytes a value has a tag, and a length of at most 2^24. */
const VALUE_HEAD_BYTES = 5
/** What a `Date` holds, in µs. */
const MICROS_MAX = 8_640_000_000_000_000_000n

const NOTHING = Buffer.alloc(0)
/** The name that JavaScript would take for the prototype. */
const RESERVED = Buffer.from('__proto__')
/** About what each kind of value takes in memory, in bytes, beside its text or bytes; measured on Node 20, and what it takes in a list. */
const MEMORY = [16, 16, 16, 16, 32, 48, 48, 240, 128, 48, 80, 240] as const
/** What an entry of a map takes beside its value. */
const ENTRY_MEMORY = 96
/** Up to here a loop over bytes is quicker than a call. */
const SHORT_TEXT = 24

/** Whether bytes are UTF-8. */
function isText(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < SHORT_TEXT) {
    let at = start
    while (at < end && (bytes[at] as number) < 0x80) at++
    if (at === end) return true
  }
  return isUtf8(bytes.subarray(start, end))
}

const decoder = new ByteReader(NOTHING)

/** Reads fields from a span of a package, in verified blocks. Whatever leads beyond the span is refused. */
export class Cursor {
  readonly #blocks: Pick<Blocks, 'block'>
  /** Where in the file the first of `bytes` is, and where the span ends. */
  #base = 0
  #end = 0
  /** What is at hand: a block, or what was put together of several. */
  bytes: Buffer = NOTHING
  at = 0
  /** About what the value that was passed over last takes in memory, in bytes. */
  memory = 0
  #limit = 0

  constructor(blocks: Pick<Blocks, 'block'>, from: number, end: number) {
    this.#blocks = blocks
    this.reset(from, end)
  }

  /** Starts over, in another span. */
  reset(from: number, end: number): void {
    const at = from - this.#base
    this.#end = end
    if (at < 0 || at > this.bytes.length) {
      this.#base = from
      this.bytes = NOTHING
      this.at = this.#limit = 0
    } else {
      this.at = at
      this.#limit = Math.min(this.bytes.length, end - this.#base)
    }
  }

  /** Starts over in bytes at hand that are no file's, as far as they go. */
  over(bytes: Buffer, at: number): void {
    this.bytes = bytes
    this.#base = 0
    this.#end = this.#limit = bytes.length
    this.at = at
  }

  /** Where in the file it stands. */
  get position(): number {
    return this.#base + this.at
  }

  /** Bytes until the end of the span. */
  get left(): number {
    return this.#end - this.#base - this.at
  }

  /** Goes on elsewhere in the span. */
  seek(position: number): void {
    if (position > this.#end) throw this.malformed('something leads beyond its end')
    this.reset(position, this.#end)
  }

  malformed(what: string): Error {
    return malformed(`${what} at byte ${this.position}`, { position: this.position })
  }

  /** Has so many bytes at hand, next to each other. */
  need(count: number): void {
    if (this.#limit - this.at >= count) return
    if (count > this.left) throw this.malformed('it is cut short')
    checkLimit('what is read at once, in bytes,', count, RECORD_BYTES_MAX)
    const from = this.position
    const number = Math.floor(from / BLOCK_BYTES)
    let [bytes, base] = [this.#blocks.block(number), number * BLOCK_BYTES]
    if (base + bytes.length < from + count) {
      const parts = [bytes.subarray(from - base)]
      for (let has = parts[0]!.length, next = number + 1; has < count; next++) {
        const part = this.#blocks.block(next).subarray(0, count - has)
        has += part.length
        parts.push(part)
      }
      bytes = Buffer.concat(parts, count)
      base = from
    }
    this.bytes = bytes
    this.#base = base
    this.at = from - base
    this.#limit = Math.min(bytes.length, this.#end - base)
  }

  byte(): number {
    if (this.at >= this.#limit) this.need(1)
    return this.bytes[this.at++] as number
  }

  /** The byte that comes next. */
  peek(): number {
    if (this.at >= this.#limit) this.need(1)
    return this.bytes[this.at] as number
  }

  /** An unsigned varint below 2^53, in its shortest form. */
  varint(): number {
    let byte = this.byte()
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    let scale = 0x80
    for (let read = 2; ; read++) {
      byte = this.byte()
      if (read === EXACT_BYTES && byte > EXACT_LAST_MAX) throw this.malformed('a number is beyond 53 bits')
      value += (byte & 0x7f) * scale
      scale *= 0x80
      if (byte >= 0x80) continue
      if (byte === 0) throw this.malformed('a number is longer than needed')
      return value
    }
  }

  /** A varint that counts things of so many bytes at least, all of them in the span. */
  count(each: number): number {
    const count = this.varint()
    if (count * each > this.left) throw this.malformed('a count is beyond the end')
    return count
  }

  /** A length of what is in the span. */
  length(): number {
    return this.count(1)
  }

  /** A length and UTF-8. */
  text(most: number = KEY_BYTES_MAX): string {
    const length = this.length()
    if (length > most) throw this.malformed(`a text has more than ${most} bytes`)
    this.need(length)
    const start = this.at
    this.at += length
    return this.#decoded(start, length)
  }

  #decoded(start: number, length: number): string {
    const { bytes } = this
    const short = length < SHORT_TEXT ? asciiOf(bytes, start, start + length) : undefined
    if (short !== undefined) return short
    const text = bytes.toString('utf8', start, start + length)
    // What stands for what is none may have been meant.
    if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, start + length))) {
      throw this.malformed('a text is not UTF-8')
    }
    return text
  }

  /** Passes over a length and UTF-8. Returns where in `bytes` the text begins; it ends where the cursor stands then. */
  skipText(most: number = KEY_BYTES_MAX): number {
    const length = this.length()
    if (length > most) throw this.malformed(`a text has more than ${most} bytes`)
    this.need(length)
    const start = this.at
    this.at += length
    if (!isText(this.bytes, start, this.at)) throw this.malformed('a text is not UTF-8')
    return start
  }

  /** A value. */
  value(): Value {
    return this.decoded(this.skipValue())
  }

  /** Decodes a value that was passed over and is still at hand. */
  decoded(start: number): Value {
    decoder.reset(this.bytes)
    decoder.at = start
    return decoder.value()
  }

  /**
   * Passes over a value, refusing every form but the canonical one. All of it has to be at hand. Returns where in `bytes` it begins.
   */
  skipValue(): number {
    const start = this.at
    this.memory = 0
    this.#skip(0)
    if (this.at - start > VALUE_BYTES_MAX + VALUE_HEAD_BYTES) throw this.malformed('a value is too large')
    return start
  }

  // crates/model/src/value.rs says what the bytes mean.
  #skip(depth: number): void {
    if (depth > NESTING_MAX) throw this.malformed('a value is nested too deeply')
    const kind = this.byte()
    this.#take(MEMORY[kind] ?? 0)
    switch (kind) {
      case 0:
      case 1:
      case 2:
        return
      case 3:
        return this.#skipInteger()
      case 4:
        return this.#skipFloat()
      case 5:
        this.#skipLong()
        return
      case 6:
        this.skipText(VALUE_BYTES_MAX)
        return
      case 7: {
        const length = this.length()
        if (length > VALUE_BYTES_MAX) throw this.malformed('a value is too large')
        return this.#skipBytes(length)
      }
      case 8:
        this.skipTime()
        return
      case 9:
        for (let left = this.count(1); left > 0; left--) this.#skip(depth + 1)
        return
      case 10:
        return this.#skipMap(depth)
      case 11:
        return this.#skipBytes(this.count(4) * 4)
      default:
        throw this.malformed('a value is of no known kind')
    }
  }

  #take(memory: number): void {
    this.memory += memory
    checkMemory(this.memory)
  }

  #skipBytes(count: number): void {
    this.need(count)
    this.at += count
  }

  #skipInteger(): void {
    const start = this.at
    const bytes = this.#skipLong()
    if (bytes < EXACT_BYTES) return
    // −2^53 has one byte more in which all bits are set than the least safe integer.
    const last = this.bytes[this.at - 1] as number
    const isLeast = last === 31 && this.bytes.subarray(start, this.at - 1).every((byte) => byte === 0xff)
    if (bytes > EXACT_BYTES || last > 31 || isLeast) throw this.malformed('an integer is beyond 2^53 − 1')
  }

  /** Passes over a varint of up to 64 bits. Returns how many bytes it has. */
  #skipLong(): number {
    for (let read = 1; read <= VARINT_BYTES_MAX; read++) {
      const byte = this.byte()
      if (byte >= 0x80) continue
      if ((byte === 0 && read > 1) || (read === VARINT_BYTES_MAX && byte > 1)) break
      return read
    }
    throw this.malformed('a number is beyond 64 bits, or longer than needed')
  }

  #skipFloat(): void {
    this.need(8)
    const value = this.bytes.readDoubleLE(this.at)
    const isWrongNaN =
      Number.isNaN(value) &&
      (this.bytes.readUInt32LE(this.at) !== 0 || this.bytes.readUInt32LE(this.at + 4) !== 0x7ff80000)
    if (isWrongNaN || (Number.isInteger(value) && !Object.is(value, -0))) {
      throw this.malformed('a float is not in its one form')
    }
    this.at += 8
  }

  #skipMap(depth: number): void {
    let before: Buffer | undefined
    for (let left = this.count(2); left > 0; left--) {
      const key = this.bytes.subarray(this.skipText(VALUE_BYTES_MAX), this.at)
      if (key.equals(RESERVED) || (before && before.compare(key) >= 0)) {
        throw this.malformed('a map has the key __proto__, or its keys are out of order')
      }
      before = key
      this.#take(ENTRY_MEMORY)
      this.#skip(depth + 1)
    }
  }

  /** Passes over a time; returns its microseconds since 1970. */
  time(): bigint {
    this.#needTime()
    const start = this.at
    this.skipTime()
    decoder.reset(this.bytes)
    decoder.at = start
    return decoder.signedBig()
  }

  /** Has all of a time at hand: one that begins in a block may end in the next. Where it is, nothing moves: who reads may know where in `bytes` it is. */
  #needTime(): void {
    const end = Math.min(this.#limit, this.at + VARINT_BYTES_MAX)
    for (let at = this.at; at < end; at++) if ((this.bytes[at] as number) < 0x80) return
    this.need(Math.min(VARINT_BYTES_MAX, this.left))
  }

  skipTime(): void {
    this.#needTime()
    const start = this.at
    // Of fewer bytes it is no more than 2^62 µs, which a Date holds.
    if (this.#skipLong() < VARINT_BYTES_MAX) return
    decoder.reset(this.bytes)
    decoder.at = start
    const micros = decoder.signedBig()
    if (micros > MICROS_MAX || micros < -MICROS_MAX)
      throw this.malformed('a time is beyond what a Date holds')
  }

  /** Refuses what is left of the span. */
  done(): void {
    if (this.left > 0) throw this.malformed('something is behind its end')
  }
}
