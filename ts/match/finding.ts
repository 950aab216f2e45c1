// What is known on the way to a row.
import type { Edge, Node, Reader } from '../graph/types.ts'
import { isSameEdge } from './parts.ts'
import type { Bound } from './types.ts'

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
