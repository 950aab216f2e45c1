// Accidents on purpose: what the supervised cells are to survive.
import { Seeded } from './seed.ts'

/** One turn of the ledger in a hundred ends in an accident. */
export const LEDGER_ACCIDENTS = 0.01

/** One turn of a reader in twenty ends in an accident: readers do more in a turn, so they have fewer. */
export const READER_ACCIDENTS = 0.05

/** What the saboteur throws. */
export class Sabotage extends Error {
  override readonly name = 'Sabotage'
}

/** Throws at random, by a seed, inside the turns of others. Its memory outlives the cells it strikes. */
export class Saboteur {
  readonly #seed: number
  readonly #sequences = new Map<string, Seeded>()

  /** `life` numbers the processes of a run: the second life has other accidents than the first. */
  constructor(seed: number, life: number) {
    this.#seed = seed + life
  }

  /** Throws a `Sabotage` with the given probability. Called between the writes of a turn: half of them are then made. */
  readonly strike: Strike = (cell, probability) => {
    let sequence = this.#sequences.get(cell)
    if (sequence === undefined)
      this.#sequences.set(cell, (sequence = new Seeded(this.#seed, 'accidents', cell)))
    if (sequence.chance(probability))
      throw new Sabotage(`the saboteur struck ${cell} in the middle of its turn`)
  }
}

/** Called in the middle of a cell's turn; throws there or returns. */
export type Strike = (cell: string, probability: number) => void

/** Leaves every turn alone. */
export const noAccidents: Strike = () => {}

/** Whether an error, or what caused it, is an accident that was planned. */
export function isSabotage(error: unknown): boolean {
  for (let link = error; link instanceof Error; link = link.cause) if (link.name === 'Sabotage') return true
  return false
}
