// What is packed of those who are trusted: facts by who wrote them, nodes and edges by what they say of themselves.
import type { Edge, Node, NodeQuery } from '../graph/types.ts'
import type { Content, Origin, Sources } from './content.ts'
import type { Chosen } from './select.ts'
import type { Source } from './types.ts'

/** How far a node or edge is trusted that does not say it, as for a recall. */
const FULL_TRUST = 1

/** The same content, without what a selection leaves out of it because of who wrote it, or how far that is trusted. */
export function trustedOf(content: Content, chosen: Pick<Chosen, 'writers' | 'trust'>): Content {
  const { writers, trust } = chosen
  if (writers === undefined && trust === undefined) return content
  const covers = writers && covering(writers)
  return { ...content, reader: new Trusted(content, trust, covers), ...(covers && { covers }) }
}

/** Says of principals whether they are among some, or below them. */
function covering(writers: readonly string[]): (principal: string) => boolean {
  const paths = new Set(writers)
  const known = new Map<string, boolean>()
  return (principal) => {
    const found = known.get(principal)
    if (found !== undefined) return found
    let isCovered = paths.has(principal)
    for (let end = principal.indexOf('/'); !isCovered && end >= 0; end = principal.indexOf('/', end + 1)) {
      isCovered = paths.has(principal.slice(0, end))
    }
    known.set(principal, isCovered)
    return isCovered
  }
}

/** Reads what a content does, and shows what is trusted of it. */
class Trusted implements Origin {
  readonly #content: Content
  readonly #trust: Chosen['trust']
  readonly #covers: Content['covers']

  constructor(content: Content, trust: Chosen['trust'], covers: Content['covers']) {
    this.#content = content
    this.#trust = trust
    this.#covers = covers
  }

  get(key: string): Node | undefined {
    const node = this.#content.reader.get(key)
    return node && this.#shown(node)
  }

  getMany(keys: readonly string[]): (Node | undefined)[] {
    return this.#content.reader.getMany(keys).map((node) => node && this.#shown(node))
  }

  *nodes(query: NodeQuery = {}): IterableIterator<Node> {
    for (const node of this.#content.reader.nodes(query)) {
      const shown = this.#shown(node)
      if (shown && (query.label === undefined || shown.labels.includes(query.label))) yield shown
    }
  }

  *out(key: string, type?: string): IterableIterator<Edge> {
    for (const edge of this.#content.reader.out(key, type)) {
      const shown = this.#shown(edge)
      if (shown) yield shown
    }
  }

  *in(key: string, type?: string): IterableIterator<Edge> {
    for (const edge of this.#content.reader.in(key, type)) {
      const shown = this.#shown(edge)
      if (shown) yield shown
    }
  }

  /** What is shown of a node or edge; `undefined` where nothing is. */
  #shown<T extends Node | Edge>(of: T): T | undefined {
    const written = this.#covers ? writtenOf(of, this.#content.sources(of), this.#covers) : of
    return written && this.#isTrusted(written) ? written : undefined
  }

  #isTrusted({ props }: Node | Edge): boolean {
    if (this.#trust === undefined) return true
    const { property, atLeast } = this.#trust
    const held = Object.hasOwn(props, property) ? props[property] : undefined
    return (typeof held === 'number' && !Number.isNaN(held) ? held : FULL_TRUST) >= atLeast
  }
}

/** What of a node or edge principals have written that are covered; `undefined` where they have not made it. */
function writtenOf<T extends Node | Edge>(
  of: T,
  sources: Sources,
  covers: (principal: string) => boolean,
): T | undefined {
  const isTheirs = (source: Source | undefined): boolean => source !== undefined && covers(source.principal)
  if (!isTheirs(sources.of()) || ('from' in of && !isTheirs(sources.times()))) return undefined
  const { intervals: sometimes = {}, ...rest } = of
  const kept = <V>(held: Readonly<Record<string, V>>): Record<string, V> =>
    Object.fromEntries(Object.entries(held).filter(([name]) => isTheirs(sources.of(name))))
  const intervals = kept(sometimes)
  return {
    ...rest,
    ...('labels' in of && { labels: of.labels.filter((label) => isTheirs(sources.label(label))) }),
    props: kept(of.props),
    ...(Object.keys(intervals).length > 0 && { intervals }),
  } as T
}
