// Recall: nodes that share words with a text, as of any version of the graph.
import { tablesOf } from '../engrams/recalled.ts'
import { badArgument } from '../errors.ts'
import { checkedOptions } from '../graph/arguments.ts'
import type { Reader } from '../graph/types.ts'
import type { Moment, Version } from '../time.ts'
import { Following, isGraph, STILL } from './following.ts'
import { HEADS } from './grams.ts'
import type { Memory } from './memory.ts'
import { checkedRecall, type RecallOptions, SAYING } from './options.ts'
import { Packed } from './packed.ts'
import { VERSIONS } from './tables.ts'

/** What is asked for. */
export interface FindOptions {
  /** How many candidates at most: 10 by default, up to 1,000. */
  readonly limit?: number
  /** How many of the eight hash heads have to agree, 5 by default. Fewer find more in full slots, and more by chance. */
  readonly minHeads?: number
  /** The least confidence and trust, from 0 to 1, to the nearest 255th; 0 by default. */
  readonly minConfidence?: number
  readonly minTrust?: number
  /**
   * As of a moment since this recall was opened; now by default. How much the most common words tell is that of now, and so are weights, thresholds,
   * confidence and trust: to change those costs the same however much is known. For those of then open a recall of `graph.at()`.
   */
  readonly at?: Moment
}

/** A node that may be meant. */
export interface Candidate {
  readonly key: string
  /** A whole number; more is better, and of one cue only. */
  readonly score: number
  /** How much of the cue it shares, from 0 to 1. */
  readonly share: number
  /** How many words, pairs and threes of words of the cue it shares. */
  readonly grams: number
  /** Which of the eight hash heads agreed about the one that counted most. */
  readonly heads: readonly number[]
}

/** What a recall holds. */
export interface RecallStats {
  /** The version up to which it has followed. */
  readonly version: Version
  /** Texts, those of the past included. */
  readonly rows: number
  readonly slots: number
  /** N-grams for each slot of a head. */
  readonly load: number
  /** Postings that found no room in a full slot: what only they said is not found. */
  readonly overflow: number
  /** Of the slots and postings: in memory, or in the package. */
  readonly bytes: number
  /** Slots that the last cue looked into. */
  readonly probes: number
  /** Whether it reads the tables of a package where they lie. */
  readonly inPlace: boolean
}

const LIMIT_MAX = 1_000
/**
 * Finds nodes by words that they share with a cue: each word, pair and three of words by eight hashes, of which most have to agree. Candidates
 * may be wrong, and what is common may be missed; there is no model, and nothing is learned but what `weight` says. Of a graph it follows what is
 * committed: what is durable when it is asked counts.
 *
 * Where more texts have words in common than a slot has room for (528), those of the past go first, then those that are trusted least, then those that are
 * longest. What was driven out comes back when a recall is opened anew: `stats().overflow` counts it.
 *
 * Cost, but in a package that carries tables for it (see `openRecall`): a pass over the nodes when it is opened, some 0.2 ms a text, which lets others have their turns, and some 1.7 KiB of memory; of a cue, 32 slots
 * a word with at most 528 rows each, however many there are. Where many more texts have come than there were, the slots become twice as many little by
 * little: meanwhile a text costs five times as much, and the memory is up to twice as large.
 *
 * @example
 * const memory = await openRecall(kernel.graph, { label: 'Fact', text: 'text', weight: 'weight' })
 * memory.find('what were hooks in react?')                      // [{ key: 'fact/17', score: 91240, … }]
 * await reinforce(kernel.graph, 'fact/17', 'weight', 0.5)       // next time it comes before others
 */
export class Recall {
  readonly #memory: Memory | Packed
  /** What the memory is filled by; nothing where it lies in a package. */
  readonly #following: Following | undefined

  /** See `openRecall`. */
  private constructor(memory: Memory | Packed, following?: Following) {
    this.#memory = memory
    this.#following = following
  }

  /** See `openRecall`. */
  static async open(source: Reader, options: RecallOptions): Promise<Recall> {
    const tables = tablesOf(source, options, VERSIONS)
    if (tables) {
      const isPlain = SAYING.every((name) => options[name] === undefined)
      return new Recall(new Packed(tables, isPlain))
    }
    const following = await Following.open(source, options)
    return new Recall(following.memory, following)
  }

  get #version(): number {
    return this.#following?.version ?? 0
  }

  /** Candidates for a cue, the best first; none where nothing is shared. */
  find(cue: string, options: FindOptions = {}): readonly Candidate[] {
    if (typeof cue !== 'string') throw badArgument('a cue is a text')
    const given = checkedOptions(options, 'limit', 'minHeads', 'minConfidence', 'minTrust', 'at')
    const { limit = 10, minHeads = 5, minConfidence = 0, minTrust = 0, at } = given
    whole('limit', limit, 1, LIMIT_MAX)
    whole('minHeads', minHeads, 1, HEADS)
    this.follow()
    const found = this.#memory.find(cue, {
      limit,
      minHeads,
      minConfidence: part('minConfidence', minConfidence),
      minTrust: part('minTrust', minTrust),
      at: at === undefined ? this.#version : this.#moment(at),
    })
    return found.map(({ key, score, share, grams, heads }) => ({
      key,
      score,
      share: share / 255,
      grams,
      heads: Array.from({ length: HEADS }, (_, head) => head).filter((head) => (heads >> head) & 1),
    }))
  }

  #moment(at: Moment): number {
    if (this.#following === undefined) throw badArgument(STILL)
    return this.#following.moment(at)
  }

  /** Takes over what was committed since. Done by every `find`; costs what has changed. */
  follow(): void {
    this.#following?.follow()
  }

  stats(): RecallStats {
    const { stats, probes } = this.#memory
    return { version: BigInt(this.#version), ...stats, probes, inPlace: this.#following === undefined }
  }
}

/**
 * Opens a recall of the nodes with a label, by the text of one of their properties: of a graph or a fork, which it follows, or of what never changes: a
 * view of the past, or an engram where it lies. Of a graph for those who may read everything; nodes that are erased are forgotten at the next `find`.
 *
 * An engram that was packed with `recall` for exactly these options, by a Karyon with the same versions of normaliser and n-grams, is recalled **in place**: its
 * tables are read block by block, as a cue asks for them, and checked as they are read; it finds the same, with the same scores, in the same order as one that is built
 * of its texts (`stats().inPlace` says which it is). Then opening costs a few blocks; a cue takes memory for the rows that it meets, up to 528 in a slot, and
 * about twice the time, once its blocks are there, which `cacheBytes` of `openEngram` bounds: of each slot that was not read before, one or two of 64 KiB are.
 * `find` may throw `ERR_KARYON_PACKAGE_ROOT` and `ERR_KARYON_PACKAGE` then, as all reads of an engram, and `ERR_KARYON_CLOSED` once the engram is closed.
 *
 * Throws `ERR_KARYON_ARGUMENT` for options that are none, `ERR_KARYON_KEY_SIZE` for a name that is empty or too long, `ERR_KARYON_ACCESS` to who may not read everything.
 *
 * @example
 * await exportEngram(kernel.graph, './facts.engram', { name: 'facts', version: '1.0.0', recall: [{ label: 'Fact', text: 'text' }] })
 * using engram = openEngram('./facts.engram')
 * const memory = await openRecall(engram, { label: 'Fact', text: 'text' })
 * memory.stats().inPlace                                        // true
 */
export async function openRecall(source: Reader, options: RecallOptions): Promise<Recall> {
  const checked = checkedRecall(options)
  if (isGraph(source)) {
    await source.ready('history')
    // Refuses who may not read everything: what is hidden is told by no difference when it comes into sight.
    source.stats()
  }
  return Recall.open(source, checked)
}

function whole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw badArgument(`${name} is a whole number from ${least} to ${most}`, { [name]: value })
}

function part(name: string, value: number): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return Math.round(value * 255)
  throw badArgument(`${name} is a number from 0 to 1`, { [name]: value })
}
