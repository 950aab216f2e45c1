// The tables of recalls as they are packed: made one after the other, of what the package says.
import { HEADS, SLOT_ROWS_MAX, type Tables } from '../../recall/tables.ts'
import { BLOCK_BYTES, putLong } from '../layout.ts'
import { checkLimit } from '../limits.ts'
import { GROUP, RECALL_ROW_WORDS, TABLE_HEAD_BYTES, WORD_BYTES } from './layout.ts'

/** Numbers behind which a piece ends. */
const PIECE_WORDS: number = BLOCK_BYTES / WORD_BYTES
/** The largest number of 32 bits. */
const WORD_MAX = 2 ** 32 - 1
/** Groups or parts behind which others may have their turn, though there is nothing to write yet. */
const STRETCH = 4_096
const NOTHING = Buffer.alloc(0)
const NO_WORDS = new Uint32Array()

/** A table in pieces, each good until the next is asked for. Rows are those of nodes at these offsets. */
export function* piecesOf(tables: Tables, nodes: Float64Array): Generator<Buffer, void, undefined> {
  const groups = (HEADS * tables.slots) / GROUP
  const ends = new Uint32Array(groups)
  const words = yield* putEnds(tables, ends)
  const bytes = TABLE_HEAD_BYTES + (tables.rows * RECALL_ROW_WORDS + groups + words) * WORD_BYTES
  const head = Buffer.alloc(TABLE_HEAD_BYTES)
  head.writeUInt32LE(tables.slots, 0)
  putLong(head, tables.grams, 8)
  putLong(head, tables.overflow, 16)
  putLong(head, bytes, 24)
  yield head
  yield* wordsIn(rowsOf(tables, nodes))
  yield* wordsIn([ends])
  yield* wordsIn(groupsOf(tables, groups))
}

/** Notes of each group where it ends, in numbers from the first one. Returns where the last one does. */
function* putEnds(tables: Tables, ends: Uint32Array): Generator<Buffer, number, undefined> {
  let end = 0
  for (let group = 0; group < ends.length; group++) {
    if (group % STRETCH === 0) yield NOTHING
    let taken = 0
    for (let slot = group * GROUP; slot < (group + 1) * GROUP; slot++) {
      const fallen = tables.fallen(slot)
      if (fallen > 0) taken += 1 + Math.min(fallen, SLOT_ROWS_MAX)
    }
    if (taken > 0) end += 1 + taken
    checkLimit('the size of the postings of a recall in numbers', end, WORD_MAX)
    ends[group] = end
  }
  return end
}

function* rowsOf(tables: Tables, nodes: Float64Array): Generator<Uint32Array, void, undefined> {
  const words = new Uint32Array(RECALL_ROW_WORDS)
  for (let row = 0; row < tables.rows; row++) {
    const [node, { weight, threshold, confidence, trust }] = [nodes[row]!, tables.facts(row)]
    words[0] = node % 2 ** 32
    words[1] = Math.floor(node / 2 ** 32) | (weight << 16)
    words[2] = threshold | (confidence << 8) | (trust << 16)
    yield words
  }
}

function* groupsOf(tables: Tables, groups: number): Generator<Uint32Array, void, undefined> {
  const head = new Uint32Array(1 + GROUP)
  for (let group = 0; group < groups; group++) {
    let [bits, held] = [0, 0]
    for (let at = 0; at < GROUP; at++) {
      const fallen = tables.fallen(group * GROUP + at)
      if (fallen === 0) continue
      bits |= 1 << at
      head[1 + held++] = Math.min(fallen, WORD_MAX)
    }
    if (held === 0) {
      yield NO_WORDS
      continue
    }
    head[0] = bits
    yield head.subarray(0, 1 + held)
    for (let at = 0; at < GROUP; at++) if ((bits >>> at) & 1) yield tables.postings(group * GROUP + at)
  }
}

/** Puts numbers together into pieces. */
function* wordsIn(parts: Iterable<Uint32Array>): Generator<Buffer, void, undefined> {
  const piece = new Uint32Array(PIECE_WORDS)
  let [used, looked] = [0, 0]
  for (const part of parts) {
    if (++looked % STRETCH === 0) yield NOTHING
    for (let done = 0; done < part.length;) {
      const count = Math.min(part.length - done, PIECE_WORDS - used)
      piece.set(part.subarray(done, done + count), used)
      done += count
      used += count
      if (used < PIECE_WORDS) continue
      yield Buffer.from(piece.buffer)
      used = 0
    }
  }
  if (used > 0) yield Buffer.from(piece.buffer, 0, used * WORD_BYTES)
}
