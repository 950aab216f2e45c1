// Export: a selection of a graph, as of one version, as a package.
import { badArgument } from '../errors.ts'
import type { Edge, Graph, Node } from '../graph/types.ts'
import { compareUtf8 } from '../values/encode.ts'
import { Writer } from '../values/writer.ts'
import { checkedOptions, listOf } from '../graph/arguments.ts'
import { checkedPath } from './arguments.ts'
import { Batches } from './batches.ts'
import { type Content, type Origin, contentOf, targetOf } from './content.ts'
import { labelsOf } from './labels.ts'
import { type Section, type Sections, formatOf } from './layout.ts'
import { NAMES_BYTES_MAX, NAMES_MAX, checkLimit, limitsOf } from './limits.ts'
import { type LinkRecord, compareEnds, putLinks } from './links.ts'
import { rowsFor, tableOf } from './lookup.ts'
import { HASH, checkManifest, descriptionOf, encodeManifest } from './manifest.ts'
import { Names } from './names.ts'
import type { RecallOptions } from '../recall/options.ts'
import { Tables, VERSIONS, isRecalled } from '../recall/tables.ts'
import { Output, type Spool } from './output.ts'
import { PastWriter } from './past-writer.ts'
import { type Fact, inOrder } from './properties.ts'
import { recallsOf } from './recalls/asked.ts'
import { piecesOf } from './recalls/writer.ts'
import { putNode } from './records.ts'
import { malformed, notKept } from './refusals.ts'
import { type Chosen, chosenOf, edgesOf, isAll, selectedKeys } from './select.ts'
import { checkSigners, signed } from './signatures.ts'
import { Gathered } from './sources.ts'
import { Tally } from './tally.ts'
import { trustedOf } from './trusted.ts'
import { turns } from './turns.ts'
import type { Engram, ExportOptions, Manifest, PackageLimits, Source } from './types.ts'

/** Packs a graph, or a part of it, or of another package, into one file: see `exportEngram`. */
export async function writeEngram(from: Graph | Engram, path: string, options: ExportOptions): Promise<void> {
  checkedPath(path)
  const given = checkedOptions(
    options,
    'name',
    'version',
    'description',
    'licence',
    'parents',
    'policies',
    'select',
    'provenance',
    'recall',
    'signWith',
    'limits',
  )
  const { select = {}, provenance = true, recall = [], signWith = [], limits } = given
  const description = descriptionOf(given)
  const {
    at,
    history = 'cut',
    ...rest
  } = checkedOptions(select, 'labels', 'types', 'around', 'at', 'writers', 'trust', 'history')
  checkHistory(from, history, provenance)
  const recalls = recallsOf(recall)
  const chosen = chosenOf(rest)
  const signers = listOf(signWith, 'signWith is an array of private keys')
  checkSigners(signers)
  const most = limitsOf(limits)
  const content = trustedOf(contentOf(from, at), chosen)
  try {
    // What looks back is as of the moment that was asked for, however long the past takes to be there.
    if ((history === 'kept' || chosen.writers) && 'blame' in from) await from.ready('history')
    const turn = turns()
    const keys = await selectedKeys(content.reader, chosen, most.nodes, turn)
    const format = formatOf(history === 'kept', recalls.length > 0)
    const output = new Output(path, most.bytes, format)
    try {
      const packing = new Packing({
        content,
        chosen,
        keys,
        output,
        turn,
        most,
        provenance,
        history,
        recalls,
        format,
      })
      await packing.run(description, (root) => signed(root, signers))
    } finally {
      output.abandon()
    }
  } finally {
    content.close()
  }
}

/** Refuses a history that is none, and one that nothing is known of. */
function checkHistory(from: Graph | Engram, history: 'cut' | 'kept', provenance: boolean): void {
  if (history !== 'cut' && history !== 'kept') throw badArgument("history is 'cut' or 'kept'")
  if (history === 'cut') return
  if (!provenance) throw badArgument('history says who wrote what, and when; cut it, or leave provenance be')
  if (typeof from === 'object' && from !== null && 'manifest' in from && !from.manifest.history) {
    throw notKept('the engram was packed with its history cut; pack it from where it is kept, or cut it')
  }
}

interface Job {
  readonly content: Content
  readonly chosen: Chosen
  readonly keys: readonly string[]
  readonly output: Output
  readonly turn: () => Promise<void> | undefined
  readonly most: Required<PackageLimits>
  readonly provenance: boolean
  readonly history: 'cut' | 'kept'
  readonly recalls: readonly RecallOptions[]
  readonly format: number
}

/** One export under way: a pass that finds names and sources, as their numbers are in no record before all are known; and one that writes. */
class Packing {
  readonly #job: Job
  readonly #members: ReadonlySet<string>
  readonly #labels = new Tally()
  readonly #types = new Tally()
  readonly #properties = new Tally()
  readonly #sources = new Gathered()
  #numbers: Uint32Array = new Uint32Array()
  #names = new Names([])
  /** Facts of nodes. */
  #ofNodes = 0
  /** Facts that were written, and edges where they enter. */
  #written = 0
  /** The sources of all facts, in the order in which they are written. */
  readonly #spool: Spool
  /** Absent where history is cut. */
  readonly #past: PastWriter | undefined
  /** Of each recall how many texts there are. */
  readonly #texts: number[]
  readonly #writer = new Writer()

  constructor(job: Job) {
    this.#job = job
    this.#members = new Set(job.keys)
    this.#spool = job.output.spool('sources')
    this.#texts = job.recalls.map(() => 0)
    this.#past = job.history === 'kept' ? new PastWriter({ ...job, most: job.most.changes }) : undefined
  }

  async run(description: ReturnType<typeof descriptionOf>, sign: (root: Buffer) => Buffer): Promise<void> {
    try {
      await this.#survey()
      await this.#write(description, sign)
    } finally {
      this.#spool.close()
      this.#past?.close()
    }
  }

  get #reader(): Origin {
    return this.#job.content.reader
  }

  /** The selected nodes in order, or some of them, a few at a time. */
  async *#nodes(keys = this.#job.keys): AsyncGenerator<Node, void, undefined> {
    const { turn } = this.#job
    const batches = new Batches()
    for (let at = 0; at < keys.length;) {
      const batch = this.#reader.getMany(keys.slice(at, at + batches.size))
      at += batch.length
      batches.learn(batch)
      for (const [place, node] of batch.entries()) {
        // A package that was made by hand may list what it does not find.
        if (!node)
          throw malformed('a node is listed and not found', { key: keys[at - batch.length + place]! })
        yield node
      }
      const others = turn()
      if (others) await others
    }
  }

  /** The edges of a node, in a direction, between nodes that are packed. */
  #edges(key: string, direction: 'out' | 'in'): Edge[] {
    const edges: Edge[] = []
    for (const edge of edgesOf(this.#reader, key, direction, this.#job.chosen.types)) {
      if (this.#members.has(direction === 'out' ? edge.to : edge.from)) edges.push(edge)
    }
    return edges
  }

  async #survey(): Promise<void> {
    const { keys, turn, most } = this.#job
    for await (const node of this.#nodes()) {
      for (const label of node.labels) this.#labels.add(label)
      this.#surveyFacts(node)
      for (const [at, recall] of this.#job.recalls.entries()) if (isRecalled(node, recall)) this.#texts[at]!++
      await this.#past?.survey(node.key, this.#sources)
    }
    this.#ofNodes = keys.length + this.#labels.total + this.#properties.total
    for (const key of keys) {
      for (const edge of this.#outOf(key)) {
        this.#types.add(edge.type)
        this.#surveyFacts(edge)
        await this.#past?.survey(targetOf(edge), this.#sources)
      }
      checkLimit('the number of edges', this.#types.total, most.edges)
      const others = turn()
      if (others) await others
    }
    const { packed } = this.#job.content
    if (packed !== undefined && isAll(this.#job.chosen) && packed.edges !== this.#types.total) {
      throw malformed('there are more or fewer edges than it says')
    }
    this.#spool.rewind()
    const tallies = [this.#labels, this.#types, this.#properties, ...(this.#past ? [this.#past.named] : [])]
    this.#names = Names.of(tallies.flatMap(({ counts }) => [...counts.keys()]))
    checkLimit('the number of names', this.#names.texts.length, NAMES_MAX)
  }

  #outOf(key: string): Edge[] {
    return this.#edges(key, 'out').toSorted(
      (a, b) => compareUtf8(a.type, b.type) || compareUtf8(a.to, b.to) || compareUtf8(a.key, b.key),
    )
  }

  #surveyFacts(of: Node | Edge): void {
    const { content, provenance } = this.#job
    const facts = inOrder(of.props, of.intervals)
    for (const { name } of facts) this.#properties.add(name)
    if (!provenance) return
    const sources = content.sources(of)
    this.#cite(sources.of())
    for (const { name } of facts) this.#cite(sources.of(name))
  }

  #cite(source: Source | undefined): void {
    this.#spool.put(this.#sources.place(source))
  }

  /** The source of the next fact. */
  #cited(): number {
    return this.#job.provenance ? this.#numbers[this.#spool.take()]! : 0
  }

  #facts({ props, intervals }: Node | Edge): Fact[] {
    const facts = inOrder(props, intervals)
    this.#written += 1 + facts.length
    return facts.map(({ name, held, isTemporal }) => ({
      name: this.#names.number(name)!,
      source: this.#cited(),
      held,
      isTemporal,
    }))
  }

  /** Refuses to go on where not all was written that was found before: who wrote something may be forgotten meanwhile. */
  #checkWritten(facts: number): void {
    if (this.#written === facts) return
    throw notKept('the past was let go of while it was packed, and with it who wrote what; pack it again')
  }

  async #write(description: ReturnType<typeof descriptionOf>, sign: (root: Buffer) => Buffer): Promise<void> {
    const { output, keys, most } = this.#job
    const { bytes: sources, entries, numbers } = this.#sources.numbered()
    this.#numbers = numbers
    const manifest = this.#manifest(description, entries)
    const encoded = encodeManifest(manifest)
    checkManifest(encoded.length, most.manifestBytes)
    const [nodeOffsets, linkOffsets] = [new Float64Array(keys.length), new Float64Array(keys.length)]
    const lists = this.#emptyLists()
    const sections = {} as { -readonly [Name in keyof Sections]: Section }
    sections.manifest = await output.section(1, () => output.write(encoded))
    sections.names = await output.section(this.#names.texts.length, () => this.#writeNames())
    sections.sources = await output.section(entries, () => output.write(sources))
    sections.nodes = await output.section(keys.length, () => this.#writeNodes(nodeOffsets, lists))
    this.#checkWritten(this.#ofNodes)
    let linked = 0
    const links = await output.section(0, async () => {
      linked = await this.#writeLinks(linkOffsets)
    })
    this.#checkWritten(manifest.counts.facts + manifest.counts.edges)
    sections.links = { ...links, entries: linked }
    sections.keys = await output.section(rowsFor(keys.length), () =>
      this.#writePieces(tableOf(keys, nodeOffsets, linkOffsets)),
    )
    sections.labels = await output.section(lists.length, async () => {
      const pieces = labelsOf(lists, nodeOffsets, output.position, sections.nodes.offset, this.#writer)
      for (const writer of pieces) {
        output.take(writer)
        await this.#job.turn()
      }
    })
    const [past, { recalls }] = [this.#past, this.#job]
    if (past || recalls.length > 0) {
      let rows = 0
      const history = await output.section(0, async () => {
        if (!past) return
        await this.#writePast(past, nodeOffsets)
        rows = await past.rows()
      })
      sections.history = { ...history, entries: rows }
    }
    if (recalls.length > 0) {
      sections.recall = await output.section(recalls.length, async () => {
        for (const [at, recall] of recalls.entries())
          await this.#writeRecall(recall, this.#texts[at]!, nodeOffsets, lists)
      })
    }
    output.finish(sections, sign)
  }

  /** Writes the tables of a recall, which are in memory meanwhile. */
  async #writeRecall(
    recall: RecallOptions,
    texts: number,
    offsets: Float64Array,
    lists: readonly { readonly name: number; readonly nodes: Uint32Array }[],
  ): Promise<void> {
    const { keys } = this.#job
    const places = lists.find(({ name }) => name === this.#names.number(recall.label))?.nodes ?? []
    const tables = new Tables(recall, places.length)
    const nodes = new Float64Array(texts)
    let at = 0
    for await (const node of this.#nodes(Array.from(places, (place) => keys[place]!))) {
      const place = places[at++]!
      if (tables.add(node)) nodes[tables.rows - 1] = offsets[place]!
    }
    if (tables.rows !== texts) throw notKept('a text was let go of while it was packed; pack it again')
    await this.#writePieces(piecesOf(tables, nodes))
  }

  async #writePast(past: PastWriter, nodes: Float64Array): Promise<void> {
    const { keys } = this.#job
    past.rewind()
    for (const [at, key] of keys.entries()) await past.node(key, nodes[at]!, this.#names, this.#sources)
    for (const key of keys) {
      for (const edge of this.#outOf(key)) await past.edge(targetOf(edge), this.#names, this.#sources)
    }
  }

  #manifest(description: ReturnType<typeof descriptionOf>, sources: number): Manifest {
    const [labels, types, properties] = [this.#labels, this.#types, this.#properties]
    const [nodes, edges] = [this.#job.keys.length, types.total]
    const [past, { recalls, format }] = [this.#past, this.#job]
    const tables = recalls.map((recall, at) => ({ ...recall, texts: this.#texts[at]! }))
    return {
      ...description,
      format,
      hash: HASH,
      ...(past && { history: 'kept' }),
      ...(tables.length > 0 && { recall: { ...VERSIONS, tables } }),
      counts: {
        nodes,
        edges,
        facts: nodes + edges + labels.total + properties.total,
        sources,
        ...(past && { changes: past.total }),
      },
      schema: {
        labels: labels.record(),
        types: types.record(),
        properties: properties.record(),
        ...(past && { changes: past.named.record() }),
      },
    }
  }

  #writeNames(): void {
    const writer = this.#writer
    for (const name of this.#names.texts) writer.text(name)
    checkLimit('the size of the names in bytes', writer.length, NAMES_BYTES_MAX)
    this.#job.output.take(writer)
  }

  /** Of each label a list with room for its nodes. */
  #emptyLists(): { readonly name: number; readonly nodes: Uint32Array; used: number }[] {
    return [...this.#labels.counts]
      .map(([label, count]) => ({
        name: this.#names.number(label)!,
        nodes: new Uint32Array(count),
        used: 0,
      }))
      .toSorted((a, b) => a.name - b.name)
  }

  async #writeNodes(
    offsets: Float64Array,
    lists: { readonly name: number; readonly nodes: Uint32Array; used: number }[],
  ): Promise<void> {
    const { output } = this.#job
    const writer = this.#writer
    const byName = new Map(lists.map((list) => [list.name, list]))
    let at = 0
    for await (const node of this.#nodes()) {
      offsets[at] = output.position
      const source = this.#cited()
      const labels = node.labels.map((label) => this.#names.number(label)!).toSorted((a, b) => a - b)
      for (const label of labels) {
        const list = byName.get(label)!
        list.nodes[list.used++] = at
      }
      this.#written += labels.length
      putNode(writer, { key: node.key, source, labels, facts: this.#facts(node) }, this.#names)
      output.take(writer)
      at++
    }
  }

  async #writeLinks(offsets: Float64Array): Promise<number> {
    const { output, keys, turn } = this.#job
    const writer = this.#writer
    let [linked, leaving, entering] = [0, 0, 0]
    for (const [at, key] of keys.entries()) {
      const out = this.#outOf(key).map((edge): LinkRecord => {
        const source = this.#cited()
        return { ...this.#end(edge, edge.to), source, valid: edge.valid, facts: this.#facts(edge) }
      })
      const into = this.#edges(key, 'in').map((edge) => this.#end(edge, edge.from))
      leaving += out.length
      entering += into.length
      this.#written += into.length
      if (out.length + into.length > 0) {
        offsets[at] = output.position
        linked++
        const starts = putLinks(writer, key, out, into.toSorted(compareEnds), this.#names)
        for (const start of starts) this.#past?.edgeAt(output.position + start)
        output.take(writer)
      }
      const others = turn()
      if (others) await others
    }
    // Of a package each edge that enters was looked for where it leaves, so as many are the same ones.
    if (this.#job.content.packed && leaving !== entering)
      throw malformed('not every edge that leaves a node enters one')
    return linked
  }

  #end({ type, key }: Edge, other: string): { type: number; other: string; key: string } {
    return { type: this.#names.number(type)!, other, key }
  }

  async #writePieces(pieces: Iterable<Buffer>): Promise<void> {
    for (const piece of pieces) {
      this.#job.output.write(piece)
      await this.#job.turn()
    }
  }
}
