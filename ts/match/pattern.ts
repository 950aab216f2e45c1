// Patterns: what is looked for, piece by piece, each piece a new pattern.
import { KaryonError } from '../errors.ts'
import type { Graph, Node, Reader } from '../graph/types.ts'
import { badPattern, checkedText } from './arguments.ts'
import { Finding } from './finding.ts'
import { type Direction, type Part, edgePart, nodePart } from './parts.ts'
import { counting, plan } from './plan.ts'
import { type Step, take } from './steps.ts'
import type {
  AnyRow,
  DrawnEdge,
  EmptyRow,
  Hops,
  NodeName,
  NodePattern,
  With,
  WithEdge,
  WithOptional,
} from './types.ts'

/** Verbs of one pattern, those of its optional parts included. */
const VERBS_MAX = 64

/** What its names stand for. A name of an optional part stands, outside of it, for nothing that can be gone on from. */
type Names = ReadonlyMap<string, 'node' | 'edge' | 'optional'>

/** A pattern as far as it is written. */
interface Written {
  readonly reader: Reader
  readonly parts: readonly Part[]
  readonly names: Names
  /** The node that the next edge is drawn from. */
  readonly at: string | undefined
  readonly verbs: number
  /** What it is the continuation of. */
  readonly origin: object
}

/** Where a pattern begins: with a node. */
export type PatternStart = Pick<Pattern<EmptyRow>, 'node'>

let patternOf: <Row>(written: Written) => Pattern<Row>

/**
 * What is looked for: nodes and edges by name, and what is said of them. Each verb gives a new pattern of at most 64 verbs; none is
 * ever changed, so one can be continued, and asked for its rows, any number of times.
 *
 * A row has what each name stands for. **Nodes may repeat in a row** (two names can stand for one node; say otherwise with `filter`),
 * **edges may not**, named or not, alone or on a path: who walks on does not walk back. Parallel edges are different edges, and each of
 * them makes a row. Rows come in no particular order. What the reader may not see is in no row; to come to such a node makes
 * `access.refused` events.
 */
export class Pattern<Row> {
  readonly #written: Written

  static {
    patternOf = (written) => new Pattern(written)
  }

  private constructor(written: Written) {
    this.#written = written
  }

  /**
   * A node; the next edge is drawn from it. A name that the pattern has already is the same node, of which more is said then. A new
   * one that no edge connects with the others is combined with all that they can be.
   *
   * @example
   * match(graph).node('ann', { key: 'ann' }).out('WROTE', 'paper').node('ann').out('KNOWS', 'friend')
   */
  node<Name extends string>(
    name: NodeName<Row, Name>,
    said: NodePattern = {},
  ): Pattern<With<Row, Name, Node>> {
    const names = withNode(this.#written.names, name)
    return patternOf({ ...longer(this.#written, nodePart(name, said)), names, at: name })
  }

  /**
   * An edge from the node that was mentioned last, and the node it leads to, which is then the last: its type, or an object that says
   * more, `{}` any edge. `as` gives it a name. `hops: [least, most]` takes every path of that many edges instead, up to 16, without
   * an edge twice; of 0 edges it leads from a node to itself. Cost: paths can be many more than edges.
   *
   * @example
   * match(graph)
   *   .node('author', { label: 'Person' })
   *   .out({ as: 'wrote', type: 'WROTE', where: { property: 'share', from: 0.5 } }, 'paper')
   *   .out({ as: 'cited', type: 'CITES', hops: [1, 3] }, 'source', { label: 'Document' })
   */
  out<Name extends string, As extends string = never, Length extends Hops = never>(
    edge: DrawnEdge<Row, As, Length>,
    name: NodeName<WithEdge<Row, As, Length>, Name>,
    said: NodePattern = {},
  ): Pattern<With<WithEdge<Row, As, Length>, Name, Node>> {
    return this.#draw('out', edge, name, said)
  }

  /** As `out`, an edge to the node that was mentioned last, and the node it comes from. */
  in<Name extends string, As extends string = never, Length extends Hops = never>(
    edge: DrawnEdge<Row, As, Length>,
    name: NodeName<WithEdge<Row, As, Length>, Name>,
    said: NodePattern = {},
  ): Pattern<With<WithEdge<Row, As, Length>, Name, Node>> {
    return this.#draw('in', edge, name, said)
  }

  /** As `out`, an edge in either direction. One from a node to itself counts once. */
  both<Name extends string, As extends string = never, Length extends Hops = never>(
    edge: DrawnEdge<Row, As, Length>,
    name: NodeName<WithEdge<Row, As, Length>, Name>,
    said: NodePattern = {},
  ): Pattern<With<WithEdge<Row, As, Length>, Name, Node>> {
    return this.#draw('both', edge, name, said)
  }

  #draw<More>(direction: Direction, edge: string | object, name: string, said: NodePattern): Pattern<More> {
    const written = this.#written
    const { at } = written
    if (at === undefined) throw noNode()
    const drawn = edgePart(edge, direction, [at, name])
    const named = drawn.name === undefined ? written.names : withEdge(written.names, drawn.name)
    const names = withNode(named, name)
    return patternOf({ ...longer(written, drawn, nodePart(name, said)), names, at: name })
  }

  /**
   * Keeps the rows for which `holds` is true. It is asked as soon as all names that the pattern has so far are found, with those and
   * no others, perhaps more than once for what becomes one row, so it only looks.
   */
  filter(holds: (row: Row) => boolean): Pattern<Row> {
    if (typeof holds !== 'function') throw badPattern('filter takes a function of a row')
    const { names } = this.#written
    // The row has what its type says: the names, and what was found for them.
    const asks = holds as (row: AnyRow) => boolean
    return patternOf(longer(this.#written, { kind: 'filter', holds: asks, needs: [...names.keys()] }))
  }

  /**
   * A part that may be missing: where nothing meets it, the row is there all the same, and its names are `undefined`. It goes on from
   * the node that was mentioned last, and after it the pattern does so too. Its names can be gone on from inside of it alone. Optional
   * parts are looked for when everything else of a row is found, in the order in which they are written.
   *
   * @example
   * match(graph).node('paper', { label: 'Document' }).optional((part) => part.in('REVIEWED', 'reviewer', { label: 'Person' }))
   */
  optional<More>(part: (pattern: Pattern<Row>) => Pattern<More>): Pattern<WithOptional<Row, More>> {
    if (typeof part !== 'function') throw badPattern('optional takes a function that continues a pattern')
    const written = this.#written
    const inner = { ...longer(written), parts: [], origin: {} }
    const made: unknown = part(patternOf(inner))
    if (!(made instanceof Pattern) || made.#written.origin !== inner.origin) {
      throw badPattern('an optional part returns the pattern that it was given, continued')
    }
    const { parts, names, verbs } = made.#written
    const own = [...names.keys()].filter((name) => !written.names.has(name))
    const all = new Map([...written.names, ...own.map((name) => [name, 'optional'] as const)])
    const added: Part = { kind: 'optional', parts, names: own }
    return patternOf({ ...written, parts: [...written.parts, added], names: all, verbs })
  }

  /**
   * The rows, found one by one as they are asked for; whoever leaves early (`break`, `return()`) stops the search. Nothing is held
   * beyond a page of each step: there is no list of rows anywhere.
   *
   * From the graph they are all of one version, that of this call. In a transaction what it reads is read by the transaction, and what
   * it writes between two rows may show in later ones: gather first what you are about to change.
   *
   * It begins with the keys, else where the graph counts the fewest nodes (in a transaction, which counts nothing, at a label with
   * conditions, a label, the first node), and follows edges from there. Cost: what lies on the way; a node without label or key that
   * it has to begin at costs a look at every node, and to count nodes by conditions that no index answers one at all with the label.
   */
  rows(): IterableIterator<Row> {
    const { reader, at } = this.#written
    if (at === undefined) throw noNode()
    if (!isGraph(reader)) return this.#rowsOf(reader)
    return this.#rowsOf(reader.snapshot(), (view) => view.close())
  }

  *#rowsOf<From extends Reader>(
    reader: From,
    close?: (reader: From) => void,
  ): Generator<Row, void, undefined> {
    try {
      const names = [...this.#written.names.keys()]
      const finding = new Finding(reader)
      // The row has what its type says: the names, and what was found for them.
      for (const _ of take(this.#steps(reader), finding)) yield finding.row(names) as Row
    } finally {
      close?.(reader)
    }
  }

  #steps(reader: Reader): readonly Step[] {
    return plan(this.#written.parts, [], counting(reader))
  }

  /** How many rows there are. Cost: as all of `rows`. */
  count(): number {
    let count = 0
    for (const _ of this.rows()) count++
    return count
  }
}

/**
 * Looks for a pattern in a graph, as of now, as of a view's version, or through a transaction.
 *
 * @example
 * const rows = match(graph)
 *   .node('author', { label: 'Person', where: { property: 'age', from: 18 } })
 *   .out({ as: 'wrote', type: 'WROTE' }, 'paper', { label: 'Document' })
 *   .in('CITES', 'other')
 *   .filter(({ author, other }) => other.props.by !== author.key)
 *   .rows()
 * for (const { author, wrote, paper, other } of rows) …
 */
export function match(reader: Reader): PatternStart {
  if (typeof reader !== 'object' || reader === null || typeof reader.nodes !== 'function') {
    throw badPattern('match takes a graph, a view or a transaction')
  }
  return patternOf<EmptyRow>({ reader, parts: [], names: new Map(), at: undefined, verbs: 0, origin: {} })
}

function noNode(): KaryonError {
  return badPattern('a pattern begins with a node: match(graph).node(…)')
}

function isGraph(reader: Reader): reader is Graph {
  return 'snapshot' in reader
}

/** A pattern with one verb more, which adds parts. */
function longer(written: Written, ...parts: readonly Part[]): Written {
  const verbs = written.verbs + 1
  if (verbs > VERBS_MAX) {
    throw badPattern(`a pattern has ${VERBS_MAX} verbs at most; look for its parts one after the other`, {
      limit: VERBS_MAX,
    })
  }
  return { ...written, parts: [...written.parts, ...parts], verbs }
}

function withNode(names: Names, name: string): Names {
  const known = names.get(checkedName(name))
  if (known === 'edge') throw badPattern(`"${name}" is an edge; give the node another name`, { name })
  if (known === 'optional') {
    throw badPattern(`"${name}" is optional; go on from it inside its optional part`, { name })
  }
  return new Map(names).set(name, 'node')
}

function withEdge(names: Names, name: string): Names {
  if (names.has(checkedName(name)))
    throw badPattern(`"${name}" is taken; give the edge another name`, { name })
  return new Map(names).set(name, 'edge')
}

function checkedName(name: string): string {
  checkedText(name, 'a name of a pattern')
  if (name !== '__proto__') return name
  throw new KaryonError('ERR_KARYON_NAME_RESERVED', 'the name "__proto__" is refused; rename it')
}
