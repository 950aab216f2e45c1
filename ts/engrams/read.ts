// A package as a reader: what the graph answers about itself, it answers about what was packed.
import { isUint32Array } from 'node:util/types'
import { KaryonError, badArgument } from '../errors.ts'
import type { RecallOptions } from '../recall/options.ts'
import type { Edge, EdgeIdentity, Node, NodeQuery, Reached, Target, WalkOptions } from '../graph/types.ts'
import { ByteReader } from '../values/decode.ts'
import { compareUtf8 } from '../values/encode.ts'
import { checkKey, checkName } from '../values/keys.ts'
import { checkedOptions, listOf, plainEdge, plainTarget } from '../graph/arguments.ts'
import type { Blocks } from './blocks.ts'
import { propertySlot } from './changes.ts'
import { type Question, questionOf } from './conditions.ts'
import { type LabelList, Labels } from './labels.ts'
import type { Sections } from './layout.ts'
import { type End, Links } from './links.ts'
import { type Found, Lookup, NO_HANDLE } from './lookup.ts'
import { Names, readNames } from './names.ts'
import { type PastAsked, Pasts, pastAsked } from './past.ts'
import { type RecallTables, type RecallVersions, carry } from './recalled.ts'
import { compareRecalls } from './recalls/asked.ts'
import { TablesInPlace, headsOf } from './recalls/reader.ts'
import { NodeReader } from './records.ts'
import { malformed, notKept } from './refusals.ts'
import { Sources } from './sources.ts'
import type { Engram, Inspected, Manifest, PackedChange, PastOptions, Signature, Source } from './types.ts'
import { REACH_MAX, TRAVERSED_EDGES_MAX, reach, walkOf } from './walk.ts'

/** Nodes that `within` finds unless it is told otherwise. */
const WITHIN_LIMIT = 1000
/** How far `path` looks unless it is told otherwise. */
const PATH_HOPS = 16
/** Edges whose other ends are looked up at once: few at first, as many scans are left early. */
const FIRST_PAGE = 4
const PAGE_GROWTH = 4
const PAGE_MAX = 256

const INTEGER = 3
const FLOAT = 4

/** What of a package nobody closed is let go of. */
const forgotten = new FinalizationRegistry<Blocks>((blocks) => blocks.close())

/** An open package. */
export class OpenEngram implements Engram {
  readonly manifest: Manifest
  readonly root: string
  readonly bytes: number
  readonly signatures: readonly Signature[]
  readonly #blocks: Blocks
  readonly #sections: Sections
  readonly #lookup: Lookup
  readonly #labels: Labels
  #known: Names | undefined
  #sources: Sources | undefined
  #pasts: Pasts | undefined
  #reader: NodeReader | undefined

  constructor(blocks: Blocks, sections: Sections, { manifest, root, bytes, signatures }: Inspected) {
    this.manifest = manifest
    this.root = root
    this.bytes = bytes
    this.signatures = signatures
    this.#blocks = blocks
    this.#sections = sections
    this.#lookup = new Lookup(blocks, sections.keys, sections.nodes)
    this.#labels = new Labels(blocks, sections.labels, sections.nodes)
    forgotten.register(this, blocks, this)
    carry(this, (options, versions) => this.#tablesFor(options, versions))
  }

  /** The names, read when the first is asked for: opening reads nothing that may be large. */
  get #names(): Names {
    return (this.#known ??= namesOf(readNames(this.#blocks, this.#sections.names), this.manifest))
  }

  #newReader(): NodeReader {
    return new NodeReader(this.#blocks, this.#names, this.#sections.nodes)
  }

  /** The node that a row leads to, for as long as no other one is read. */
  #read({ node }: Found): NodeReader {
    const reader = (this.#reader ??= this.#newReader())
    reader.read(node)
    return reader
  }

  get(key: string): Node | undefined {
    this.#blocks.checkOpen()
    checkKey(key)
    const found = this.#lookup.find(key)
    return found && this.#read(found).node()
  }

  getMany(keys: readonly string[]): (Node | undefined)[] {
    return this.#findMany(keys).map((found) => found && this.#read(found).node())
  }

  handles(keys: readonly string[]): Uint32Array {
    return Uint32Array.from(this.#findMany(keys), (found) => found?.place ?? NO_HANDLE)
  }

  #findMany(keys: readonly string[]): (Found | undefined)[] {
    this.#blocks.checkOpen()
    const wanted = listOf(keys, 'keys are an array of strings')
    wanted.forEach(checkKey)
    return this.#lookup.findMany(wanted)
  }

  keys(handles: Uint32Array): (string | undefined)[] {
    this.#blocks.checkOpen()
    checkHandles(handles)
    return Array.from(handles, (handle) => {
      const found = this.#lookup.at(handle)
      return found && this.#read(found).key
    })
  }

  number(handle: number, property: string): number | undefined {
    if (handle >>> 0 !== handle) throw badArgument('a handle is a number that handles() gives')
    this.#blocks.checkOpen()
    const number = this.#isUnknown(property) ? Number.NaN : this.#number(handle, property)
    return Number.isNaN(number) ? undefined : number
  }

  numbers(handles: Uint32Array, property: string): Float64Array {
    checkHandles(handles)
    this.#blocks.checkOpen()
    if (this.#isUnknown(property)) return new Float64Array(handles.length).fill(Number.NaN)
    return Float64Array.from(handles, (handle) => this.#number(handle, property))
  }

  #number(handle: number, property: string): number {
    const found = this.#lookup.at(handle)
    const encoded = found && this.#read(found).encoded(property)
    const isNumber = encoded !== undefined && (encoded[0] === INTEGER || encoded[0] === FLOAT)
    return isNumber ? (new ByteReader(encoded).value() as number) : Number.NaN
  }

  /** Whether nothing has a name, once it is checked. */
  #isUnknown(name: string): boolean {
    checkName(name)
    return this.#names.number(name) === undefined
  }

  edge(identity: EdgeIdentity): Edge | undefined {
    const plain = plainEdge(identity)
    this.#blocks.checkOpen()
    const links = this.#linksOf(plain.from)
    const end = links?.find(plain)
    return end && links?.edge(end)
  }

  #linksOf(key: string): Links | undefined {
    const found = this.#lookup.find(key)
    return found && this.#links(found, key)
  }

  #links({ links }: Found, key: string): Links | undefined {
    if (links === 0) return undefined
    const read = new Links(this.#blocks, this.#names, this.#sections.links, links)
    if (read.key !== key) throw malformed(`the edges of ${JSON.stringify(key)} are those of another node`)
    return read
  }

  out(key: string, type?: string): IterableIterator<Edge> {
    return this.#scan(this.#out(...this.#around(key, type)))
  }

  in(key: string, type?: string): IterableIterator<Edge> {
    return this.#scan(this.#in(...this.#around(key, type)))
  }

  #around(key: string, type: string | undefined): [string, string | undefined] {
    checkKey(key)
    if (type !== undefined) checkName(type)
    this.#blocks.checkOpen()
    return [key, type]
  }

  /** What a scan comes to, as long as the package is open. */
  *#scan<T>(items: Iterable<T>): Generator<T, void, undefined> {
    for (const item of items) {
      this.#blocks.checkOpen()
      yield item
    }
  }

  *#out(key: string, type: string | undefined): Generator<Edge, void, undefined> {
    const links = this.#linksOf(key)
    if (!links) return
    for (const end of links.ends('out', type)) yield links.edge(end)
  }

  *#in(key: string, type: string | undefined): Generator<Edge, void, undefined> {
    const links = this.#linksOf(key)
    if (!links) return
    let page: End[] = []
    let size = FIRST_PAGE
    for (const end of links.ends('in', type)) {
      if (page.push(end) < size) continue
      yield* this.#entering(key, page)
      page = []
      size = Math.min(size * PAGE_GROWTH, PAGE_MAX)
    }
    yield* this.#entering(key, page)
  }

  /** Edges by where they enter: what they hold stands where they leave. */
  *#entering(to: string, page: readonly End[]): Generator<Edge, void, undefined> {
    const origins = this.#lookup.findMany(page.map(({ other }) => other))
    for (const [at, { type, other: from, key }] of page.entries()) {
      const origin = origins[at]
      const links = origin && this.#links(origin, from)
      const end = links?.find({ from, type, to, key })
      if (!end) throw malformed(`an edge enters ${JSON.stringify(to)} that leaves no node`)
      yield links!.edge(end)
    }
  }

  *edges(): IterableIterator<Edge> {
    const { offset, bytes, entries } = this.#sections.links
    let [next, count, nodes, before] = [offset, 0, 0, '']
    while (next < offset + bytes) {
      const links = new Links(this.#blocks, this.#names, this.#sections.links, next)
      if (compareUtf8(before, links.key) >= 0) throw malformed('edges are out of order')
      for (const end of links.ends('out')) {
        count++
        this.#blocks.checkOpen()
        yield links.edge(end)
      }
      nodes++
      before = links.key
      next = links.next
    }
    this.#blocks.checkOpen()
    if (nodes !== entries || count !== this.manifest.counts.edges) {
      throw malformed('there are more or fewer edges than it says')
    }
  }

  nodes(query: NodeQuery = {}): IterableIterator<Node> {
    const question = questionOf(query)
    this.#blocks.checkOpen()
    return this.#scan(this.#meeting(question))
  }

  count(query: NodeQuery = {}): number {
    const question = questionOf(query)
    this.#blocks.checkOpen()
    const { label, tests } = question
    if (tests.length === 0) {
      if (label === undefined) return this.#sections.nodes.entries
      return this.#listed(label)?.count ?? 0
    }
    let count = 0
    for (const _ of this.#readers(question)) count++
    return count
  }

  *#meeting(question: Question): Generator<Node, void, undefined> {
    for (const reader of this.#readers(question)) yield reader.node()
  }

  /** A reader that stands at each node that is meant. */
  *#readers({ label, tests }: Question): Generator<NodeReader, void, undefined> {
    for (const reader of label === undefined ? this.#all() : this.#labelled(label)) {
      const isMeant = tests.every(({ property, holds }) => {
        const encoded = reader.encoded(property)
        return encoded !== undefined && holds(encoded)
      })
      if (isMeant) yield reader
    }
  }

  *#all(): Generator<NodeReader, void, undefined> {
    const reader = this.#newReader()
    let [count, before] = [0, '']
    while (reader.hasNext) {
      reader.read(reader.next)
      if (compareUtf8(before, reader.key) >= 0) throw malformed('nodes are out of order')
      before = reader.key
      count++
      yield reader
    }
    if (count !== this.#sections.nodes.entries) throw malformed('there are more or fewer nodes than it says')
  }

  /** Where the nodes with a label are listed; `undefined` where nothing has it. */
  #listed(label: string): LabelList | undefined {
    const { labels } = this.manifest.schema
    const count = Object.hasOwn(labels, label) ? labels[label] : undefined
    if (count === undefined) return undefined
    const list = this.#labels.find(this.#names.number(label)!)
    if (list?.count !== count) throw malformed('a label has more or fewer nodes than it says')
    return list
  }

  *#labelled(label: string): Generator<NodeReader, void, undefined> {
    const list = this.#listed(label)
    if (!list) return
    const reader = this.#newReader()
    for (const offset of this.#labels.offsets(list)) {
      reader.read(offset)
      if (!reader.labels.includes(label)) throw malformed('a node is listed under a label that it has not')
      yield reader
    }
  }

  degree(key: string, direction: 'out' | 'in', type?: string): number {
    checkDirection(direction)
    this.#around(key, type)
    const groups = this.#linksOf(key)?.groups(direction, type) ?? []
    return groups.reduce((sum, { count }) => sum + count, 0)
  }

  neighbours(key: string, direction: 'out' | 'in', type?: string): Uint32Array {
    checkDirection(direction)
    this.#around(key, type)
    const links = this.#linksOf(key)
    if (!links) return new Uint32Array()
    const count = links.groups(direction, type).reduce((sum, { count }) => sum + count, 0)
    if (count > TRAVERSED_EDGES_MAX) {
      const message = `a node has more than ${TRAVERSED_EDGES_MAX} neighbours; read its edges page by page`
      throw new KaryonError('ERR_KARYON_TRANSACTION_SIZE', message, {
        details: { limit: TRAVERSED_EDGES_MAX },
      })
    }
    const others = Array.from(links.ends(direction, type), ({ other }) => other)
    return Uint32Array.from(this.#there(others), ({ place }) => place)
  }

  /** Where nodes are that edges lead to. */
  #there(keys: readonly string[]): Found[] {
    return this.#lookup.findMany(keys).map((found, at) => {
      if (!found) throw malformed(`an edge leads to the node ${JSON.stringify(keys[at])}, which is not there`)
      return found
    })
  }

  within(key: string, options: WalkOptions & { readonly limit?: number } = {}): readonly Reached[] {
    checkKey(key)
    const { limit = WITHIN_LIMIT, ...rest } = checkedOptions(options, 'type', 'direction', 'hops', 'limit')
    const walk = walkOf(rest, limit)
    this.#blocks.checkOpen()
    if (!this.#lookup.find(key)) return []
    const reached = reach(key, walk, (...of) => this.#ends(...of)).slice(1)
    return this.#there(reached.map((place) => place.key)).map((found, at) => ({
      node: this.#read(found).node(),
      hops: reached[at]!.hops,
    }))
  }

  path(from: string, to: string, options: WalkOptions = {}): readonly Edge[] | undefined {
    checkKey(from)
    checkKey(to)
    const walk = walkOf(
      { hops: PATH_HOPS, ...checkedOptions(options, 'type', 'direction', 'hops') },
      REACH_MAX,
    )
    this.#blocks.checkOpen()
    if (!this.#lookup.find(from)) return undefined
    const reached = reach(from, walk, (...of) => this.#ends(...of), to)
    if (reached.at(-1)?.key !== to) return undefined
    const edges: Edge[] = []
    for (let at = reached.length - 1; at > 0; at = reached[at]!.by) {
      const { step, by } = reached[at]!
      const { direction, type, other, key } = step!
      const here = reached[by]!.key
      const identity =
        direction === 'out' ? { from: here, type, to: other, key } : { from: other, type, to: here, key }
      const edge = this.edge(identity)
      if (!edge) throw malformed(`an edge enters ${JSON.stringify(identity.to)} that leaves no node`)
      edges.push(edge)
    }
    return edges.toReversed()
  }

  #ends(key: string, direction: 'out' | 'in', type: string | undefined): Iterable<End> {
    return this.#linksOf(key)?.ends(direction, type) ?? []
  }

  source(target: Target, property?: string): Source | undefined {
    const plain = plainTarget(target)
    if (property !== undefined) checkName(property)
    this.#blocks.checkOpen()
    const number =
      typeof plain === 'string' ? this.#nodeSource(plain, property) : this.#edgeSource(plain, property)
    return this.#cited.get(number)
  }

  get #cited(): Sources {
    const { changes = 0 } = this.manifest.counts
    return (this.#sources ??= new Sources(this.#blocks, this.#sections.sources, changes))
  }

  #nodeSource(key: string, property: string | undefined): number {
    const found = this.#lookup.find(key)
    if (!found) return 0
    const reader = this.#read(found)
    return property === undefined
      ? reader.source
      : (reader.held.find(({ name }) => name === property)?.source ?? 0)
  }

  #edgeSource(identity: Required<EdgeIdentity>, property: string | undefined): number {
    const links = this.#linksOf(identity.from)
    const end = links?.find(identity)
    return end ? links!.source(end, property) : 0
  }

  history(target: Target, options: PastOptions = {}): IterableIterator<PackedChange> {
    const plain = plainTarget(target)
    const asked = pastAsked(options)
    this.#blocks.checkOpen()
    if (!this.#past) throw notKept('the engram was packed with its history cut; pack it again with it kept')
    return this.#scan(this.#changes(this.#past, plain, asked))
  }

  get #past(): Pasts | undefined {
    const history = this.manifest.history && this.#sections.history
    const most = this.manifest.counts.changes ?? 0
    return (this.#pasts ??= history && new Pasts(this.#blocks, history, this.#names, this.#cited, most))
  }

  *#changes(
    past: Pasts,
    target: string | Required<EdgeIdentity>,
    { property, from, to }: PastAsked,
  ): Generator<PackedChange, void, undefined> {
    const isNode = typeof target === 'string'
    const place = isNode ? this.#lookup.find(target)?.node : this.#linksOf(target.from)?.find(target)?.start
    if (place === undefined) return
    const slot = property === undefined ? undefined : propertySlot(property, this.#names)
    yield* past.changes(place, isNode, { slot, from, to })
  }

  /** The tables that it carries for a recall with exactly these options, if it does. */
  #tablesFor(options: RecallOptions, { normaliser, grams }: RecallVersions): RecallTables | undefined {
    this.#blocks.checkOpen()
    const [{ recall }, { recall: section }] = [this.manifest, this.#sections]
    if (!recall || !section || recall.normaliser !== normaliser || recall.grams !== grams) return undefined
    const at = recall.tables.findIndex((table) => compareRecalls(table, options) === 0)
    if (at < 0) return undefined
    const head = headsOf(this.#blocks, section, recall.tables)[at]!
    return new TablesInPlace(this.#blocks, head, {
      engram: this,
      recall: recall.tables[at]!,
      reader: this.#newReader(),
      lookup: this.#lookup,
    })
  }

  close(): void {
    forgotten.unregister(this)
    this.#blocks.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function checkHandles(handles: Uint32Array): void {
  if (!isUint32Array(handles)) throw badArgument('handles are the Uint32Array that handles() gives')
}

function checkDirection(direction: 'out' | 'in'): void {
  if (direction !== 'out' && direction !== 'in') throw badArgument("a direction is 'out' or 'in'")
}

/** Names that are those of the schema, and no others. */
function namesOf(names: Names, { schema }: Manifest): Names {
  const said = new Set(Object.values(schema).flatMap((counts: object) => Object.keys(counts)))
  if (said.size !== names.texts.length || names.texts.some((name) => !said.has(name))) {
    throw malformed('its names are not those of its schema')
  }
  return names
}
