// The slots of the heads: of each the rows whose n-grams fall there, the most telling first, and no more than so many.
import { Arena } from './arena.ts'
import type { Notes, SlotsOfHeads } from './search.ts'

/** Rows of a slot: 512 that have one n-gram, and those that have others which fall there. */
export const SLOT_ROWS_MAX = 528
/** Rows that can be told apart: a posting is a number of 32 bits, of which eight are its impact. */
export const ROWS_MAX: number = 2 ** 24

/** So many slots share a list, one after the other: what lists take besides numbers would else be more than the postings. */
const SHARED_BITS = 5
const SHARED = 1 << SHARED_BITS

/** Which rows stay where not all have room. */
export interface Standing {
  /** Those of more go last; rows of the past have 0. */
  rank(row: number): number
  /** Of those of one rank and impact the ones with less of it stay: what they are, and not when they came, decides. */
  tie(row: number): number
  /** Whether ranks differ: then all rows of a full slot are looked at. */
  readonly isMixed: boolean
}

/**
 * Bounded lists of rows, in order of their impact, then of their number. A posting is one number: 255 less the impact in the upper eight bits,
 * the row in the lower ones; so their order is that of numbers.
 */
export class Slots implements SlotsOfHeads {
  /** Slots of a head, a power of two. */
  readonly count: number
  readonly #postings: Arena
  /** Where each slot begins in the list that it shares. */
  readonly #starts: Uint16Array
  /** Of each full slot how many n-grams of present rows fall there, also of those that found no room. */
  readonly #present = new Map<number, number>()
  /** How many postings found no room, or were driven out. */
  overflow = 0

  constructor(heads: number, count: number) {
    this.count = count
    this.#postings = new Arena(Math.ceil((heads * count) / SHARED))
    this.#starts = new Uint16Array(heads * count)
  }

  present(slot: number): number {
    return this.#present.get(slot)!
  }

  /** How many n-grams of rows that are all present fall into a slot, also of those that found no room. */
  fallen(slot: number): number {
    return this.#present.get(slot) ?? this.#length(slot)
  }

  isFull(slot: number): boolean {
    return this.#length(slot) === SLOT_ROWS_MAX
  }

  #length(slot: number): number {
    return this.#end(slot) - this.#starts[slot]!
  }

  #end(slot: number): number {
    const next = slot + 1
    return next % SHARED === 0 || next === this.#starts.length
      ? this.#postings.length(slot >>> SHARED_BITS)
      : this.#starts[next]!
  }

  mark(slot: number, bit: number, { agreed, impacts }: Notes, met: number[]): void {
    const list = slot >>> SHARED_BITS
    const [page, start] = [this.#postings.page(list), this.#postings.start(list)]
    const end = start + this.#end(slot)
    for (let at = start + this.#starts[slot]!; at < end; at++) {
      const posting = page[at]!
      const row = rowOf(posting)
      const before = agreed[row]!
      if ((before & bit) !== 0) continue
      const impact = 255 - (posting >>> 24)
      if (before === 0) met.push(row)
      if (before === 0 || impact < impacts[row]!) impacts[row] = impact
      agreed[row] = before | bit
    }
  }

  /** The postings of a slot, as long as nothing is put into any. */
  postings(slot: number): Uint32Array {
    const list = slot >>> SHARED_BITS
    const start = this.#postings.start(list)
    const [from, end] = [this.#starts[slot]!, this.#end(slot)]
    return from === end ? NONE : this.#postings.page(list).subarray(start + from, start + end)
  }

  /** Calls `visit` with each row of a slot, and its impact. */
  visit(slot: number, visit: (row: number, impact: number) => void): void {
    const list = slot >>> SHARED_BITS
    const [page, start] = [this.#postings.page(list), this.#postings.start(list)]
    const end = start + this.#end(slot)
    for (let at = start + this.#starts[slot]!; at < end; at++) {
      const posting = page[at]!
      visit(rowOf(posting), 255 - (posting >>> 24))
    }
  }

  /**
   * Puts a row into a slot; if that is full, one has no room: of those of the lowest rank the one that tells least. So it does not matter in which order
   * rows come, as long as none changes its rank.
   */
  put(slot: number, row: number, impact: number, standing: Standing): void {
    const posting = (((255 - impact) << 24) | row) >>> 0
    const list = slot >>> SHARED_BITS
    const length = this.#length(slot)
    if (length === SLOT_ROWS_MAX) {
      this.overflow++
      this.#replace(slot, posting, standing)
      return
    }
    const [page, start, from] = [this.#postings.page(list), this.#postings.start(list), this.#starts[slot]!]
    const at = length === 0 ? from : placeOf(posting, page, start + from, start + from + length) - start
    this.#postings.insert(list, at, posting)
    const end = Math.min((list + 1) << SHARED_BITS, this.#starts.length)
    for (let next = slot + 1; next < end; next++) this.#starts[next]!++
    if (length + 1 === SLOT_ROWS_MAX) this.#present.set(slot, this.#countPresent(slot, standing))
  }

  /** Puts a posting into a full slot, in the place of another one. */
  #replace(slot: number, posting: number, standing: Standing): void {
    if (standing.rank(rowOf(posting)) > 0) this.#present.set(slot, this.present(slot) + 1)
    const list = slot >>> SHARED_BITS
    const page = this.#postings.page(list)
    const from = this.#postings.start(list) + this.#starts[slot]!
    const last = from + SLOT_ROWS_MAX - 1
    let [out, least] = [-1, posting]
    for (let at = last; at >= from; at--) {
      const other = page[at]!
      // Those before it tell more.
      if (!standing.isMixed && other >>> 24 < least >>> 24) break
      if (isLess(other, least, standing)) [out, least] = [at, other]
    }
    if (out < 0) return
    page.copyWithin(out, out + 1, last + 1)
    const at = placeOf(posting, page, from, last)
    page.copyWithin(at + 1, at, last)
    page[at] = posting
  }

  /** One n-gram fewer that a present row has there: the row is one of the past from now on. */
  end(slot: number): void {
    const present = this.#present.get(slot)
    if (present !== undefined) this.#present.set(slot, present - 1)
  }

  #countPresent(slot: number, standing: Standing): number {
    let present = 0
    this.visit(slot, (row) => {
      if (standing.rank(row) > 0) present++
    })
    return present
  }

  /** Bytes of memory. */
  get bytes(): number {
    return this.#postings.bytes + this.#starts.byteLength
  }
}

const NONE = new Uint32Array()

function rowOf(posting: number): number {
  return posting & (ROWS_MAX - 1)
}

/** Whether a posting is to make room for another one. */
function isLess(one: number, other: number, { rank, tie }: Standing): boolean {
  const [row, another] = [rowOf(one), rowOf(other)]
  const [standing, theirs] = [rank(row), rank(another)]
  if (standing !== theirs) return standing < theirs
  if (one >>> 24 !== other >>> 24) return one >>> 24 > other >>> 24
  const [own, its] = [tie(row), tie(another)]
  return own === its ? row > another : own > its
}

/** Where a posting belongs among those of a slot. */
function placeOf(posting: number, page: Uint32Array, from: number, to: number): number {
  let [low, high] = [from, to]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (page[middle]! < posting) low = middle + 1
    else high = middle
  }
  return low
}
