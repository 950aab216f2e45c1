// Every random choice of the demonstration comes from a printed seed, so that a run can be repeated.

/** A small seeded generator of numbers (mulberry32: 32 bits of state, period 2^32). Not for secrets. */
export class Seeded {
  #state: number

  /** The words name what the numbers are for: two purposes never share a sequence. */
  constructor(seed: number, ...purpose: readonly (string | number)[]) {
    this.#state = mix(seed, purpose.join('/'))
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let bits = this.#state
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** One of the values; there must be one. */
  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)]
    if (value === undefined) throw new RangeError('nothing to pick from')
    return value
  }

  /** `count` different values in random order, or all of them where there are fewer. */
  sample<T>(values: readonly T[], count: number): T[] {
    const left = [...values]
    const taken: T[] = []
    while (taken.length < count && left.length > 0) {
      const [value] = left.splice(this.below(left.length), 1)
      if (value !== undefined) taken.push(value)
    }
    return taken
  }
}

/** FNV-1a over the seed and the purpose. */
function mix(seed: number, purpose: string): number {
  let hash = 0x811c9dc5 ^ seed
  for (let at = 0; at < purpose.length; at++) hash = Math.imul(hash ^ purpose.charCodeAt(at), 0x01000193)
  return hash | 0
}
