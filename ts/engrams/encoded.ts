// Values that are packed as they come: copied where they are encoded, and never decoded.
import { type ByteReader, takingValues } from '../values/decode.ts'
import type { Value } from '../values/types.ts'
import { Writer } from '../values/writer.ts'
import { Cursor } from './cursor.ts'

/** Up to here a loop over bytes is quicker than a call. */
const SHORT_BYTES = 32

/** A value as it is encoded. It stands in the place of one, and holds until those that it was taken with are let go. */
export class Encoded {
  readonly #of: Pick<Writer, 'bytes'>
  readonly #start: number
  readonly #end: number

  constructor(of: Pick<Writer, 'bytes'>, start: number, end: number) {
    this.#of = of
    this.#start = start
    this.#end = end
  }

  /** Of how many bytes it is. */
  get length(): number {
    return this.#end - this.#start
  }

  /** Appends it. */
  put(writer: Writer): void {
    copy(writer, this.#of.bytes, this.#start, this.#end)
  }
}

function copy(writer: Writer, bytes: Buffer, start: number, end: number): void {
  writer.reserve(end - start)
  if (end - start > SHORT_BYTES) bytes.copy(writer.bytes, writer.length, start, end)
  else for (let at = start, to = writer.length; at < end; at++) writer.bytes[to++] = bytes[at] as number
  writer.length += end - start
}

const NOTHING = Buffer.alloc(0)
const cursor = new Cursor({ block: () => NOTHING }, 0, 0)

/** Passes over a value, which has to be canonical. Returns where it began. */
function pass(reader: ByteReader, bytes: Buffer): number {
  const start = reader.at
  cursor.over(bytes, start)
  cursor.skipValue()
  reader.at = cursor.at
  return start
}

const nowhere = new Writer()

/** Reads nodes or edges here and now, with values that say no more than how long they are. */
export function weighed<T>(read: () => T): T {
  return takingValues((reader, bytes) => {
    const start = pass(reader, bytes)
    return new Encoded(nowhere, start, reader.at) as unknown as Value
  }, read)
}

/** Reads nodes or edges with their values. */
export function decoded<T>(read: () => T): T {
  return read()
}

/** Where encoded values are held: those of some nodes or edges, in the place of those before. */
export class EncodedValues {
  readonly #held = new Writer()

  /** Reads nodes or edges here and now, and takes their values. What was taken before is let go. */
  taken<T>(read: () => T): T {
    const held = this.#held
    held.length = 0
    return takingValues((reader, bytes) => {
      const start = pass(reader, bytes)
      const at = held.length
      copy(held, bytes, start, reader.at)
      return new Encoded(held, at, held.length) as unknown as Value
    }, read)
  }
}
