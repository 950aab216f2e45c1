// A graph as JSON lines.
import type { Graph, View } from '../../index.ts'
import { edgesInOrder, keysInOrder, textOf } from '../order.ts'
import { lineOfEdge, lineOfNode } from './line.ts'

/**
 * A graph, or a view of one, as JSON lines: first the nodes, ascending by key, then the edges, by the node they leave, their type, the
 * other end and their key (as UTF-16 units compare). Graphs of one digest give the same bytes.
 *
 * ```json
 * {"node":"ann","labels":["Person"],"props":{"age":31,"born":{"$time":"1995-02-03T00:00:00.000Z"}}}
 * {"node":"bob","intervals":{"salary":[{"from":"2026-01-01T00:00:00.000Z","value":4000}]}}
 * {"edge":["ann","KNOWS","bob"],"key":"2","valid":[{"from":"2026-01-01T00:00:00.000Z"}],"props":{"since":2020}}
 * ```
 *
 * What is empty is left away; values that JSON cannot say are tagged (`$bigint`, `$bytes`, `$time`, `$float`, `$float32`, `$map`). A view
 * with an instant of valid time gives what holds then. Versions, indexes, rules and forks are not in it.
 *
 * Chunks are text of whole lines, about 64 KiB of it, of the version that was newest when the first one was asked for; the next one is
 * made when it is asked for. Keeps the keys of 262,144 nodes at most, and the identities of one node's edges. Throws
 * `ERR_KARYON_VALUE_SIZE` for a node or edge that would take a line of more than 32 MiB. Cost: each node is read once and each edge, and all nodes
 * are passed over twice for each 131,072 of them.
 *
 * @example
 * for await (const text of exportJsonLines(graph)) process.stdout.write(text)
 */
export function exportJsonLines(graph: Graph | View): AsyncIterableIterator<string> {
  return textOf(graph, lines)
}

async function* lines(view: View): AsyncGenerator<string, void, undefined> {
  for await (const keys of keysInOrder(view)) {
    for (const key of keys) {
      const node = view.get(key)
      if (node) yield lineOfNode(node)
    }
  }
  for await (const keys of keysInOrder(view)) {
    for (const key of keys) for (const edge of edgesInOrder(view, key)) yield lineOfEdge(edge)
  }
}
