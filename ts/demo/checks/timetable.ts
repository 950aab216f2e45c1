import type { Graph, Reader, Version } from '../../index.ts'
import type { Entry, LinePoint } from '../history.ts'
import { commitKey, EDGE, LABEL, objectOf, pathKey } from '../model.ts'

/** Finds the way from git's times to the store's: which version a commit, a tag or a date is. */
export class Timetable {
  readonly #graph: Graph
  readonly line: readonly LinePoint[]
  readonly #places: ReadonlyMap<string, number>

  constructor(graph: Graph, line: readonly LinePoint[]) {
    this.#graph = graph
    this.line = line
    this.#places = new Map(line.map(({ hash }, place) => [hash, place]))
  }

  /** A commit's place on the line, from 0. */
  placeOf(hash: string): number | undefined {
    return this.#places.get(hash)
  }

  /** The last place on the line with a date at or before this one. Dates run backwards here and there; the line decides. */
  placeAsOf(seconds: number): number {
    return this.line.findLastIndex(({ committedAtSeconds }) => committedAtSeconds <= seconds)
  }

  /** The version that the transaction of a commit got. */
  versionAt(place: number): Version {
    const hash = this.line[place]?.hash ?? ''
    const blame = this.#graph.blame(commitKey(hash))
    if (blame === undefined) throw new Error(`commit ${hash} is not in the store`)
    return blame.version
  }
}

/** A tree entry as text, so that two of them compare. */
export function entryText(entry: Entry | undefined): string {
  return entry === undefined ? 'absent' : `${entry.mode} ${entry.object}`
}

/** What a path holds in a view. */
export function entryIn(view: Reader, path: string): Entry | undefined {
  return entryAtKey(view, pathKey(path))
}

/** The whole tree in a view, by key of the path. */
export function treeIn(view: Reader): Map<string, string> {
  const tree = new Map<string, string>()
  for (const { key } of view.nodes({ label: LABEL.path })) {
    const entry = entryAtKey(view, key)
    if (entry !== undefined) tree.set(key, entryText(entry))
  }
  return tree
}

function entryAtKey(view: Reader, key: string): Entry | undefined {
  if (view.get(key) === undefined) return undefined
  const [edge] = view.out(key, EDGE.holds)
  return edge === undefined ? undefined : { mode: String(edge.props['mode']), object: objectOf(edge.to) }
}
