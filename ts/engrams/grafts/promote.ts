// Promotion: what was grafted is taken over into the graph, in one commit, three-way: as the graph was, as the graft has it, as the graph is.
import type { Edge, EdgeIdentity, Graph, Node, Transaction } from '../../graph/types.ts'
import { OPERATIONS_MAX } from '../../values/limits.ts'
import { Choice, type Grafted } from './choice.ts'
import type { GraftRecord } from './decode-record.ts'
import { clash, type Entity, held, isNode, part, properties, verbsOf, write, type Writing } from './facts.ts'
import { targetOf, toldOf } from './judge.ts'
import { forkName } from './names.ts'
import { type Held, ownOf, resolve, sameHeld } from './policies.ts'
import type { Turn } from './principal.ts'
import { writePromoted } from './record.ts'
import { conflictError, graftError, isFailure, tooMuch } from './refusals.ts'
import { EXISTENCE, labelFact, propertyFact } from './since.ts'
import type { PlannedConflict, Promoted, PromoteOptions } from '../types.ts'

/** Keys that are read at once. */
const PORTION = 10_000
/** Edges that were left out, and conflicts and clashes, that are told in full. */
const DANGLING_TOLD = 1_000
const TOLD = 100
/** The handle of a node that does not exist. */
const MISSING = 0xffff_ffff

/** Promotes what is chosen of a graft. */
export async function promoteFrom(
  turn: Turn,
  record: GraftRecord,
  options: Required<PromoteOptions>,
): Promise<Promoted> {
  const { name, root } = record.info
  const fork = await turn((graph) => graph.openFork(forkName(root, name)))
  const chosen = await turn((graph) => new Choice(graph, fork, record, options))
  while (await turn(() => chosen.next()));
  if (chosen.size === 0) return new Promotion(record, chosen).report
  // Said before it is done: what is detached after a crash in between is reverted, if there is anything.
  if (!record.info.promoted) await turn(() => writePromoted(fork, root))
  return turn((graph) => commit(graph, record, chosen))
}

async function commit(graph: Graph, record: GraftRecord, chosen: Choice): Promise<Promoted> {
  try {
    const { value, version, time } = await graph.write((tx) => new Promotion(record, chosen).into(tx))
    return value.nodes + value.edges > 0 ? { ...value, version, time } : value
  } catch (error) {
    throw isFailure(error, 'ERR_KARYON_TRANSACTION_SIZE') ? tooMuch(error) : error
  }
}

/** One attempt at a promotion. */
class Promotion {
  readonly #record: GraftRecord
  readonly #chosen: Choice
  readonly #writings: Writing[] = []
  /** Nodes that are made. */
  readonly #made: Set<string> = new Set()
  /** Nodes that are left out because they clash. */
  readonly #clashing: Set<string> = new Set()
  readonly #conflicts: PlannedConflict[] = []
  readonly #dangling: EdgeIdentity[] = []
  #rejected = 0
  #conflicting = 0
  #danglingCount = 0

  constructor(record: GraftRecord, chosen: Choice) {
    this.#record = record
    this.#chosen = chosen
  }

  get report(): Promoted {
    const nodes = this.#writings.filter(({ of }) => isNode(of)).length
    return {
      nodes,
      edges: this.#writings.length - nodes,
      conflicting: this.#conflicting,
      dangling: { count: this.#danglingCount, edges: this.#dangling },
      foreign: this.#chosen.foreign,
    }
  }

  /** Reads what is there, decides, and writes. */
  into(tx: Transaction): Promoted {
    const { nodes, edges } = this.#chosen
    const there = readNodes(
      tx,
      nodes.map(({ after }) => after.key),
    )
    for (const [at, change] of nodes.entries()) this.#node(change, there[at])
    this.#refuseClashes()
    const standing = this.#standing(tx, edges)
    const stands = (end: string): boolean => standing.get(end) === true && !this.#clashing.has(end)
    const comes = (end: string): boolean => stands(end) || this.#made.has(end)
    for (const change of edges) {
      const { from, to } = change.after
      if (!comes(from) || !comes(to)) this.#leaveOut(change.after)
      // An edge is there only where both of its ends are.
      else this.#decide(change, stands(from) && stands(to) ? tx.edge(identityOf(change.after)) : undefined)
    }
    if (this.#rejected > 0) throw conflictError(this.#rejected, this.#conflicts)
    if (this.#writings.reduce((verbs, writing) => verbs + verbsOf(writing), 0) > OPERATIONS_MAX)
      throw tooMuch()
    for (const writing of this.#writings) write(tx, writing)
    return this.report
  }

  #node(grafted: Grafted<Node>, now: Node | undefined): void {
    const { after } = grafted
    // Who has the key by now may be somebody else.
    const other = now !== undefined && clash(after, now)
    if (other && this.#record.clashes !== 'merge') this.#clashing.add(after.key)
    else this.#decide(grafted, now)
  }

  #refuseClashes(): void {
    if (this.#clashing.size === 0 || this.#record.clashes === 'skip') return
    const keys = [...this.#clashing].slice(0, TOLD)
    const message = `the graph has got ${JSON.stringify(keys[0])} since the graft, with other labels; leave it out with promote({ nodes })`
    throw graftError(message, { clashes: keys })
  }

  /** Which ends of edges stand in the graph as it is. */
  #standing(tx: Transaction, edges: readonly Grafted<Edge>[]): ReadonlyMap<string, boolean> {
    const ends = [...new Set(edges.flatMap(({ after }) => [after.from, after.to]))]
    const standing = new Map<string, boolean>()
    for (let at = 0; at < ends.length; at += PORTION) {
      const some = ends.slice(at, at + PORTION)
      const handles = tx.handles(some)
      for (const [n, key] of some.entries()) standing.set(key, handles[n] !== MISSING)
    }
    return standing
  }

  #leaveOut(edge: Edge): void {
    this.#danglingCount++
    if (this.#dangling.length < DANGLING_TOLD) this.#dangling.push(identityOf(edge))
  }

  #decide<Kind extends Entity>(grafted: Grafted<Kind>, now: Kind | undefined): void {
    const { before, after, since } = grafted
    // What the graph had and has no more was removed by somebody who may have known why.
    const gone = now === undefined && (before !== undefined || since.has(EXISTENCE))
    if (gone && !this.#comesBack(after)) return
    const writing = this.#writing(grafted, now)
    if (writing === undefined) return
    this.#writings.push(writing)
    if (writing.created && isNode(writing.of)) this.#made.add(writing.of.key)
  }

  /** What the graft has changed, and nothing that the graph itself had. */
  #writing({ before, after, since }: Grafted<Entity>, now: Entity | undefined): Writing | undefined {
    const contents = new Map<string | undefined, Held>()
    // When an edge holds comes with it where it is made.
    const itself = isNode(after) || now === undefined ? [] : [undefined]
    for (const name of [...itself, ...properties(after)]) {
      const [was, is] = [before && held(before, name), held(after, name)!]
      const theirs = now && held(now, name)
      if ((was !== undefined && sameHeld(is, was)) || (theirs !== undefined && sameHeld(is, theirs))) continue
      const own = ownOf(this.#record.policies.of(name), was, is)
      const gone = theirs === undefined && since.has(propertyFact(name))
      const changed = gone || (was === undefined) !== (theirs === undefined) || !sameHeld(was, theirs)
      const outcome = now === undefined ? own : changed ? this.#resolve(after, name, theirs, own) : is
      if (outcome !== undefined) contents.set(name, outcome)
    }
    const had = [before, now].flatMap((side) => (side && isNode(side) ? side.labels : []))
    const labels = isNode(after) ? after.labels.filter((label) => !had.includes(label)) : []
    const come = (label: string): boolean =>
      now === undefined || !since.has(labelFact(label)) || this.#comesBack(after)
    return part(after, labels.filter(come), contents, now === undefined)
  }

  /** Whether a node, an edge or a label that the graph has removed since comes back. */
  #comesBack(of: Entity): boolean {
    return this.#resolve(of, undefined, undefined, {}) !== undefined
  }

  /** What comes into the place of what the graph holds; undefined where that stays. */
  #resolve(of: Entity, name: string | undefined, theirs: Held | undefined, is: Held): Held | undefined {
    const policy = this.#record.policies.of(name)
    this.#conflicting++
    // Nothing and something are both that.
    if (theirs === undefined && policy === 'keep-both') return is
    const host = theirs ?? {}
    // What the graph has changed since the graft is newer than it.
    const outcome = resolve(policy, host, is, () => false)
    if (outcome === undefined) this.#reject(of, name, host, is)
    return outcome === host ? undefined : outcome
  }

  #reject(of: Entity, name: string | undefined, host: Held, other: Held): void {
    this.#rejected++
    if (this.#conflicts.length >= TOLD) return
    this.#conflicts.push(toldOf(targetOf(of), name, 'reject', { host, package: other, outcome: host }))
  }
}

function identityOf({ from, type, to, key }: Edge): EdgeIdentity {
  return { from, type, to, key }
}

function readNodes(tx: Transaction, keys: readonly string[]): (Node | undefined)[] {
  const nodes: (Node | undefined)[] = []
  for (let at = 0; at < keys.length; at += PORTION) nodes.push(...tx.getMany(keys.slice(at, at + PORTION)))
  return nodes
}
