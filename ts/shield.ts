// A turn that may be stopped at any point is not stopped in the middle of what it shares with others.

/** What stands in the word above a turn that runs: `SHIELDED` and `MARKED` in `guard.rs`. */
const SHIELDED = 1
const MARKED = 2

/** What all of an isolate knows of the turn that runs and may be stopped. Where a look at a module is dear, keep it at hand. */
export class Shield {
  /** The word on which the turn's thread and the watchdog agree; see `guard.rs`. */
  #word: Int32Array = new Int32Array(1)
  /** What it holds while the turn may be stopped; 0 where none may. */
  running = 0
  /** Turns that were stopped so far. */
  stops = 0

  /** From here on a turn runs that may be stopped. */
  enterTurn(word: Int32Array, running: number): void {
    this.#word = word
    this.running = running
  }

  /** It runs no more. */
  leaveTurn(stopped: boolean): void {
    this.running = 0
    if (stopped) this.stops++
  }

  /** As `shielded`. */
  during<T>(work: () => T): T {
    const { running } = this
    if (running === 0) return work()
    // Whoever is struck already ends here: the watchdog has seen to it.
    if (Atomics.compareExchange(this.#word, 0, running, running + SHIELDED) !== running) for (;;);
    this.running = 0
    try {
      return work()
    } finally {
      this.running = running
      if (Atomics.compareExchange(this.#word, 0, running + SHIELDED, running) !== running + SHIELDED)
        this.#surrender(running)
    }
  }

  /** The watchdog awaited its end: it strikes when it looks again. */
  #surrender(running: number): never {
    Atomics.store(this.#word, 0, running + MARKED)
    for (;;);
  }
}

/** The isolate's. */
export const shield: Shield = new Shield()

/**
 * Does what must not be left half-way: changes of what outlives the turn. No code of the program's may run in it. In a turn that is
 * never stopped it only calls the function.
 */
export function shielded<T>(work: () => T): T {
  return shield.during(work)
}
