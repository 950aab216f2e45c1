// The edges of a node, and what is at their other ends.
import { KaryonError } from '../errors.ts'
import type { Edge, Node, Reader } from '../graph/types.ts'
import type { Finding } from './finding.ts'
import type { Direction, EdgePart } from './parts.ts'

/** Edges whose other ends are fetched in one crossing: few at first, as many rows are left early. */
const FIRST_BATCH = 4
const BATCH_GROWTH = 4
const BATCH_MAX = 256

/** An edge of a node, and the node at its other end. */
export interface Neighbour {
  readonly edge: Edge
  readonly node: Node
}

/** The edges of a node that a part means, with what is at their other ends. */
export function* around(
  finding: Finding,
  part: EdgePart,
  key: string,
  direction: Direction,
): Generator<Neighbour, void, undefined> {
  let batch: Edge[] = []
  let size = FIRST_BATCH
  for (const edge of edgesOf(finding.reader, part, key, direction)) {
    if (!part.meets(edge) || !finding.isFree(edge)) continue
    if (batch.push(edge) < size) continue
    yield* withEnds(finding.reader, key, batch)
    batch = []
    size = Math.min(size * BATCH_GROWTH, BATCH_MAX)
  }
  yield* withEnds(finding.reader, key, batch)
}

function* withEnds(
  reader: Reader,
  key: string,
  edges: readonly Edge[],
): Generator<Neighbour, void, undefined> {
  const nodes = visible(
    reader,
    edges.map((edge) => otherEnd(edge, key)),
  )
  for (const [at, edge] of edges.entries()) {
    const node = nodes[at]
    if (node) yield { edge, node }
  }
}

/** The end of an edge that is not this one; of an edge from a node to itself, that node. */
export function otherEnd({ from, to }: Edge, key: string): string {
  return from === key ? to : from
}

/** The edges of a node, of one type or all, each once. */
export function* edgesOf(
  reader: Reader,
  { type }: EdgePart,
  key: string,
  direction: Direction,
): Generator<Edge, void, undefined> {
  if (direction !== 'in') yield* reader.out(key, type)
  if (direction === 'out') return
  for (const edge of reader.in(key, type)) {
    // An edge from a node to itself has been seen.
    if (direction === 'in' || edge.from !== edge.to) yield edge
  }
}

/** How many edges a node has in a direction. */
export function degree(reader: Reader, key: string, direction: Direction, type: string | undefined): number {
  return direction === 'both'
    ? reader.degree(key, 'out', type) + reader.degree(key, 'in', type)
    : reader.degree(key, direction, type)
}

/** The direction of an edge for who stands at one of its ends. */
export function seenFrom({ direction, ends }: EdgePart, name: string): Direction {
  return name === ends[0] ? direction : opposite(direction)
}

/** The direction of an edge for who stands at its other end. */
export function opposite(direction: Direction): Direction {
  return direction === 'both' ? 'both' : direction === 'out' ? 'in' : 'out'
}

/** Several nodes, without those that the reader may not see: what is hidden is in no row, as it is in no scan. */
export function visible(reader: Reader, keys: readonly string[]): (Node | undefined)[] {
  if (keys.length === 0) return []
  try {
    return reader.getMany(keys)
  } catch (error) {
    if (!isRefusal(error)) throw error
    return keys.length === 1 ? [undefined] : keys.flatMap((key) => visible(reader, [key]))
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof KaryonError && error.code === 'ERR_KARYON_ACCESS'
}
