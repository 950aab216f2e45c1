// How a plan is carried out: depth first, one node or edge after the other, each step holding at most a page of what it looks through.
import { KaryonError } from '../errors.ts'
import type { Edge, Node, NodeQuery, Reader } from '../graph/types.ts'
import type { Bound } from './types.ts'
import { type Direction, type EdgePart, type FilterPart, isSameEdge } from './parts.ts'

/** Edges whose other ends are fetched in one crossing: few at first, as many rows are left early. */
const FIRST_BATCH = 4
const BATCH_GROWTH = 4
const BATCH_MAX = 256

/** What has been found so far on the way to a row. */
export class Finding {
  readonly reader: Reader
  readonly #held = new Map<string, Bound>()
  /** Edges of the row, also those without a name. No edge stands in a row twice. */
  readonly #edges: Edge[] = []

  constructor(reader: Reader) {
    this.reader = reader
  }

  hold(name: string, what: Bound): void {
    this.#held.set(name, what)
  }

  /** A node that a step before has found. */
  node(name: string): Node {
    return this.#held.get(name) as Node
  }

  isFree(edge: Edge): boolean {
    return !this.#edges.some((other) => isSameEdge(edge, other))
  }

  push(edge: Edge): void {
    this.#edges.push(edge)
  }

  pop(): void {
    this.#edges.pop()
  }

  /** The names asked for, in their order, those that stand for nothing included. */
  row(names: readonly string[]): Record<string, Bound> {
    const row: Record<string, Bound> = {}
    for (const name of names) row[name] = this.#held.get(name)
    return row
  }
}

/** One way to go on after another: each time it is asked, it has put one into the finding, until there is none. */
export type Step = (finding: Finding) => Generator<undefined, void, undefined>

/** Every way to take all steps. A step that is left has taken back what it did. */
export function* take(steps: readonly Step[], finding: Finding): Generator<undefined, void, undefined> {
  const open: Iterator<undefined>[] = []
  try {
    for (let depth = 0; depth >= 0;) {
      if (depth === steps.length) {
        yield
        depth--
        continue
      }
      const step = (open[depth] ??= steps[depth]!(finding))
      if (step.next().done === true) {
        open.pop()
        depth--
      } else depth++
    }
  } finally {
    for (const step of open.toReversed()) step.return?.()
  }
}

/** The node with a key. */
export function byKey(name: string, key: string, meets: (node: Node) => boolean): Step {
  return function* (finding) {
    const [node] = visible(finding.reader, [key])
    if (!node || !meets(node)) return
    finding.hold(name, node)
    yield
  }
}

/** The nodes that the graph finds. */
export function byQuery(name: string, query: NodeQuery, meets: (node: Node) => boolean): Step {
  return function* (finding) {
    for (const node of finding.reader.nodes(query)) {
      if (!meets(node)) continue
      finding.hold(name, node)
      yield
    }
  }
}

/** A node that is there already, if it is what is said of it. */
export function byLooking(name: string, meets: (node: Node) => boolean): Step {
  return function* (finding) {
    if (meets(finding.node(name))) yield
  }
}

/** From a node along its edges to those that are new. */
export function byEdge(part: EdgePart, from: string, to: string, meets: (node: Node) => boolean): Step {
  const direction = seenFrom(part, from)
  return function* (finding) {
    for (const { edge, node } of around(finding, part, finding.node(from).key, direction)) {
      if (!meets(node)) continue
      finding.hold(to, node)
      yield* held(finding, part, edge)
    }
  }
}

/** Between two nodes that are there. `counts` says whether to look from the one with fewer edges. */
export function byBothEnds(part: EdgePart, counts: boolean): Step {
  return function* (finding) {
    for (const edge of between(finding, part, counts)) {
      if (finding.isFree(edge)) yield* held(finding, part, edge)
    }
  }
}

/** Along paths, to nodes that are new, or to one that is there. */
export function byPath(
  part: EdgePart,
  from: string,
  to: string,
  end: 'new' | 'there',
  meets: (node: Node) => boolean,
): Step {
  const direction = seenFrom(part, from)
  const [least, most] = part.hops ?? [1, 1]
  const inOrder = from === part.ends[0]
  return function* (finding) {
    const start = finding.node(from)
    const until = end === 'there' ? finding.node(to).key : undefined
    const path: Edge[] = []
    const open: Iterator<Neighbour>[] = []
    const arrive = (node: Node): boolean => {
      if (path.length < least || !(until === undefined ? meets(node) : node.key === until)) return false
      if (until === undefined) finding.hold(to, node)
      if (part.name !== undefined) finding.hold(part.name, inOrder ? [...path] : path.toReversed())
      return true
    }
    const leave = (): void => {
      if (path.pop()) finding.pop()
    }
    try {
      if (arrive(start)) yield
      open.push(around(finding, part, start.key, direction))
      for (let last = open.at(-1); last; last = open.at(-1)) {
        const next = last.next()
        if (next.done === true) {
          open.pop()
          leave()
          continue
        }
        const { edge, node } = next.value
        path.push(edge)
        finding.push(edge)
        if (arrive(node)) yield
        if (path.length < most) open.push(around(finding, part, node.key, direction))
        else leave()
      }
    } finally {
      for (const each of open) each.return?.()
      while (path.length > 0) leave()
    }
  }
}

/** The parts that may be missing: every way to take their steps, or one without them. */
export function byChance(steps: readonly Step[], names: readonly string[]): Step {
  return function* (finding) {
    let found = false
    for (const _ of take(steps, finding)) {
      found = true
      yield
    }
    if (found) return
    for (const name of names) finding.hold(name, undefined)
    yield
  }
}

/** Rows that the caller wants. */
export function byFilter({ holds, needs }: FilterPart): Step {
  return function* (finding) {
    if (holds(finding.row(needs))) yield
  }
}

function* held(finding: Finding, { name }: EdgePart, edge: Edge): Generator<undefined, void, undefined> {
  if (name !== undefined) finding.hold(name, edge)
  finding.push(edge)
  try {
    yield
  } finally {
    finding.pop()
  }
}

interface Neighbour {
  readonly edge: Edge
  readonly node: Node
}

/** The edges of a node that a part means, with what is at their other ends. */
function* around(
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

function otherEnd({ from, to }: Edge, key: string): string {
  return from === key ? to : from
}

function* edgesOf(
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

/** The edges between two nodes that are there. */
function* between(finding: Finding, part: EdgePart, counts: boolean): Generator<Edge, void, undefined> {
  const { reader } = finding
  const [left, right] = part.ends.map((name) => finding.node(name).key) as [string, string]
  const { type, key, direction } = part
  if (type !== undefined && key !== undefined && direction !== 'both') {
    const [from, to] = direction === 'out' ? [left, right] : [right, left]
    const edge = reader.edge({ from, type, to, key })
    if (edge && part.meets(edge)) yield edge
    return
  }
  const back =
    counts && degree(reader, right, opposite(direction), type) < degree(reader, left, direction, type)
  const [near, far] = back ? [right, left] : [left, right]
  for (const edge of edgesOf(reader, part, near, back ? opposite(direction) : direction)) {
    if (otherEnd(edge, near) === far && part.meets(edge)) yield edge
  }
}

function degree(reader: Reader, key: string, direction: Direction, type: string | undefined): number {
  return direction === 'both'
    ? reader.degree(key, 'out', type) + reader.degree(key, 'in', type)
    : reader.degree(key, direction, type)
}

function seenFrom({ direction, ends }: EdgePart, name: string): Direction {
  return name === ends[0] ? direction : opposite(direction)
}

function opposite(direction: Direction): Direction {
  return direction === 'both' ? 'both' : direction === 'out' ? 'in' : 'out'
}

/** Several nodes, without those that the reader may not see: what is hidden is in no row, as it is in no scan. */
function visible(reader: Reader, keys: readonly string[]): (Node | undefined)[] {
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
