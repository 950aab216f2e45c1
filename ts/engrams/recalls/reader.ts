// The tables of a recall where they lie: of what a cue asks for that is read, and all of that is checked.
import { HEADS, IMPACT_MAX, ROWS_MAX, SLOT_ROWS_MAX } from '../../recall/tables.ts'
import { compareUtf8 } from '../../values/encode.ts'
import type { Blocks } from '../blocks.ts'
import { Cursor } from '../cursor.ts'
import type { Lookup } from '../lookup.ts'
import { BLOCK_BYTES, type Section, getLong } from '../layout.ts'
import type { NodeReader } from '../records.ts'
import type { PackedFacts, RecallTables } from '../recalled.ts'
import { malformed } from '../refusals.ts'
import type { PackedRecall } from '../types.ts'
import {
  GROUP,
  GROUP_BITS,
  HEAD_SLOTS_MIN,
  RECALL_ROW_WORDS,
  TABLE_HEAD_BYTES,
  WORD_BYTES,
  onesOf,
} from './layout.ts'

const BLOCK_WORDS: number = BLOCK_BYTES / WORD_BYTES
/** The first posting of a slot that tells as much as one can. */
const POSTING_MIN: number = (255 - IMPACT_MAX) * ROWS_MAX

/** What a value begins with that is a text. */
const STRING = 6

const SIZES = 'slots of a recall are not as large as what is in them'

/** What the head of a table says, and where it begins. */
export interface TableHead {
  readonly offset: number
  readonly bytes: number
  readonly slots: number
  readonly grams: number
  readonly overflow: number
}

/** The heads of all tables of a section. Each has to begin where the one before it ends. */
export function headsOf(
  blocks: Pick<Blocks, 'block'>,
  { offset, bytes, entries }: Section,
  recalls: readonly PackedRecall[],
): TableHead[] {
  if (recalls.length !== entries) throw malformed('there are more or fewer recalls than it says')
  const cursor = new Cursor(blocks, offset, offset + bytes)
  const heads = recalls.map(({ texts }) => {
    const head = readHead(cursor)
    const fixed = TABLE_HEAD_BYTES + texts * RECALL_ROW_WORDS * WORD_BYTES + groupsOf(head) * WORD_BYTES
    const isOne =
      head.slots >= HEAD_SLOTS_MIN &&
      onesOf(head.slots) === 1 &&
      head.bytes % WORD_BYTES === 0 &&
      head.bytes >= fixed &&
      head.offset + head.bytes <= offset + bytes
    if (!isOne) throw cursor.malformed('a table of a recall is not as large as what is in it')
    cursor.seek(head.offset + head.bytes)
    return head
  })
  cursor.done()
  return heads
}

function readHead(cursor: Cursor): TableHead {
  cursor.need(TABLE_HEAD_BYTES)
  const { bytes, at, position: offset } = cursor
  if (bytes.readUInt32LE(at + 4) !== 0) throw cursor.malformed('the head of a recall is none of this format')
  return {
    offset,
    slots: bytes.readUInt32LE(at),
    grams: getLong(bytes, at + 8),
    overflow: getLong(bytes, at + 16),
    bytes: getLong(bytes, at + 24),
  }
}

function groupsOf({ slots }: Pick<TableHead, 'slots'>): number {
  return (HEADS * slots) / GROUP
}

/** What tables are of, and a reader of nodes that is their own. */
export interface Recalled {
  /** The open package: it is let go of when nobody has it any more, and who recalls it has it. */
  readonly engram: object
  readonly recall: PackedRecall
  readonly reader: NodeReader
  readonly lookup: Lookup
}

/** One of the tables of an open package. */
export class TablesInPlace implements RecallTables {
  readonly rows: number
  readonly slots: number
  readonly grams: number
  readonly overflow: number
  readonly bytes: number
  readonly #blocks: Blocks
  readonly #recalled: Recalled
  /** In numbers of 32 bits from the beginning of the file: where rows begin, where the ends of groups do, where groups do; how much those are. */
  readonly #firstRow: number
  readonly #firstEnd: number
  readonly #firstGroup: number
  readonly #groupWords: number
  readonly #span = new Uint32Array(2)
  readonly #head = new Uint32Array(1 + GROUP)
  readonly #row = new Uint32Array(RECALL_ROW_WORDS)

  constructor(blocks: Blocks, head: TableHead, recalled: Recalled) {
    this.#blocks = blocks
    this.#recalled = recalled
    this.rows = recalled.recall.texts
    this.slots = head.slots
    this.grams = head.grams
    this.overflow = head.overflow
    this.bytes = head.bytes
    this.#firstRow = (head.offset + TABLE_HEAD_BYTES) / WORD_BYTES
    this.#firstEnd = this.#firstRow + this.rows * RECALL_ROW_WORDS
    this.#firstGroup = this.#firstEnd + groupsOf(head)
    this.#groupWords = (head.offset + head.bytes) / WORD_BYTES - this.#firstGroup
    this.#take(this.#firstGroup - 1, 1, this.#span)
    if (this.#span[0] !== this.#groupWords)
      throw malformed('slots of a recall do not end where its table does')
  }

  read(slot: number, postings: Uint32Array): number {
    const group = slot >>> GROUP_BITS
    const [from, to] = this.#spanOf(group)
    if (from === to) return 0
    const head = this.#head
    this.#take(this.#firstGroup + from, Math.min(to - from, 1 + GROUP), head)
    const bits = head[0]!
    const held = onesOf(bits)
    if (held === 0 || 1 + held > to - from) throw malformed(SIZES)
    const mine = onesOf(bits & ((1 << (slot % GROUP)) - 1))
    let next = from + 1 + held
    let [start, fallen] = [next, 0]
    for (let at = 0; at < held; at++) {
      const count = head[1 + at]!
      if (count === 0 || count > this.grams) throw malformed('a slot of a recall counts what is not there')
      if (at === mine && (bits >>> (slot % GROUP)) & 1) [start, fallen] = [next, count]
      next += Math.min(count, SLOT_ROWS_MAX)
    }
    if (next !== to) throw malformed(SIZES)
    const length = Math.min(fallen, SLOT_ROWS_MAX)
    this.#take(this.#firstGroup + start, length, postings)
    this.#check(postings, length)
    return fallen
  }

  #check(postings: Uint32Array, length: number): void {
    let before = POSTING_MIN
    for (let at = 0; at < length; at++) {
      const posting = postings[at]!
      if (posting < before || (posting & (ROWS_MAX - 1)) >= this.rows)
        throw malformed('a slot of a recall is out of order, or leads to no row')
      before = posting
    }
  }

  /** Where a group begins and ends. */
  #spanOf(group: number): readonly [number, number] {
    const span = this.#span
    if (group === 0) this.#take(this.#firstEnd, 1, span)
    else this.#take(this.#firstEnd + group - 1, 2, span)
    const [from, to] = group === 0 ? [0, span[0]!] : [span[0]!, span[1]!]
    if (from > to || to > this.#groupWords) throw malformed('slots of a recall are not where they have to be')
    return [from, to]
  }

  facts(row: number): PackedFacts {
    const [, middle, last] = this.#readRow(row)
    return {
      weight: middle >>> 16,
      threshold: last & 0xff,
      confidence: (last >>> 8) & 0xff,
      trust: (last >>> 16) & 0xff,
    }
  }

  #readRow(row: number): readonly [node: number, middle: number, last: number] {
    this.#take(this.#firstRow + row * RECALL_ROW_WORDS, RECALL_ROW_WORDS, this.#row)
    const [low, middle, last] = this.#row as unknown as readonly [number, number, number]
    if (last >>> 24 !== 0) throw malformed('a row of a recall says more than it may')
    return [low + (middle & 0xffff) * 2 ** 32, middle, last]
  }

  keys(rows: readonly number[]): string[] {
    const { reader, lookup, recall } = this.#recalled
    const named = new Map<number, string>()
    let before = ''
    // No node is there twice.
    for (const row of rows.toSorted((a, b) => a - b)) {
      const [node] = this.#readRow(row)
      reader.read(node)
      if (!reader.labels.includes(recall.label) || reader.encoded(recall.text)?.[0] !== STRING)
        throw malformed('a row of a recall leads to what has no text')
      if (compareUtf8(before, reader.key) >= 0) throw malformed('rows of a recall are out of order')
      before = reader.key
      if (lookup.find(before)?.node !== node)
        throw malformed('a row of a recall leads to a node that is not found')
      named.set(row, before)
    }
    return rows.map((row) => named.get(row)!)
  }

  /** Reads so many numbers of 32 bits that stand somewhere. */
  #take(position: number, count: number, into: Uint32Array): void {
    for (let done = 0; done < count;) {
      const number = Math.floor((position + done) / BLOCK_WORDS)
      const words = this.#blocks.words(number)
      const at = position + done - number * BLOCK_WORDS
      const end = Math.min(count - done, BLOCK_WORDS - at)
      for (let word = 0; word < end; word++) into[done + word] = words[at + word]!
      done += end
    }
  }
}
