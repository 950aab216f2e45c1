// Scans: page by page, each fetched when it is asked for.

/** Where a page begins; empty for the first one. */
export type Start = readonly number[]

interface Page<T> {
  readonly items: readonly T[]
  readonly next: Start | undefined
}

/** A scan that has begun. All its pages show what it reads from as it was then. */
export class Scan<T> {
  readonly #fetch: (start: Start) => Page<T>
  /** Fetched before they were asked for. */
  readonly #ahead: (readonly T[])[] = []
  #next: Start | undefined = []
  /** Called when it will fetch nothing more. */
  ended: () => void = () => {}

  constructor(fetch: (start: Start) => Page<T>) {
    this.#fetch = fetch
  }

  /** Fetches what is left, because what it reads from is about to change. */
  fetchAll(): void {
    while (this.#next) this.#ahead.push(this.#page(this.#next))
  }

  #page(start: Start): readonly T[] {
    const { items, next } = this.#fetch(start)
    this.#next = next
    if (!next) this.ended()
    return items
  }

  /** Its items, one after the other. */
  *items(): Generator<T, undefined, undefined> {
    try {
      for (;;) {
        const page = this.#ahead.shift() ?? (this.#next && this.#page(this.#next))
        if (!page) return
        yield* page
      }
    } finally {
      this.#next = undefined
      this.ended()
    }
  }
}
