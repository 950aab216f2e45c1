// What is recalled: rows of texts, found by the n-grams that they share with a cue.
import { KaryonError } from '../errors.ts'
import { type Grams, gramsOf, HEADS, slotOf } from './grams.ts'
import { ROWS_MAX, Slots } from './slots.ts'

/** What a row says of itself, each a whole number. */
export interface RowFacts {
  /** What its scores are multiplied by, in 256ths; up to 65,535. */
  readonly weight: number
  /** How much of a cue it has to share, in 255ths. */
  readonly threshold: number
  /** How sure it is, and how far its writer is trusted; up to 255. */
  readonly confidence: number
  readonly trust: number
}

export const PLAIN: RowFacts = { weight: 256, threshold: 0, confidence: 255, trust: 255 }

/** Which rows count, and how many are told. */
export interface Cue {
  readonly limit: number
  /** How many heads have to agree about a row for an n-gram to count. */
  readonly minHeads: number
  readonly minConfidence: number
  readonly minTrust: number
  /** The version that is asked for. */
  readonly at: number
}

/** A row that was found. */
export interface Found {
  readonly row: number
  readonly score: number
  /** How much of the cue it shares, in 255ths. */
  readonly share: number
  /** How many n-grams of the cue it shares. */
  readonly grams: number
  /** A bit for each head that agreed about the n-gram that counted most. */
  readonly heads: number
}

/** What an n-gram counts, by its kind: a token, two, three, two with one between them. */
const KIND_WEIGHTS = [4, 3, 2, 2]
/** Slots of a head at first, and n-grams of rows for each of them before there are to be twice as many. */
const SLOTS_MIN = 1 << 12
const LOAD_MAX = 16
/** N-grams that are put into the slots to come for each one that is added: they are filled when a third more is there. */
const MOVED_FOR_ONE = 4
/** What is in 65,536 rows of one version or more says nothing, and what is in one says most. It does not follow how many rows there are: what is added changes nothing about others. */
const COMMON = 16
const ROOM_MIN = 1_024

const ONES = Uint8Array.from({ length: 256 }, (_, bits) => {
  let ones = 0
  for (let rest = bits; rest > 0; rest >>= 1) ones += rest & 1
  return ones
})

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
export class Memory {
  #slots: Slots
  #growth: Growth | undefined
  #grams = 0
  /** Rows of the past. */
  #ended = 0
  /** What rows are called. */
  readonly keys: string[] = []
  readonly #texts: string[] = []
  #from = new Float64Array(ROOM_MIN)
  #to = new Float64Array(ROOM_MIN)
  #weights = new Uint16Array(ROOM_MIN)
  #thresholds = new Uint8Array(ROOM_MIN)
  #confidences = new Uint8Array(ROOM_MIN)
  #trusts = new Uint8Array(ROOM_MIN)
  /** Heads that agree about each row, while one n-gram is looked for. */
  #agreed = new Uint8Array(ROOM_MIN)
  #impacts = new Uint8Array(ROOM_MIN)
  #scores = new Float64Array(ROOM_MIN)
  #shares = new Float64Array(ROOM_MIN)
  #counts = new Uint16Array(ROOM_MIN)
  #heads = new Uint8Array(ROOM_MIN)
  #best = new Float64Array(ROOM_MIN)
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
    const added = this.#put(this.#slots, row)
    this.#grams += added
    this.#growSlots(added)
    return row
  }

  /** A text does not hold any more from a version on. Cost: as to add it. */
  end(row: number, to: number): void {
    if (this.#to[row] === Infinity) {
      this.#ended++
      const grams = gramsOf(this.#texts[row]!)
      const growth = this.#growth
      endIn(this.#slots, grams)
      if (growth !== undefined && row < growth.rows) endIn(growth.slots, grams)
    }
    this.#to[row] = to
  }

  /** Nothing is left of the texts of these keys, at no version. Cost: a pass over the rows. */
  forget(keys: ReadonlySet<string>): void {
    for (const [row, key] of this.keys.entries()) {
      if (!keys.has(key)) continue
      this.end(row, this.#from[row]!)
      this.keys[row] = this.#texts[row] = ''
    }
  }

  /** Changes what a row says of itself, and nothing else. */
  set(row: number, facts: RowFacts): void {
    this.#weights[row] = facts.weight
    this.#thresholds[row] = facts.threshold
    this.#confidences[row] = facts.confidence
    this.#trusts[row] = facts.trust
  }

  /** Puts a row into slots. Returns how many n-grams it has. */
  #put(slots: Slots, row: number): number {
    const grams = gramsOf(this.#texts[row]!)
    const isPast = this.#ended === 0 ? undefined : (other: number): boolean => this.#to[other] !== Infinity
    for (let gram = 0; gram < grams.count; gram++) {
      const impact = impactOf(grams.times[gram]!, grams.length)
      for (let head = 0; head < HEADS; head++)
        slots.put(slotIn(slots, grams, gram, head), row, impact, isPast)
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
    const grown = <T extends Float64Array | Uint8Array | Uint16Array>(array: T): T => {
      const larger = new (array.constructor as new (length: number) => T)(array.length * 2)
      larger.set(array)
      return larger
    }
    this.#from = grown(this.#from)
    this.#to = grown(this.#to)
    this.#weights = grown(this.#weights)
    this.#thresholds = grown(this.#thresholds)
    this.#confidences = grown(this.#confidences)
    this.#trusts = grown(this.#trusts)
    this.#agreed = grown(this.#agreed)
    this.#impacts = grown(this.#impacts)
    this.#scores = grown(this.#scores)
    this.#shares = grown(this.#shares)
    this.#counts = grown(this.#counts)
    this.#heads = grown(this.#heads)
    this.#best = grown(this.#best)
  }

  /** The rows that share n-grams with a text, the best first; those of one score by their keys. */
  find(text: string, cue: Cue): Found[] {
    const grams = gramsOf(text)
    const touched: number[] = []
    let whole = 0
    for (let gram = 0; gram < grams.count; gram++) {
      const { rows, count } = this.#look(grams, gram, cue)
      const worth = KIND_WEIGHTS[grams.kinds[gram]!]! * rarity(count)
      whole += worth
      for (const row of rows) {
        if (worth > 0 && this.#isMeant(row, cue)) this.#score(row, worth, touched)
        this.#agreed[row] = 0
      }
    }
    this.probes = grams.count * HEADS
    /** The best so far, in order. */
    const found: Found[] = []
    for (const row of touched) {
      const share = Math.floor((255 * this.#shares[row]!) / whole)
      const score = Math.floor((this.#scores[row]! * this.#weights[row]!) / 256)
      const place = share >= this.#thresholds[row]! ? this.#placeOf(row, score, found) : cue.limit
      if (place < cue.limit) {
        const one = { row, score, share, grams: this.#counts[row]!, heads: this.#heads[row]! }
        found.splice(place, 0, one)
        if (found.length > cue.limit) found.pop()
      }
      this.#scores[row] = 0
      this.#shares[row] = 0
      this.#counts[row] = 0
      this.#best[row] = 0
    }
    return found
  }

  /** Where a row belongs among those that were found: in front of those with less of a score, or with the same one and a later key. */
  #placeOf(row: number, score: number, found: readonly Found[]): number {
    const last = found.at(-1)
    if (last !== undefined && score < last.score) return found.length
    let [low, high] = [0, found.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = found[middle]!
      if (other.score > score || (other.score === score && this.#compare(other.row, row) < 0))
        low = middle + 1
      else high = middle
    }
    return low
  }

  #compare(one: number, other: number): number {
    const [name, another] = [this.keys[one]!, this.keys[other]!]
    return name < another ? -1 : name > another ? 1 : one - other
  }

  /**
   * The rows of that version about which enough heads agree that they have an n-gram, and how many have it: just those, as long as a slot of it is not
   * full. So rows that share a slot with it, and not the n-gram, change nothing, nor do those of other versions. Where all are full it is about as many
   * as have it now, for past versions too.
   */
  #look(grams: Grams, gram: number, { minHeads, at }: Cue): { rows: number[]; count: number } {
    const [slots, agreed, impacts] = [this.#slots, this.#agreed, this.#impacts]
    const met: number[] = []
    let [present, isFull] = [Infinity, true]
    for (let head = 0; head < HEADS; head++) {
      const slot = slotIn(slots, grams, gram, head)
      isFull &&= slots.isFull(slot)
      if (isFull) present = Math.min(present, slots.present(slot))
      // The n-gram is in every head, so that the least that is told of a row is nearest to what it is.
      slots.mark(slot, 1 << head, agreed, impacts, met)
    }
    let count = 0
    for (const row of met) {
      if (ONES[agreed[row]!]! >= minHeads && this.#from[row]! <= at && at < this.#to[row]!) met[count++] = row
      else agreed[row] = 0
    }
    met.length = count
    return { rows: met, count: isFull ? Math.max(count, present) : count }
  }

  #score(row: number, worth: number, touched: number[]): void {
    if (this.#counts[row] === 0) touched.push(row)
    this.#counts[row]!++
    this.#scores[row]! += worth * this.#impacts[row]!
    this.#shares[row]! += worth
    if (worth <= this.#best[row]!) return
    this.#best[row] = worth
    this.#heads[row] = this.#agreed[row]!
  }

  /** Whether a row is as sure and as trusted as is asked for. */
  #isMeant(row: number, { minConfidence, minTrust }: Cue): boolean {
    return this.#confidences[row]! >= minConfidence && this.#trusts[row]! >= minTrust
  }
}

function endIn(slots: Slots, grams: Grams): void {
  for (let gram = 0; gram < grams.count; gram++)
    for (let head = 0; head < HEADS; head++) slots.end(slotIn(slots, grams, gram, head))
}

function slotIn(slots: Slots, grams: Grams, gram: number, head: number): number {
  return head * slots.count + slotOf(grams.halves[2 * gram]!, grams.halves[2 * gram + 1]!, head, slots.count)
}

/**
 * What it tells that a text of so many tokens has an n-gram so often, up to 220: BM25's term weight with k1 = 1.2 and b = 0.75 (Robertson and
 * Walker 1994), against a text of 16 tokens.
 */
function impactOf(times: number, length: number): number {
  return Math.floor((35_200 * times) / (160 * times + 48 + 9 * length))
}

/** How much an n-gram tells that so many rows have: the logarithm to base 2 of 65,536 ÷ rows, in 16ths, between whole numbers along a line. */
function rarity(rows: number): number {
  if (rows === 0) return COMMON * 16
  const whole = 31 - Math.clz32(rows)
  const rest = Math.floor((rows * 16) / 2 ** whole) - 16
  return Math.max(0, (COMMON - whole) * 16 - rest)
}
