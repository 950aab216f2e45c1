// Feeds the line to the ledger: many transactions under way at once, in order, and again from the one that failed.
import type { CellRef } from '../index.ts'
import type { LedgerMessages, LedgerReply } from './cells/ledger.ts'
import type { GitCommit } from './history.ts'
import { FAILURES_IN_A_ROW_MAX } from './pool.ts'
import { TURN_ANSWER_MS } from './protocol.ts'
import { isAccident } from './saboteur.ts'

/** Transactions of the ledger under way at once: one sync of the disk then serves many of them. */
export const IN_FLIGHT_MAX = 64

type Outcome = LedgerReply | { readonly error: unknown }

/** Sends commits to the ledger and tells about each that is durable, in the order of the line. */
export class LineFeeder {
  readonly #ledger: CellRef<LedgerMessages>
  readonly #recorded: (commit: GitCommit, reply: LedgerReply) => void
  #underWay: { readonly commit: GitCommit; outcome: Promise<Outcome> }[] = []
  #failuresInARow = 0

  constructor(ledger: CellRef<LedgerMessages>, recorded: (commit: GitCommit, reply: LedgerReply) => void) {
    this.#ledger = ledger
    this.#recorded = recorded
  }

  /** How many commits were sent and are not yet acknowledged. */
  get inFlight(): number {
    return this.#underWay.length
  }

  /** Sends a commit, as soon as there is room under way. */
  async feed(commit: GitCommit): Promise<void> {
    while (this.#underWay.length >= IN_FLIGHT_MAX) await this.#settleFirst()
    this.#underWay.push({ commit, outcome: this.#send(commit) })
  }

  /** Resolves when every commit fed so far is durable. */
  async drained(): Promise<void> {
    while (this.#underWay.length > 0) await this.#settleFirst()
  }

  async #settleFirst(): Promise<void> {
    const [first] = this.#underWay
    if (first === undefined) return
    const outcome = await first.outcome
    if (outcome === 'recorded' || outcome === 'already') {
      this.#failuresInARow = 0
      this.#underWay.shift()
      this.#recorded(first.commit, outcome)
      return
    }
    this.#failuresInARow += 1
    const cause = outcome === 'early' ? undefined : outcome.error
    if (this.#failuresInARow > FAILURES_IN_A_ROW_MAX || (cause !== undefined && !isAccident(cause))) {
      const times = `${this.#failuresInARow} times in a row`
      throw new Error(`the ledger failed ${times} at commit ${first.commit.hash}`, { cause })
    }
    // Those behind it found their predecessor missing and wrote nothing: all are sent again, in order.
    await Promise.all(this.#underWay.map(({ outcome }) => outcome))
    for (const sent of this.#underWay) sent.outcome = this.#send(sent.commit)
  }

  #send(commit: GitCommit): Promise<Outcome> {
    return this.#ledger
      .ask('commit', commit, { timeoutMs: TURN_ANSWER_MS })
      .catch((error: unknown) => ({ error }))
  }
}
