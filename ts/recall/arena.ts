// Many lists of numbers in few large pages: each in one piece, with little room to spare, and moved where it outgrows its place.
import { KaryonError } from '../errors.ts'

/** Numbers of a page: 256 KiB. */
const PAGE_BITS = 16
const PAGE = 1 << PAGE_BITS
const PAGES_MAX = 1 << (32 - PAGE_BITS)
/** A block says whose list it holds, and how large it is: what nobody has is skipped by that. */
const HEAD = 2
/** The size of blocks is a multiple of that. */
const STEP = 32
/** Numbers of a page that may be lost to blocks that were left, on average. */
const LOST_MAX = PAGE / 8
/** Numbers that are moved one by one: a call costs more. */
const MOVED_BY_HAND = 32

/** The longest list fills a page. */
export const LIST_MAX: number = PAGE - HEAD

/**
 * Lists that grow by one number at a time. A list that needs room is written anew at the end of the open page, as in a log; where that has left holes, the
 * page with the most is emptied (Rosenblum and Ousterhout, 1992). No call moves more than a page.
 */
export class Arena {
  readonly #pages: Uint32Array[] = []
  /** Of each page how much of it was given away, and how much of that is lost. */
  readonly #used: number[] = []
  readonly #lost: number[] = []
  /** Pages that are empty. */
  readonly #free: number[] = []
  #open = -1
  #lostOfAll = 0
  /** Of each list where its block begins, and its length. A list without numbers has no block. */
  readonly #blocks: Uint32Array
  readonly #lengths: Uint16Array

  constructor(lists: number) {
    this.#blocks = new Uint32Array(lists)
    this.#lengths = new Uint16Array(lists)
  }

  length(list: number): number {
    return this.#lengths[list]!
  }

  /** The page that a list is in, until the next insertion, and where it begins there. Of a list without numbers there is nothing. */
  page(list: number): Uint32Array {
    return this.#pages[this.#blocks[list]! >>> PAGE_BITS]!
  }

  start(list: number): number {
    return (this.#blocks[list]! & (PAGE - 1)) + HEAD
  }

  /** Inserts a number into a list, which must be shorter than `LIST_MAX`; in front of what is at a place. */
  insert(list: number, place: number, number: number): void {
    const length = this.#lengths[list]!
    if (sizeOf(length + 1) > sizeOf(length)) {
      this.#move(list, sizeOf(length + 1))
      if (this.#lostOfAll > this.#pages.length * LOST_MAX) this.#emptyWorst()
    }
    this.#lengths[list] = length + 1
    const page = this.page(list)
    const from = this.start(list)
    const [at, end] = [from + place, from + length]
    if (end - at > MOVED_BY_HAND) page.copyWithin(at + 1, at, end)
    else for (let moved = end; moved > at; moved--) page[moved] = page[moved - 1]!
    page[at] = number
  }

  /** Gives a list a block of that size in the open page; its old one is lost. */
  #move(list: number, size: number): void {
    const length = this.#lengths[list]!
    if (this.#open < 0 || this.#used[this.#open]! + size > PAGE) this.#openPage()
    const [open, at] = [this.#open, this.#used[this.#open]!]
    this.#used[open] = at + size
    const to = this.#pages[open]!
    to[at] = list
    to[at + 1] = size
    if (length > 0) {
      const from = this.start(list)
      to.set(this.page(list).subarray(from, from + length), at + HEAD)
      this.#lose(this.#blocks[list]! >>> PAGE_BITS, sizeOf(length))
    }
    this.#blocks[list] = ((open << PAGE_BITS) | at) >>> 0
  }

  #openPage(): void {
    if (this.#open >= 0) this.#lose(this.#open, PAGE - this.#used[this.#open]!)
    if (this.#free.length === 0 && this.#pages.length === PAGES_MAX) {
      const message = 'what is recalled takes more than 16 GiB; recall fewer labels'
      throw new KaryonError('ERR_KARYON_MEMORY', message, { details: { limit: PAGES_MAX * PAGE * 4 } })
    }
    this.#open = this.#free.pop() ?? this.#pages.push(new Uint32Array(PAGE)) - 1
    this.#used[this.#open] = this.#lost[this.#open] = 0
  }

  #lose(page: number, count: number): void {
    this.#lost[page]! += count
    this.#lostOfAll += count
  }

  /** Empties the page with the most holes, but the open one. */
  #emptyWorst(): void {
    let [worst, most] = [-1, LOST_MAX]
    for (const [page, lost] of this.#lost.entries())
      if (lost > most && page !== this.#open) [worst, most] = [page, lost]
    if (worst >= 0) this.#empty(worst)
  }

  /** Moves what is left of a page to the open one. */
  #empty(page: number): void {
    const numbers = this.#pages[page]!
    for (let at = 0; at < this.#used[page]!;) {
      const [list, size] = [numbers[at]!, numbers[at + 1]!]
      const isHeld = this.#lengths[list]! > 0 && this.#blocks[list] === ((page << PAGE_BITS) | at) >>> 0
      if (isHeld) this.#move(list, size)
      at += size
    }
    this.#lostOfAll -= this.#lost[page]!
    this.#used[page] = this.#lost[page] = 0
    this.#free.push(page)
  }

  /** Bytes of memory. */
  get bytes(): number {
    return this.#pages.length * PAGE * 4 + this.#blocks.byteLength + this.#lengths.byteLength
  }
}

/** How large the block of a list of so many numbers is. */
function sizeOf(length: number): number {
  return length === 0 ? 0 : Math.ceil((length + HEAD) / STEP) * STEP
}
