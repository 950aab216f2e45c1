// In which order a pattern is looked for: from where it is cheapest to begin, along its edges, those between known nodes first.
import type { Node, NodeQuery, Reader } from '../graph/types.ts'
import type { EdgePart, FilterPart, NodePart, OptionalPart, Part } from './parts.ts'
import {
  type Step,
  byBothEnds,
  byChance,
  byEdge,
  byFilter,
  byKey,
  byLooking,
  byPath,
  byQuery,
} from './steps.ts'

/** What a planner knows of the graph: how many nodes a query means, or nothing. */
export type Count = ((query: NodeQuery) => number) | undefined

/**
 * How to count nodes before looking for them. In a transaction nothing is counted: what the planner reads would be part of it, and
 * somebody else's new node, which the rows have nothing to do with, a conflict.
 */
export function counting(reader: Reader): Count {
  return 'put' in reader ? undefined : (query) => reader.count(query)
}

/** The steps to every row of some parts, given the names that are known before. */
export function plan(parts: readonly Part[], before: readonly string[], count: Count): readonly Step[] {
  const scope = new Scope(parts, before, count)
  scope.findAll()
  return scope.steps
}

/** Parts that are looked for together. */
class Scope {
  readonly steps: Step[] = []
  readonly #known: Set<string>
  readonly #count: Count
  readonly #nodes = new Map<string, NodePart[]>()
  readonly #edges: EdgePart[]
  readonly #filters: FilterPart[]
  readonly #optionals: readonly OptionalPart[]

  constructor(parts: readonly Part[], before: readonly string[], count: Count) {
    this.#known = new Set(before)
    this.#count = count
    for (const part of parts) {
      if (part.kind === 'node') this.#nodes.set(part.name, [...(this.#nodes.get(part.name) ?? []), part])
    }
    this.#edges = parts.filter((part) => part.kind === 'edge')
    this.#filters = parts.filter((part) => part.kind === 'filter')
    this.#optionals = parts.filter((part) => part.kind === 'optional')
  }

  findAll(): void {
    for (const [name, said] of this.#nodes) {
      if (this.#known.has(name) && said.some(saysSomething)) this.steps.push(byLooking(name, meetsAll(said)))
    }
    this.#filter()
    // One look each, and every edge between two of them need not be walked blindly.
    for (const start of this.#starts()) if (start.key !== undefined) this.#begin(start)
    for (;;) {
      const edge = this.#nextEdge()
      const start = edge ? undefined : this.#cheapest()
      if (edge) this.#follow(edge)
      else if (start) this.#begin(start)
      else break
    }
    for (const { parts, names } of this.#optionals) {
      this.steps.push(byChance(plan(parts, [...this.#known], this.#count), names))
      this.#know(...names)
      this.#filter()
    }
  }

  #know(...names: readonly string[]): void {
    for (const name of names) this.#known.add(name)
  }

  /** Asks what can be asked by now: the earlier, the less is looked for in vain. */
  #filter(): void {
    for (const filter of [...this.#filters]) {
      if (!filter.needs.every((name) => this.#known.has(name))) continue
      this.#filters.splice(this.#filters.indexOf(filter), 1)
      this.steps.push(byFilter(filter))
    }
  }

  /** The next edge from what is known: one that leads to nothing new, one, a path; among equals the first that was written. */
  #nextEdge(): EdgePart | undefined {
    const rank = ({ ends, hops }: EdgePart): number => {
      const known = ends.filter((name) => this.#known.has(name)).length
      return known === 0 ? Infinity : (2 - known) * 2 + (hops ? 1 : 0)
    }
    const ranked = this.#edges.map((edge) => ({ edge, rank: rank(edge) }))
    const [best] = ranked.filter(({ rank }) => rank < Infinity).toSorted((a, b) => a.rank - b.rank)
    if (best) this.#edges.splice(this.#edges.indexOf(best.edge), 1)
    return best?.edge
  }

  #follow(edge: EdgePart): void {
    const [left, right] = edge.ends
    const [knowsLeft, knowsRight] = [this.#known.has(left), this.#known.has(right)]
    const [from, to] = knowsLeft ? [left, right] : [right, left]
    const both = knowsLeft && knowsRight
    const meets = both ? anything : meetsAll(this.#said(to))
    if (edge.hops) this.steps.push(byPath(edge, from, to, both ? 'there' : 'new', meets))
    else if (both) {
      const earlier = [...this.#known].find((name) => edge.ends.includes(name))!
      this.steps.push(byBothEnds(edge, earlier, this.#count !== undefined))
    } else this.steps.push(byEdge(edge, from, to, meets))
    this.#know(left, right, ...(edge.name === undefined ? [] : [edge.name]))
    this.#filter()
  }

  #said(name: string): readonly NodePart[] {
    return this.#nodes.get(name) ?? []
  }

  /** The nodes that are not known yet, in the order in which they are mentioned. */
  #starts(): readonly Start[] {
    const open = [...this.#nodes.keys()].filter((name) => !this.#known.has(name))
    return open.map((name) => startOf(name, this.#said(name)))
  }

  #cheapest(): Start | undefined {
    const starts = this.#starts()
    if (starts.length < 2) return starts[0]
    const costs = starts.map((start) => ({ start, cost: this.#cost(start) }))
    return costs.toSorted((a, b) => a.cost - b.cost)[0]?.start
  }

  #begin({ name, key, query, meets }: Start): void {
    this.steps.push(key === undefined ? byQuery(name, query, meets) : byKey(name, key, meets))
    this.#know(name)
    this.#filter()
  }

  /** How many nodes a start gives; without counting, a guess that only puts them in order. */
  #cost({ query }: Start): number {
    const { label, where } = query
    if (!this.#count) return (label === undefined ? 2 : 0) + (where === undefined ? 1 : 0)
    // Without a label no index helps, and counting would be a look at every node.
    return this.#count(label === undefined ? {} : query)
  }
}

/** A way to begin. */
interface Start {
  readonly name: string
  readonly key: string | undefined
  /** What the graph can look for by itself. */
  readonly query: NodeQuery
  readonly meets: (node: Node) => boolean
}

function startOf(name: string, said: readonly NodePart[]): Start {
  const key = said.find((part) => part.key !== undefined)?.key
  const label = said.find((part) => part.label !== undefined)?.label
  const where = said.flatMap((part) => part.where)
  const query = { ...(label === undefined ? {} : { label }), ...(where.length > 0 ? { where } : {}) }
  // What the graph has looked for is not asked again where one mention says it all.
  const meets = key === undefined && said.filter(saysSomething).length <= 1 ? anything : meetsAll(said)
  return { name, key, query, meets }
}

function saysSomething({ key, label, where }: NodePart): boolean {
  return key !== undefined || label !== undefined || where.length > 0
}

function meetsAll(said: readonly NodePart[]): (node: Node) => boolean {
  const asking = said.filter(saysSomething)
  return asking.length === 0 ? anything : (node) => asking.every((part) => part.meets(node))
}

function anything(): boolean {
  return true
}
