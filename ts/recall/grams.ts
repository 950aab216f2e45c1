// The n-grams of a text, and where they are looked for: the same on every machine, as a test with what they always were says.
import { tagsOf } from '../engrams/tags.ts'
import { isWellFormed, malformed } from '../values/writer.ts'

/**
 * The version of how a text is cut into words, and of what a token's tag is: packages name it, and tables that were made by another one are not used. It
 * changes with whatever gives some text other tokens.
 */
export const NORMALISER_VERSION = 1
/** The same of the n-grams, their slots, how many of those there are, and what a posting tells: with what is found the same by the same tokens. */
export const GRAMS_VERSION = 1

/** Hash heads of each n-gram. */
export const HEADS = 8

/** Tokens of a text that count, and units of UTF-16 of a token: what is behind them does not. */
const TOKENS_MAX = 4_096
const WORD_UNITS_MAX = 256

/** The kinds of n-grams: how far back their tokens lie. Odd multipliers tell places and kinds apart, one for each half of a token's tag. */
const KINDS: readonly { readonly steps: readonly number[]; readonly seed: number }[] = [
  { steps: [0], seed: 0x243f6a88 },
  { steps: [0, 1], seed: 0x85a308d3 },
  { steps: [0, 1, 2], seed: 0x13198a2e },
  { steps: [0, 2], seed: 0x03707344 },
]
const MULTIPLIERS = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d]
/** An odd one for each head. */
const HEAD_MULTIPLIERS = [
  0xa4093823, 0x299f31d1, 0x082efa99, 0xec4e6c89, 0x452821e7, 0x38d01377, 0xbe5466cf, 0x34e90c6d,
]

/** The n-grams of a text, each once, with how often it is there. */
export interface Grams {
  readonly count: number
  /** Two halves of each one's hash. */
  readonly halves: Uint32Array
  readonly times: Uint16Array
  /** Of each one which of the kinds it is. */
  readonly kinds: Uint8Array
  /** Tokens of the text. */
  readonly length: number
}

/** What is left of the accents of the scripts of Europe where letters are decomposed. */
const ACCENTS = /[\u{300}-\u{36f}]|[\u{1ab0}-\u{1aff}]|[\u{1dc0}-\u{1dff}]|[\u{20d0}-\u{20ff}]/gu
/** Runs of letters, digits and marks; where words are not set apart (ideographs, kana) each letter is one. */
const WORD_ALONE = '[\\u3041-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\u{20000}-\\u{323af}]'
const WORDS = new RegExp(`${WORD_ALONE}|(?:(?!${WORD_ALONE})[\\p{L}\\p{N}\\p{M}])+`, 'gu')

/**
 * The canonical tokens of a text: words in lower case, in compatibility decomposition (NFKD), without accents. What Unicode 15 knows is cut alike by
 * every Node; letters that came later, where both know them.
 */
export function wordsOf(text: string): string[] {
  if (!isWellFormed(text)) throw malformed(text)
  const plain = text.normalize('NFKD').toLowerCase().replace(ACCENTS, '')
  return (plain.match(WORDS) ?? []).slice(0, TOKENS_MAX)
}

/** The tokens of a text: the lower 64 bits of the tag of each, as two halves. */
export function tokensOf(text: string): Uint32Array {
  // The first half of a pair of surrogates is no letter.
  const words = wordsOf(text).map((word) => word.slice(0, WORD_UNITS_MAX).replace(/[\ud800-\udbff]$/, ''))
  const tags = new Uint32Array(tagsOf(words).buffer)
  return tags.filter((_, at) => at % 4 < 2)
}

/**
 * Tokens one by one, in pairs, in threes, and in pairs with one between them: of each place those that end there (suffix n-grams and skip-grams).
 * The idea of multiplying each token by an odd number of its place is that of DeepSeek's Engram (arXiv 2601.07372).
 */
export function gramsOf(text: string): Grams {
  const tokens = tokensOf(text)
  const length = tokens.length / 2
  const most = length * KINDS.length
  const [halves, times, kinds] = [new Uint32Array(2 * most), new Uint16Array(most), new Uint8Array(most)]
  const places = new Map<number, number>()
  let count = 0
  for (const [kind, { steps, seed }] of KINDS.entries()) {
    for (let at = steps.at(-1)!; at < length; at++) {
      let [low, high] = [seed, ~seed]
      for (const [place, step] of steps.entries()) {
        low ^= Math.imul(tokens[2 * (at - step)]!, MULTIPLIERS[place]!)
        high ^= Math.imul(tokens[2 * (at - step) + 1]!, MULTIPLIERS[place]!)
      }
      low = finalised(low)
      high = finalised(high ^ low)
      // 53 bits tell the n-grams of one text apart.
      const name = (low >>> 0) * 2 ** 21 + (high >>> 11)
      const known = places.get(name)
      if (known !== undefined) times[known]!++
      else {
        places.set(name, count)
        halves[2 * count] = low
        halves[2 * count + 1] = high
        times[count] = 1
        kinds[count] = kind
        count++
      }
    }
  }
  return { count, halves, times, kinds, length }
}

/** Where a head has an n-gram, among `slots`, a power of two. */
export function slotOf(low: number, high: number, head: number, slots: number): number {
  const mixed =
    Math.imul(low ^ (high >>> (head + 1)), HEAD_MULTIPLIERS[head]!) ^ Math.imul(high, 2 * head + 1)
  return finalised(mixed) & (slots - 1)
}

/** The finaliser of MurmurHash3 (Appleby): every bit of what goes in counts for every bit of what comes out. */
function finalised(bits: number): number {
  let mixed = bits
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
