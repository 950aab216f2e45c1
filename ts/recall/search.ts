// Looking for rows by the n-grams of a cue: one text for what is in memory and for what lies in a package.
import { type Grams, HEADS, slotOf } from './grams.ts'

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

/** What was found, with what it is called. */
export interface Named extends Found {
  readonly key: string
}

/** What an n-gram counts, by its kind: a token, two, three, two with one between them. */
const KIND_WEIGHTS = [4, 3, 2, 2]
/** What is in 65,536 rows of one version or more says nothing, and what is in one says most. It does not follow how many rows there are: what is added changes nothing about others. */
const COMMON = 16

const ONES = Uint8Array.from({ length: 256 }, (_, bits) => {
  let ones = 0
  for (let rest = bits; rest > 0; rest >>= 1) ones += rest & 1
  return ones
})

type Numbers = Float64Array | Uint8Array | Uint16Array | Uint32Array

/** An array with room for twice as many numbers. */
export function grown<T extends Numbers>(array: T): T {
  const larger = new (array.constructor as new (length: number) => T)(array.length * 2)
  larger.set(array)
  return larger
}

/** What is noted of rows while a cue is looked for, each at its place; all zeros before and after. */
export class Notes {
  /** Heads that agree about each row, while one n-gram is looked for. */
  agreed: Uint8Array
  impacts: Uint8Array
  scores: Float64Array
  shares: Float64Array
  counts: Uint16Array
  heads: Uint8Array
  best: Float64Array

  constructor(room: number) {
    this.agreed = new Uint8Array(room)
    this.impacts = new Uint8Array(room)
    this.scores = new Float64Array(room)
    this.shares = new Float64Array(room)
    this.counts = new Uint16Array(room)
    this.heads = new Uint8Array(room)
    this.best = new Float64Array(room)
  }

  /** Makes room for twice as many. */
  grow(): void {
    this.agreed = grown(this.agreed)
    this.impacts = grown(this.impacts)
    this.scores = grown(this.scores)
    this.shares = grown(this.shares)
    this.counts = grown(this.counts)
    this.heads = grown(this.heads)
    this.best = grown(this.best)
  }
}

/** What rows say of themselves, each at its place. */
export class Said {
  weights: Uint16Array
  thresholds: Uint8Array
  confidences: Uint8Array
  trusts: Uint8Array

  constructor(room: number) {
    this.weights = new Uint16Array(room)
    this.thresholds = new Uint8Array(room)
    this.confidences = new Uint8Array(room)
    this.trusts = new Uint8Array(room)
  }

  set(place: number, { weight, threshold, confidence, trust }: RowFacts): void {
    this.weights[place] = weight
    this.thresholds[place] = threshold
    this.confidences[place] = confidence
    this.trusts[place] = trust
  }

  /** Makes room for twice as many. */
  grow(): void {
    this.weights = grown(this.weights)
    this.thresholds = grown(this.thresholds)
    this.confidences = grown(this.confidences)
    this.trusts = grown(this.trusts)
  }
}

/** Slots of all heads, one head behind the other. */
export interface SlotsOfHeads {
  /** Slots of a head, a power of two. */
  readonly count: number
  isFull(slot: number): boolean
  /** How many n-grams of present rows fall into a full slot; an upper bound of how many of those rows have any one of them. */
  present(slot: number): number
  /**
   * Marks each row of a slot with a bit, notes in `met` the places of those that had none, and of all the impact: the least of those that were told. Of
   * a row that is there with several n-grams the one that tells most counts, for that is the first.
   */
  mark(slot: number, bit: number, notes: Notes, met: number[]): void
}

/** Where rows are looked for. Each that is met has a place, where what is noted of it stands. */
export interface Searched {
  readonly slots: SlotsOfHeads
  readonly notes: Notes
  readonly said: Said
  /** Has what the row of a place says of itself at its place. */
  fetch(place: number): void
  /** Whether the row of a place is of a version. */
  holds(place: number, at: number): boolean
  /** The order of rows of one score. */
  compare(one: number, other: number): number
}

/** The rows that share n-grams with a text, by their places, the best first; those of one score by their keys. */
export function search(searched: Searched, grams: Grams, cue: Cue): Found[] {
  const touched: number[] = []
  let whole = 0
  for (let gram = 0; gram < grams.count; gram++) {
    const { rows, count } = look(searched, grams, gram, cue)
    const worth = KIND_WEIGHTS[grams.kinds[gram]!]! * rarity(count)
    whole += worth
    score(searched, rows, worth, cue, touched)
  }
  const { scores, shares, counts, heads, best } = searched.notes
  const { weights, thresholds } = searched.said
  /** The best so far, in order. */
  const found: Found[] = []
  for (const row of touched) {
    const share = Math.floor((255 * shares[row]!) / whole)
    const score = Math.floor((scores[row]! * weights[row]!) / 256)
    const place = share >= thresholds[row]! ? placeOf(searched, row, score, found) : cue.limit
    if (place < cue.limit) {
      found.splice(place, 0, { row, score, share, grams: counts[row]!, heads: heads[row]! })
      if (found.length > cue.limit) found.pop()
    }
    scores[row] = 0
    shares[row] = 0
    counts[row] = 0
    best[row] = 0
  }
  return found
}

/** Where a row belongs among those that were found: in front of those with less of a score, or with the same one and a later key. */
function placeOf(searched: Searched, row: number, score: number, found: readonly Found[]): number {
  const last = found.at(-1)
  if (last !== undefined && score < last.score) return found.length
  let [low, high] = [0, found.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = found[middle]!
    if (other.score > score || (other.score === score && searched.compare(other.row, row) < 0))
      low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The rows of that version about which enough heads agree that they have an n-gram, and how many have it: just those, as long as a slot of it is not
 * full. So rows that share a slot with it, and not the n-gram, change nothing, nor do those of other versions. Where all are full it is about as many
 * as have it now, for past versions too.
 */
function look(
  searched: Searched,
  grams: Grams,
  gram: number,
  { minHeads, at }: Cue,
): { rows: number[]; count: number } {
  const { slots, notes } = searched
  const met: number[] = []
  let [present, isFull] = [Infinity, true]
  for (let head = 0; head < HEADS; head++) {
    const slot = slotIn(slots.count, grams, gram, head)
    isFull &&= slots.isFull(slot)
    if (isFull) present = Math.min(present, slots.present(slot))
    // The n-gram is in every head, so that the least that is told of a row is nearest to what it is.
    slots.mark(slot, 1 << head, notes, met)
  }
  const { agreed } = notes
  let count = 0
  for (const row of met) {
    if (ONES[agreed[row]!]! >= minHeads && searched.holds(row, at)) met[count++] = row
    else agreed[row] = 0
  }
  met.length = count
  return { rows: met, count: isFull ? Math.max(count, present) : count }
}

/** Counts an n-gram for the rows that have it, and are as sure and as trusted as is asked for. */
function score(
  searched: Searched,
  rows: readonly number[],
  worth: number,
  { minConfidence, minTrust }: Cue,
  touched: number[],
): void {
  // All have their places by now.
  const { agreed, impacts, scores, shares, counts, heads, best } = searched.notes
  const { confidences, trusts } = searched.said
  for (const row of rows) {
    const agreeing = agreed[row]!
    agreed[row] = 0
    if (worth === 0) continue
    const isNew = counts[row] === 0
    if (isNew) searched.fetch(row)
    if (confidences[row]! < minConfidence || trusts[row]! < minTrust) continue
    if (isNew) touched.push(row)
    counts[row]!++
    scores[row]! += worth * impacts[row]!
    shares[row]! += worth
    if (worth <= best[row]!) continue
    best[row] = worth
    heads[row] = agreeing
  }
}

/** Where a head has an n-gram, among the slots of all heads, of each so many. */
export function slotIn(slots: number, grams: Grams, gram: number, head: number): number {
  return head * slots + slotOf(grams.halves[2 * gram]!, grams.halves[2 * gram + 1]!, head, slots)
}

/** How much an n-gram tells that so many rows have: the logarithm to base 2 of 65,536 ÷ rows, in 16ths, between whole numbers along a line. */
function rarity(rows: number): number {
  if (rows === 0) return COMMON * 16
  const whole = 31 - Math.clz32(rows)
  const rest = Math.floor((rows * 16) / 2 ** whole) - 16
  return Math.max(0, (COMMON - whole) * 16 - rest)
}
