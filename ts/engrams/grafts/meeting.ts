// A package and a host, side by side: portion by portion, each node and edge with what the host has under the same identity.
import type { Edge, EdgeIdentity, Node, View } from '../../graph/types.ts'
import { Batches } from '../batches.ts'
import { bytesOf } from './facts.ts'
import type { Engram } from '../types.ts'

/** Nodes or edges of a portion. */
const PORTION_MAX = 10_000
/** About how many bytes of a package's facts a portion holds before it ends, and of the host's edges. */
const PORTION_BYTES = 8 * 1024 * 1024
/** The handle of a node that does not exist. */
const MISSING = 0xffff_ffff
/** Edges of a node are read one by one where the host has more than so many for each that the package has. */
const EDGES_PER_EDGE = 4

/** One of the package's, and the host's. */
export interface Meeting<Entity> {
  readonly entity: Entity
  host: Entity | undefined
  /** About how many bytes it takes. */
  readonly bytes: number
}

/** Nodes or edges that are looked at together. */
export type Portion =
  { readonly nodes: readonly Meeting<Node>[] } | { readonly edges: readonly Meeting<Edge>[] }

/** All nodes of a package, then all of its edges. Memory: a portion, and about as much of the host. */
export function* portions(engram: Engram, host: View): IterableIterator<Portion> {
  const batches = new Batches()
  for (const nodes of cut(engram.nodes()))
    for (const met of meetNodes(nodes, host, batches)) yield* lentOut({ nodes: met }, met)
  for (const edges of cut(engram.edges()))
    for (const met of meetEdges(edges, host)) yield* lentOut({ edges: met }, met)
}

/** Whoever has looked at them needs the host's no more. */
function* lentOut(portion: Portion, met: readonly { host: unknown }[]): IterableIterator<Portion> {
  yield portion
  for (const meeting of met) meeting.host = undefined
}

/** What has not met its host yet. */
function* cut<Entity extends Node | Edge>(all: Iterable<Entity>): IterableIterator<Meeting<Entity>[]> {
  let read: Meeting<Entity>[] = []
  let total = 0
  for (const entity of all) {
    const bytes = bytesOf(entity)
    read.push({ entity, host: undefined, bytes })
    total += bytes
    if (read.length < PORTION_MAX && total < PORTION_BYTES) continue
    yield read
    read = []
    total = 0
  }
  if (read.length > 0) yield read
}

/** Reads so many of the host's nodes at once as fit in little memory. */
function* meetNodes(
  nodes: readonly Meeting<Node>[],
  host: View,
  batches: Batches,
): IterableIterator<readonly Meeting<Node>[]> {
  const handles = host.handles(nodes.map(({ entity }) => entity.key))
  let begun = 0
  let known: Meeting<Node>[] = []
  for (const [at, meeting] of nodes.entries()) {
    if (handles[at] !== MISSING) known.push(meeting)
    if (known.length < batches.size && at < nodes.length - 1) continue
    if (known.length > 0) {
      const there = host.getMany(known.map(({ entity }) => entity.key))
      for (const [n, node] of there.entries()) known[n]!.host = node
      batches.learn(there)
    }
    yield nodes.slice(begun, at + 1)
    begun = at + 1
    known = []
  }
}

/** Those of the host are bounded by their bytes as well. */
function* meetEdges(edges: readonly Meeting<Edge>[], host: View): IterableIterator<readonly Meeting<Edge>[]> {
  const starts = startsOf(edges)
  const handles = host.handles(starts.map((start) => edges[start]!.entity.from))
  let [begun, bytes] = [0, 0]
  for (const [at, start] of starts.entries()) {
    if (handles[at] === MISSING) continue
    const end = starts[at + 1] ?? edges.length
    const find = finder(host, edges[start]!.entity.from, end - start)
    if (find === undefined) continue
    for (let each = start; each < end; each++) {
      const there = find(edges[each]!.entity)
      edges[each]!.host = there
      bytes += there === undefined ? 0 : bytesOf(there)
      if (bytes < PORTION_BYTES) continue
      yield edges.slice(begun, each + 1)
      begun = each + 1
      bytes = 0
    }
  }
  if (begun < edges.length) yield edges.slice(begun)
}

/** Where edges begin that leave the same node: they come one behind the other. */
function startsOf(edges: readonly Meeting<Edge>[]): number[] {
  const starts: number[] = []
  let from: string | undefined
  for (const [at, { entity }] of edges.entries()) {
    if (entity.from !== from) starts.push(at)
    from = entity.from
  }
  return starts
}

/** How the host's edges of a node are found: one by one where it has many more than are asked for, or large ones. */
function finder(
  host: View,
  from: string,
  asked: number,
): ((edge: EdgeIdentity) => Edge | undefined) | undefined {
  const degree = host.degree(from, 'out')
  if (degree === 0) return undefined
  const one = ({ from, type, to, key = '' }: EdgeIdentity): Edge | undefined =>
    host.edge({ from, type, to, key })
  if (degree > asked * EDGES_PER_EDGE) return one
  const edges = new Map<string, Edge>()
  let bytes = 0
  for (const edge of host.out(from)) {
    edges.set(nameOf(edge), edge)
    bytes += bytesOf(edge)
    if (bytes > PORTION_BYTES) return one
  }
  return (edge) => edges.get(nameOf(edge))
}

/** What tells edges from each other that leave the same node. Lengths come first, as a name may hold whatever would divide it from the next. */
function nameOf({ type, to, key }: EdgeIdentity): string {
  return `${type.length} ${to.length} ${type}${to}${key}`
}
