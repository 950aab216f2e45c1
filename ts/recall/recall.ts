// Recall: nodes that share words with a text, as of any version of the graph.
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { badArgument, KaryonError } from '../errors.ts'
import { checkedOptions } from '../graph/arguments.ts'
import type { Graph, Node, Reader } from '../graph/types.ts'
import type { Moment, Version } from '../time.ts'
import type { Properties } from '../values/types.ts'
import { HEADS } from './grams.ts'
import { Memory, PLAIN, type RowFacts } from './memory.ts'

/** Which nodes are recalled, by what, and which of their properties say how they count. */
export interface RecallOptions {
  /** Nodes with this label. */
  readonly label: string
  /** The property that holds the text. */
  readonly text: string
  /** A property that holds what the score is multiplied by: 1 where there is none, up to 255.996. */
  readonly weight?: string
  /** A property that holds how much of a cue must be shared, from 0 to 1: 0 where there is none. */
  readonly threshold?: string
  /** A property that holds how sure it is, from 0 to 1: 1 where there is none. */
  readonly confidence?: string
  /** A property that holds how far its writer is trusted, from 0 to 1: 1 where there is none. */
  readonly trust?: string
}

/** What is asked for. */
export interface FindOptions {
  /** How many candidates at most: 10 by default, up to 1,000. */
  readonly limit?: number
  /** How many of the eight hash heads have to agree, 5 by default. Fewer find more in full slots, and more by chance. */
  readonly minHeads?: number
  /** The least confidence and trust, from 0 to 1; 0 by default. */
  readonly minConfidence?: number
  readonly minTrust?: number
  /** As of a moment since this recall was opened; now by default. How much the most common words tell is that of now. */
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
  readonly bytes: number
  /** Slots that the last cue looked into. */
  readonly probes: number
}

const LIMIT_MAX = 1_000
/** N-grams for which room is made ahead, for each text. */
const GRAMS_OF_TEXT = 48
/** What `handles` says of a node that does not exist. */
const NO_HANDLE = 2 ** 32 - 1
/** How long others wait at a time while it is opened. */
const STRETCH_MS = 10

/** A text that holds now. */
interface Held {
  readonly row: number
  readonly text: string
}

/**
 * Finds nodes by words that they share with a cue: each word, pair and three of words by eight hashes, of which most have to agree. Candidates
 * may be wrong, and what is common may be missed; there is no model, and nothing is learned but what `weight` says. Of a graph it follows what is
 * committed: what is durable when it is asked counts.
 *
 * Cost: a pass over the nodes when it is opened, some 0.2 ms a text, which lets others have their turns, and some 1.7 KiB of memory; of a cue, 32 slots
 * a word with at most 528 rows each, however many there are. Where many more texts have come than there were, the slots become twice as many little by
 * little: meanwhile a text costs five times as much, and the memory is up to twice as large.
 *
 * @example
 * const memory = await openRecall(kernel.graph, { label: 'Fact', text: 'text', weight: 'weight' })
 * memory.find('what were hooks in react?')                      // [{ key: 'fact/17', score: 91240, … }]
 * await reinforce(kernel.graph, 'fact/17', 'weight', 0.5)       // next time it comes before others
 */
export class Recall {
  /** What it follows; nothing where it recalls what never changes. */
  readonly #graph: Graph | undefined
  readonly #options: RecallOptions
  readonly #memory: Memory
  readonly #held = new Map<string, Held>()
  /** The nodes with the label, those without a text too. */
  readonly #labelled = new Set<string>()
  #opened = 0
  #version = 0

  /** See `openRecall`. */
  private constructor(graph: Graph | undefined, options: RecallOptions, texts: number) {
    this.#graph = graph
    this.#options = options
    this.#memory = new Memory(texts * GRAMS_OF_TEXT)
  }

  /** See `openRecall`. */
  static async open(source: Reader, options: RecallOptions): Promise<Recall> {
    const [graph, { label }] = [isGraph(source) ? source : undefined, options]
    using now = graph?.snapshot()
    const texts = now ?? source
    const recall = new Recall(graph, options, texts.count({ label }))
    let begun = performance.now()
    for (const node of texts.nodes({ label })) {
      recall.#learn(node.key, node, 0)
      if (performance.now() - begun < STRETCH_MS) continue
      await turnOfLoop()
      begun = performance.now()
    }
    recall.#version = Number(now?.version ?? 0n)
    recall.#opened = recall.#version
    return recall
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
    return found.map(({ row, score, share, grams, heads }) => ({
      key: this.#memory.keys[row] as string,
      score,
      share: share / 255,
      grams,
      heads: Array.from({ length: HEADS }, (_, head) => head).filter((head) => (heads >> head) & 1),
    }))
  }

  #moment(at: Moment): number {
    if (this.#graph === undefined)
      throw badArgument('what never changes is recalled as it is; leave `at` out')
    using view = this.#graph.at(at)
    const version = Number(view.version)
    if (version < this.#opened) {
      const message = `this recall knows versions from ${this.#opened} on; open another one, of graph.at() of that moment`
      throw new KaryonError('ERR_KARYON_HORIZON', message, { details: { version, from: this.#opened } })
    }
    return version
  }

  /** Takes over what was committed since. Done by every `find`; costs what has changed. */
  follow(): void {
    const graph = this.#graph
    if (graph === undefined) return
    using now = graph.snapshot()
    const version = Number(now.version)
    if (version === this.#version) return
    try {
      // One by one: what came and went between two of them is of the versions between them.
      while (this.#version < version) {
        const next = BigInt(this.#version) + 1n
        for (const { target } of graph.diff(next - 1n, next)) {
          if (typeof target === 'string') this.#step(graph, target, Number(next))
        }
        this.#version = Number(next)
      }
    } catch (error) {
      if (!(error instanceof KaryonError && error.code === 'ERR_KARYON_HORIZON')) throw error
      // The way there was let go: what is there now is compared, and no older version is known any more.
      const { label } = this.#options
      const gone = new Set(this.#labelled)
      for (const node of now.nodes({ label })) {
        gone.delete(node.key)
        this.#learn(node.key, node, version)
      }
      for (const key of gone) this.#learn(key, undefined, version)
      this.#opened = this.#version = version
    }
    // An erased node leaves no difference behind, and nothing of it may be left here.
    if (now.count({ label: this.#options.label }) !== this.#labelled.size) this.#forgetErased(now)
  }

  #forgetErased(now: Reader): void {
    const keys = [...this.#labelled]
    const handles = now.handles(keys)
    const erased = new Set(keys.filter((_, at) => handles[at] === NO_HANDLE))
    this.#memory.forget(erased)
    for (const key of erased) {
      this.#held.delete(key)
      this.#labelled.delete(key)
    }
  }

  #step(graph: Graph, key: string, version: number): void {
    using view = graph.at(BigInt(version))
    const node = view.get(key)
    this.#learn(key, node?.labels.includes(this.#options.label) ? node : undefined, version)
  }

  /** What a node says from a version on. */
  #learn(key: string, node: Node | undefined, version: number): void {
    if (node === undefined) this.#labelled.delete(key)
    else this.#labelled.add(key)
    const held = this.#held.get(key)
    const text = node?.props[this.#options.text]
    if (node !== undefined && held !== undefined && held.text === text) {
      this.#memory.set(held.row, this.#factsOf(node.props))
      return
    }
    if (held !== undefined) {
      this.#memory.end(held.row, version)
      this.#held.delete(key)
    }
    if (node === undefined || typeof text !== 'string') return
    const row = this.#memory.add(key, text, version, this.#factsOf(node.props))
    this.#held.set(key, { row, text })
  }

  #factsOf(props: Properties): RowFacts {
    const { weight, threshold, confidence, trust } = this.#options
    const number = (name: string | undefined, scale: number, most: number, absent: number): number => {
      const value = name === undefined ? undefined : props[name]
      return typeof value === 'number' && !Number.isNaN(value)
        ? Math.min(Math.max(Math.round(value * scale), 0), most)
        : absent
    }
    return {
      weight: number(weight, 256, 65_535, PLAIN.weight),
      threshold: number(threshold, 255, 255, PLAIN.threshold),
      confidence: number(confidence, 255, 255, PLAIN.confidence),
      trust: number(trust, 255, 255, PLAIN.trust),
    }
  }

  stats(): RecallStats {
    return { version: BigInt(this.#version), ...this.#memory.stats, probes: this.#memory.probes }
  }
}

/**
 * Opens a recall of the nodes with a label, by the text of one of their properties: of a graph or a fork, which it follows, or of what never changes: a
 * view of the past, or an engram where it lies. Of a graph for those who may read everything; nodes that are erased are forgotten at the next `find`.
 */
export async function openRecall(source: Reader, options: RecallOptions): Promise<Recall> {
  const given = checkedOptions(options, 'label', 'text', 'weight', 'threshold', 'confidence', 'trust')
  for (const field of ['label', 'text'] as const) {
    if (typeof given[field] !== 'string') throw badArgument(`${field} of a recall is the name of one`)
  }
  if (isGraph(source)) {
    await source.ready('history')
    // Refuses who may not read everything: what is hidden is told by no difference when it comes into sight.
    source.stats()
  }
  return Recall.open(source, { ...given })
}

function isGraph(source: Reader): source is Graph {
  return 'snapshot' in source && 'diff' in source
}

function whole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw badArgument(`${name} is a whole number from ${least} to ${most}`, { [name]: value })
}

function part(name: string, value: number): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return Math.round(value * 255)
  throw badArgument(`${name} is a number from 0 to 1`, { [name]: value })
}
