// The canonical encoding back to values, and the primitive fields around them.
import { Instant } from '../time.ts'
import type { Value } from './types.ts'

/** Up to here a loop over bytes is quicker than a call into the decoder; measured on Node 20. */
const SHORT_TEXT = 8

/** Takes a value as it is encoded, from a reader that stands before it and is to stand behind it. What it returns stands for the value. */
export type Taker = (reader: ByteReader, bytes: Buffer) => Value

let taker: Taker | undefined

/** Reads, and has values taken as they are encoded instead of decoded. All is read here and now: `read` is no promise, and no generator. */
export function takingValues<T>(take: Taker, read: () => T): T {
  taker = take
  try {
    return read()
  } finally {
    taker = undefined
  }
}

/** Reads fields from bytes that the native side wrote. */
export class ByteReader {
  #bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Starts over, in another buffer. */
  reset(bytes: Buffer): void {
    this.#bytes = bytes
    this.at = 0
  }

  /** Takes the bytes out of the buffer that the next native call will overwrite. */
  detach(): { readonly bytes: Buffer; readonly at: number } {
    return { bytes: Buffer.from(this.#bytes), at: this.at }
  }

  /** Goes on where `detach` was called. */
  resume(rest: { readonly bytes: Buffer; readonly at: number }): void {
    this.#bytes = rest.bytes
    this.at = rest.at
  }

  byte(): number {
    return this.#bytes[this.at++] as number
  }

  /** The byte that comes next. */
  peek(): number {
    return this.#bytes[this.at] as number
  }

  /** A byte that is 0 or not. */
  flag(): boolean {
    return this.byte() !== 0
  }

  /** Several of something, each with a byte 1 in front, and a 0 behind them. */
  several<T>(read: () => T): T[] {
    const all: T[] = []
    while (this.byte() === 1) all.push(read())
    return all
  }

  /** A version. */
  version(): bigint {
    return BigInt(this.varint())
  }

  /** A commit's time. */
  instant(): Instant {
    return Instant.fromMicros(this.signedBig())
  }

  /** An unsigned varint below 2^53. */
  varint(): number {
    const bytes = this.#bytes
    let byte = bytes[this.at++] as number
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    let scale = 0x80
    do {
      byte = bytes[this.at++] as number
      value += (byte & 0x7f) * scale
      scale *= 0x80
    } while (byte >= 0x80)
    return value
  }

  /** A varint of up to 64 bits. */
  varintBig(): bigint {
    if (this.#isExact()) return BigInt(this.varint())
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  /** Whether the next varint is below 2^53, where plain arithmetic is exact: seven bytes, or 4 bits more. */
  #isExact(): boolean {
    let end = this.at
    while ((this.#bytes[end] as number) >= 0x80) end++
    return end - this.at < 7 || (end - this.at === 7 && (this.#bytes[end] as number) < 0x10)
  }

  /** A zigzag varint of a safe integer. */
  signed(): number {
    if (!this.#isExact()) return Number(this.signedBig())
    const raw = this.varint()
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
  }

  /** A zigzag varint of up to 64 bits. */
  signedBig(): bigint {
    const raw = this.varintBig()
    return (raw >> 1n) ^ -(raw & 1n)
  }

  text(): string {
    const length = this.varint()
    const start = this.at
    this.at += length
    if (length < SHORT_TEXT) {
      let text = ''
      for (let at = start; at < this.at; at++) {
        const unit = this.#bytes[at] as number
        if (unit >= 0x80) return this.#bytes.toString('utf8', start, this.at)
        text += String.fromCharCode(unit)
      }
      return text
    }
    return this.#bytes.toString('utf8', start, this.at)
  }

  /** A copy of `length` bytes. */
  copy(length: number): Uint8Array {
    const copied = Uint8Array.prototype.slice.call(this.#bytes, this.at, this.at + length)
    this.at += length
    return new Uint8Array(copied.buffer, copied.byteOffset, copied.byteLength)
  }

  /** A Date as it was stored; only what a Date cannot hold comes back as an Instant. */
  time(): Date {
    const micros = this.signedBig()
    return micros % 1000n === 0n ? new Date(Number(micros / 1000n)) : Instant.fromMicros(micros)
  }

  value(): Value {
    if (taker) return taker(this, this.#bytes)
    switch (this.byte()) {
      case 0:
        return null
      case 1:
        return false
      case 2:
        return true
      case 3:
        return this.signed()
      case 4: {
        const value = this.#bytes.readDoubleLE(this.at)
        this.at += 8
        return value
      }
      case 5:
        return this.signedBig()
      case 6:
        return this.text()
      case 7:
        return this.copy(this.varint())
      case 8:
        return this.time()
      case 9: {
        const list: Value[] = []
        for (let left = this.varint(); left > 0; left--) list.push(this.value())
        return list
      }
      case 10: {
        const map: Record<string, Value> = {}
        for (let left = this.varint(); left > 0; left--) {
          const key = this.text()
          map[key] = this.value()
        }
        return map
      }
      default: {
        const floats = new Float32Array(this.varint())
        for (let at = 0; at < floats.length; at++, this.at += 4) floats[at] = this.#bytes.readFloatLE(this.at)
        return floats
      }
    }
  }
}
