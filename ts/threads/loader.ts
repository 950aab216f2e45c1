// Loads the modules of a worker's cells.
import { loadModule } from './modules.ts'
import { Place } from './wire.ts'

/** How long a module may wait for something as it is loaded before the next one is, in milliseconds. */
const LOADING_MS = 1_000

/** Loads modules one after the other, so that it is known whose does not come to its end. */
export class Loader {
  readonly #control: Int32Array
  /** Resolves when the next module may be loaded. */
  #free = Promise.resolve()

  constructor(control: Int32Array) {
    this.#control = control
  }

  /** Loads a module for the cell in a seat, from 1; 0 is nobody. Rejects with what the module throws. */
  async load(module: string, seat: number): Promise<void> {
    const turn = this.#free
    let next = (): void => {}
    this.#free = new Promise((resolve) => {
      next = resolve
    })
    const over = (): void => {
      if (this.#control[Place.loading] === seat) this.#control[Place.loading] = 0
      next()
    }
    await turn
    this.#control[Place.loading] = seat
    // One that waits, perhaps for ever, holds up nobody.
    const waits = setTimeout(over, LOADING_MS)
    try {
      await loadModule(module)
    } finally {
      clearTimeout(waits)
      over()
    }
  }
}
