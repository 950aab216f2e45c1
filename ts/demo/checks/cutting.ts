// The part of the graph that is given away, told by reading the graph alone: what the package says has to equal it.
import type { Edge, Node, Reader, Selection } from '../../index.ts'
import { LABEL } from '../model.ts'

/** Who wrote what: the commits of the line, those merged into it, their authors, and the people behind these. */
const LABELS: readonly string[] = [LABEL.commit, LABEL.sideCommit, LABEL.author, LABEL.person]

/** What is packed, as the graph has it. */
export interface Cutting {
  readonly select: Selection
  /** Keys of its nodes, ascending. */
  readonly keys: readonly string[]
  /** Keys of the graph's other nodes, ascending. */
  readonly left: readonly string[]
  readonly edges: number
  /** Existences, labels and properties. */
  readonly facts: number
  readonly has: (key: string) => boolean
}

/** Reads it. Cost: a pass over the nodes, and over the edges of those that are packed. */
export function cuttingOf(reader: Reader): Cutting {
  const packed = new Map<string, Node>()
  const left: string[] = []
  for (const node of reader.nodes()) {
    if (node.labels.some((label) => LABELS.includes(label))) packed.set(node.key, node)
    else left.push(node.key)
  }
  let edges = 0
  let facts = 0
  for (const node of packed.values()) {
    facts += 1 + node.labels.length + propertiesOf(node)
    for (const edge of reader.out(node.key)) {
      if (!packed.has(edge.to)) continue
      edges += 1
      facts += 1 + propertiesOf(edge)
    }
  }
  return {
    select: { labels: LABELS },
    keys: [...packed.keys()].toSorted(),
    left: left.toSorted(),
    edges,
    facts,
    has: (key) => packed.has(key),
  }
}

function propertiesOf({ props, intervals = {} }: Node | Edge): number {
  return new Set([...Object.keys(props), ...Object.keys(intervals)]).size
}
