// How a package's facts come into a fork: portion by portion, in commits that are small enough for everybody.
import type { Edge, Fork, Graph, Node } from '../graph/types.ts'
import { pieces, verbsOf, write, type Writing } from './facts.ts'
import { Judge } from './judge.ts'
import { type Meeting, type Portion, portions } from './meeting.ts'
import type { Policies } from './policies.ts'
import { conflictError, graftError } from './refusals.ts'
import type { Engram, GraftOptions, PlanCounts } from './types.ts'

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
  readonly clashes: NonNullable<GraftOptions['clashes']>
}

/** Writes a package into a fork. */
export class Grafting {
  readonly #fork: Fork
  readonly #judge: Judge
  readonly #clashes: Graftable['clashes']
  readonly #portions: IterableIterator<Portion>
  /** The nodes that were left out. */
  readonly #skipped: Set<string> = new Set()
  #batch: Writing[] = []
  #verbs = 0
  #bytes = 0
  /** The commit before, on its way to the disk. */
  #before: Promise<unknown> = Promise.resolve()

  /** `graph` is what the fork stands on. */
  constructor(graph: Graph, fork: Fork, { engram, policies, clashes }: Graftable) {
    this.#fork = fork
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
    const writings = 'nodes' in value ? this.#nodes(value.nodes) : this.#edges(value.edges)
    for (const writing of writings) {
      this.#batch.push(writing)
      this.#verbs += verbsOf(writing)
      if (this.#verbs >= COMMIT_VERBS || this.#bytes >= COMMIT_BYTES) await this.#commit()
    }
    const { rejected, conflicts } = this.#judge
    if (rejected > 0) throw conflictError(rejected, conflicts)
    return true
  }

  /** Lets go of the package; nothing is written any more once this has resolved. */
  async end(): Promise<void> {
    this.#portions.return?.()
    await this.#before.catch(() => {})
  }

  *#nodes(met: readonly Meeting<Node>[]): IterableIterator<Writing> {
    const clashing = met.filter((meeting) => this.#judge.isClash(meeting))
    if (this.#clashes === 'refuse' && clashing.length > 0) throw this.#refusal()
    if (this.#clashes === 'skip') for (const { entity } of clashing) this.#skip(entity)
    for (const meeting of met) if (!this.#skipped.has(meeting.entity.key)) yield* this.#written(meeting)
  }

  *#edges(met: readonly Meeting<Edge>[]): IterableIterator<Writing> {
    const skipped = this.#skipped
    for (const meeting of met) {
      const { from, to } = meeting.entity
      if (!skipped.has(from) && !skipped.has(to)) yield* this.#written(meeting)
    }
  }

  *#written(meeting: Meeting<Node> | Meeting<Edge>): IterableIterator<Writing> {
    const writing = this.#judge.judge(meeting)
    if (writing === undefined) return
    this.#bytes += meeting.bytes
    if (meeting.bytes < PIECE_BYTES) yield writing
    // A commit for each.
    else for (const piece of pieces(writing, PIECE_BYTES)) yield this.#alone(piece)
  }

  #alone(writing: Writing): Writing {
    this.#bytes = COMMIT_BYTES
    return writing
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
    this.#before = this.#fork.write(verbs, { isolation: 'snapshot' })
    this.#before.catch(() => {})
  }
}
