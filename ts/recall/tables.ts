// Tables as a package carries them: what a recall of it would have in memory, row by row and slot by slot.
import type { Node } from '../graph/types.ts'
import { GRAMS_VERSION, NORMALISER_VERSION } from './grams.ts'
import type { Memory } from './memory.ts'
import { factsOf, memoryFor, type RecallOptions, textOf } from './options.ts'
import type { RowFacts } from './search.ts'

export { HEADS } from './grams.ts'
export { checkedRecall, SAYING } from './options.ts'
export { IMPACT_MAX } from './memory.ts'
export { ROWS_MAX, SLOT_ROWS_MAX } from './slots.ts'

/** What tables are made with. */
export const VERSIONS: { readonly normaliser: number; readonly grams: number } = {
  normaliser: NORMALISER_VERSION,
  grams: GRAMS_VERSION,
}

/** Whether a node is one of those that are recalled: it has the label, and a text. */
export function isRecalled({ labels, props }: Node, options: RecallOptions): boolean {
  return labels.includes(options.label) && textOf(props, options) !== undefined
}

/** Made as a recall is that is opened anew: the same rows in the same slots, so that both find the same. */
export class Tables {
  readonly #memory: Memory
  readonly #options: RecallOptions

  /** Takes how many nodes have the label, with a text or without. */
  constructor(options: RecallOptions, labelled: number) {
    this.#options = options
    this.#memory = memoryFor(labelled)
  }

  /** Adds a node with the label, in the order of keys. Returns whether it has a text: then it has the next row. */
  add({ key, props }: Node): boolean {
    const text = textOf(props, this.#options)
    if (text === undefined) return false
    this.#memory.add(key, text, 0, factsOf(props, this.#options))
    return true
  }

  facts(row: number): RowFacts {
    const { weights, thresholds, confidences, trusts } = this.#memory.said
    return {
      weight: weights[row]!,
      threshold: thresholds[row]!,
      confidence: confidences[row]!,
      trust: trusts[row]!,
    }
  }

  get rows(): number {
    return this.#memory.rows
  }

  /** Slots of a head. */
  get slots(): number {
    return this.#memory.slots.count
  }

  /** N-grams of all texts. */
  get grams(): number {
    return this.#memory.grams
  }

  /** Postings that found no room. */
  get overflow(): number {
    return this.#memory.slots.overflow
  }

  /** The postings of a slot, of all heads one behind the other. */
  postings(slot: number): Uint32Array {
    return this.#memory.slots.postings(slot)
  }

  /** How many n-grams fall into a slot, also of those that found no room. */
  fallen(slot: number): number {
    return this.#memory.slots.fallen(slot)
  }
}
