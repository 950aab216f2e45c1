// What is packed: a graph as of one version, or a package.
import { KaryonError, badArgument } from '../errors.ts'
import type { Edge, Graph, Node, Reader, Target } from '../graph/types.ts'
import type { Moment, Version } from '../time.ts'
import type { Engram, Source } from './types.ts'

/** Who wrote a property, or without one made the node or edge. */
export type SourceOf = (property?: string) => Source | undefined

/** One state of knowledge, that does not change while it is packed. */
export interface Content {
  readonly reader: Reader
  /** Who wrote what of a node or edge that was read. */
  sources(of: Node | Edge): SourceOf
  close(): void
}

/** What a graph says as of a moment, or a package. */
export function contentOf(from: Graph | Engram, at: Moment | undefined): Content {
  if (typeof from !== 'object' || from === null) throw badArgument('what is packed is a graph or an engram')
  if (!('blame' in from)) {
    if (!('manifest' in from))
      throw badArgument('what is packed is a graph or an engram; of a view, the graph: { select: { at } }')
    if (at !== undefined) throw badArgument('an engram has no past; leave at away')
    const sources = (of: Node | Edge): SourceOf => {
      const target = targetOf(of)
      return (property) => from.source(target, property)
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
function sourcesAt(graph: Graph, version: Version, of: Node | Edge): SourceOf {
  const target = targetOf(of)
  const made = graph.blame(target)
  // What nobody has changed since it was made is all from there: the usual case, and one crossing for it.
  if (made?.version === of.version) return () => made
  return (property) => sourceAt(graph, version, target, property)
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
  const options = property === undefined ? { to: version } : { to: version, property }
  try {
    for (const change of graph.history(target, options)) {
      if (property !== undefined || change.kind === 'created') return change
    }
  } catch (error) {
    // Nobody knows any more.
    if (!(error instanceof KaryonError) || error.code !== 'ERR_KARYON_HORIZON') throw error
  }
  return undefined
}
