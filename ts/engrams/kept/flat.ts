// The lookup of a package as it is kept: in the order of its nodes, each by how far it is from the one before, so that what moves nodes changes one row.
import { ROW_BYTES } from '../layout.ts'
import { rowsFor, tableOfTags } from '../lookup.ts'
import { TAG_WORDS } from '../tags.ts'

/** Rows of the largest lookup that is kept so: it is held in memory, and turned at once. A larger one is kept as it is. */
export const FLAT_ROWS_MAX: number = 2 ** 20

const TAG_BYTES: number = TAG_WORDS * 4
const OFFSET_BYTES = 6
/** Bytes of a number of 48 bits, seven of them in each. */
const STEP_BYTES_MAX = 7

/** Where in the bytes of a kept package its lookup is, and how many rows it has when it is a package. */
export interface Flat {
  readonly offset: number
  readonly bytes: number
  readonly rows: number
}

/** A lookup as it is kept; nothing where it would not come back, as that of a package that somebody made by hand. */
export function flatten(table: Buffer): Buffer | undefined {
  const rows = table.length / ROW_BYTES
  if (rows === 0 || rows > FLAT_ROWS_MAX) return undefined
  const nodeOf = (at: number): number => table.readUIntLE(at + TAG_BYTES, OFFSET_BYTES)
  const found = inOrder(table, nodeOf)
  const flat = Buffer.allocUnsafe(found.length * (TAG_BYTES + 2 * STEP_BYTES_MAX))
  let [end, node, links] = [0, 0, 0]
  for (const at of found) {
    const toNode = nodeOf(at) - node
    const link = table.readUIntLE(at + TAG_BYTES + OFFSET_BYTES, OFFSET_BYTES)
    if (link !== 0 && link <= links) return undefined
    end += table.copy(flat, end, at, at + TAG_BYTES)
    end = putStep(flat, end, toNode)
    end = putStep(flat, end, link === 0 ? 0 : link - links)
    node += toNode
    if (link !== 0) links = link
  }
  const whole = flat.subarray(0, end)
  return unflatten(whole, rows)?.equals(table) ? whole : undefined
}

/** Where the rows stand that have a node, ascending by that. */
function inOrder(table: Buffer, nodeOf: (at: number) => number): Uint32Array {
  const places: number[] = []
  for (let at = 0; at < table.length; at += ROW_BYTES) if (nodeOf(at) !== 0) places.push(at)
  const nodes = Float64Array.from(places, nodeOf)
  const sorted = nodes.toSorted()
  const order = new Uint32Array(places.length)
  for (const [at, place] of places.entries()) {
    let [low, high] = [0, sorted.length - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sorted[middle]! < nodes[at]!) low = middle + 1
      else high = middle
    }
    order[low] = place
  }
  return order
}

/** A lookup of so many rows as it is in a package; nothing where there is none of which this is the form. */
export function unflatten(flat: Buffer, rows: number): Buffer | undefined {
  const most = Math.min(rows, Math.floor(flat.length / (TAG_BYTES + 2)))
  const tags = new Uint32Array(most * TAG_WORDS)
  const [nodes, links] = [new Float64Array(most), new Float64Array(most)]
  let [at, count, node, link] = [0, 0, 0, 0]
  const step = (): number => {
    let [value, factor] = [0, 1]
    for (let more = 0; more < STEP_BYTES_MAX; more++) {
      const byte = flat[at++] ?? 0
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 0x80
    }
    return Infinity
  }
  for (; at < flat.length && count < most; count++) {
    for (let word = 0; word < TAG_WORDS; word++) {
      if (at + 4 > flat.length) return undefined
      tags[count * TAG_WORDS + word] = flat.readUInt32LE(at)
      at += 4
    }
    node += step()
    const further = step()
    if (further !== 0) link += further
    if (!(node > 0 && Math.max(node, link) < 2 ** (8 * OFFSET_BYTES))) return undefined
    nodes[count] = node
    links[count] = further === 0 ? 0 : link
  }
  if (at !== flat.length || rowsFor(count) !== rows) return undefined
  const parts = [...tableOfTags(tags.subarray(0, count * TAG_WORDS), nodes, links)]
  return Buffer.concat(parts)
}

function putStep(bytes: Buffer, at: number, value: number): number {
  let [next, rest] = [at, value]
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[next++] = (rest % 0x80) | 0x80
  bytes[next++] = rest
  return next
}

/** Bytes in parts, of which those from one place to another are replaced. */
export function* replaced(
  parts: Iterable<Buffer>,
  from: number,
  to: number,
  by: (replaced: Buffer) => Buffer,
): Generator<Buffer, void> {
  let at = 0
  const held: Buffer[] = []
  for (const part of parts) {
    const start = at
    at += part.length
    if (start < from) yield part.subarray(0, from - start)
    if (at > from && start < to) held.push(Buffer.from(part.subarray(Math.max(0, from - start), to - start)))
    if (at >= to && start < to) yield by(Buffer.concat(held))
    if (at > to) yield part.subarray(Math.max(0, to - start))
  }
}
