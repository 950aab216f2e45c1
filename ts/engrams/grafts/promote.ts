// Promotion: what was grafted is taken over into the graph, in one commit, three-way: as the graph was, as the graft has it, as the graph is.
import { KaryonError } from '../../errors.ts'
import type { Difference, Edge, EdgeIdentity, Graph, Node, Transaction } from '../../graph/types.ts'
import { OPERATIONS_MAX } from '../../values/limits.ts'
import type { GraftRecord } from './decode-record.ts'
import {
  clash,
  type Entity,
  held,
  isNode,
  part,
  properties,
  verbsOf,
  whole,
  write,
  type Writing,
} from './facts.ts'
import { targetOf, toldOf } from './judge.ts'
import { forkName, recordKey } from './names.ts'
import { type Held, resolve, sameHeld } from './policies.ts'
import type { Turn } from './principal.ts'
import { writePromoted } from './record.ts'
import { conflictError, graftError, isFailure } from './refusals.ts'
import type { PlannedConflict, Promoted, PromoteOptions } from '../types.ts'

/** Differences that are looked at in one turn, and keys that are read at once. */
const PORTION = 10_000
/** Edges that were left out, and conflicts and clashes, that are told in full. */
const DANGLING_TOLD = 1_000
const TOLD = 100
/** The handle of a node that does not exist. */
const MISSING = 0xffff_ffff

/** A node or edge of a graft: as it was below, and as the graft has it. */
interface Change<Kind extends Entity> {
  readonly before: Kind | undefined
  readonly after: Kind
}

/** What is to be promoted. */
interface Chosen {
  readonly nodes: Change<Node>[]
  readonly edges: Change<Edge>[]
}

/** Promotes what is chosen of a graft. */
export async function promoteFrom(
  turn: Turn,
  record: GraftRecord,
  options: Required<PromoteOptions>,
): Promise<Promoted> {
  const { name, root } = record.info
  const fork = await turn((graph) => graph.openFork(forkName(root, name)))
  const chosen: Chosen = { nodes: [], edges: [] }
  const differences = fork.diff()
  while (await turn(() => choose(differences, recordKey(root), options, chosen)));
  if (chosen.nodes.length + chosen.edges.length === 0) return new Promotion(record, chosen).report
  // Said before it is done: what is detached after a crash in between is reverted, if there is anything.
  if (!record.info.promoted) await turn(() => writePromoted(fork, root))
  return turn((graph) => commit(graph, record, chosen))
}

/** Chooses among the next differences; false when there are no more. */
function choose(
  differences: Iterator<Difference>,
  record: string,
  { nodes, edges }: Required<PromoteOptions>,
  chosen: Chosen,
): boolean {
  for (let n = 0; n < PORTION; n++) {
    const { done, value: difference } = differences.next()
    if (done) return false
    if (difference.after === undefined || difference.target === record) continue
    if (difference.entity === 'node') {
      const { before, after } = difference
      if (nodes(after)) chosen.nodes.push({ before, after })
    } else {
      const { before, after } = difference
      if (edges(after)) chosen.edges.push({ before, after })
    }
    if (chosen.nodes.length + chosen.edges.length > OPERATIONS_MAX) throw tooMuch()
  }
  return true
}

async function commit(graph: Graph, record: GraftRecord, chosen: Chosen): Promise<Promoted> {
  try {
    const { value, version, time } = await graph.write((tx) => new Promotion(record, chosen).into(tx))
    return value.nodes + value.edges > 0 ? { ...value, version, time } : value
  } catch (error) {
    throw isFailure(error, 'ERR_KARYON_TRANSACTION_SIZE') ? tooMuch(error) : error
  }
}

function tooMuch(cause?: unknown): KaryonError {
  const message =
    'the promotion is more than a commit holds; promote less at once: promote({ nodes, edges }), each a function that says which'
  const details = { limit: OPERATIONS_MAX }
  return new KaryonError('ERR_KARYON_TRANSACTION_SIZE', message, {
    details,
    ...(cause !== undefined && { cause }),
  })
}

/** One attempt at a promotion. */
class Promotion {
  readonly #record: GraftRecord
  readonly #chosen: Chosen
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

  constructor(record: GraftRecord, chosen: Chosen) {
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

  #node(change: Change<Node>, now: Node | undefined): void {
    const { before, after } = change
    // Who has the key since the graft may be somebody else.
    const other = before === undefined && now !== undefined && clash(after, now)
    if (other && this.#record.clashes !== 'merge') this.#clashing.add(after.key)
    else this.#decide(change, now)
  }

  #refuseClashes(): void {
    if (this.#clashing.size === 0 || this.#record.clashes === 'skip') return
    const keys = [...this.#clashing].slice(0, TOLD)
    const message = `the graph has got ${JSON.stringify(keys[0])} since the graft, with other labels; leave it out with promote({ nodes })`
    throw graftError(message, { clashes: keys })
  }

  /** Which ends of edges stand in the graph as it is. */
  #standing(tx: Transaction, edges: readonly Change<Edge>[]): ReadonlyMap<string, boolean> {
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

  #decide<Kind extends Entity>(change: Change<Kind>, now: Kind | undefined): void {
    const writing = now === undefined ? this.#absent(change) : this.#present(change, now)
    if (writing === undefined) return
    this.#writings.push(writing)
    if (writing.created && isNode(writing.of)) this.#made.add(writing.of.key)
  }

  /** What the graph does not have: the graft's, unless the graph had it and has removed it. */
  #absent({ before, after }: Change<Entity>): Writing | undefined {
    if (before === undefined) return whole(after)
    const policy = this.#record.policies.of(undefined)
    this.#conflicting++
    if (policy === 'reject') this.#reject(after, undefined, {}, {})
    return policy === 'take-package' || policy === 'keep-both' ? whole(after) : undefined
  }

  #present({ before, after }: Change<Entity>, now: Entity): Writing | undefined {
    const contents = new Map<string | undefined, Held>()
    for (const name of isNode(after) ? properties(after) : [undefined, ...properties(after)]) {
      const [was, is, theirs] = [before && held(before, name), held(after, name)!, held(now, name)]
      if ((was !== undefined && sameHeld(is, was)) || (theirs !== undefined && sameHeld(is, theirs))) continue
      const changed = (was === undefined) !== (theirs === undefined) || !sameHeld(was, theirs)
      const outcome = changed ? this.#resolve(after, name, theirs, is) : is
      if (outcome !== undefined) contents.set(name, outcome)
    }
    return part(
      after,
      isNode(after) ? newLabels(before as Node | undefined, after, now as Node) : [],
      contents,
    )
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

function newLabels(before: Node | undefined, after: Node, now: Node): string[] {
  return after.labels.filter((label) => !before?.labels.includes(label) && !now.labels.includes(label))
}

function readNodes(tx: Transaction, keys: readonly string[]): (Node | undefined)[] {
  const nodes: (Node | undefined)[] = []
  for (let at = 0; at < keys.length; at += PORTION) nodes.push(...tx.getMany(keys.slice(at, at + PORTION)))
  return nodes
}
