import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Case, Side } from './measure.ts'
import { ROOT } from './project.ts'

/** What one call from JavaScript into Rust costs: the measure of every decision about the native boundary. */
interface Crossing {
  crossingEmpty(): void
  crossingNumbers(a: number, b: number): number
  crossingString(text: string): number
  crossingBytes(bytes: Uint8Array): number
  crossingBatch(pairs: Float64Array): number
}

/** A multiple of the batch. */
const CALLS = 1_024_000
const TEXT = 'fact:sixteen-chr'
const BYTES = 64
const BATCH = 64

/** Upper ends of what a study of the boundary found on a 2-core virtual machine, in nanoseconds. */
const LIMIT_NS = { empty: 17, numbers: 46, string: 285, bytes: 132 }

export function cases(): readonly Case[] {
  const crossing = createRequire(join(ROOT, 'Cargo.toml'))('./target/crossing/binding.cjs') as Crossing
  const bytes = new Uint8Array(BYTES).fill(1)
  const single = (name: string, limit: number, call: (at: number) => number): Case => ({
    name: `crossing/${name}`,
    unit: 'ns/op',
    operations: CALLS,
    limit,
    note: 'the loop around the call is included',
    ours: karyon(() => {
      let sum = 0
      for (let at = 0; at < CALLS; at++) sum += call(at)
      return sum
    }),
    peers: [],
  })
  return [
    single('empty-call', LIMIT_NS.empty, () => {
      crossing.crossingEmpty()
      return 0
    }),
    single('numbers', LIMIT_NS.numbers, (at) => crossing.crossingNumbers(at, 1)),
    single('string', LIMIT_NS.string, () => crossing.crossingString(TEXT)),
    single('typed-array', LIMIT_NS.bytes, () => crossing.crossingBytes(bytes)),
    batch(crossing),
  ]
}

/** The same additions, 64 in one call against one call each. */
function batch(crossing: Crossing): Case {
  const pairs = new Float64Array(2 * BATCH)
  const together = (): number => {
    let sum = 0
    for (let at = 0; at < CALLS; at += BATCH) {
      for (let each = 0; each < BATCH; each++) {
        pairs[2 * each] = at + each
        pairs[2 * each + 1] = 1
      }
      sum += crossing.crossingBatch(pairs)
    }
    return sum
  }
  const alone = (): number => {
    let sum = 0
    for (let at = 0; at < CALLS; at++) sum += crossing.crossingNumbers(at, 1)
    return sum
  }
  return {
    name: `crossing/batch-of-${BATCH}`,
    unit: 'ns/op',
    operations: CALLS,
    note: 'an operation is one pair of numbers, written in JavaScript and added in Rust',
    ours: karyon(together),
    peers: [answering('self: one call each', alone)],
  }
}

function karyon(work: () => number): Side {
  return answering('karyon', work)
}

function answering(name: string, work: () => number): Side {
  let answer = 0
  return {
    name,
    run() {
      answer = work()
    },
    answer: () => answer,
  }
}
