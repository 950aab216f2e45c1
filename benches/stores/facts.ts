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
