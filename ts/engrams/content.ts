// What is packed: a graph as of one version, or a package.
import { KaryonError, badArgument } from '../errors.ts'
import type { Edge, Graph, Node, Reader, Target } from '../graph/types.ts'
import type { Moment, Version } from '../time.ts'
import type { Engram, PackedChange, Source } from './types.ts'

/** What packing reads with. */
export type Origin = Pick<Reader, 'get' | 'getMany' | 'nodes' | 'out' | 'in'>

/** Who wrote what of a node or edge; nobody where that is not told, or not kept any more. */
export interface Sources {
  /** Who has made it and written all of it, where that is known to be one commit. */
  readonly all?: Source
  /** Who wrote a property, or without one made the node or edge. */
  of(property?: string): Source | undefined
  /** Who gave a node its label. */
  label(label: string): Source | undefined
  /** Who said when an edge holds, or else made it. */
  times(): Source | undefined
}

/** One state of knowledge, that does not change while it is packed. */
export interface Content {
  readonly reader: Origin
  /** Of a package: how many edges it says there are. */
  readonly packed?: { readonly edges: number }
  /** Who wrote what of a node or edge that was read. */
  sources(of: Node | Edge): Sources
  /** What has changed in it, the newest first. Throws `ERR_KARYON_HORIZON` behind what is kept. */
  changes(target: Target): Iterable<PackedChange>
  /** Whether it is told of a principal what that wrote; of all where it is absent. */
  readonly covers?: (principal: string) => boolean
  close(): void
}

/** What a graph says as of a moment, or a package. */
export function contentOf(from: Graph | Engram, at: Moment | undefined): Content {
  if (typeof from !== 'object' || from === null) throw badArgument('what is packed is a graph or an engram')
  if (!('blame' in from)) {
    if (!('manifest' in from))
      throw badArgument('what is packed is a graph or an engram; of a view, the graph: { select: { at } }')
    if (at !== undefined) throw badArgument('an engram has no past; leave at away')
    const changes = (target: Target): Iterable<PackedChange> => from.history(target)
    const packed = { edges: from.manifest.counts.edges }
    return { reader: from, packed, sources: (of) => sourcesIn(from, of), changes, close() {} }
  }
  const view = at === undefined ? from.snapshot() : from.at(at)
  const { version } = view
  return {
    reader: view,
    sources: (of) => sourcesAt(from, version, of),
    changes: (target) => from.history(target, { to: version }),
    close: () => view.close(),
  }
}

/** Who wrote what of a node or edge as a package has it: of labels, and of when an edge holds, its history alone tells it. */
function sourcesIn(engram: Engram, of: Node | Edge): Sources {
  const target = targetOf(of)
  const changes = (): Iterable<PackedChange> => (engram.manifest.history ? engram.history(target) : [])
  return {
    of: (property) => engram.source(target, property),
    ...told(changes, of, () => engram.source(target)),
  }
}

/** What a node or edge is called. */
export function targetOf(of: Node | Edge): Target {
  return 'from' in of ? of : of.key
}

/** Who wrote what of a node or edge as of a version. */
function sourcesAt(graph: Graph, version: Version, of: Node | Edge): Sources {
  const target = targetOf(of)
  const made = graph.blame(target)
  // What nobody has changed since it was made is all from there: the usual case, and one crossing for it.
  if (made?.version === of.version) return { all: made, of: () => made, label: () => made, times: () => made }
  const changes = (): Iterable<PackedChange> => graph.history(target, { to: version })
  const source = (property?: string): Source | undefined => sourceAt(graph, version, target, property)
  return { of: source, ...told(changes, of, source) }
}

/** Who wrote what no blame says, by the past of a node or edge. One that holds always is its maker's unless somebody is known to have said so. */
function told(
  changes: () => Iterable<PackedChange>,
  of: Node | Edge,
  made: () => Source | undefined,
): Omit<Sources, 'of'> {
  let labels: ReadonlyMap<string, Source> | undefined
  return {
    label: (label) => (labels ??= labelSources(changes(), of)).get(label),
    times: () => lastOf(changes(), isOfTimes) ?? ('valid' in of ? undefined : made()),
  }
}

/** Who made something what it is as of a version. */
function sourceAt(
  graph: Graph,
  version: Version,
  target: Target,
  property: string | undefined,
): Source | undefined {
  const newest = graph.blame(target, property)
  // What nobody has changed since is as it was.
  const blame =
    newest === undefined || newest.version <= version ? newest : earlier(graph, version, target, property)
  return blame && { principal: blame.principal, time: blame.time }
}

function earlier(
  graph: Graph,
  version: Version,
  target: Target,
  property: string | undefined,
): Source | undefined {
  const changes = graph.history(target, { to: version })
  return lastOf(changes, (change) => property !== undefined && change.property === property)
}

/** Whether somebody has said when an edge holds. */
function isOfTimes({ kind, property }: PackedChange): boolean {
  return (kind === 'set' || kind === 'unset') && property === undefined
}

/** The last change of a kind, or what made the node or edge since: whoever makes it anew writes all of it, though it may be as it was. */
function lastOf(
  changes: Iterable<PackedChange>,
  isMeant: (change: PackedChange) => boolean,
): Source | undefined {
  for (const change of known(changes)) if (change.kind === 'created' || isMeant(change)) return change
  return undefined
}

/** Who gave a node the labels that it has: the last time that each was given, or the node was made since. */
function labelSources(changes: Iterable<PackedChange>, of: Node | Edge): ReadonlyMap<string, Source> {
  const found = new Map<string, Source>()
  const due = new Set('labels' in of ? of.labels : [])
  if (due.size === 0) return found
  for (const change of known(changes)) {
    const { kind, label } = change
    if (kind === 'labelled' && due.delete(label!)) found.set(label!, change)
    if (kind === 'created') for (const rest of due) found.set(rest, change)
    if (kind === 'created' || due.size === 0) break
  }
  return found
}

/** The changes that are known; of what is not kept any more nobody knows who wrote it. */
function* known(changes: Iterable<PackedChange>): Generator<PackedChange, void, undefined> {
  try {
    yield* changes
  } catch (error) {
    if (!(error instanceof KaryonError) || error.code !== 'ERR_KARYON_HORIZON') throw error
  }
}
