// Edges that came before their nodes.
import { KaryonError } from '../../index.ts'
import { WAITING_BYTES_MAX, WAITING_EDGES_MAX } from '../limits.ts'
import type { EdgeFact } from './line.ts'

/** Edges that wait for nodes, by the key of one that is missing. */
export class WaitingEdges {
  readonly #byKey = new Map<string, EdgeFact[]>()
  #count = 0
  #bytes = 0

  /** Adds an edge. */
  add(edge: EdgeFact, missing: string): void {
    const others = this.#byKey.get(missing)
    if (others) others.push(edge)
    else this.#byKey.set(missing, [edge])
    this.#count++
    this.#bytes += edge.length
  }

  /** Takes out the edges that waited for one of these nodes, in the order in which they came. */
  take(keys: Iterable<string>): readonly EdgeFact[] {
    const taken: EdgeFact[] = []
    if (this.#count === 0) return taken
    for (const key of keys) {
      const edges = this.#byKey.get(key)
      if (!edges) continue
      this.#byKey.delete(key)
      for (const edge of edges) taken.push(edge)
    }
    this.#count -= taken.length
    for (const { length } of taken) this.#bytes -= length
    return taken.toSorted((a, b) => a.line - b.line)
  }

  /** Takes out all edges, in the order in which they came. */
  takeAll(): readonly EdgeFact[] {
    return this.take([...this.#byKey.keys()])
  }

  /** Whether more wait than may. */
  get isFull(): boolean {
    return this.#count > WAITING_EDGES_MAX || this.#bytes > WAITING_BYTES_MAX
  }

  /** The line of the edge that came first. */
  get first(): number | undefined {
    return this.#oldest()?.edge.line
  }

  /** Throws when more wait than may. */
  checkBound(): void {
    if (!this.isFull) return
    const limit = `${WAITING_EDGES_MAX} edges or ${WAITING_BYTES_MAX} bytes of them wait for their nodes; put nodes first`
    throw this.#missing(`does not exist yet, and more than ${limit}`)
  }

  /** Throws when one waits although nothing follows. */
  checkEnd(): void {
    if (this.#count > 0) throw this.#missing('does not exist, and no line of the file says it')
  }

  #missing(why: string): KaryonError {
    const { edge, missing } = this.#oldest()!
    const { line, from, type, to } = edge
    const message = `line ${line}: the edge ${JSON.stringify([from, type, to])} needs the node ${JSON.stringify(missing)}, which ${why}`
    const details = { line, column: 1, key: missing, waiting: this.#count }
    return new KaryonError('ERR_KARYON_NODE_MISSING', message, { details })
  }

  #oldest(): { readonly edge: EdgeFact; readonly missing: string } | undefined {
    let oldest: { readonly edge: EdgeFact; readonly missing: string } | undefined
    for (const [missing, edges] of this.#byKey) {
      // Those that were released and wait again are behind later ones.
      for (const edge of edges) if (!oldest || edge.line < oldest.edge.line) oldest = { edge, missing }
    }
    return oldest
  }
}
