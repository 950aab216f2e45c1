// What is recalled of a package where it lies: nothing is held in memory but what one cue meets.
import type { RecallTables } from '../engrams/recalled.ts'
import { gramsOf, HEADS } from './grams.ts'
import {
  type Cue,
  grown,
  type Named,
  Notes,
  PLAIN,
  Said,
  search,
  type Searched,
  type SlotsOfHeads,
} from './search.ts'
import { ROWS_MAX, SLOT_ROWS_MAX } from './slots.ts'

/** Rows that a cue may meet before more room is made, as often as it takes. */
const ROOM_MIN = 1_024
/** What spreads the numbers of rows. */
const SPREAD = 0x9e3779b1

/**
 * Rows of tables that lie elsewhere. Each row that a cue meets gets a place, found by its number: so what a cue takes follows from what it meets, and not
 * from how many rows there are.
 */
export class Packed implements Searched, SlotsOfHeads {
  readonly #tables: RecallTables
  /** Whether no row says anything of itself. */
  readonly #isPlain: boolean
  /** The slot that was read last, its postings, and how many n-grams fall there. */
  #slot = -1
  readonly #postings = new Uint32Array(SLOT_ROWS_MAX)
  #fallen = 0
  #notes = new Notes(ROOM_MIN)
  #said = new Said(ROOM_MIN)
  /** The row of each place. */
  #rows = new Uint32Array(ROOM_MIN)
  #met = 0
  /** Places by the numbers of their rows, each one more than it is; half of it at most is taken, and 0 stands where nothing does. */
  #places = new Uint32Array(2 * ROOM_MIN)
  /** Probes of the last cue. */
  probes = 0

  /** Takes tables, and whether they are of rows that say nothing of themselves. */
  constructor(tables: RecallTables, isPlain: boolean) {
    this.#tables = tables
    this.#isPlain = isPlain
  }

  get stats(): { rows: number; slots: number; load: number; overflow: number; bytes: number } {
    const { rows, slots, grams, overflow, bytes } = this.#tables
    return { rows, slots, load: grams / slots, overflow, bytes }
  }

  /** The rows that share n-grams with a text, the best first; those of one score by their keys. */
  find(text: string, cue: Cue): Named[] {
    const grams = gramsOf(text)
    this.probes = grams.count * HEADS
    try {
      const found = search(this, grams, cue).map((one) => ({ ...one, row: this.#rows[one.row]! }))
      const keys = this.#tables.keys(found.map(({ row }) => row))
      this.#forget()
      return found.map((one, at) => ({ ...one, key: keys[at]! }))
    } catch (error) {
      // What was noted until something was refused is of no other cue.
      this.#empty()
      throw error
    }
  }

  get slots(): SlotsOfHeads {
    return this
  }

  get notes(): Notes {
    return this.#notes
  }

  get said(): Said {
    return this.#said
  }

  get count(): number {
    return this.#tables.slots
  }

  isFull(slot: number): boolean {
    return this.present(slot) >= SLOT_ROWS_MAX
  }

  present(slot: number): number {
    if (slot !== this.#slot) {
      this.#slot = -1
      this.#fallen = this.#tables.read(slot, this.#postings)
      this.#slot = slot
    }
    return this.#fallen
  }

  mark(slot: number, bit: number, _notes: Notes, met: number[]): void {
    const length = Math.min(this.present(slot), SLOT_ROWS_MAX)
    while (this.#met + length > this.#rows.length) this.#grow()
    const [postings, rows, places, { agreed, impacts }] = [
      this.#postings,
      this.#rows,
      this.#places,
      this.#notes,
    ]
    const mask = places.length - 1
    for (let at = 0; at < length; at++) {
      const posting = postings[at]!
      const row = posting & (ROWS_MAX - 1)
      let home = homeOf(row, mask)
      while (places[home] !== 0 && rows[places[home]! - 1] !== row) home = (home + 1) & mask
      if (places[home] === 0) {
        rows[this.#met] = row
        places[home] = ++this.#met
      }
      const place = places[home]! - 1
      const before = agreed[place]!
      if ((before & bit) !== 0) continue
      const impact = 255 - (posting >>> 24)
      if (before === 0) met.push(place)
      if (before === 0 || impact < impacts[place]!) impacts[place] = impact
      agreed[place] = before | bit
    }
  }

  fetch(place: number): void {
    this.#said.set(place, this.#isPlain ? PLAIN : this.#tables.facts(this.#rows[place]!))
  }

  /** All rows of a package are of its one version. */
  holds(): boolean {
    return true
  }

  /** Rows of a package are in the order of their keys. */
  compare(one: number, other: number): number {
    return this.#rows[one]! - this.#rows[other]!
  }

  #grow(): void {
    this.#rows = grown(this.#rows)
    this.#notes.grow()
    this.#said.grow()
    this.#places = new Uint32Array(2 * this.#rows.length)
    const mask = this.#places.length - 1
    for (let place = 0; place < this.#met; place++) {
      let at = homeOf(this.#rows[place]!, mask)
      while (this.#places[at] !== 0) at = (at + 1) & mask
      this.#places[at] = place + 1
    }
  }

  /** Makes places free again. What a cue took that has met far more than others is let go of. */
  #forget(): void {
    if (this.#rows.length > ROOM_MIN && this.#met * 4 < this.#rows.length) this.#empty()
    this.#places.fill(0)
    this.#met = 0
    this.#slot = -1
  }

  #empty(): void {
    this.#notes = new Notes(ROOM_MIN)
    this.#said = new Said(ROOM_MIN)
    this.#rows = new Uint32Array(ROOM_MIN)
    this.#places = new Uint32Array(2 * ROOM_MIN)
    this.#met = 0
    this.#slot = -1
  }
}

function homeOf(row: number, mask: number): number {
  return (Math.imul(row, SPREAD) >>> 7) & mask
}
