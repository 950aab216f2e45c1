// Scans: page by page, each fetched when it is asked for.

/** Where a page begins; empty for the first one. */
export type Start = readonly number[]

interface Page<T> {
  readonly items: readonly T[]
  readonly next: Start | undefined
}

/** A scan that has begun. All its pages show what it reads from as it was then. */
export class Scan<T> {
  private readonly fetch: (start: Start) => Page<T>
  /** Fetched before they were asked for. */
  private ahead: (readonly T[])[] | undefined
  private next: Start | undefined = FIRST
  /** Called when it will fetch nothing more. */
  ended: (() => void) | undefined

  constructor(fetch: (start: Start) => Page<T>) {
    this.fetch = fetch
  }

  /** Fetches what is left, because what it reads from is about to change. */
  fetchAll(): void {
    const ahead = (this.ahead ??= [])
    while (this.next) ahead.push(this.page(this.next))
  }

  private page(start: Start): readonly T[] {
    const { items, next } = this.fetch(start)
    this.next = next
    if (!next) this.ended?.()
    return items
  }

  /** Its items, one after the other. */
  *items(): Generator<T, undefined, undefined> {
    try {
      for (;;) {
        const page = this.ahead?.shift() ?? (this.next && this.page(this.next))
        if (!page) return
        for (const item of page) yield item
      }
    } finally {
      this.next = undefined
      this.ended?.()
    }
  }
}

const FIRST: Start = []
