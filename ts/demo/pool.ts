// Work that may fail and is then done again, spread over several hands, with a bound on what waits.

/** Tasks that may wait; whoever adds more waits with them. */
export const POOL_TASKS_MAX = 2_048

/** Failures in a row, without one success, after which it is no accident any more. */
export const FAILURES_IN_A_ROW_MAX = 50

/** Does some tasks, in one transaction; rejects if none of them was done. */
export type Hand<Task> = (tasks: readonly Task[]) => Promise<void>

/** Gives tasks to whoever is free, a batch at a time, and again when they failed. */
export class Pool<Task> {
  readonly #batch: number
  readonly #isAccident: (error: unknown) => boolean
  #waiting: Task[] = []
  #busy = 0
  #failuresInARow = 0
  #failed: Error | undefined
  #watchers: (() => void)[] = []

  /** A failure that is no accident ends the work at once. */
  constructor(hands: readonly Hand<Task>[], batch: number, isAccident: (error: unknown) => boolean) {
    this.#batch = batch
    this.#isAccident = isAccident
    for (const hand of hands) void this.#work(hand)
  }

  /** Takes a task, as soon as there is room. */
  async add(task: Task): Promise<void> {
    await this.#until(() => this.#waiting.length < POOL_TASKS_MAX)
    this.#waiting.push(task)
    this.#changed()
  }

  /** Resolves when every task added so far is done; rejects when the hands gave up. */
  async drained(): Promise<void> {
    await this.#until(() => this.#waiting.length === 0 && this.#busy === 0)
  }

  async #work(hand: Hand<Task>): Promise<void> {
    while (this.#failed === undefined) {
      const tasks = this.#waiting.splice(0, this.#batch)
      if (tasks.length === 0) {
        await this.#change()
        continue
      }
      this.#busy += 1
      try {
        await hand(tasks)
        this.#failuresInARow = 0
      } catch (cause) {
        this.#waiting.unshift(...tasks)
        this.#failuresInARow += 1
        if (!this.#isAccident(cause) || this.#failuresInARow > FAILURES_IN_A_ROW_MAX)
          this.#failed = new Error(`gave up after ${this.#failuresInARow} failures in a row`, { cause })
      }
      this.#busy -= 1
      this.#changed()
    }
  }

  async #until(holds: () => boolean): Promise<void> {
    while (this.#failed === undefined && !holds()) await this.#change()
    if (this.#failed !== undefined) throw this.#failed
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#watchers.push(resolve))
  }

  #changed(): void {
    for (const watcher of this.#watchers.splice(0)) watcher()
  }
}
