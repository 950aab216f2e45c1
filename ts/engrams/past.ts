// What a package tells of the past of its nodes and edges: a row for each, and the commits that its row leads to.
import { isDate } from 'node:util/types'
import { KaryonError } from '../errors.ts'
import { checkedOptions } from '../graph/arguments.ts'
import type { Instant } from '../time.ts'
import { checkName } from '../values/keys.ts'
import type { Blocks } from './blocks.ts'
import { type Passed, decodeSide, isValued, nameOf, passChanges } from './changes.ts'
import { Cursor } from './cursor.ts'
import { PAST_BYTES, type Section } from './layout.ts'
import { CHANGES_MAX, checkLimit } from './limits.ts'
import type { Names } from './names.ts'
import { malformed, notKept } from './refusals.ts'
import { type Sources, instantOf, microsOf } from './sources.ts'
import type { PackedChange, PastOptions } from './types.ts'

const BEFORE = ['before', 'intervalsBefore'] as const
const AFTER = ['after', 'intervalsAfter'] as const
/** Bytes of an offset in a row. */
const OFFSET_BYTES = PAST_BYTES / 2

/** What is asked for of the past, checked; times are in µs since 1970. */
export interface PastAsked {
  readonly property: string | undefined
  readonly from: bigint | undefined
  readonly to: bigint | undefined
}

/** Reads and checks which changes are asked for. */
export function pastAsked(options: PastOptions): PastAsked {
  const { property, ...times } = checkedOptions(options, 'property', 'from', 'to')
  if (property !== undefined) checkName(property)
  const [from, to] = [times.from, times.to].map((time) =>
    time === undefined ? undefined : microsOfDate(time),
  )
  if (from !== undefined && to !== undefined && from > to) {
    throw timeError('the span ends before it begins; swap the two times')
  }
  return { property, from, to }
}

function microsOfDate(time: Date): bigint {
  if (!isDate(time)) throw timeError('an engram has no versions: a time of its past is a Date')
  if (Number.isNaN(time.getTime())) throw timeError('the date is invalid')
  return microsOf(time)
}

function timeError(message: string): KaryonError {
  return new KaryonError('ERR_KARYON_TIME', message)
}

/** Which changes are asked for: of one slot, after one time and up to another, in µs since 1970. */
export interface Asked {
  readonly slot: number | undefined
  readonly from: bigint | undefined
  readonly to: bigint | undefined
}

/** Who wrote a commit, and when. */
interface Author {
  readonly principal: string
  readonly micros: bigint
}

/** What is told of a change beside that. */
type Told = Omit<PackedChange, 'version' | 'time' | 'principal'>

/** Changes that were passed over, column by column: of one node or edge there may be millions. */
interface Columns {
  readonly slots: number[]
  readonly positions: number[]
  readonly lengths: number[]
  /** The place of the next older change of the same slot; 0 for none. */
  readonly older: number[]
  /** Where the commit of each begins; 0 where nobody tells whose it is. */
  readonly commits: number[]
}

/** All that was passed over of one node or edge: when the oldest commit was, and whether what is older was not kept. */
interface Index extends Columns {
  readonly oldest: bigint | undefined
  readonly isCut: boolean
}

/** The past of an open package. */
export class Pasts {
  readonly #blocks: Pick<Blocks, 'block'>
  readonly #section: Section
  readonly #names: Names
  readonly #sources: Pick<Sources, 'principal'>
  /** Changes of all there are. */
  readonly #most: number
  readonly #rows: number

  constructor(
    blocks: Pick<Blocks, 'block'>,
    section: Section,
    names: Names,
    sources: Pick<Sources, 'principal'>,
    most: number,
  ) {
    const { offset, bytes, entries } = section
    this.#rows = offset + bytes - entries * PAST_BYTES
    if (this.#rows < offset) throw malformed('there are more rows of its history than room for them')
    this.#blocks = blocks
    this.#section = section
    this.#names = names
    this.#sources = sources
    this.#most = most
    const first = entries > 0 ? this.#row(this.#newCursor(), 0).start : this.#rows
    if (first !== offset) throw malformed('its history does not begin where its first row says')
  }

  /** A cursor over all rows. */
  #newCursor(): Cursor {
    return new Cursor(this.#blocks, this.#rows, this.#rows + this.#section.entries * PAST_BYTES)
  }

  /** The changes of the node or edge that stands at an offset, the newest first. */
  *changes(target: number, isNode: boolean, asked: Asked): Generator<PackedChange, void, undefined> {
    const found = this.#find(target)
    if (!found) return
    const { start, end } = found
    const index = this.#indexed(start, end, isNode, asked.slot)
    const cursor = new Cursor(this.#blocks, start, end)
    let [commit, author, time] = [0, undefined as Author | undefined, undefined as Instant | undefined]
    for (let at = 0; at < index.slots.length; at++) {
      if (index.commits[at] === 0) continue
      if (commit !== index.commits[at]) {
        commit = index.commits[at]!
        cursor.seek(commit)
        author = this.#author(cursor)!
        time = instantOf(author.micros)
      }
      const { principal, micros } = author!
      if (asked.from !== undefined && micros <= asked.from) return
      if (asked.to !== undefined && micros > asked.to) continue
      yield { version: 0n, time: time!, principal, ...this.#told(cursor, index, at) }
    }
    const { from } = asked
    if (index.isCut && (from === undefined || index.oldest === undefined || index.oldest > from)) {
      throw notKept('what changed before was not kept any more when it was packed; ask for what is newer')
    }
  }

  #told(cursor: Cursor, { slots, positions, lengths, older }: Index, at: number): Told {
    const passed = { slot: slots[at]!, position: positions[at]!, length: lengths[at]! }
    const before = older[at]! - 1
    const side = (of: number, names: readonly [string, string]): object => {
      if (of < 0 || lengths[of] === 0 || !isValued(passed.slot)) return {}
      cursor.seek(positions[of]!)
      return decodeSide(cursor, passed.slot, lengths[of]!, names)
    }
    return { ...nameOf(passed, this.#names), ...side(before, BEFORE), ...side(at, AFTER) }
  }

  /** Who wrote the commit at the cursor, which stands before its changes then; `undefined` where that is not told. */
  #author(cursor: Cursor): Author | undefined {
    const lead = cursor.varint()
    if (lead === 0) return undefined
    const principal = this.#sources.principal(lead - 1)
    if (principal === undefined) throw cursor.malformed('a number stands for no principal')
    return { principal, micros: cursor.time() }
  }

  /** Where the past of a node or edge is told; `undefined` where nothing is. */
  #find(target: number): { readonly start: number; readonly end: number } | undefined {
    const { offset, entries } = this.#section
    const cursor = this.#newCursor()
    let [low, high] = [0, entries]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (this.#row(cursor, middle).target < target) low = middle + 1
      else high = middle
    }
    if (low === entries) return undefined
    const { target: found, start } = this.#row(cursor, low)
    if (found !== target) return undefined
    const next = low + 1 < entries ? this.#row(cursor, low + 1) : { target: Infinity, start: this.#rows }
    const isInPlace =
      start >= offset && next.start > start && next.start <= this.#rows && next.target > target
    if (!isInPlace) {
      throw malformed('the past of a node or edge is not where it has to be')
    }
    return { start, end: next.start }
  }

  #row(cursor: Cursor, at: number): { readonly target: number; readonly start: number } {
    cursor.seek(this.#rows + at * PAST_BYTES)
    cursor.need(PAST_BYTES)
    const { bytes, at: row } = cursor
    return {
      target: bytes.readUIntLE(row, OFFSET_BYTES),
      start: bytes.readUIntLE(row + OFFSET_BYTES, OFFSET_BYTES),
    }
  }

  /** Passes over all commits. Keeps of them the changes of one slot, or all. */
  #indexed(start: number, end: number, isNode: boolean, only: number | undefined): Index {
    const cursor = new Cursor(this.#blocks, start, end - 1)
    const columns: Columns = { slots: [], positions: [], lengths: [], older: [], commits: [] }
    /** Where the last change of each slot is; 0 where it is not kept. */
    const newest = new Map<number, number>()
    /** What nobody tells whose it is: what was held then, which is another thing than what the next commit says. */
    let untold = new Map<number, Buffer>()
    let [count, before] = [0, undefined as bigint | undefined]
    while (cursor.left > 0) {
      const commit = cursor.position
      const author = this.#author(cursor)
      if (author && before !== undefined && author.micros >= before) {
        throw cursor.malformed('commits are out of order')
      }
      before = author?.micros ?? before
      const next = new Map<number, Buffer>()
      for (const passed of passChanges(cursor, this.#names, isNode)) {
        if (author) this.#checkCount(++count)
        checkUntold(cursor, passed, author !== undefined, newest, untold, next)
        const isKept = only === undefined || only === passed.slot
        const place = isKept ? put(columns, passed, author ? commit : 0, newest.get(passed.slot)) : 0
        newest.set(passed.slot, place)
      }
      if (untold.size > 0) throw cursor.malformed('something of the past is told that nobody needs')
      untold = next
    }
    const last = new Cursor(this.#blocks, end - 1, end).byte()
    if (last > 1 || (last === 0 && newest.size === 0))
      throw cursor.malformed('a past does not end as it has to')
    for (const held of untold.values()) {
      if (held.length === 0) throw cursor.malformed('something of the past is told that nobody needs')
    }
    return { ...columns, oldest: before, isCut: last === 1 }
  }

  #checkCount(count: number): void {
    checkLimit('the number of changes of a node or edge', count, CHANGES_MAX)
    if (count > this.#most) throw malformed('more has changed than it says')
  }
}

/** Appends a change, and has the newer one of its slot know of it. Returns its place, counted from 1. */
function put(
  { slots, positions, lengths, older, commits }: Columns,
  { slot, position, length }: Passed,
  commit: number,
  newer: number | undefined,
): number {
  positions.push(position)
  lengths.push(length)
  older.push(0)
  commits.push(commit)
  const place = slots.push(slot)
  if (newer) older[newer - 1] = place
  return place
}

/**
 * What nobody tells whose it is stands right before the commit that says something else, or behind all, and what is newer needs it. Takes what a
 * commit says out of what was untold before it, and puts what is untold in it into what comes next.
 */
function checkUntold(
  cursor: Cursor,
  { slot, position, length }: Passed,
  isTold: boolean,
  newest: ReadonlyMap<number, number>,
  untold: Map<number, Buffer>,
  next: Map<number, Buffer>,
): void {
  const from = cursor.at - (cursor.position - position)
  const held = isValued(slot) ? cursor.bytes.subarray(from, from + length) : NOTHING
  if (isTold) {
    if (untold.get(slot)?.equals(held)) throw cursor.malformed('the same of the past is told twice')
    untold.delete(slot)
  } else if (isValued(slot) && newest.has(slot) && untold.size === 0) next.set(slot, held)
  else throw cursor.malformed('something of the past is told that nobody needs')
}

const NOTHING = Buffer.alloc(0)
