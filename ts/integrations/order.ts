// What a graph holds, in an order that depends on nothing but what it holds.
import { setImmediate as otherWork } from 'node:timers/promises'
import type { Edge, EdgeIdentity, Graph, View } from '../index.ts'
import { badArgument } from './failures.ts'
import { CHUNK_UNITS, EDGES_HELD_MAX, KEYS_SORTED_MAX, NODES_BETWEEN_TURNS } from './limits.ts'

/**
 * Text of a graph, in chunks of whole lines: of one version, that of a view, or the newest when the first chunk is asked for. Other work
 * of the program has its turn between chunks.
 */
export async function* textOf(
  graph: Graph | View,
  linesOf: (view: View) => AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<string, void, undefined> {
  if (typeof (graph as Partial<Graph> | undefined)?.nodes !== 'function') {
    throw badArgument('what is exported is a graph, or a view of one')
  }
  const own = 'snapshot' in graph ? graph.snapshot() : undefined
  try {
    let chunk = ''
    for await (const line of linesOf(own ?? (graph as View))) {
      chunk += line
      if (chunk.length < CHUNK_UNITS) continue
      yield chunk
      chunk = ''
      await otherWork()
    }
    if (chunk !== '') yield chunk
  } finally {
    own?.close()
  }
}

/**
 * The keys of all nodes, ascending by UTF-16 units, in blocks, between which other work of the program has its turn. Cost: a pass over the nodes for each `sortedMax` of them, so that what is
 * kept does not grow with the graph.
 */
export async function* keysInOrder(
  view: View,
  sortedMax: number = KEYS_SORTED_MAX,
): AsyncGenerator<readonly string[], void, undefined> {
  for (let after: string | undefined; ;) {
    const { keys, isLast } = await smallest(view, after, sortedMax)
    for (let at = 0; at < keys.length; at += NODES_BETWEEN_TURNS) {
      yield keys.slice(at, at + NODES_BETWEEN_TURNS)
      await otherWork()
    }
    if (isLast) return
    after = keys.at(-1)
  }
}

async function smallest(
  view: View,
  after: string | undefined,
  most: number,
): Promise<{ readonly keys: readonly string[]; readonly isLast: boolean }> {
  let keys: string[] = []
  let below: string | undefined
  let passed = 0
  for (const { key } of view.nodes()) {
    if (++passed % NODES_BETWEEN_TURNS === 0) await otherWork()
    if ((after !== undefined && key <= after) || (below !== undefined && key >= below)) continue
    keys.push(key)
    if (keys.length < 2 * most) continue
    // From here on the greatest of those kept is a bound: whatever is above it comes in a later block.
    keys = keys.toSorted().slice(0, most)
    below = keys.at(-1)
  }
  const sorted = keys.toSorted()
  return { keys: sorted.slice(0, most), isLast: below === undefined && sorted.length <= most }
}

/** The edges that leave a node, ascending by type, the other end and key. Keeps of most of a node's edges their identity alone. */
export function* edgesInOrder(view: View, key: string): Generator<Edge, void, undefined> {
  const edges: (Edge | EdgeIdentity)[] = []
  for (const edge of view.out(key)) {
    if (edges.length < EDGES_HELD_MAX) edges.push(edge)
    else edges.push({ from: key, type: edge.type, to: edge.to, key: edge.key })
  }
  for (const edge of edges.length > 1 ? edges.toSorted(byIdentity) : edges) {
    const whole = 'props' in edge ? edge : view.edge(edge)
    if (whole) yield whole
  }
}

/** Entries by name, ascending. */
export function byName<T>(entries: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(entries).toSorted(([a], [b]) => ascending(a, b))
}

function ascending(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function byIdentity(a: EdgeIdentity, b: EdgeIdentity): number {
  return ascending(a.type, b.type) || ascending(a.to, b.to) || ascending(a.key ?? '', b.key ?? '')
}
