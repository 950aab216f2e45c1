// What is packed: a graph as of one version, or a package.
import { KaryonError, badArgument } from '../errors.ts'
import type { Change, Edge, Graph, Node, Reader, Target } from '../graph/types.ts'
import type { Moment, Version } from '../time.ts'
import type { Engram, Source } from './types.ts'

/** What packing reads with. */
export type Origin = Pick<Reader, 'get' | 'getMany' | 'nodes' | 'out' | 'in'>

/** Who wrote what of a node or edge; nobody where that is not told, or not kept any more. */
export interface Sources {
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
  /** Who wrote what of a node or edge that was read. */
  sources(of: Node | Edge): Sources
  close(): void
}

/** What a graph says as of a moment, or a package. */
export function contentOf(from: Graph | Engram, at: Moment | undefined): Content {
  if (typeof from !== 'object' || from === null) throw badArgument('what is packed is a graph or an engram')
  if (!('blame' in from)) {
    if (at !== undefined) throw badArgument('an engram has no past; leave at away')
    const sources = (of: Node | Edge): Sources => {
      const target = targetOf(of)
      const times = (): Source | undefined => ('valid' in of ? undefined : from.source(target))
      return { of: (property) => from.source(target, property), label: () => undefined, times }
    }
    return { reader: from, sources, close() {} }
  }
  const view = at === undefined ? from.snapshot() : from.at(at)
  const { version } = view
  return { reader: view, sources: (of) => sourcesAt(from, version, of), close: () => view.close() }
}

function targetOf(of: Node | Edge): Target {
  return 'from' in of ? of : of.key
}

/** Who wrote what of a node or edge as of a version. */
function sourcesAt(graph: Graph, version: Version, of: Node | Edge): Sources {
  const target = targetOf(of)
  const made = graph.blame(target)
  // What nobody has changed since it was made is all from there: the usual case, and one crossing for it.
  if (made?.version === of.version) return { of: () => made, label: () => made, times: () => made }
  let labels: ReadonlyMap<string, Source> | undefined
  return {
    of: (property) => sourceAt(graph, version, target, property),
    label: (label) => (labels ??= labelSources(graph, version, of)).get(label),
    times: () => timesSource(graph, version, target),
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
  return lastOf(graph, version, target, (change) => property !== undefined && change.property === property)
}

/** Who last said when an edge holds. */
function timesSource(graph: Graph, version: Version, target: Target): Source | undefined {
  const isOfTimes = ({ kind, property }: Change): boolean =>
    (kind === 'set' || kind === 'unset') && property === undefined
  return lastOf(graph, version, target, isOfTimes)
}

/** The last change of a kind, or what made the node or edge since: whoever makes it anew writes all of it, though it may be as it was. */
function lastOf(
  graph: Graph,
  version: Version,
  target: Target,
  isMeant: (change: Change) => boolean,
): Source | undefined {
  for (const change of known(graph.history(target, { to: version }))) {
    if (change.kind === 'created' || isMeant(change)) return change
  }
  return undefined
}

/** Who gave a node the labels that it has as of a version: no blame says it, so its past is looked through for the last time that each was given. */
function labelSources(graph: Graph, version: Version, of: Node | Edge): ReadonlyMap<string, Source> {
  const found = new Map<string, Source>()
  const due = new Set('labels' in of ? of.labels : [])
  if (due.size === 0) return found
  for (const change of known(graph.history(targetOf(of), { to: version }))) {
    const { kind, label } = change
    if (kind === 'labelled' && due.delete(label!)) found.set(label!, change)
    if (kind === 'created') for (const rest of due) found.set(rest, change)
    if (kind === 'created' || due.size === 0) break
  }
  return found
}

/** The changes that are known; of what is not kept any more nobody knows who wrote it. */
function* known(changes: Iterable<Change>): Generator<Change, void, undefined> {
  try {
    yield* changes
  } catch (error) {
    if (!(error instanceof KaryonError) || error.code !== 'ERR_KARYON_HORIZON') throw error
  }
}
