// The lookup by key: rows of a table with linear probing in Robin Hood order, which one set of keys has one form of.
import { KEY_BYTES_MAX } from '../values/limits.ts'
import type { Blocks } from './blocks.ts'
import { Cursor } from './cursor.ts'
import { BLOCK_BYTES, ROW_BYTES, ROWS_MAX, type Section } from './layout.ts'
import { PROBES_MAX, checkLimit } from './limits.ts'
import { malformed } from './refusals.ts'
import { TAG_WORDS as WORDS, putTagOf, tagsOf } from './tags.ts'

/** Tags whose keys are asked for at once. */
const BATCH = 4096

/** How many rows a table for so many keys has: the least power of two, or three quarters of one, that is filled to three quarters. */
export function rowsFor(keys: number): number {
  if (keys === 0) return 0
  let rows = 2
  while (rows * 3 < keys * 4) rows = rows % 3 === 0 ? (rows / 3) * 4 : Math.max(rows + 1, (rows / 2) * 3)
  return rows
}

/** Where the row of a tag would like to be: as far in the table as the tag's upper bits are among all there are. */
function homeOf(upper: number, rows: number): number {
  // Exact: the second factor is a power of two, or three times one.
  return Math.floor(upper * (rows / 2 ** 32))
}

/** The rows of a table for keys that are in order, in pieces. The offsets are those of each key's node and links. */
export function* tableOf(
  keys: readonly string[],
  nodes: Float64Array,
  links: Float64Array,
): Generator<Buffer, void, undefined> {
  checkLimit('the number of rows of the lookup', rowsFor(keys.length), ROWS_MAX)
  for (const piece of tableOfTags(allTags(keys), nodes, links)) {
    for (let at = 28; at < piece.length; at += ROW_BYTES) checkProbes(piece.readUInt32LE(at))
    yield piece
  }
}

/** Keys can be chosen so that their rows are next to each other: to look for one of them would cost what looking at all does. */
function checkProbes(distance: number): void {
  checkLimit('the number of rows of the lookup that are looked at for one key', distance, PROBES_MAX)
}

/** The same for the tags of such keys, however they are spread. */
export function* tableOfTags(
  tags: Uint32Array,
  nodes: Float64Array,
  links: Float64Array,
): Generator<Buffer, void, undefined> {
  const rows = rowsFor(tags.length / WORDS)
  const order = inOrder(tags, rows)
  const wrapped = wrappedOf(tags, order, rows)
  const first = order.length - wrapped
  let [next, next0] = [0, 0]
  let piece = Buffer.alloc(Math.min(rows * ROW_BYTES, BLOCK_BYTES))
  let at = 0
  const put = (place: number, key: number, home: number): void => {
    for (let word = 0; word < WORDS; word++) piece.writeUInt32LE(tags[key * WORDS + word]!, at + word * 4)
    piece.writeUIntLE(nodes[key]!, at + 16, 6)
    piece.writeUIntLE(links[key]!, at + 22, 6)
    piece.writeUInt32LE(place >= home ? place - home : place + rows - home, at + 28)
  }
  for (let place = 0; place < rows; place++) {
    if (next0 < wrapped) {
      const key = order[first + next0++]!
      put(place, key, homeOf(tags[key * WORDS + 3]!, rows))
    } else if (next < first) {
      const key = order[next]!
      const home = homeOf(tags[key * WORDS + 3]!, rows)
      if (home <= place) {
        put(place, key, home)
        next++
      }
    }
    at += ROW_BYTES
    if (at < piece.length) continue
    yield piece
    piece = Buffer.alloc(Math.min((rows - place - 1) * ROW_BYTES, BLOCK_BYTES))
    at = 0
  }
}

function allTags(keys: readonly string[]): Uint32Array {
  const tags = new Uint32Array(keys.length * WORDS)
  for (let at = 0; at < keys.length; at += BATCH) {
    tags.set(new Uint32Array(tagsOf(keys.slice(at, at + BATCH)).buffer), at * WORDS)
  }
  return tags
}

/** The keys by their tags, the upper bits first; those of one tag in their own order. */
function inOrder(tags: Uint32Array, rows: number): Uint32Array {
  const count = tags.length / WORDS
  // By their homes, which are in the order of the tags' upper bits; those of one home are few.
  const ends = new Uint32Array(rows + 1)
  const homes = new Uint32Array(count)
  for (let key = 0; key < count; key++) {
    const home = homeOf(tags[key * WORDS + 3]!, rows)
    homes[key] = home
    ends[home + 1]!++
  }
  for (let home = 0; home < rows; home++) ends[home + 1]! += ends[home]!
  const order = new Uint32Array(count)
  const free = ends.slice()
  for (let key = 0; key < count; key++) order[free[homes[key]!]!++] = key
  for (let home = 0; home < rows; home++) {
    if (ends[home + 1]! - ends[home]! > 1) {
      order.subarray(ends[home], ends[home + 1]).sort((a, b) => compareTags(tags, a, b) || a - b)
    }
  }
  return order
}

function compareTags(tags: Uint32Array, a: number, b: number): number {
  for (let word = WORDS - 1; word >= 0; word--) {
    const order = tags[a * WORDS + word]! - tags[b * WORDS + word]!
    if (order !== 0) return order
  }
  return 0
}

/** How many rows do not fit at the end of the table and stand at its beginning, which may move others behind its end. */
function wrappedOf(tags: Uint32Array, order: Uint32Array, rows: number): number {
  for (let wrapped = 0; ;) {
    let next = wrapped
    for (const key of order) next = Math.max(next, homeOf(tags[key * WORDS + 3]!, rows)) + 1
    const more = Math.max(0, next - rows)
    if (more === wrapped) return wrapped
    wrapped = more
  }
}

/** Where the things of a key are. */
export interface Found {
  /** The place of its row. */
  readonly place: number
  readonly node: number
  /** 0 where it has no edges. */
  readonly links: number
}

/** The lookup of an open package. */
export class Lookup {
  readonly #blocks: Blocks
  readonly #offset: number
  readonly #rows: number
  readonly #nodes: Section
  readonly #tag = new Uint32Array(WORDS)
  readonly #asked = Buffer.alloc(KEY_BYTES_MAX)
  readonly #cursor: Cursor

  constructor(blocks: Blocks, keys: Section, nodes: Section) {
    if (keys.entries !== rowsFor(nodes.entries) || keys.bytes !== keys.entries * ROW_BYTES) {
      throw malformed('its lookup has not the rows that so many nodes need')
    }
    checkLimit('the number of rows of the lookup', keys.entries, ROWS_MAX)
    this.#blocks = blocks
    this.#offset = keys.offset
    this.#rows = keys.entries
    this.#nodes = nodes
    this.#cursor = new Cursor(blocks, nodes.offset, nodes.offset)
  }

  /** Where the node of a key is; `undefined` where there is none. */
  find(key: string): Found | undefined {
    putTagOf(key, this.#tag)
    return this.#probe(key, this.#tag, 0)
  }

  /** The same of several keys, in one crossing. */
  findMany(keys: readonly string[]): (Found | undefined)[] {
    const tags = new Uint32Array(tagsOf(keys).buffer)
    return keys.map((key, at) => this.#probe(key, tags, at * WORDS))
  }

  /** What a row leads to; `undefined` where there is none. */
  at(place: number): Found | undefined {
    if (place >= this.#rows) return undefined
    const position = this.#offset + place * ROW_BYTES
    const words = this.#blocks.words(Math.floor(position / BLOCK_BYTES))
    return this.#leadingTo(place, words, (position % BLOCK_BYTES) / 4)
  }

  #probe(key: string, tags: Uint32Array, first: number): Found | undefined {
    const rows = this.#rows
    if (rows === 0) return undefined
    const length = this.#asked.write(key)
    let place = homeOf(tags[first + 3]!, rows)
    for (let distance = 0; distance < rows; distance++) {
      checkProbes(distance)
      const position = this.#offset + place * ROW_BYTES
      const words = this.#blocks.words(Math.floor(position / BLOCK_BYTES))
      const at = (position % BLOCK_BYTES) / 4
      // Who is nearer to where it would like to be stands behind the one that is looked for.
      const held = this.#distanceAt(place, words, at)
      if (held === undefined || held < distance) return undefined
      if (
        words[at] === tags[first] &&
        words[at + 1] === tags[first + 1] &&
        words[at + 2] === tags[first + 2] &&
        words[at + 3] === tags[first + 3]
      ) {
        const found = this.#leadingTo(place, words, at)
        if (found && this.#isKeyOf(found.node, length)) return found
      }
      place = place + 1 === rows ? 0 : place + 1
    }
    return undefined
  }

  /** How far a row is from where it would like to be; `undefined` where there is none. */
  #distanceAt(place: number, words: Uint32Array, at: number): number | undefined {
    if (words[at + 4] === 0 && (words[at + 5]! & 0xffff) === 0) return undefined
    const rows = this.#rows
    const distance = words[at + 7]!
    const home = homeOf(words[at + 3]!, rows)
    const here = home + distance
    if (distance >= rows || (here < rows ? here : here - rows) !== place) {
      throw malformed('a row of its lookup is not where it has to be', { row: place })
    }
    return distance
  }

  // Of the eight numbers of a row the fifth and half of the sixth are where its node is, the rest of it and the seventh where its edges are.
  #leadingTo(place: number, words: Uint32Array, at: number): Found | undefined {
    if (this.#distanceAt(place, words, at) === undefined) return undefined
    const middle = words[at + 5]!
    const node = words[at + 4]! + (middle & 0xffff) * 2 ** 32
    const { offset, bytes: length } = this.#nodes
    if (node < offset || node >= offset + length)
      throw malformed('a row of its lookup leads to no node', { row: place })
    return { place, node, links: (middle >>> 16) + words[at + 6]! * 2 ** 16 }
  }

  /** Whether the node there has the key that was asked for: tags alone prove nothing where keys come from others. */
  #isKeyOf(node: number, length: number): boolean {
    const cursor = this.#cursor
    cursor.reset(node, this.#nodes.offset + this.#nodes.bytes)
    cursor.length()
    if (cursor.length() !== length) return false
    cursor.need(length)
    const { bytes, at } = cursor
    const asked = this.#asked
    for (let byte = 0; byte < length; byte++) if (bytes[at + byte] !== asked[byte]) return false
    return true
  }
}

/** The handle of a node that does not exist. */
export const NO_HANDLE: number = 2 ** 32 - 1
