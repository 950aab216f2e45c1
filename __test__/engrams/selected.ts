// What a selection means, by trying everything: small, and obviously right.
import type { Selection } from '../../ts/engrams/index.ts'
import type { Change, Edge, Graph, Node, Reader, Target, Version } from '../../ts/index.ts'
import { compareUtf8 } from '../../ts/values/encode.ts'
import { type Plain, byIdentity, plainEdge, plainNode } from './worlds.ts'

/** Nodes and edges, with their versions. */
export interface All {
  readonly nodes: readonly Node[]
  readonly edges: readonly Edge[]
}

/** Everything that a reader shows, in the order of packages. */
export function allOf(reader: Reader): All {
  const nodes = [...reader.nodes()].toSorted((a, b) => compareUtf8(a.key, b.key))
  return { nodes, edges: nodes.flatMap(({ key }) => [...reader.out(key)]).toSorted(byIdentity) }
}

/** What is selected of it. */
export function selected(all: All, select: Omit<Selection, 'at' | 'writers'>): Plain {
  const { nodes, edges } = chosen(all, select)
  return { nodes: nodes.map(plainNode), edges: edges.map(plainEdge) }
}

/** The same, as it was read. */
export function chosen(all: All, { labels, types, around, trust }: Omit<Selection, 'at' | 'writers'>): All {
  const isTrusted = ({ props }: Node | Edge): boolean => {
    const held = trust && props[trust.property]
    return trust === undefined || typeof held !== 'number' || !(held < trust.atLeast)
  }
  const there = all.nodes.filter(isTrusted)
  const known = new Set(there.map(({ key }) => key))
  const edges = all.edges.filter(
    (edge) =>
      (types === undefined || types.includes(edge.type)) &&
      isTrusted(edge) &&
      known.has(edge.from) &&
      known.has(edge.to),
  )
  let near = new Set(around?.keys)
  for (let hop = 0; hop < (around?.hops ?? 0); hop++) {
    const next = new Set(near)
    for (const { from, to } of edges) {
      if (near.has(from)) next.add(to)
      if (near.has(to)) next.add(from)
    }
    near = next
  }
  const nodes = there.filter(
    (node) =>
      (labels === undefined || node.labels.some((label) => labels.includes(label))) &&
      (around === undefined || near.has(node.key)),
  )
  const keys = new Set(nodes.map(({ key }) => key))
  return { nodes, edges: edges.filter(({ from, to }) => keys.has(from) && keys.has(to)) }
}

/** What of a graph principals have written, or somebody below them, as of a version: by blame, or else by the last change of each fact. */
export function writtenBy(graph: Graph, writers: readonly string[], version: Version): All {
  const view = graph.at(version)
  const isBy = (principal: string): boolean =>
    writers.some((path) => principal === path || principal.startsWith(`${path}/`))
  const isTheirs = (change: Change | undefined): boolean => change !== undefined && isBy(change.principal)
  const written = <T extends Node | Edge>(target: Target, of: T): T[] => {
    const history = [...graph.history(target, { to: version })]
    // Whoever makes it anew writes all of it.
    const isWritten = (isMeant: (change: Change) => boolean): boolean =>
      isTheirs(history.find((change) => change.kind === 'created' || isMeant(change)))
    const isOfTimes = ({ kind, property }: Change): boolean =>
      property === undefined && (kind === 'set' || kind === 'unset')
    if (!isWritten(() => false) || ('from' in of && !isWritten(isOfTimes))) return []
    const kept = <V>(held: Readonly<Record<string, V>>): Record<string, V> =>
      Object.fromEntries(
        Object.entries(held).filter(([name]) => {
          // Who changes something and has it as it was within one commit is to blame for it, though no change is told.
          const blame = graph.blame(target, name)
          if (blame && blame.version <= version) return isBy(blame.principal)
          return isWritten(({ property }) => property === name)
        }),
      )
    const { intervals = {}, ...rest } = of
    const sometimes = kept(intervals)
    return [
      {
        ...rest,
        ...('labels' in of && {
          labels: of.labels.filter((name) =>
            isWritten(({ kind, label }) => kind === 'labelled' && label === name),
          ),
        }),
        props: kept(of.props),
        ...(Object.keys(sometimes).length > 0 && { intervals: sometimes }),
      } as T,
    ]
  }
  const { nodes, edges } = allOf(view)
  return {
    nodes: nodes.flatMap((node) => written(node.key, node)),
    edges: edges.flatMap((edge) => written(edge, edge)),
  }
}
