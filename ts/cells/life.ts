// Keeps the program alive while something is open, and no longer.

/** As long as a timer of the host can wait. */
const FOREVER_MS = 2_147_483_647

/** One handle of the event loop: for the next deadline if there is one, else only to be there. */
export class Life {
  readonly #due: () => void
  #timer: NodeJS.Timeout | undefined
  #at = Number.POSITIVE_INFINITY
  #alive = false

  constructor(due: () => void) {
    this.#due = due
  }

  /** Wakes at a time (in milliseconds of the clock of `now`), and keeps the program alive until then if `alive`. */
  set(at: number, now: number, alive: boolean): void {
    if (at !== this.#at || (alive && this.#timer === undefined)) {
      clearTimeout(this.#timer)
      this.#at = at
      this.#timer = undefined
      if (alive || at !== Number.POSITIVE_INFINITY) {
        const delayMs = Math.min(Math.max(Math.ceil(at - now), 0), FOREVER_MS)
        this.#timer = setTimeout(() => {
          this.#timer = undefined
          this.#at = Number.POSITIVE_INFINITY
          this.#due()
        }, delayMs)
        this.#alive = true
      }
    }
    if (alive === this.#alive) return
    this.#alive = alive
    if (alive) this.#timer?.ref()
    else this.#timer?.unref()
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
