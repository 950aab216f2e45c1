// Loads the modules of a worker's cells.
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { loadModule } from './modules.ts'
import { Place } from './wire.ts'

/** How long a module may wait for something as it is loaded before the next one is, in milliseconds. */
const LOADING_MS = 1_000

/** Loads modules one after the other, so that it is known which does not come to its end, or ends the worker. */
export class Loader {
  readonly #control: Int32Array
  /** Those that came to their end. */
  readonly #loaded = new Set<string>()
  /** Resolves when the next module may be loaded. */
  #free = Promise.resolve()

  constructor(control: Int32Array) {
    this.#control = control
  }

  has(module: string): boolean {
    return this.#loaded.has(module)
  }

  /** Loads a module, which main knows by its number. Rejects with what the module throws. */
  async load(module: string, number: number): Promise<void> {
    const turn = this.#free
    let next = (): void => {}
    this.#free = new Promise((resolve) => {
      next = resolve
    })
    const over = (): void => {
      if (this.#control[Place.loading] === number) this.#control[Place.loading] = 0
      next()
    }
    await turn
    // What its cells do from here on is theirs.
    if (this.has(module)) return next()
    this.#control[Place.loading] = number
    // One that waits, perhaps for ever, holds up nobody.
    const waits = setTimeout(over, LOADING_MS)
    try {
      await loadModule(module)
      // A rejection that it left to nobody ends the worker only after its promises have run.
      await turnOfLoop()
      this.#loaded.add(module)
    } finally {
      clearTimeout(waits)
      over()
    }
  }
}
