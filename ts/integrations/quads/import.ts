// N-Quads into a graph.
import type { Graph, Node, Transaction, Value, Version } from '../../index.ts'
import { askAbout } from '../asking.ts'
import { badArgument, checkedOptions, located } from '../failures.ts'
import {
  IMPORT_OPTIONS,
  importInPortions,
  type Fact,
  type Imported,
  type ImportOptions,
  type Taker,
} from '../portions.ts'
import type { Source } from '../source.ts'
import { statedBy, valueOf } from './literals.ts'
import { Naming, type NamingOptions } from './names.ts'
import { isBlankNode, quadOf } from './syntax.ts'
import { RDF_TYPE, XSD_STRING, type Quad } from './types.ts'

/** How N-Quads are imported. */
export interface ImportNQuadsOptions extends ImportOptions, NamingOptions {
  /** Whether `rdf:type` with an IRI, in the default graph, gives the node a label instead of an edge; false by default. */
  readonly labels?: boolean
  /**
   * Put in front of the labels of blank nodes, so that those of two files are not taken for the same: `'a-'` makes `_:b0` the node `_:a-b0`. Letters and digits, `_`, `-`.
   */
  readonly blankPrefix?: string
}

/** What an import of N-Quads has done. */
export interface ImportedNQuads extends Imported {
  /** Lines that said a quad, whether the graph said it before or not. */
  readonly quads: number
}

interface QuadFact extends Fact {
  readonly quad: Quad
}

/**
 * Imports N-Quads (RDF 1.1): what they say is added to what the graph says.
 *
 * - A subject or object that is an IRI or blank node is a node: its key is the IRI, or `_:` and the label.
 * - A predicate with such an object is an edge of that type. Its key is the graph label; `''` for the default graph.
 * - A predicate with a literal is a property. One literal is its value; several are a list, in the order in which they came, none twice. What is a
 *   literal's one form becomes a value of its own, anything else a map:
 *
 *   | datatype | value |
 *   |---|---|
 *   | `xsd:string`, `xsd:boolean` | string, boolean |
 *   | `xsd:integer` up to 2^53 − 1, `xsd:double` that is no whole number | number |
 *   | `xsd:long` | bigint |
 *   | `xsd:dateTime` in UTC | `Date`, or `Instant` where it has microseconds |
 *   | `xsd:base64Binary` | `Uint8Array` |
 *   | `rdf:JSON` in the form of JSON lines | map, list, `null`, `Float32Array` |
 *   | all others, forms that are not canonical (`"007"`), language tags, literals in a named graph | `{ '@value', '@type' or '@language', '@graph' }` |
 *
 * - `rdf:type` is an edge like any other, or with `labels` a label.
 *
 * So `exportNQuads` gives the same set of quads. Transactions, `skip` and `details.committedLines` are as in `importJsonLines`. Names are bound as all are: an
 * IRI of more than 1,024 bytes is `ERR_KARYON_KEY_SIZE`.
 *
 * Rejects with `ERR_KARYON_ARGUMENT` where the file is not N-Quads (`details.line`, `details.column`), and for a property that already holds values
 * in intervals, `ERR_KARYON_VALUE_SIZE` for a line of more than 32 MiB, `ERR_KARYON_IO` when the source fails, and with what the verbs throw.
 *
 * @example
 * const { quads } = await importNQuads(graph, 'people.nq', { labels: true })
 */
export async function importNQuads(
  graph: Graph,
  source: Source,
  options: ImportNQuadsOptions = {},
): Promise<ImportedNQuads> {
  if (typeof (graph as Partial<Graph> | undefined)?.write !== 'function') {
    throw badArgument('what is imported into is a graph')
  }
  const {
    base,
    labels = false,
    blankPrefix = '',
  } = checkedOptions(options, ...IMPORT_OPTIONS, 'base', 'labels', 'blankPrefix')
  if (typeof labels !== 'boolean') throw badArgument('labels is true or false')
  if (blankPrefix !== '' && !isBlankPrefix(blankPrefix)) {
    throw badArgument('blankPrefix is letters, digits, _ and -, and begins with no -')
  }
  const taker = new QuadTaker(graph, new Naming(base), labels, blankPrefix)
  return { ...(await importInPortions(source, taker, options)), quads: taker.quads }
}

function isBlankPrefix(prefix: unknown): boolean {
  return typeof prefix === 'string' && !prefix.includes('.') && isBlankNode(`_:${prefix}`)
}

class QuadTaker implements Taker<QuadFact> {
  readonly #graph: Graph
  readonly #naming: Naming
  readonly #labels: boolean
  readonly #blankPrefix: string
  quads = 0

  constructor(graph: Graph, naming: Naming, labels: boolean, blankPrefix: string) {
    this.#graph = graph
    this.#naming = naming
    this.#labels = labels
    this.#blankPrefix = blankPrefix
  }

  read(text: string, line: number): QuadFact | undefined {
    const quad = quadOf(text, line)
    return quad && { quad, line, length: text.length, weight: 1 }
  }

  async commit(facts: readonly QuadFact[]): Promise<Version> {
    const portion = new Portion()
    for (const { quad, line } of facts) this.#add(portion, quad, line)
    const { version } = await this.#graph.write((tx) => portion.write(tx))
    this.quads += facts.length
    return version
  }

  #add(portion: Portion, { subject, predicate, object, graph }: Quad, line: number): void {
    const from = this.#keyOf(subject)
    const label = this.#termIn(graph)
    if (typeof object !== 'string') {
      const value = valueOf({ literal: object, graph: label })
      portion.add(from, line).property(this.#naming.nameOf(predicate), value)
    } else if (this.#labels && predicate === RDF_TYPE && graph === '' && !object.startsWith('_:')) {
      portion.add(from, line).labels.add(this.#naming.nameOf(object))
    } else {
      const to = this.#keyOf(object)
      portion.add(from, line)
      portion.add(to, line)
      const key = graph === '' ? '' : this.#keyOf(graph)
      portion.edges.push({ from, type: this.#naming.nameOf(predicate), to, key, line })
    }
  }

  #termIn(term: string): string {
    return term.startsWith('_:') && this.#blankPrefix !== '' ? `_:${this.#blankPrefix}${term.slice(2)}` : term
  }

  #keyOf(term: string): string {
    return this.#naming.nameOf(this.#termIn(term))
  }
}

/** What the quads of one transaction say of a node. */
class Subject {
  /** Where it came first. */
  readonly line: number
  readonly labels = new Set<string>()
  /** The values of each property, by what they say. */
  readonly properties = new Map<string, Map<string, Value>>()

  constructor(line: number) {
    this.line = line
  }

  property(name: string, value: Value): void {
    const values = this.properties.get(name)
    if (values) values.set(saidBy(value), value)
    else this.properties.set(name, new Map([[saidBy(value), value]]))
  }
}

/** What the quads of one transaction say. */
class Portion {
  readonly subjects = new Map<string, Subject>()
  readonly edges: {
    readonly from: string
    readonly type: string
    readonly to: string
    readonly key: string
    readonly line: number
  }[] = []

  add(key: string, line: number): Subject {
    let subject = this.subjects.get(key)
    if (!subject) this.subjects.set(key, (subject = new Subject(line)))
    return subject
  }

  write(tx: Transaction): void {
    const known = this.#known(tx)
    let line = 0
    try {
      for (const [key, subject] of this.subjects) {
        line = subject.line
        tx.patch(key, { labels: [...subject.labels], props: joined(subject, known.get(key)) })
      }
      for (const edge of this.edges) {
        line = edge.line
        tx.link(edge.from, edge.type, edge.to, { key: edge.key })
      }
    } catch (error) {
      throw located(error, line)
    }
  }

  /** The nodes that get properties, as they were. */
  #known(tx: Transaction): ReadonlyMap<string, Node> {
    const keys = new Map<string, number>()
    for (const [key, { properties, line }] of this.subjects) if (properties.size > 0) keys.set(key, line)
    const known = new Map<string, Node>()
    for (const node of askAbout(tx, keys, (all) => tx.getMany(all))) if (node) known.set(node.key, node)
    return known
  }
}

/** The properties of a node with what is added to them. */
function joined({ properties, line }: Subject, known: Node | undefined): Record<string, Value> {
  const props: [string, Value][] = []
  for (const [name, added] of properties) {
    if (known?.intervals && Object.hasOwn(known.intervals, name)) {
      const message = `the property ${JSON.stringify(name)} of ${JSON.stringify(known.key)} holds values in intervals, which RDF cannot say`
      throw badArgument(message, { line, column: 1 })
    }
    const before = known && Object.hasOwn(known.props, name) ? known.props[name] : undefined
    const values = new Map<string, Value>()
    if (before !== undefined) for (const value of itemsOf(before)) values.set(saidBy(value), value)
    const size = values.size
    for (const [said, value] of added) if (!values.has(said)) values.set(said, value)
    // What is said already is left as it is, a list of one item too.
    if (before === undefined || values.size > size) props.push([name, holding([...values.values()])])
  }
  return Object.fromEntries(props)
}

/** What a property holds that has so many values: a list that stands for itself is in another one. */
function holding(values: readonly Value[]): Value {
  const [only] = values
  return values.length === 1 && only !== undefined && !Array.isArray(only) ? only : values
}

function itemsOf(value: Value): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [value]
}

/** What a value states, as one text: equal where the statements are. No datatype, tag or graph has a space in it. */
function saidBy(value: Value): string {
  const { literal, graph } = statedBy(value)
  const { value: text, datatype = XSD_STRING, language = '' } = literal
  return `${language === '' ? datatype : language} ${graph} ${text}`
}
