// What is recalled: rows of texts, found by the n-grams that they share with a cue.
import { KaryonError } from '../errors.ts'
import { compareUtf8 } from '../values/encode.ts'
import { type Grams, gramsOf, HEADS } from './grams.ts'
import {
  type Cue,
  grown,
  type Named,
  Notes,
  PLAIN,
  type RowFacts,
  Said,
  search,
  type Searched,
  slotIn,
} from './search.ts'
import { ROWS_MAX, Slots, type Standing } from './slots.ts'

/** Slots of a head at first, and n-grams of rows for each of them before there are to be twice as many. */
const SLOTS_MIN = 1 << 12
const LOAD_MAX = 16
/** N-grams that are put into the slots to come for each one that is added: they are filled when a third more is there. */
const MOVED_FOR_ONE = 4
const ROOM_MIN = 1_024

/** Twice as many slots, on their way: the first so many rows are in them. */
interface Growth {
  readonly slots: Slots
  rows: number
  grams: number
  /** N-grams that are to be moved still for those that were added. */
  owed: number
}

/**
 * Rows, and the slots through which they are found. Whole numbers alone, so the same rows and the same cue give the same answer everywhere.
 */
export class Memory implements Searched {
  #slots: Slots
  #growth: Growth | undefined
  #grams = 0
  /** Where not all have room, rows of the past go first, then those that are trusted least. */
  readonly #standing: Standing & { isMixed: boolean } = {
    rank: (row) => (this.#to[row] === Infinity ? 1 + this.said.trusts[row]! : 0),
    tie: (row) => this.#ties[row]!,
    isMixed: false,
  }
  #ties = new Uint32Array(ROOM_MIN)
  /** What rows are called. */
  readonly keys: string[] = []
  readonly #texts: string[] = []
  #from = new Float64Array(ROOM_MIN)
  #to = new Float64Array(ROOM_MIN)
  /** The place of a row is its number. */
  readonly notes: Notes = new Notes(ROOM_MIN)
  readonly said: Said = new Said(ROOM_MIN)
  /** Probes of the last cue. */
  probes = 0

  /** With room for about so many n-grams. Where there are more it is made larger little by little: until that is done, each text costs five times as much. */
  constructor(grams = 0) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(grams / LOAD_MAX, SLOTS_MIN)))
    this.#slots = new Slots(HEADS, slots)
  }

  get rows(): number {
    return this.#texts.length
  }

  get stats(): { rows: number; slots: number; load: number; overflow: number; bytes: number } {
    const { count, overflow, bytes } = this.#slots
    const more = this.#growth?.slots.bytes ?? 0
    return { rows: this.rows, slots: count, load: this.#grams / count, overflow, bytes: bytes + more }
  }

  /** Adds a text that holds from a version on. Returns its row. */
  add(key: string, text: string, from: number, facts: RowFacts): number {
    const row = this.rows
    if (row >= ROWS_MAX) {
      const message = `more than ${ROWS_MAX} texts and versions of texts; recall fewer labels`
      throw new KaryonError('ERR_KARYON_MEMORY', message, { details: { limit: ROWS_MAX } })
    }
    if (row >= this.#from.length) this.#grow()
    this.keys.push(key)
    this.#texts.push(text)
    this.set(row, facts)
    this.#from[row] = from
    this.#to[row] = Infinity
    this.#ties[row] = tieOf(key)
    const added = this.#put(this.#slots, row)
    this.#grams += added
    this.#growSlots(added)
    return row
  }

  /** A text does not hold any more from a version on. Cost: as to add it. */
  end(row: number, to: number): void {
    if (this.#to[row] === Infinity) {
      this.#standing.isMixed = true
      const grams = gramsOf(this.#texts[row]!)
      const growth = this.#growth
      endIn(this.#slots, grams)
      if (growth !== undefined && row < growth.rows) endIn(growth.slots, grams)
    }
    this.#to[row] = to
  }

  /** Nothing is left of what a row says, at no version. Cost: as to add it. */
  forget(row: number): void {
    this.end(row, this.#from[row]!)
    this.keys[row] = this.#texts[row] = ''
  }

  /** Forgets what does not hold any more from a version on. Cost: a pass over the rows, and as to add those. */
  forgetUntil(version: number): void {
    for (let row = 0; row < this.rows; row++)
      if (this.keys[row] !== '' && this.#to[row]! <= version) this.forget(row)
  }

  /** The rows that are not forgotten, by the version from which they hold. Cost: a pass over the rows. */
  byVersion(): Map<number, number[]> {
    const rows = new Map<number, number[]>()
    for (const [row, key] of this.keys.entries()) {
      const from = this.#from[row]!
      if (key === '') continue
      const those = rows.get(from)
      if (those) those.push(row)
      else rows.set(from, [row])
    }
    return rows
  }

  /** Changes what a row says of itself, and nothing else. */
  set(row: number, facts: RowFacts): void {
    this.said.set(row, facts)
    if (facts.trust !== PLAIN.trust) this.#standing.isMixed = true
  }

  /** Puts a row into slots. Returns how many n-grams it has. */
  #put(slots: Slots, row: number): number {
    const grams = gramsOf(this.#texts[row]!)
    for (let gram = 0; gram < grams.count; gram++) {
      const impact = impactOf(grams.times[gram]!, grams.length)
      for (let head = 0; head < HEADS; head++)
        slots.put(slotIn(slots.count, grams, gram, head), row, impact, this.#standing)
    }
    return grams.count
  }

  /**
   * Goes on with twice as many slots, as much as is due for so many n-grams more. All rows are found in the old ones until all are in the new ones. What
   * is done when follows from what was added alone, so that the answers do.
   */
  #growSlots(added: number): void {
    if (this.#growth === undefined && this.#grams <= LOAD_MAX * this.#slots.count) return
    const growth = (this.#growth ??= {
      slots: new Slots(HEADS, this.#slots.count * 2),
      rows: 0,
      grams: 0,
      owed: 0,
    })
    growth.owed += MOVED_FOR_ONE * added + 1
    while (growth.owed > 0 && growth.rows < this.rows) {
      const moved = this.#put(growth.slots, growth.rows++)
      growth.grams += moved
      // A row without n-grams is work too.
      growth.owed -= moved + 1
    }
    if (growth.rows < this.rows) return
    this.#slots = growth.slots
    this.#grams = growth.grams
    this.#growth = undefined
  }

  #grow(): void {
    this.#from = grown(this.#from)
    this.#to = grown(this.#to)
    this.#ties = grown(this.#ties)
    this.notes.grow()
    this.said.grow()
  }

  /** The rows that share n-grams with a text, the best first; those of one score by their keys. */
  find(text: string, cue: Cue): Named[] {
    const grams = gramsOf(text)
    this.probes = grams.count * HEADS
    return search(this, grams, cue).map((found) => ({ ...found, key: this.keys[found.row]! }))
  }

  /** The slots that answer, while others are on their way too. */
  get slots(): Slots {
    return this.#slots
  }

  /** N-grams in them. */
  get grams(): number {
    return this.#grams
  }

  fetch(): void {
    // What rows say is at their places.
  }

  holds(row: number, at: number): boolean {
    return this.#from[row]! <= at && at < this.#to[row]!
  }

  compare(one: number, other: number): number {
    return compareUtf8(this.keys[one]!, this.keys[other]!) || one - other
  }
}

function endIn(slots: Slots, grams: Grams): void {
  for (let gram = 0; gram < grams.count; gram++)
    for (let head = 0; head < HEADS; head++) slots.end(slotIn(slots.count, grams, gram, head))
}

/** What an n-gram tells of a text at most. */
export const IMPACT_MAX = 220

/** A number that a key has: FNV-1a (Fowler, Noll and Vo 1991) over its UTF-16, of 32 bits. */
function tieOf(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/**
 * What it tells that a text of so many tokens has an n-gram so often, up to `IMPACT_MAX`: BM25's term weight with k1 = 1.2 and b = 0.75 (Robertson and
 * Walker 1994), against a text of 16 tokens.
 */
function impactOf(times: number, length: number): number {
  return Math.floor((35_200 * times) / (160 * times + 48 + 9 * length))
}
