// Bytes or text, cut anywhere, as lines.
import { isUtf8 } from 'node:buffer'
import { isUint8Array } from 'node:util/types'
import { badArgument, wrongAt } from './failures.ts'
import { LINE_BYTES_MAX } from './limits.ts'
import { Pieces } from './pieces.ts'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const BYTE_ORDER_MARK = '\ufeff'
/** Bytes that are decoded at a time: a file that comes in one chunk is not there a second time as text. */
const PIECE_BYTES = 1024 * 1024

/**
 * Cuts a file into lines as it comes. A line ends with LF, CR LF or CR, in front of a chunk's end or behind it. Holds the line that has
 * no end yet, at most `LINE_BYTES_MAX` of it.
 */
export class LineCutter {
  /** How many lines were handed out. */
  number = 0
  /** The beginning of a line, of a file that comes as text. */
  readonly #begun = new Pieces<string>((pieces) => pieces.join(''))
  /** The beginning of a line, of a file that comes as bytes: what is cut anywhere may be cut inside a character. */
  readonly #bytes = new Pieces<Uint8Array>(Buffer.concat)
  /** Whether the last line ended with a CR, so that a LF that follows ends nothing. */
  #afterReturn = false;

  /** The lines that end in the next chunk of the file. */
  *cut(chunk: unknown): Generator<string> {
    if (typeof chunk === 'string') {
      if (this.#bytes.length > 0) yield* this.#cutText(this.#decodeBegun())
      yield* this.#cutText(chunk)
    } else if (isUint8Array(chunk)) {
      yield* this.#cutBytes(chunk)
    } else {
      throw badArgument(`a source gives text or bytes (Uint8Array), not ${typeof chunk}; wrap one in a list`)
    }
  }

  /** The last line, where the file does not end with the end of one. */
  *end(): Generator<string> {
    if (this.#bytes.length > 0) yield* this.#cutText(this.#decodeBegun())
    if (this.#begun.length > 0) yield this.#counted(this.#begun.take())
  }

  *#cutBytes(whole: Uint8Array): Generator<string> {
    for (let at = 0; at < whole.length; at += PIECE_BYTES) {
      yield* this.#cutPiece(whole.subarray(at, at + PIECE_BYTES))
    }
  }

  *#cutPiece(chunk: Uint8Array): Generator<string> {
    const end = Math.max(chunk.lastIndexOf(LINE_FEED), chunk.lastIndexOf(CARRIAGE_RETURN)) + 1
    if (end > 0) {
      this.#hold(chunk.subarray(0, end))
      yield* this.#cutText(this.#decodeBegun())
    }
    // A copy: whoever gave the chunk may fill it again.
    if (end < chunk.length) this.#hold(Buffer.from(chunk.subarray(end)))
  }

  #hold(bytes: Uint8Array): void {
    if (this.#bytes.length + bytes.length > LINE_BYTES_MAX) {
      const end = bytes.findIndex((byte) => byte === LINE_FEED || byte === CARRIAGE_RETURN)
      this.#checkLength(this.#bytes.length + (end < 0 ? bytes.length : end))
    }
    this.#bytes.add(bytes)
  }

  #decodeBegun(): string {
    const bytes = asBuffer(this.#bytes.take())
    if (!isUtf8(bytes)) throw this.#malformed(bytes)
    return bytes.toString('utf8')
  }

  #malformed(bytes: Buffer): Error {
    // Ends of lines are no part of any character, so the lines before the damaged one are whole.
    const lines = bytes.toString('latin1').split(/\r\n|\n|\r/)
    const damaged = lines.findIndex((line) => !isUtf8(Buffer.from(line, 'latin1')))
    const line = Buffer.from(lines[damaged] ?? '', 'latin1')
    const place = { line: this.number + damaged + 1, column: line.toString('utf8').indexOf('\ufffd') + 1 }
    return wrongAt(place, 'the bytes are not UTF-8; convert the file')
  }

  *#cutText(text: string): Generator<string> {
    let start = 0
    if (this.#afterReturn && text !== '') {
      if (text.startsWith('\n')) start = 1
      this.#afterReturn = false
    }
    const ends = /\r\n?|\n/g
    ends.lastIndex = start
    for (let end = ends.exec(text); end; end = ends.exec(text)) {
      this.#begun.add(text.slice(start, end.index))
      const line = this.#begun.take()
      start = ends.lastIndex
      if (start === text.length) this.#afterReturn = end[0] === '\r'
      this.#checkLength(line.length)
      yield this.#counted(line)
    }
    this.#checkLength(this.#begun.length + text.length - start)
    this.#begun.add(text.slice(start))
  }

  #counted(line: string): string {
    this.number++
    return this.number === 1 && line.startsWith(BYTE_ORDER_MARK) ? line.slice(1) : line
  }

  #checkLength(length: number): void {
    if (length <= LINE_BYTES_MAX) return
    const message = `the line is over the limit of ${LINE_BYTES_MAX} bytes; split it`
    const place = { line: this.number + 1, column: LINE_BYTES_MAX + 1 }
    throw wrongAt(place, message, 'ERR_KARYON_VALUE_SIZE', { limit: LINE_BYTES_MAX })
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
