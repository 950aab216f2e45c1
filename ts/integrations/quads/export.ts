// A graph as N-Quads.
import { KaryonError, type Edge, type Graph, type Node, type Value, type View } from '../../index.ts'
import { badArgument, checkedOptions } from '../failures.ts'
import { isLineInBounds, LINE_BYTES_MAX } from '../limits.ts'
import { byName, edgesInOrder, keysInOrder, textOf } from '../order.ts'
import { statedBy } from './literals.ts'
import { Naming, type NamingOptions } from './names.ts'
import { lineOf } from './syntax.ts'
import { RDF_TYPE, type Quad } from './types.ts'

/** How a graph is exported as N-Quads. */
export interface ExportNQuadsOptions extends NamingOptions {
  /**
   * Whether to leave out what RDF cannot say: properties of edges, and properties and edges that hold at some times only. By default it is
   * refused. Of an instant of valid time everything can be said: export `graph.validAt(…)`.
   */
  readonly lossy?: boolean
}

/**
 * A graph, or a view of one, as N-Quads, by the key of the node, ascending:
 *
 * - a label: `<node> rdf:type <label>`;
 * - a property: one quad for each item of a list, or else one, with the literal that `importNQuads` makes the value of. That a list is empty, has one item or holds one twice, RDF does not say, with `lossy` or without;
 * - an edge: `<from> <type> <to>`, in the graph of its key, or the default graph where that is `''`.
 *
 * Keys and names that are absolute IRIs stand for themselves, keys as `_:b0` for blank nodes; all others need a `base`. A node without labels,
 * properties and edges is in no quad. Chunks and order are those of `exportJsonLines`.
 *
 * Throws `ERR_KARYON_ARGUMENT` for a name without a base, or that with this base is the IRI of another one, and for what RDF cannot say (see `lossy`), `ERR_KARYON_VALUE_SIZE` for a literal that would take a line of
 * more than 32 MiB. Cost: each node is read once and each edge, and all nodes are passed over once for each 131,072 of them.
 *
 * @example
 * await toFile('graph.nq', exportNQuads(graph, { base: 'https://example.org/' }))
 */
export function exportNQuads(
  graph: Graph | View,
  options: ExportNQuadsOptions = {},
): AsyncIterableIterator<string> {
  const { base, lossy = false } = checkedOptions(options, 'base', 'lossy')
  if (typeof lossy !== 'boolean') throw badArgument('lossy is true or false')
  const writer = new QuadWriter(new Naming(base), lossy)
  return textOf(graph, (view) => writer.lines(view))
}

class QuadWriter {
  readonly #naming: Naming
  readonly #lossy: boolean

  constructor(naming: Naming, lossy: boolean) {
    this.#naming = naming
    this.#lossy = lossy
  }

  async *lines(view: View): AsyncGenerator<string, void, undefined> {
    for await (const keys of keysInOrder(view)) {
      for (const key of keys) {
        const node = view.get(key)
        if (!node) continue
        for (const quad of this.#quadsOf(node)) yield checkedLine(quad)
        for (const edge of edgesInOrder(view, key)) {
          const quad = this.#quadOf(edge)
          if (quad) yield checkedLine(quad)
        }
      }
    }
  }

  *#quadsOf({ key, labels, props, intervals }: Node): Generator<Quad> {
    if (intervals) this.#loses(`the node ${JSON.stringify(key)} holds values at some times only`)
    if (labels.length === 0 && Object.keys(props).length === 0) return
    const subject = this.#naming.termOf(key, 'the key')
    for (const label of labels.toSorted()) {
      yield { subject, predicate: RDF_TYPE, object: this.#naming.iriOf(label, 'the label'), graph: '' }
    }
    for (const [name, value] of byName(props)) {
      const predicate = this.#naming.iriOf(name, 'the property')
      for (const item of itemsOf(value)) {
        const { literal, graph } = statedBy(item)
        yield { subject, predicate, object: literal, graph }
      }
    }
  }

  #quadOf({ from, type, to, key, props, intervals, valid }: Edge): Quad | undefined {
    if (valid || intervals || Object.keys(props).length > 0) {
      this.#loses(`the edge ${JSON.stringify([from, type, to])} has properties, or holds at some times only`)
    }
    if (valid) return undefined
    return {
      subject: this.#naming.termOf(from, 'the key'),
      predicate: this.#naming.iriOf(type, 'the type'),
      object: this.#naming.termOf(to, 'the key'),
      graph: key === '' ? '' : this.#naming.termOf(key, 'the key of an edge'),
    }
  }

  #loses(what: string): void {
    if (this.#lossy) return
    throw badArgument(`${what}, which RDF cannot say; pass lossy: true to leave it out, or export JSON lines`)
  }
}

function itemsOf(value: Value): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [value]
}

function checkedLine(quad: Quad): string {
  const line = lineOf(quad)
  if (isLineInBounds(line)) return line
  const message = `a quad of ${quad.subject} would be over the limit of ${LINE_BYTES_MAX} bytes; export JSON lines, or split the value`
  throw new KaryonError('ERR_KARYON_VALUE_SIZE', message, { details: { limit: LINE_BYTES_MAX } })
}
