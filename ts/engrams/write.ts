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
import { type EndRecord, type LinkRecord, compareEnds, putLinks } from './links.ts'
import { rowsFor, tableOf } from './lookup.ts'
import { HASH, checkManifest, descriptionOf, encodeManifest } from './manifest.ts'
import { EncodedValues, decoded, weighed } from './encoded.ts'
import { Names } from './names.ts'
import type { RecallOptions } from '../recall/options.ts'
import { Tables, VERSIONS, isRecalled } from '../recall/tables.ts'
import { Output, type Spool } from './output.ts'
import { PastWriter } from './past-writer.ts'
import { type Fact, inOrder, namesOf } from './properties.ts'
import { recallsOf } from './recalls/asked.ts'
import { piecesOf } from './recalls/writer.ts'
import { nodeBody } from './records.ts'
import { malformed, notKept } from './refusals.ts'
import { type Chosen, UNMET, chosenOf, edgesOf, isAll, selectedKeys } from './select.ts'
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
    const format = formatOf(history === 'kept', recalls.length > 0)
    const output = new Output(path, most.bytes, format)
    try {
      const packing = new Packing({
        content,
        chosen,
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
      await output.abandon()
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
  readonly output: Output
  readonly turn: () => Promise<void> | undefined
  readonly most: Required<PackageLimits>
  readonly provenance: boolean
  readonly history: 'cut' | 'kept'
  readonly recalls: readonly RecallOptions[]
  readonly format: number
}

/** Nodes of several sources, more than those of one, behind which it is asked of each node once, in order: asking out of order does not pay. */
const CHANGED_MAX = 64

/** One export under way: a pass that finds names and sources, as their numbers are in no record before all are known; and one that writes. */
class Packing {
  readonly #job: Job
  /** What is read but not looked at. Who is trusted is told by values, which are decoded then. */
  readonly #passed: typeof decoded
  readonly #taken: typeof decoded
  /** The nodes that are packed; with each the place of the source of all its facts, or none where they are in the spool. */
  #members: ReadonlyMap<string, number> = new Map()
  /** The same in order. */
  #keys: readonly string[] = []
  readonly #labels = new Tally()
  readonly #types = new Tally()
  readonly #properties = new Tally()
  readonly #sources = new Gathered()
  #numbers: Uint32Array = new Uint32Array()
  #names = new Names([])
  /** How many more of the nodes that were met had facts of several sources than of one. */
  #changed = 0
  /** Of each key whether edges leave its node. */
  #leaves = new Uint8Array()
  /** Facts of nodes. */
  #ofNodes = 0
  /** Facts that were written, and edges where they enter. */
  #written = 0
  /** The sources of facts, in the order in which they are written. */
  readonly #spool: Spool
  /** Absent where history is cut. */
  readonly #past: PastWriter | undefined
  /** Of each recall how many texts there are. */
  readonly #texts: number[]
  readonly #writer = new Writer()
  readonly #values = new EncodedValues()

  constructor(job: Job) {
    this.#job = job
    const { writers, trust } = job.chosen
    const isPlain = writers === undefined && trust === undefined
    // Whether something is a text is seen once it is decoded.
    this.#passed = isPlain && job.recalls.length === 0 ? weighed : decoded
    this.#taken = isPlain ? (read) => this.#values.taken(read) : decoded
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

  /** The selected nodes in order, some at a time: `read` says what is taken of their values. */
  async *#nodes(
    keys: readonly string[],
    read: typeof decoded,
  ): AsyncGenerator<readonly Node[], void, undefined> {
    const { turn } = this.#job
    const batches = new Batches()
    for (let at = 0; at < keys.length;) {
      const batch = read(() => this.#reader.getMany(keys.slice(at, at + batches.size)))
      // A package that was made by hand may list what it does not find.
      const lost = batch.findIndex((node) => !node)
      if (lost >= 0) throw malformed('a node is listed and not found', { key: keys[at + lost]! })
      at += batch.length
      batches.learn(batch)
      yield batch as readonly Node[]
      const others = turn()
      if (others) await others
    }
  }

  /** The edges of a node, in a direction. */
  #edges(key: string, direction: 'out' | 'in', read: typeof decoded): readonly Edge[] {
    const { types } = this.#job.chosen
    return read(() =>
      types === undefined
        ? [...this.#reader[direction](key)]
        : [...edgesOf(this.#reader, key, direction, types)],
    )
  }

  async #survey(): Promise<void> {
    const { content, chosen, turn, most } = this.#job
    const read = this.#passed
    const met = (node: Node): number => this.#meet(node)
    this.#members = await selectedKeys({
      reader: content.reader,
      chosen,
      nodesMax: most.nodes,
      turn,
      read,
      met,
    })
    const keys = [...this.#members.keys()].toSorted(compareUtf8)
    this.#keys = keys
    const due = keys.filter((key) => this.#members.get(key) === UNMET)
    for await (const nodes of this.#nodes(due, read)) nodes.forEach((node) => this.#surveyNode(node))
    for (const key of this.#past ? keys : []) await this.#past!.survey(key, this.#sources)
    this.#ofNodes = keys.length + this.#labels.total + this.#properties.total
    this.#leaves = new Uint8Array(keys.length)
    for (const [at, key] of keys.entries()) {
      for (const edge of this.#outOf(key)) {
        this.#leaves[at] = 1
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

  /** The edges that leave a node, in order, to nodes that are packed. */
  #outOf(key: string, read = this.#passed): readonly Edge[] {
    const edges = this.#edges(key, 'out', read).filter(({ to }) => this.#members.has(to))
    if (edges.length < 2) return edges
    return edges.toSorted(
      (a, b) => compareUtf8(a.type, b.type) || compareUtf8(a.to, b.to) || compareUtf8(a.key, b.key),
    )
  }

  /** The ends of the edges that enter a node from nodes that are packed. */
  #into(key: string): readonly EndRecord[] {
    const ends: EndRecord[] = []
    for (const { type, from, key: own } of this.#edges(key, 'in', this.#passed)) {
      if (this.#members.has(from)) ends.push({ type: this.#names.number(type)!, other: from, key: own })
    }
    return ends.length < 2 ? ends : ends.toSorted(compareEnds)
  }

  /** Surveys a node out of order, if its facts have one source: returns its place. */
  #meet(node: Node): number {
    const { content, provenance } = this.#job
    if (provenance && this.#changed === CHANGED_MAX) return UNMET
    const all = provenance ? content.sources(node).all : undefined
    if (provenance && all === undefined) {
      this.#changed++
      return UNMET
    }
    this.#changed = Math.max(0, this.#changed - 1)
    this.#surveyLabels(node)
    for (const name of namesOf(node)) this.#properties.add(name)
    return this.#sources.place(all)
  }

  #surveyNode(node: Node): void {
    this.#surveyLabels(node)
    this.#surveyFacts(node)
  }

  #surveyLabels(node: Node): void {
    for (const label of node.labels) this.#labels.add(label)
    for (const [at, recall] of this.#job.recalls.entries()) if (isRecalled(node, recall)) this.#texts[at]!++
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

  /** The source of the next fact, which is at a place, or in the spool. */
  #cited(place: number): number {
    if (!this.#job.provenance) return 0
    return this.#numbers[place === UNMET ? this.#spool.take() : place]!
  }

  #facts({ props, intervals }: Node | Edge, place: number): Fact[] {
    const facts = inOrder(props, intervals)
    this.#written += 1 + facts.length
    return facts.map(({ name, held, isTemporal }) => ({
      name: this.#names.number(name)!,
      source: this.#cited(place),
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
    const { output, most } = this.#job
    const keys = this.#keys
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
    await output.finish(sections, sign)
  }

  /** Writes the tables of a recall, which are in memory meanwhile. */
  async #writeRecall(
    recall: RecallOptions,
    texts: number,
    offsets: Float64Array,
    lists: readonly { readonly name: number; readonly nodes: Uint32Array }[],
  ): Promise<void> {
    const keys = this.#keys
    const places = lists.find(({ name }) => name === this.#names.number(recall.label))?.nodes ?? []
    const tables = new Tables(recall, places.length)
    const nodes = new Float64Array(texts)
    let at = 0
    const labelled = Array.from(places, (place) => keys[place]!)
    for await (const some of this.#nodes(labelled, decoded)) {
      for (const node of some) {
        const place = places[at++]!
        if (tables.add(node)) nodes[tables.rows - 1] = offsets[place]!
      }
    }
    if (tables.rows !== texts) throw notKept('a text was let go of while it was packed; pack it again')
    await this.#writePieces(piecesOf(tables, nodes))
  }

  async #writePast(past: PastWriter, nodes: Float64Array): Promise<void> {
    const keys = this.#keys
    past.rewind()
    for (const [at, key] of keys.entries()) await past.node(key, nodes[at]!, this.#names, this.#sources)
    for (const key of keys) {
      for (const edge of this.#outOf(key)) await past.edge(targetOf(edge), this.#names, this.#sources)
    }
  }

  #manifest(description: ReturnType<typeof descriptionOf>, sources: number): Manifest {
    const [labels, types, properties] = [this.#labels, this.#types, this.#properties]
    const [nodes, edges] = [this.#keys.length, types.total]
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
    const byName = new Map(lists.map((list) => [list.name, list]))
    let at = 0
    for await (const nodes of this.#nodes(this.#keys, this.#taken)) {
      for (const node of nodes) {
        offsets[at] = output.position
        const place = this.#members.get(node.key)!
        const source = this.#cited(place)
        const labels = node.labels.map((label) => this.#names.number(label)!).toSorted((a, b) => a - b)
        for (const label of labels) {
          const list = byName.get(label)!
          list.nodes[list.used++] = at
        }
        this.#written += labels.length
        output.record(
          nodeBody({ key: node.key, source, labels, facts: this.#facts(node, place) }, this.#names),
        )
        at++
      }
    }
  }

  async #writeLinks(offsets: Float64Array): Promise<number> {
    const { output, turn } = this.#job
    const writer = this.#writer
    // What a package lists is compared, whatever it says.
    if (this.#types.total === 0 && !this.#job.content.packed) return 0
    let [linked, leaving, entering] = [0, 0, 0]
    for (const [at, key] of this.#keys.entries()) {
      const edges = this.#leaves[at] === 1 ? this.#outOf(key, this.#taken) : []
      const out = edges.map((edge): LinkRecord => {
        const { type, to: other, key: own, valid } = edge
        // Field by field: a spread takes a slow path of the engine.
        return {
          type: this.#names.number(type)!,
          other,
          key: own,
          source: this.#cited(UNMET),
          valid,
          facts: this.#facts(edge, UNMET),
        }
      })
      const into = this.#into(key)
      leaving += out.length
      entering += into.length
      this.#written += into.length
      if (out.length + into.length > 0) {
        offsets[at] = output.position
        linked++
        const starts = putLinks(writer, key, out, into, this.#names)
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

  async #writePieces(pieces: Iterable<Buffer>): Promise<void> {
    for (const piece of pieces) {
      this.#job.output.write(piece)
      await this.#job.turn()
    }
  }
}
