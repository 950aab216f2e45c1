// How a package's facts come into a fork: portion by portion, in commits that are small enough for everybody.
import type { Edge, Fork, Graph, Node } from '../../graph/types.ts'
import type { Version } from '../../time.ts'
import type { Clashes } from './arguments.ts'
import { pieces, verbsOf, write, type Writing, writtenBytes } from './facts.ts'
import { Judge } from './judge.ts'
import { type Meeting, type Portion, portions } from './meeting.ts'
import type { Policies } from './policies.ts'
import { conflictError, graftError } from './refusals.ts'
import type { Engram, PlanCounts } from '../types.ts'

/** Verbs of a commit, and about how many bytes, from which on the next one begins. */
const COMMIT_VERBS = 10_000
const COMMIT_BYTES = 8 * 1024 * 1024
/** About how many bytes of one node or edge are written at once. */
const PIECE_BYTES = 4 * 1024 * 1024
/** Conflicts and clashes that an error tells. */
const TOLD = 100
/** Nodes that may be left out because they clash: which they are is kept in memory. */
const SKIPPED_MAX = 100_000

/** What is grafted, and how. */
export interface Graftable {
  readonly engram: Engram
  readonly policies: Policies
  readonly clashes: Clashes
}

/** Writes a package into a fork. */
export class Grafting {
  readonly #fork: Fork
  readonly #judge: Judge
  readonly #clashes: Clashes
  readonly #portions: IterableIterator<Portion>
  /** The nodes that were left out. */
  readonly #skipped: Set<string> = new Set()
  #batch: Writing[] = []
  #verbs = 0
  #bytes = 0
  /** The commit before, on its way to the disk. */
  #before: Promise<unknown> = Promise.resolve()
  /** What the commits were, that which made the fork first. */
  readonly #commits: Version[]

  /** `graph` is what the fork stands on. */
  constructor(graph: Graph, fork: Fork, { engram, policies, clashes }: Graftable) {
    this.#fork = fork
    this.#commits = [fork.created]
    this.#clashes = clashes
    const about = { engram, graph, version: fork.from, policies, samples: TOLD, only: 'reject' } as const
    this.#judge = new Judge(about)
    this.#portions = portions(engram, graph.at(fork.from))
  }

  /** What was grafted. */
  get counts(): PlanCounts {
    return this.#judge.counts
  }

  /** Writes the next portion; false when there is none. */
  async next(): Promise<boolean> {
    const { done, value } = this.#portions.next()
    if (done) {
      await this.#commit()
      await this.#before
      return false
    }
    const met: readonly (Meeting<Node> | Meeting<Edge>)[] =
      'nodes' in value ? this.#nodes(value.nodes) : this.#edges(value.edges)
    for (const meeting of met) {
      const writing = this.#judge.judge(meeting)
      if (writing === undefined) continue
      const bytes = writing.created ? meeting.bytes : writtenBytes(writing)
      if (bytes < PIECE_BYTES) this.#add(writing, bytes)
      else await this.#addPieces(writing)
      if (this.#verbs >= COMMIT_VERBS || this.#bytes >= COMMIT_BYTES) await this.#commit()
    }
    const { rejected, conflicts } = this.#judge
    if (rejected > 0) throw conflictError(rejected, conflicts)
    return true
  }

  /** Refuses what it has made if somebody else has written there as well before `end`: it cannot be told any more who has said what. */
  checkAlone(end: Version): void {
    const all = [...this.#commits, end]
    for (const [n, version] of this.#commits.entries()) {
      const next = all[n + 1]!
      if (next <= version + 1n) continue
      for (const { target } of this.#fork.diff(version, next - 1n)) {
        const message = `somebody else has written into the fork of the graft while it was made, at ${JSON.stringify(target)} first; graft it again`
        throw graftError(message, { target })
      }
    }
  }

  /** Lets go of the package; nothing is written any more once this has resolved. */
  async end(): Promise<void> {
    this.#portions.return?.()
    await this.#before.catch(() => {})
  }

  /** The nodes that are to be grafted. */
  #nodes(met: readonly Meeting<Node>[]): readonly Meeting<Node>[] {
    const clashing = met.filter((meeting) => this.#judge.isClash(meeting))
    if (this.#clashes === 'merge' || clashing.length === 0) return met
    if (this.#clashes === 'refuse') throw this.#refusal()
    for (const { entity } of clashing) this.#skip(entity)
    return met.filter(({ entity }) => !this.#skipped.has(entity.key))
  }

  /** The edges that are to be grafted. */
  #edges(met: readonly Meeting<Edge>[]): readonly Meeting<Edge>[] {
    const skipped = this.#skipped
    if (skipped.size === 0) return met
    return met.filter(({ entity: { from, to } }) => !skipped.has(from) && !skipped.has(to))
  }

  #add(writing: Writing, bytes: number): void {
    this.#batch.push(writing)
    this.#verbs += verbsOf(writing)
    this.#bytes += bytes
  }

  /** In a commit for each. */
  async #addPieces(writing: Writing): Promise<void> {
    for (const piece of pieces(writing, PIECE_BYTES)) {
      this.#add(piece, 0)
      await this.#commit()
    }
  }

  #skip({ key }: Node): void {
    this.#skipped.add(key)
    if (this.#skipped.size > SKIPPED_MAX) throw this.#refusal(`more than ${SKIPPED_MAX} nodes`)
  }

  #refusal(many?: string): Error {
    const { keys } = this.#judge.clashes
    const who = many ?? `${JSON.stringify(keys[0])}, and perhaps others,`
    const message = `${who} have the same keys as nodes of the graph and no label in common, so they are most likely other things; plan tells which; { clashes: 'skip' } or 'merge' grafts all the same`
    return graftError(message, { clashes: keys })
  }

  async #commit(): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    this.#verbs = this.#bytes = 0
    await this.#before
    if (batch.length === 0) return
    const verbs = (tx: Parameters<Parameters<Fork['write']>[0]>[0]): void => {
      for (const writing of batch) write(tx, writing)
    }
    // Nobody else writes here, and what was read is of a version that never changes.
    this.#before = this.#fork
      .write(verbs, { isolation: 'snapshot' })
      .then(({ version }) => this.#commits.push(version))
    this.#before.catch(() => {})
  }
}
