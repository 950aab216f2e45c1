// A package and a host, side by side: portion by portion, each node and edge with what the host has under the same identity.
import type { Edge, EdgeIdentity, Node, View } from '../graph/types.ts'
import { bytesOf } from './facts.ts'
import type { Engram } from './types.ts'

/** Nodes or edges of a portion. */
const PORTION_MAX = 10_000
/** About how many bytes of a package's facts a portion holds before it ends. */
const PORTION_BYTES = 8 * 1024 * 1024
/** The handle of a node that does not exist. */
const MISSING = 0xffff_ffff
/** Edges of a node are read one by one where the host has more than so many for each that the package has. */
const EDGES_PER_EDGE = 4

/** One of the package's, and the host's. */
export interface Meeting<Entity> {
  readonly entity: Entity
  readonly host: Entity | undefined
  /** About how many bytes it takes. */
  readonly bytes: number
}

/** Nodes or edges that are looked at together. */
export type Portion = { readonly nodes: Meeting<Node>[] } | { readonly edges: Meeting<Edge>[] }

/** All nodes of a package, then all of its edges. Memory: a portion, and what the host has of that. */
export function* portions(engram: Engram, host: View): IterableIterator<Portion> {
  for (const nodes of cut(engram.nodes())) yield { nodes: meetNodes(nodes, host) }
  for (const edges of cut(engram.edges())) yield { edges: meetEdges(edges, host) }
}

/** What has been read of a package and not yet met its host. */
interface Read<Entity> {
  readonly entity: Entity
  readonly bytes: number
}

function* cut<Entity extends Node | Edge>(all: Iterable<Entity>): IterableIterator<Read<Entity>[]> {
  let read: Read<Entity>[] = []
  let total = 0
  for (const entity of all) {
    const bytes = bytesOf(entity)
    read.push({ entity, bytes })
    total += bytes
    if (read.length < PORTION_MAX && total < PORTION_BYTES) continue
    yield read
    read = []
    total = 0
  }
  if (read.length > 0) yield read
}

function meetNodes(read: readonly Read<Node>[], host: View): Meeting<Node>[] {
  const keys = read.map(({ entity }) => entity.key)
  const handles = host.handles(keys)
  const known = keys.filter((_, at) => handles[at] !== MISSING)
  const there = known.length === 0 ? [] : host.getMany(known)
  let next = 0
  return read.map(({ entity, bytes }, at) => {
    const node = handles[at] === MISSING ? undefined : there[next++]
    return { entity, host: node, bytes }
  })
}

function meetEdges(read: readonly Read<Edge>[], host: View): Meeting<Edge>[] {
  const met: Meeting<Edge>[] = []
  const starts = startsOf(read)
  const handles = host.handles(starts.map((start) => read[start]!.entity.from))
  for (const [at, start] of starts.entries()) {
    const end = starts[at + 1] ?? read.length
    const of = handles[at] === MISSING ? undefined : edgesOf(host, read[start]!.entity.from, end - start)
    for (let each = start; each < end; each++) {
      const { entity, bytes } = read[each]!
      met.push({ entity, host: of?.(entity), bytes })
    }
  }
  return met
}

/** Where edges begin that leave the same node: they come one behind the other. */
function startsOf(read: readonly Read<Edge>[]): number[] {
  const starts: number[] = []
  let from: string | undefined
  for (const [at, { entity }] of read.entries()) {
    if (entity.from !== from) starts.push(at)
    from = entity.from
  }
  return starts
}

/** How the host's edges of a node are found: one by one where it has many more than are asked for. */
function edgesOf(
  host: View,
  from: string,
  asked: number,
): ((edge: EdgeIdentity) => Edge | undefined) | undefined {
  const degree = host.degree(from, 'out')
  if (degree === 0) return undefined
  if (degree > asked * EDGES_PER_EDGE)
    return ({ from, type, to, key = '' }) => host.edge({ from, type, to, key })
  const edges = new Map<string, Edge>()
  for (const edge of host.out(from)) edges.set(nameOf(edge), edge)
  return (edge) => edges.get(nameOf(edge))
}

/** What tells edges from each other that leave the same node. */
function nameOf({ type, to, key }: EdgeIdentity): string {
  return JSON.stringify([type, to, key])
}
