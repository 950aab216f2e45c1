// JSON lines into a graph.
import type { Graph, Transaction, Version } from '../../index.ts'
import { askAbout } from '../asking.ts'
import { badArgument, checkedOptions, located } from '../failures.ts'
import {
  IMPORT_OPTIONS,
  importInPortions,
  inPortion,
  type Imported,
  type ImportOptions,
  type Taker,
} from '../portions.ts'
import type { Source } from '../source.ts'
import { factOf, type EdgeFact, type NodeFact } from './line.ts'
import { WaitingEdges } from './waiting.ts'

/** What an import of JSON lines has done. */
export interface ImportedJsonLines extends Imported {
  /** Lines that said a node. */
  readonly nodes: number
  /** Lines that said an edge. */
  readonly edges: number
}

/** What `handles` answers for a node that does not exist. */
const NO_NODE = 2 ** 32 - 1

/**
 * Imports what `exportJsonLines` writes, or anybody else in its form, one object a line:
 *
 * - `{"node": key, "labels": […], "props": {…}, "intervals": {property: [{"from", "to", "value"}, …]}}`, which creates the node or replaces it whole, as `put` does;
 * - `{"edge": [from, type, to], "key": "…", "props": {…}, "intervals": {…}, "valid": [{"from", "to"}, …]}`, which creates the edge or merges into it, as `link` does.
 *
 * Everything but `"node"` and `"edge"` may be left away, and blank lines say nothing. A number is the nearest of 64 bits, as JSON has it: without a fraction
 * then, it is an integer (2^53 − 1 at most), and one that is beyond them all (`1e400`) is refused; what else JSON cannot say is tagged, as `exportJsonLines` tells. An edge may come before its nodes: it waits for
 * them, as at most 99,999 others do; what others write meanwhile is asked for at the end, and before too many wait. So a file can be imported twice, and says the same.
 *
 * It is committed in transactions of 10,000 facts (`factsPerCommit`; an interval is one too) or 8 MiB, each before the next lines are asked for. When
 * it fails, `details.committedLines` says how many lines from the beginning are in the graph: to go on, repair the line and pass that as
 * `skip`.
 *
 * Rejects with `ERR_KARYON_ARGUMENT` for a line that is none of these, `ERR_KARYON_NODE_MISSING` where too many edges wait, or still one at the end,
 * `ERR_KARYON_VALUE_SIZE` for a line of more than 32 MiB, `ERR_KARYON_IO` when the source fails, and with what the verbs throw; `details.line` and
 * `details.column` say where, or `details.lines` which lines a transaction was made of that was refused as a whole.
 *
 * @example
 * const { nodes, edges } = await importJsonLines(graph, 'people.jsonl')
 */
export async function importJsonLines(
  graph: Graph,
  source: Source,
  options: ImportOptions = {},
): Promise<ImportedJsonLines> {
  if (typeof (graph as Partial<Graph> | undefined)?.write !== 'function') {
    throw badArgument('what is imported into is a graph')
  }
  const taker = new GraphTaker(graph)
  const imported = await importInPortions(source, taker, checkedOptions(options, ...IMPORT_OPTIONS))
  return { ...imported, nodes: taker.nodes, edges: taker.edges }
}

class GraphTaker implements Taker<NodeFact | EdgeFact> {
  readonly #graph: Graph
  readonly #waiting = new WaitingEdges()
  nodes = 0
  edges = 0

  constructor(graph: Graph) {
    this.#graph = graph
  }

  get waiting(): number | undefined {
    return this.#waiting.first
  }

  read(text: string, line: number): NodeFact | EdgeFact | undefined {
    return factOf(text, line)
  }

  async commit(facts: readonly (NodeFact | EdgeFact)[]): Promise<Version> {
    const nodes = facts.filter((fact) => fact.kind === 'node')
    const made = new Set(nodes.map(({ key }) => key))
    const released = this.#waiting.take(made)
    const edges = [...released, ...facts.filter((fact) => fact.kind === 'edge')]
    const { value: late, version } = await this.#graph.write((tx) => write(tx, nodes, made, edges))
    for (const { edge, missing } of late) this.#waiting.add(edge, missing)
    this.nodes += nodes.length
    this.edges += facts.length - nodes.length
    return version
  }

  get isFull(): boolean {
    return this.#waiting.isFull
  }

  async release(): Promise<Version | undefined> {
    const edges = this.#waiting.takeAll()
    const { value: late, version } = await this.#graph
      .write((tx) => write(tx, [], new Set(), edges))
      .catch((error: unknown) => {
        throw inPortion(error, edges)
      })
    for (const { edge, missing } of late) this.#waiting.add(edge, missing)
    return late.length < edges.length ? version : undefined
  }

  check(): void {
    this.#waiting.checkBound()
  }

  end(): void {
    this.#waiting.checkEnd()
  }
}

interface Late {
  readonly edge: EdgeFact
  /** The end that is not there. */
  readonly missing: string
}

/** Writes nodes, and the edges whose ends are there; says which are not. */
function write(
  tx: Transaction,
  nodes: readonly NodeFact[],
  made: ReadonlySet<string>,
  edges: readonly EdgeFact[],
): readonly Late[] {
  const absent = absentOf(tx, made, edges)
  const late: Late[] = []
  let line = 0
  try {
    for (const node of nodes) {
      line = node.line
      writeNode(tx, node)
    }
    for (const edge of edges) {
      line = edge.line
      const missing = [edge.from, edge.to].find((end) => absent.has(end))
      if (missing === undefined) writeEdge(tx, edge)
      else late.push({ edge, missing })
    }
  } catch (error) {
    throw located(error, line)
  }
  return late
}

/** The ends of edges that are neither made now nor there already. */
function absentOf(
  tx: Transaction,
  made: ReadonlySet<string>,
  edges: readonly EdgeFact[],
): ReadonlySet<string> {
  const ends = new Map<string, number>()
  for (const { from, to, line } of edges) {
    for (const end of [from, to]) if (!made.has(end) && !ends.has(end)) ends.set(end, line)
  }
  const handles = askAbout(tx, ends, (keys) => tx.handles(keys))
  return new Set([...ends.keys()].filter((_, at) => handles[at] === NO_NODE))
}

function writeNode(tx: Transaction, { key, labels, props, intervals }: NodeFact): void {
  tx.put(key, { labels, props })
  for (const [property, held] of intervals) {
    for (const { value, ...valid } of held) tx.patch(key, { props: { [property]: value }, valid })
  }
}

function writeEdge(tx: Transaction, { from, type, to, key, props, intervals, valid }: EdgeFact): void {
  if (!valid) {
    tx.link(from, type, to, { key, props })
  } else {
    for (const time of valid) tx.link(from, type, to, { key, valid: time })
    tx.patch({ from, type, to, key }, { props })
  }
  for (const [property, held] of intervals) {
    for (const { value, ...valid } of held) {
      tx.patch({ from, type, to, key }, { props: { [property]: value }, valid })
    }
  }
}
