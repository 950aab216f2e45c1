// Accidents on purpose: what the supervised cells are to survive.
import { KaryonError } from '../index.ts'
import { Seeded } from './seed.ts'

/** One turn of the ledger in a hundred ends in an accident. */
export const LEDGER_ACCIDENTS = 0.01

/** One turn of a reader in twenty ends in an accident: readers do more in a turn, so they have fewer. */
export const READER_ACCIDENTS = 0.05

/** The turn of each cell that always ends in an accident, so that none gets away for luck. */
const CERTAIN_ACCIDENT_TURN = 3

/** What the saboteur throws. */
export class Sabotage extends Error {
  override readonly name = 'Sabotage'
}

/** Throws at random, by a seed, inside the turns of others. Its memory outlives the cells it strikes. */
export class Saboteur {
  readonly #seed: number
  readonly #cells = new Map<string, { readonly random: Seeded; turns: number }>()

  /** `life` numbers the processes of a run: the second life has other accidents than the first. */
  constructor(seed: number, life: number) {
    this.#seed = seed + life
  }

  /** Throws a `Sabotage` with the given probability. Called between the writes of a turn: half of them are then made. */
  readonly strike: Strike = (cell, probability) => {
    let memory = this.#cells.get(cell)
    if (memory === undefined)
      this.#cells.set(cell, (memory = { random: new Seeded(this.#seed, 'accidents', cell), turns: 0 }))
    memory.turns += 1
    if (memory.random.chance(probability) || memory.turns === CERTAIN_ACCIDENT_TURN)
      throw new Sabotage(`the saboteur struck ${cell} in the middle of its turn`)
  }
}

/** Called in the middle of a cell's turn; throws there or returns. */
export type Strike = (cell: string, probability: number) => void

/** Leaves every turn alone. */
export const noAccidents: Strike = () => {}

/** Whether an error, or what caused it, is an accident: one that was planned, or a conflict that was met too often. */
export function isAccident(error: unknown): boolean {
  for (let link = error; link instanceof Error; link = link.cause)
    if (link.name === 'Sabotage' || (link instanceof KaryonError && link.code === 'ERR_KARYON_CONFLICT'))
      return true
  return false
}
