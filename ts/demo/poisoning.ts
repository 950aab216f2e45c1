// Spreads the poisoner's lies over the last part of the line, among the true facts.
import type { CellRef, Graph } from '../index.ts'
import { LIES, LIES_PER_COMMIT, type Lie, type PoisonerMessages } from './cells/poisoner.ts'
import type { LinePoint } from './history.ts'
import { LANGUAGES } from './imports.ts'
import { EDGE, languageKey } from './model.ts'
import { TURN_ANSWER_MS } from './protocol.ts'
import { Seeded } from './seed.ts'

/** Chooses what to lie about: commits and blobs that are recorded already, so that no true fact is still to come for them. */
export function chooseLies(graph: Graph, recorded: readonly LinePoint[], seed: number): Lie[] {
  const random = new Seeded(seed, 'lies')
  const [stranger] = recorded
  // The first commit after the root is truly its child; of all others that would be a lie.
  const victims = random.sample(recorded.slice(2), Math.ceil(LIES / LIES_PER_COMMIT))
  const blobs = readBlobs(graph)
  return victims.flatMap(({ hash, author }, victim) =>
    Array.from({ length: LIES_PER_COMMIT }, (_, kind) => ({
      number: victim * LIES_PER_COMMIT + kind,
      commit: hash,
      author,
      stranger: stranger?.hash ?? hash,
      blob: blobs.length === 0 ? undefined : random.pick(blobs),
    })),
  )
}

/** Some blobs whose imports are known. */
function readBlobs(graph: Graph): string[] {
  const blobs: string[] = []
  for (const language of LANGUAGES) {
    if (graph.get(languageKey(language)) === undefined) continue
    for (const { from } of graph.in(languageKey(language), EDGE.readAs)) {
      blobs.push(from)
      if (blobs.length === LIES) return blobs
    }
  }
  return blobs
}

/** Has the lies told while the line goes on. */
export class Poisoning {
  readonly #poisoner: CellRef<PoisonerMessages>
  readonly #lies: readonly Lie[]
  readonly #told: (lie: Lie) => void
  readonly #underWay: Promise<void>[] = []

  constructor(poisoner: CellRef<PoisonerMessages>, lies: readonly Lie[], told: (lie: Lie) => void) {
    this.#poisoner = poisoner
    this.#lies = lies
    this.#told = told
  }

  /** Tells as many lies as belong to this share of the way, between 0 and 1. */
  upTo(share: number): void {
    const due = this.#lies.slice(this.#underWay.length, Math.ceil(share * this.#lies.length))
    for (const lie of due) this.#underWay.push(this.#tell(lie))
  }

  /** Tells the rest, and resolves when all are durable. */
  async finished(): Promise<void> {
    this.upTo(1)
    await Promise.all(this.#underWay)
  }

  async #tell(lie: Lie): Promise<void> {
    await this.#poisoner.ask('lie', lie, { timeoutMs: TURN_ANSWER_MS })
    this.#told(lie)
  }
}
