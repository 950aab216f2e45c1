// Which nodes are recalled, and what is taken from each.
import { badArgument } from '../errors.ts'
import { checkedOptions } from '../graph/arguments.ts'
import { checkName } from '../values/keys.ts'
import type { Properties } from '../values/types.ts'
import { Memory } from './memory.ts'
import { PLAIN, type RowFacts } from './search.ts'

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

/** The properties that say how a row counts. */
export const SAYING = ['weight', 'threshold', 'confidence', 'trust'] as const

/** N-grams for which room is made ahead, for each text. */
const GRAMS_OF_TEXT = 48

/** Options that were read and checked, with nothing in them that says nothing. */
export function checkedRecall(options: RecallOptions): RecallOptions {
  const given = checkedOptions(options, 'label', 'text', ...SAYING)
  for (const field of ['label', 'text'] as const) {
    if (typeof given[field] !== 'string') throw badArgument(`${field} of a recall is the name of one`)
  }
  const said = Object.entries(given).filter(([, name]) => name !== undefined)
  for (const [, name] of said) checkName(name)
  return Object.fromEntries(said) as unknown as RecallOptions
}

/** An empty memory with room for the texts of so many nodes with the label. What is found depends on it, by accidents: it is part of the version of n-grams. */
export function memoryFor(labelled: number): Memory {
  return new Memory(labelled * GRAMS_OF_TEXT)
}

/** The text of a node, if it has one. */
export function textOf(props: Properties, { text }: RecallOptions): string | undefined {
  const held = props[text]
  return typeof held === 'string' ? held : undefined
}

/** What a node says of how it counts. */
export function factsOf(
  props: Properties,
  { weight, threshold, confidence, trust }: RecallOptions,
): RowFacts {
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
