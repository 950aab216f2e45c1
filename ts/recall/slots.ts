// The slots of the heads: of each the rows whose n-grams fall there, the most telling first, and no more than so many.

/** Rows of a slot. */
export const SLOT_ROWS_MAX = 512
/** Rows that can be told apart: a posting is a number of 32 bits, of which eight are its impact. */
export const ROWS_MAX: number = 2 ** 24

/** Postings that are moved one by one. */
const MOVED_BY_HAND = 48
/** Room of the smallest list; each next one has twice as much. */
const FIRST_ROOM = 2
const CLASSES = Math.log2(SLOT_ROWS_MAX / FIRST_ROOM) + 1

/**
 * Bounded lists of rows, in order of their impact, then of their number. A posting is one number: 255 less the impact in the upper eight bits,
 * the row in the lower ones; so their order is that of numbers.
 */
export class Slots {
  /** Slots of a head, a power of two. */
  readonly count: number
  readonly #offsets: Uint32Array
  readonly #lengths: Uint16Array
  readonly #classes: Uint8Array
  /** How many n-grams were ever put there, also those that found no room. */
  readonly #seen: Uint32Array
  #postings: Uint32Array = new Uint32Array(1 << 16)
  #used = 0
  readonly #free: number[][] = Array.from({ length: CLASSES }, () => [])
  /** How many postings found no room, or were driven out. */
  overflow = 0

  constructor(heads: number, count: number) {
    this.count = count
    this.#offsets = new Uint32Array(heads * count)
    this.#lengths = new Uint16Array(heads * count)
    this.#classes = new Uint8Array(heads * count)
    this.#seen = new Uint32Array(heads * count)
  }

  /** How many n-grams of rows fell there; an upper bound of how many rows have any one of them. */
  seen(slot: number): number {
    return this.#seen[slot]!
  }

  isFull(slot: number): boolean {
    return this.#lengths[slot] === SLOT_ROWS_MAX
  }

  /** Calls `visit` with each row of a slot, and its impact. */
  visit(slot: number, visit: (row: number, impact: number) => void): void {
    const from = this.#offsets[slot]!
    const to = from + this.#lengths[slot]!
    for (let at = from; at < to; at++) {
      const posting = this.#postings[at]!
      visit(posting & (ROWS_MAX - 1), 255 - (posting >>> 24))
    }
  }

  /** Puts a row into a slot; if that is full, whoever tells least has no room: one of the past alone, if it is said which those are, or else the last one. */
  put(slot: number, row: number, impact: number, isPast: ((row: number) => boolean) | undefined): void {
    this.#seen[slot]!++
    const posting = (((255 - impact) << 24) | row) >>> 0
    let length = this.#lengths[slot]!
    if (length < SLOT_ROWS_MAX) this.#makeRoom(slot, length)
    else {
      this.overflow++
      const from = this.#offsets[slot]!
      let out = length - 1
      if (isPast !== undefined)
        while (out >= 0 && !isPast(this.#postings[from + out]! & (ROWS_MAX - 1))) out--
      if (isPast === undefined || out < 0) {
        if (this.#postings[from + length - 1]! < posting) return
        out = length - 1
      }
      this.#postings.copyWithin(from + out, from + out + 1, from + length)
      length--
    }
    const from = this.#offsets[slot]!
    const at = this.#placeOf(posting, from, from + length)
    this.#makeGap(at, from + length)
    this.#postings[at] = posting
    this.#lengths[slot] = length + 1
  }

  #makeGap(at: number, to: number): void {
    // A call costs more than to move a few by hand.
    if (to - at > MOVED_BY_HAND) this.#postings.copyWithin(at + 1, at, to)
    else for (let moved = to; moved > at; moved--) this.#postings[moved] = this.#postings[moved - 1]!
  }

  #placeOf(posting: number, from: number, to: number): number {
    let [low, high] = [from, to]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#postings[middle]! < posting) low = middle + 1
      else high = middle
    }
    return low
  }

  #makeRoom(slot: number, length: number): void {
    const size = this.#classes[slot]!
    const room = size === 0 ? 0 : FIRST_ROOM << (size - 1)
    if (length < room) return
    const from = this.#offsets[slot]!
    const to = this.#take(size)
    this.#postings.copyWithin(to, from, from + length)
    if (size > 0) this.#free[size - 1]!.push(from)
    this.#offsets[slot] = to
    this.#classes[slot] = size + 1
  }

  #take(size: number): number {
    const free = this.#free[size]!.pop()
    if (free !== undefined) return free
    const [at, room] = [this.#used, FIRST_ROOM << size]
    this.#used += room
    if (this.#used > this.#postings.length) {
      const larger = new Uint32Array(Math.max(this.#postings.length * 2, this.#used))
      larger.set(this.#postings)
      this.#postings = larger
    }
    return at
  }

  /** Bytes of memory. */
  get bytes(): number {
    const { byteLength } = this.#postings
    return byteLength + 2 * this.#offsets.byteLength + this.#lengths.byteLength + this.#classes.byteLength
  }
}
