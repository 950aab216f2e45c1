// The same questions to the graph and to what was made of a part of it.
import { isDeepStrictEqual } from 'node:util'
import { match, type Edge, type Node, type Reader } from '../../index.ts'
import { EDGE, LABEL, nameOf } from '../model.ts'
import { count } from '../numbers.ts'
import type { Seeded } from '../seed.ts'
import type { Cutting } from './cutting.ts'

/** Nodes whose answers are compared, with all edges at them. */
const NODES_ASKED = 300

/** Nodes of the graph that were left out, and have to be absent. */
const LEFT_ASKED = 50

/** What is asked. */
export interface Questions {
  readonly present: readonly string[]
  readonly absent: readonly string[]
  /** How many rows the pattern has in the graph. */
  readonly rows: number
}

/** Draws what is asked. */
export function drawQuestions(graph: Reader, cutting: Cutting, random: Seeded): Questions {
  return {
    present: random.sample(cutting.keys, NODES_ASKED),
    absent: [...random.sample(cutting.left, LEFT_ASKED), 'no such node'],
    rows: authorships(graph),
  }
}

/** How alike the answers were. */
export interface Comparison {
  /** What was compared, in words. */
  readonly says: string
  readonly problems: readonly string[]
}

/** Has both answer: nodes, the edges at them one way and the other, each edge by its name, what is absent, and a pattern. */
export function compareAnswers(
  graph: Reader,
  copy: Reader,
  cutting: Cutting,
  { present, absent, rows }: Questions,
): Comparison {
  const problems: string[] = []
  const edges = new Set<string>()
  for (const key of present) {
    compare(problems, key, nodeFacts(graph.get(key)), nodeFacts(copy.get(key)))
    for (const direction of ['out', 'in'] as const) {
      const expected = edgesAt(graph, key, direction, cutting)
      const found = edgesAt(copy, key, direction)
      for (const [name, edge] of expected) {
        edges.add(name)
        compare(problems, name, edgeFacts(edge), edgeFacts(found.get(name)))
        if (direction === 'out')
          compare(problems, `${name} by its name`, edgeFacts(edge), edgeFacts(copy.edge(edge)))
        found.delete(name)
      }
      for (const name of found.keys()) problems.push(`${name}: the graph has no such edge`)
    }
  }
  for (const key of absent)
    if (copy.get(key) !== undefined) problems.push(`${key} is there, and should not be`)
  const found = authorships(copy)
  if (found !== rows) problems.push(`the pattern has ${count(found, 'row')}, in the graph ${rows}`)
  return {
    says: `${count(present.length, 'node')}, ${count(edges.size, 'edge')}, ${count(absent.length, 'absent key')} and a pattern of ${count(rows, 'row')}`,
    problems,
  }
}

/** How often a commit leads to a person. */
function authorships(reader: Reader): number {
  return match(reader)
    .node('commit', { label: LABEL.commit })
    .out(EDGE.writtenBy, 'author')
    .out(EDGE.is, 'person')
    .count()
}

function edgesAt(reader: Reader, key: string, direction: 'out' | 'in', within?: Cutting): Map<string, Edge> {
  const edges = new Map<string, Edge>()
  for (const edge of reader[direction](key)) {
    if (within?.has(direction === 'out' ? edge.to : edge.from) === false) continue
    edges.set(`${nameOf(edge)} ${JSON.stringify(edge.key)}`, edge)
  }
  return edges
}

// Versions are the store's own, and labels come in the order of each reader.
function nodeFacts(node: Node | undefined): unknown {
  return node && { labels: node.labels.toSorted(), props: node.props, intervals: node.intervals }
}

function edgeFacts(edge: Edge | undefined): unknown {
  return edge && { props: edge.props, intervals: edge.intervals, valid: edge.valid }
}

function compare(problems: string[], name: string, expected: unknown, found: unknown): void {
  if (!isDeepStrictEqual(found, expected))
    problems.push(`${name}: ${textOf(found)}, the graph has ${textOf(expected)}`)
}

function textOf(facts: unknown): string {
  if (facts === undefined) return 'absent'
  return JSON.stringify(facts, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}
