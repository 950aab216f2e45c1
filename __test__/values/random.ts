import type { Value } from '../../ts/index.ts'

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export type Random = () => number

export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A seed of today, or that of `KARYON_SEED` to run a failure again. */
export function chooseSeed(): number {
  return Number(process.env['KARYON_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
}

export function below(random: Random, bound: number): number {
  return Math.floor(random() * bound)
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[below(random, from.length)] as T
}

// From every range that UTF-8 and UTF-16 order differently.
const LETTERS = [
  'a',
  'b',
  'Z',
  '0',
  ' ',
  '\0',
  'é',
  '߿',
  'ࠀ',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '𐀀',
  '𝒳',
  '\u{10ffff}',
]

export function randomText(random: Random, longest = 12): string {
  return Array.from({ length: below(random, longest) }, () => pick(random, LETTERS)).join('')
}

const EDGES_OF_INTEGERS = [
  0,
  1,
  -1,
  63,
  64,
  -64,
  -65,
  2 ** 31,
  2 ** 48,
  2 ** 49,
  2 ** 52 - 1,
  2 ** 52,
  -(2 ** 52),
]

function randomNumber(random: Random): number {
  switch (below(random, 4)) {
    case 0:
      return pick(random, [...EDGES_OF_INTEGERS, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])
    case 1:
      return Math.floor((random() - 0.5) * 2 ** below(random, 53))
    case 2:
      return pick(random, [-0, Number.NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.EPSILON, 0.1])
    default:
      return (random() - 0.5) * 1e6 + 0.5 ** 20
  }
}

function randomBigint(random: Random): bigint {
  const size = BigInt(below(random, 64))
  const magnitude = BigInt.asUintN(Number(size), BigInt(Math.floor(random() * 2 ** 53)) << (size / 2n))
  return pick(random, [magnitude, -magnitude, 2n ** 63n - 1n, -(2n ** 63n), 0n])
}

/** Any value, lists and maps as deep as `depth`. */
export function randomValue(random: Random, depth = 3): Value {
  const leaf = below(random, depth > 0 ? 10 : 8)
  switch (leaf) {
    case 0:
      return pick(random, [null, true, false])
    case 1:
    case 2:
      return randomNumber(random)
    case 3:
      return randomBigint(random)
    case 4:
    case 5:
      return randomText(random, below(random, 20) === 0 ? 400 : 12)
    case 6:
      return pick(random, [
        Uint8Array.from({ length: below(random, 40) }, () => below(random, 256)),
        Float32Array.from({ length: below(random, 5) }, () => random()),
      ])
    case 7:
      return new Date(Math.floor((random() - 0.5) * 2e13))
    case 8:
      return Array.from({ length: below(random, 4) }, () => randomValue(random, depth - 1))
    default:
      return Object.fromEntries(
        Array.from({ length: below(random, 4) }, () => [randomText(random), randomValue(random, depth - 1)]),
      )
  }
}
