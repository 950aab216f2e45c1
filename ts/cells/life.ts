// Keeps the program alive while something is open, and no longer.

/** As long as a timer of the host can wait. */
const FOREVER_MS = 2_147_483_647

/** One handle of the event loop: for the next deadline if there is one, else only to be there. */
export class Life {
  readonly #due: () => void
  #timer: NodeJS.Timeout | undefined
  #at = Number.POSITIVE_INFINITY

  constructor(due: () => void) {
    this.#due = due
  }

  /**
   * Wakes at a time (in milliseconds of the clock of `now`) at the latest, and keeps the program alive until then if
   * `alive`. One that is set to wake earlier is left: the next deadline mostly lies later, and it is set anew then.
   */
  set(at: number, now: number, alive: boolean): void {
    if (at < this.#at || (alive && this.#timer === undefined)) {
      clearTimeout(this.#timer)
      this.#at = at
      const delayMs = Math.min(Math.max(Math.ceil(at - now), 0), FOREVER_MS)
      this.#timer = setTimeout(() => {
        this.end()
        this.#due()
      }, delayMs)
    }
    if (alive) this.#timer?.ref()
    else this.#timer?.unref()
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#at = Number.POSITIVE_INFINITY
  }
}
