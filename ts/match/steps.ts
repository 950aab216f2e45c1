// How a plan is carried out: depth first, one node or edge after the other, each step holding at most a page of what it looks through.
import type { Edge, Node, NodeQuery } from '../graph/types.ts'
import { type Neighbour, around, degree, edgesOf, opposite, otherEnd, seenFrom, visible } from './edges.ts'
import type { Finding } from './finding.ts'
import type { EdgePart, FilterPart } from './parts.ts'

/** Edges of a node that are held while others are compared with it: a page. */
const HELD_MAX = 256

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
      yield* placed(finding, part, edge)
    }
  }
}

/**
 * Between two nodes that are there, of which `earlier` was found first. It stays the same while the other one changes, so it is looked
 * from there as long as its edges fit in a page, and those are held; otherwise from the one with fewer edges, or where nothing `counts`
 * them from the other one.
 */
export function byBothEnds(part: EdgePart, earlier: string, counts: boolean): Step {
  const steady = part.ends.indexOf(earlier)
  const { type, key, direction } = part
  const directions = [direction, opposite(direction)] as const
  let held: Held | undefined
  /** The last one whose edges did not fit. */
  let crowded: string | undefined

  const near = ({ reader }: Finding, keys: readonly string[]): number => {
    if (held && keys[held.end] === held.key) return held.end
    if (!counts) return keys[steady] === crowded ? 1 - steady : steady
    const [here, there] = [steady, 1 - steady].map((end) =>
      degree(reader, keys[end]!, directions[end]!, type),
    )
    return here! <= HELD_MAX || here! <= there! ? steady : 1 - steady
  }

  function* between(finding: Finding): Generator<Edge, void, undefined> {
    const { reader } = finding
    const keys = part.ends.map((name) => finding.node(name).key)
    if (type !== undefined && key !== undefined && direction !== 'both') {
      const [from, to] = direction === 'out' ? keys : keys.toReversed()
      const edge = reader.edge({ from: from!, type, to: to!, key })
      if (edge && part.meets(edge)) yield edge
      return
    }
    const end = near(finding, keys)
    const [here, there] = [keys[end]!, keys[1 - end]!]
    const isHeld = held?.end === end && held.key === here
    const edges = isHeld ? held!.edges : edgesOf(reader, part, here, directions[end]!)
    const seen: Edge[] = []
    for (const edge of edges) {
      if (seen.length <= HELD_MAX) seen.push(edge)
      if (otherEnd(edge, here) === there && part.meets(edge)) yield edge
    }
    if (seen.length <= HELD_MAX) held = { end, key: here, edges: seen }
    else crowded = here
  }

  return function* (finding) {
    for (const edge of between(finding)) if (finding.isFree(edge)) yield* placed(finding, part, edge)
  }
}

/** All edges of a node, at one end of an edge that is looked for. */
interface Held {
  readonly end: number
  readonly key: string
  readonly edges: readonly Edge[]
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

function* placed(finding: Finding, { name }: EdgePart, edge: Edge): Generator<undefined, void, undefined> {
  if (name !== undefined) finding.hold(name, edge)
  finding.push(edge)
  try {
    yield
  } finally {
    finding.pop()
  }
}
