// The exchange: Rust's memory, seen from this isolate. Keys and batches go in, encoded answers come out.
import { takeFailure } from './errors.ts'
import { native } from './native.ts'
import { ByteReader } from './values/decode.ts'
import { type Writer, isWellFormed, malformed } from './values/writer.ts'

let view = lend(0)
const reader = new ByteReader(view)

function lend(bytes: number): Buffer {
  const memory = native.exchange(bytes)
  if (!memory) throw takeFailure()
  return Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength)
}

/** Puts a key in, without its length. Returns how many bytes it has. */
export function putKey(key: string): number {
  let at = 0
  const length = key.length
  if (length < view.length) {
    for (; at < length; at++) {
      const unit = key.charCodeAt(at)
      if (unit >= 0x80) break
      view[at] = unit
    }
    if (at === length) return at
  }
  if (!isWellFormed(key)) throw malformed(key)
  const size = Buffer.byteLength(key)
  if (size > view.length) view = lend(size)
  return view.write(key, 0, 'utf8')
}

/** Puts in what a writer holds. Returns how many bytes it has. */
export function putWritten(writer: Writer): number {
  if (writer.length > view.length) view = lend(writer.length)
  writer.bytes.copy(view, 0, 0, writer.length)
  return writer.length
}

/** Puts in the memory of a typed array. Returns how many bytes it has. */
export function putBytes({ buffer, byteOffset, byteLength }: NodeJS.TypedArray): number {
  if (byteLength > view.length) view = lend(byteLength)
  view.set(new Uint8Array(buffer, byteOffset, byteLength))
  return byteLength
}

/** A copy of an answer of `length` bytes. */
export function answerBytes(length: number): ArrayBuffer {
  if (length > view.length) view = lend(length)
  return view.buffer.slice(view.byteOffset, view.byteOffset + length) as ArrayBuffer
}

/** Reads an answer of `length` bytes. The reader is one for the isolate: read it to its end before the next native call. */
export function answer(length: number): ByteReader {
  if (length > view.length) view = lend(length)
  reader.reset(view)
  return reader
}
