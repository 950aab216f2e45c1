// A growing byte buffer with the primitive fields of the canonical encoding: crates/model/src/bytes.rs, in TypeScript.
import { KaryonError } from '../errors.ts'

const FIRST_BYTES = 512
/** What a zigzag varint of a plain number can hold without losing bits. */
const EXACT_MAX = 2 ** 52

/** Appends fields. */
export class Writer {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  length = 0

  /** Room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  /** An unsigned varint of a safe integer. */
  varint(value: number): void {
    this.reserve(10)
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.bytes[this.length++] = rest
  }

  /** A zigzag varint of a safe integer. */
  signed(value: number): void {
    if (value >= EXACT_MAX || value <= -EXACT_MAX) this.signedBig(BigInt(value))
    else this.varint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  /** A zigzag varint of up to 64 bits. */
  signedBig(value: bigint): void {
    this.reserve(10)
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    while (rest >= 0x80n) {
      this.bytes[this.length++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.bytes[this.length++] = Number(rest)
  }

  /** A length, and as many bytes. */
  block(bytes: Uint8Array, length: number): void {
    this.varint(length)
    this.reserve(length)
    this.bytes.set(bytes, this.length)
    this.length += length
  }

  /** What another writer holds. */
  append({ bytes, length }: Pick<Writer, 'bytes' | 'length'>): void {
    this.reserve(length)
    bytes.copy(this.bytes, this.length, 0, length)
    this.length += length
  }

  /** A count and texts. */
  texts(texts: readonly string[]): void {
    this.varint(texts.length)
    for (const text of texts) this.text(text)
  }

  /** A byte 0, or 1 and a text. */
  optionalText(text: string | undefined): void {
    this.byte(text === undefined ? 0 : 1)
    if (text !== undefined) this.text(text)
  }

  /** A length and UTF-8. Throws `ERR_KARYON_STRING_MALFORMED` for a lone surrogate. */
  text(text: string): void {
    // Short ASCII, the usual case, is as long in bytes as in units.
    if (text.length < 0x80) {
      this.reserve(text.length + 1)
      const { bytes } = this
      const start = this.length + 1
      let at = 0
      for (; at < text.length; at++) {
        const unit = text.charCodeAt(at)
        if (unit >= 0x80) break
        bytes[start + at] = unit
      }
      if (at === text.length) {
        bytes[this.length] = at
        this.length = start + at
        return
      }
    }
    if (!isWellFormed(text)) throw malformed(text)
    const size = Buffer.byteLength(text)
    this.varint(size)
    this.reserve(size)
    this.bytes.write(text, this.length, 'utf8')
    this.length += size
  }
}

const LONE_SURROGATE = /\p{Surrogate}/u

/** Whether every surrogate has its pair. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text)
}

/** The error for text with a lone surrogate. */
export function malformed(text: string): KaryonError {
  const sample = JSON.stringify(text.slice(0, 40))
  return new KaryonError(
    'ERR_KARYON_STRING_MALFORMED',
    `the string ${sample} holds a lone surrogate; call toWellFormed() on it or store bytes`,
  )
}
