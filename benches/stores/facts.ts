import type { Change, Fact } from './driver.ts'

export function keyOf(at: number): string {
  return `fact:${at.toString(36).padStart(6, '0')}`
}

/** The fact that belongs to a number: 16 to 48 letters of text beside two numbers and a flag. */
export function factOf(seed: number): Fact {
  const text = `is said ${seed.toString(36)} times `
  return { count: seed, score: seed / 7, text: text.padEnd(16 + (seed % 33), '.'), sure: seed % 3 === 0 }
}

/** Changes to keys below `keys`, the same ones for every store. */
export function changes(count: number, keys: number, seed: number): Change[] {
  const random = numbers(seed)
  return Array.from({ length: count }, () => [keyOf(random() % keys), factOf(random() % 1_000_000)] as const)
}

/** Changes in groups, no key twice in one of them. */
export function groupsOfChanges(groups: number, size: number, keys: number, seed: number): Change[][] {
  const random = numbers(seed)
  return Array.from({ length: groups }, () => {
    const start = random() % keys
    return Array.from(
      { length: size },
      (_, at) => [keyOf((start + at * STRIDE) % keys), factOf(random() % 1_000_000)] as const,
    )
  })
}

/** A prime: steps of it come to all of fewer keys before any of them again. */
const STRIDE = 1_000_003

/** Numbers below `count`, the first ones far more often than the last: Zipf's law with exponent 0.99 (Gray and others, 1994). */
export function skewed(count: number, seed: number): () => number {
  const exponent = 0.99
  const random = numbers(seed)
  let total = 0
  for (let at = 1; at <= count; at++) total += 1 / at ** exponent
  const two = 1 + 0.5 ** exponent
  const eta = (1 - (2 / count) ** (1 - exponent)) / (1 - two / total)
  return () => {
    const unit = random() / 2 ** 32
    const rank =
      unit * total < 1
        ? 0
        : unit * total < two
          ? 1
          : Math.floor(count * (eta * unit - eta + 1) ** (1 / (1 - exponent)))
    return Math.min(rank, count - 1)
  }
}

/** xorshift32: small, and the same on every machine. */
export function numbers(seed: number): () => number {
  let state = seed * 2_654_435_761 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
