// How often each name is there.

/** Counts names. */
export class Tally {
  readonly counts: Map<string, number> = new Map()
  total = 0

  add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
    this.total++
  }

  record(): Record<string, number> {
    return Object.fromEntries(this.counts)
  }
}
