// Where facts come from: the commits that wrote them, each once.
import { Instant } from '../time.ts'
import { Writer } from '../values/writer.ts'
import type { Blocks } from './blocks.ts'
import { Cursor } from './cursor.ts'
import { type Section, SOURCE_BYTES } from './layout.ts'
import { NAMES_BYTES_MAX, PRINCIPAL_BYTES_MAX, checkLimit } from './limits.ts'
import { Names, readTexts } from './names.ts'
import { malformed } from './refusals.ts'
import type { Source } from './types.ts'

/** Sources that are found one by one, and get their numbers once all are there: by time, then by principal. */
export class Gathered {
  readonly #found = new Map<string, number>()
  readonly #sources: { readonly principal: string; readonly micros: bigint }[] = []
  /** Principals of the past alone are named too. */
  readonly #others = new Set<string>()
  #principals = new Names([])

  /** What was asked for last: facts of one commit come one after the other. */
  #last: Source | undefined
  #lastMicros = 0n
  #lastPlace = 0

  /** What stands for a source until `numbered`; 0 for none. */
  place(source: Source | undefined): number {
    if (source === this.#last) return this.#lastPlace
    if (source === undefined) return 0
    const micros = microsOf(source.time)
    if (micros !== this.#lastMicros || source.principal !== this.#last?.principal) {
      this.#lastPlace = this.#placeOf(source.principal, micros)
      this.#lastMicros = micros
    }
    this.#last = source
    return this.#lastPlace
  }

  #placeOf(principal: string, micros: bigint): number {
    const name = `${micros} ${principal}`
    const found = this.#found.get(name)
    if (found !== undefined) return found
    const place = this.#sources.push({ principal, micros })
    this.#found.set(name, place)
    return place
  }

  /** Has a principal named. */
  name(principal: string): void {
    this.#others.add(principal)
  }

  /** The number of a principal, once all are there. */
  principal(name: string): number {
    return this.#principals.number(name)!
  }

  /** The section, how many sources it has, and the number of each place. */
  numbered(): { readonly bytes: Buffer; readonly entries: number; readonly numbers: Uint32Array } {
    const sources = this.#sources
    const principals = Names.of([...this.#others, ...sources.map(({ principal }) => principal)])
    this.#principals = principals
    const ranks = sources.map(({ principal }) => principals.number(principal) as number)
    const order = sources.map((_, at) => at)
    order.sort((a, b) => {
      const [left, right] = [sources[a]!.micros, sources[b]!.micros]
      return left < right ? -1 : left > right ? 1 : ranks[a]! - ranks[b]!
    })
    const numbers = new Uint32Array(sources.length + 1)
    const texts = new Writer()
    texts.texts(principals.texts)
    checkLimit('the size of the principals in bytes', texts.length, NAMES_BYTES_MAX)
    const rows = Buffer.alloc(order.length * SOURCE_BYTES)
    order.forEach((at, rank) => {
      numbers[at + 1] = rank + 1
      rows.writeBigInt64LE(sources[at]!.micros, rank * SOURCE_BYTES)
      rows.writeUInt32LE(ranks[at]!, rank * SOURCE_BYTES + 8)
    })
    const bytes = Buffer.concat([texts.bytes.subarray(0, texts.length), rows])
    return { bytes, entries: order.length, numbers }
  }
}

/** Microseconds since 1970. */
export function microsOf(time: Date): bigint {
  return time instanceof Instant ? time.micros : BigInt(time.getTime()) * 1000n
}

/** The sources of a package. Its principals are held in memory, its rows are read where they lie. */
export class Sources {
  readonly #blocks: Blocks
  readonly #entries: number
  readonly #rows: number
  readonly #end: number
  readonly #principals: readonly string[]

  /** Of `changes` of the past, who made them is a principal as well. */
  constructor(blocks: Blocks, { offset, bytes, entries }: Section, changes: number) {
    const rows = offset + bytes - entries * SOURCE_BYTES
    if (rows < offset) throw malformed('there are more sources than there is room for')
    checkLimit('the size of the principals in bytes', rows - offset, NAMES_BYTES_MAX)
    this.#blocks = blocks
    this.#entries = entries
    this.#rows = rows
    this.#end = offset + bytes
    const cursor = new Cursor(blocks, offset, rows)
    const count = cursor.count(2)
    if (count > entries + changes) throw malformed('there are principals from whom nothing comes')
    this.#principals = readTexts(cursor, count, PRINCIPAL_BYTES_MAX)
    cursor.done()
  }

  /** The principal of a number, if it has one. */
  principal(number: number): string | undefined {
    return this.#principals[number]
  }

  /** The source of a number; `undefined` for 0, which stands for none. */
  get(number: number): Source | undefined {
    if (number === 0) return undefined
    if (number > this.#entries) throw malformed('a number stands for no source')
    const cursor = new Cursor(this.#blocks, this.#rows + (number - 1) * SOURCE_BYTES, this.#end)
    cursor.need(SOURCE_BYTES)
    const micros = cursor.bytes.readBigInt64LE(cursor.at)
    const principal = this.#principals[cursor.bytes.readUInt32LE(cursor.at + 8)]
    if (principal === undefined) throw cursor.malformed('a number stands for no principal')
    return { principal, time: instantOf(micros) }
  }
}

/** The time of so many microseconds since 1970. */
export function instantOf(micros: bigint): Instant {
  try {
    return Instant.fromMicros(micros)
  } catch {
    throw malformed('a time is beyond what a Date holds')
  }
}
