// A kernel whose time, order and chance follow from a seed.
import type { Driver } from './cells/simulation.ts'
import type { Kernel } from './kernel.ts'

/** How a simulation begins. */
export interface SimulationOptions {
  /** What order, jitter and `ctx.random()` follow from. A whole number below 2^32. */
  readonly seed: number
  /** When it begins; the beginning of 2000, UTC, by default. */
  readonly start?: Date
}

/**
 * A kernel that keeps nothing, in simulated time. Which of the cells that are ready has its turn follows from the seed: the same seed, build and
 * inputs give the same trace and the same digest, another seed another order. Nothing happens but in `rest` and `pass`.
 *
 * Handlers use `ctx.now()` and `ctx.random()`, and wait for nothing but promises of the kernel: a turn that waits for anything else fails
 * with `ERR_KARYON_FOREIGN_AWAIT`.
 */
export class Simulation {
  readonly kernel: Kernel
  readonly #driver: Driver
  readonly #wake: () => void

  /** Only `Kernel.simulate` makes simulations. */
  constructor(kernel: Kernel, driver: Driver, wake: () => void) {
    this.kernel = kernel
    this.#driver = driver
    this.#wake = wake
  }

  /** Lets all happen that needs no time. Rejects with `ERR_KARYON_BUSY` when there is no end of it. */
  rest(): Promise<void> {
    return this.#driver.rest()
  }

  /** Lets milliseconds pass, from one thing that is due to the next, with all that follows from each. */
  pass(ms: number): Promise<void> {
    return this.#driver.pass(ms, this.#wake)
  }

  /** What has happened, one line each: when, and which message was run or which event told. The newest 100,000 lines or more. */
  get trace(): readonly string[] {
    return this.#driver.lines
  }

  /** The SHA-256 of the whole trace, as hex. */
  get hash(): string {
    return this.#driver.hash
  }

  /** Closes the kernel, in as much simulated time as its cells take to stop. */
  async close(): Promise<void> {
    const closed = this.kernel.close()
    await this.rest()
    // What stops may take its time.
    while (this.#driver.dueMs < Number.POSITIVE_INFINITY)
      await this.pass(Math.max(0, this.#driver.dueMs - this.#driver.nowMs))
    await closed
  }
}
