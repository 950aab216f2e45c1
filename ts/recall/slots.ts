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

/** Tells the rows of the past from the present ones; absent where there are none. */
type IsPast = ((row: number) => boolean) | undefined

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
  /** Of each full slot how many n-grams of present rows fall there, also of those that found no room. */
  readonly #present = new Map<number, number>()
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
  }

  /** How many n-grams of present rows fall into a full slot; an upper bound of how many of those rows have any one of them. */
  present(slot: number): number {
    return this.#present.get(slot)!
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

  /**
   * Puts a row into a slot; if that is full, whoever tells least has no room: one of the past alone, if it is said which those are, or else the last one,
   * for which a row of the past makes no room.
   */
  put(slot: number, row: number, impact: number, isPast: IsPast): void {
    const posting = (((255 - impact) << 24) | row) >>> 0
    let length = this.#lengths[slot]!
    if (length < SLOT_ROWS_MAX) this.#makeRoom(slot, length)
    else {
      this.overflow++
      const isPresent = !isPast?.(row)
      if (isPresent) this.#present.set(slot, this.present(slot) + 1)
      const from = this.#offsets[slot]!
      const past = this.#lastPast(from, length, isPast)
      if (past < 0 && (!isPresent || this.#postings[from + length - 1]! < posting)) return
      const out = past < 0 ? length - 1 : past
      this.#postings.copyWithin(from + out, from + out + 1, from + length)
      length--
    }
    const from = this.#offsets[slot]!
    const at = this.#placeOf(posting, from, from + length)
    this.#makeGap(at, from + length)
    this.#postings[at] = posting
    this.#lengths[slot] = ++length
    if (length === SLOT_ROWS_MAX && !this.#present.has(slot))
      this.#present.set(slot, this.#countPresent(from, isPast))
  }

  /** One n-gram fewer that a present row has there: the row is one of the past from now on. */
  end(slot: number): void {
    const present = this.#present.get(slot)
    if (present !== undefined) this.#present.set(slot, present - 1)
  }

  #lastPast(from: number, length: number, isPast: IsPast): number {
    if (isPast === undefined) return -1
    let out = length - 1
    while (out >= 0 && !isPast(this.#rowAt(from + out))) out--
    return out
  }

  #countPresent(from: number, isPast: IsPast): number {
    let present = 0
    for (let at = from; at < from + SLOT_ROWS_MAX; at++) if (!isPast?.(this.#rowAt(at))) present++
    return present
  }

  #rowAt(at: number): number {
    return this.#postings[at]! & (ROWS_MAX - 1)
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
    return byteLength + this.#offsets.byteLength + this.#lengths.byteLength + this.#classes.byteLength
  }
}
