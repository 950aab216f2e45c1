// What of a graft is promoted: what its principal has written into the fork, and the filters say true of.
import type { Difference, Edge, Fork, Graph, Intervals, Node, Target } from '../../graph/types.ts'
import type { Version } from '../../time.ts'
import type { Value } from '../../values/types.ts'
import { OPERATIONS_MAX } from '../../values/limits.ts'
import type { GraftRecord } from './decode-record.ts'
import { type Entity, held, isNode, properties } from './facts.ts'
import { targetOf } from './judge.ts'
import { recordKey } from './names.ts'
import { tooMuch } from './refusals.ts'
import { changedSince, EXISTENCE, labelFact, propertyFact } from './since.ts'
import type { Foreign, PromoteOptions, Timed } from '../types.ts'

/** Differences that are looked at in one turn. */
const PORTION = 10_000
/** Facts of others that are told in full. */
const FOREIGN_TOLD = 1_000

const NOTHING: ReadonlySet<string> = new Set()

/** A node or edge of a graft: as it was below, as the graft has it, and which of its facts the graph has changed since. */
export interface Grafted<Kind extends Entity> {
  readonly before: Kind | undefined
  readonly after: Kind
  readonly since: ReadonlySet<string>
}

/** What is to be promoted. */
export class Choice {
  readonly nodes: Grafted<Node>[] = []
  readonly edges: Grafted<Edge>[] = []
  /** What others have written into the fork. */
  readonly foreign: { count: number; facts: Foreign[] } = { count: 0, facts: [] }
  readonly #graph: Graph
  readonly #fork: Fork
  readonly #record: GraftRecord
  readonly #filters: Required<PromoteOptions>
  readonly #differences: Iterator<Difference>
  /** Who made a commit. */
  readonly #writers: Map<Version, string> = new Map()

  constructor(graph: Graph, fork: Fork, record: GraftRecord, filters: Required<PromoteOptions>) {
    this.#graph = graph
    this.#fork = fork
    this.#record = record
    this.#filters = filters
    this.#differences = fork.diff()
  }

  /** How many nodes and edges there are. */
  get size(): number {
    return this.nodes.length + this.edges.length
  }

  /** Chooses among the next differences; false when there are no more. */
  next(): boolean {
    for (let n = 0; n < PORTION; n++) {
      const { done, value: difference } = this.#differences.next()
      if (done) return false
      this.#choose(difference)
      if (this.size > OPERATIONS_MAX) throw tooMuch()
    }
    return true
  }

  #choose(difference: Difference): void {
    const { target, after } = difference
    if (after === undefined || target === recordKey(this.#record.info.root)) return
    if (difference.entity === 'node') {
      const grafted = this.#own(difference.before, difference.after!)
      if (grafted && this.#filters.nodes(grafted.after)) this.nodes.push(grafted)
    } else {
      const grafted = this.#own(difference.before, difference.after!)
      if (grafted && this.#filters.edges(grafted.after)) this.edges.push(grafted)
    }
  }

  /** What of a node or edge is the graft's own; undefined where it was made by somebody else. */
  #own<Kind extends Entity>(before: Kind | undefined, all: Kind): Grafted<Kind> | undefined {
    const target = targetOf(all)
    const after = this.#isOwn(all) ? all : this.#without(this.#foreignOf(target), before, all)
    if (after === undefined) return undefined
    const changed = changedSince(this.#graph, target, this.#record.info.from)
    return { before, after, since: changed.size === 0 ? NOTHING : new Set(changed.keys()) }
  }

  /** Whether it was last written by the graft: then all of it is, as nobody else wrote there before the graft was made. */
  #isOwn({ version, ...entity }: Entity): boolean {
    let writer = this.#writers.get(version)
    if (writer === undefined) {
      const changes = changedSince(this.#fork, targetOf(entity as Entity), version - 1n)
      writer = changes.values().next().value?.principal ?? this.#record.info.principal
      this.#writers.set(version, writer)
    }
    return writer === this.#record.info.principal
  }

  #foreignOf(target: Target): ReadonlySet<string> {
    const facts = new Set<string>()
    for (const [fact, { principal }] of changedSince(this.#fork, target, this.#fork.created)) {
      if (principal === this.#record.info.principal) continue
      facts.add(fact)
      this.foreign.count++
      if (this.foreign.facts.length < FOREIGN_TOLD) this.foreign.facts.push({ target, slot: fact, principal })
    }
    return facts
  }

  /** It with what was there before in the place of some facts. */
  #without<Kind extends Entity>(
    facts: ReadonlySet<string>,
    before: Kind | undefined,
    after: Kind,
  ): Kind | undefined {
    if (facts.has(EXISTENCE)) return undefined
    const sideOf = (property: string | undefined): Entity | undefined =>
      facts.has(propertyFact(property)) ? before : after
    const props: Record<string, Value> = {}
    const intervals: Record<string, readonly Timed[]> = {}
    for (const name of new Set([...properties(after), ...(before ? properties(before) : [])])) {
      const side = sideOf(name)
      const { value, times } = (side && held(side, name)) ?? {}
      if (value !== undefined) props[name] = value
      else if (times !== undefined) intervals[name] = times
    }
    const contents = {
      props,
      ...(Object.keys(intervals).length > 0 && { intervals: intervals as Intervals }),
    }
    if (isNode(after)) {
      const { intervals: _, ...node } = after
      const had = before && isNode(before) ? before.labels : []
      const labels = after.labels.filter((label) => had.includes(label) || !facts.has(labelFact(label)))
      return { ...node, ...contents, labels } as Entity as Kind
    }
    const { intervals: _, valid: _valid, ...edge } = after as Entity as Edge
    const valid = (sideOf(undefined) as Edge | undefined)?.valid
    return { ...edge, ...contents, ...(valid && { valid }) } as Entity as Kind
  }
}
