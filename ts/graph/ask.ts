// What is asked of the native side by number, beside the calls that are hot: `ask.rs` and `read.rs` in crates/kernel/src answer.
import { putWritten } from '../exchange.ts'
import { Writer } from '../values/writer.ts'
import type { PlainEdge } from './arguments.ts'

/** What a store is asked: the answers are numbers. */
export const AskStore = {
  identity: 0,
  now: 1,
  historyReady: 2,
  timeOf: 3,
  resolve: 4,
  settlesWith: 5,
} as const

/** What a session is asked. */
export const Ask = {
  nameNumber: 0,
  names: 1,
  history: 2,
  changes: 3,
  commit: 4,
  blame: 5,
  diff: 6,
  digest: 7,
  rules: 8,
  forks: 9,
  fork: 10,
  stats: 11,
  makeFork: 12,
  dropFork: 13,
  declare: 14,
  kill: 21,
  // From here on it may take long: in the background.
  revert: 15,
  merge: 16,
  verify: 17,
  backup: 18,
  compact: 19,
  erase: 20,
} as const

/** What a version or a transaction is asked. */
export const Read = {
  nodes: 0,
  handles: 1,
  keys: 2,
  numbers: 3,
  edge: 4,
  edgePage: 5,
  nodePage: 6,
  count: 7,
  degree: 8,
  neighbours: 9,
  within: 10,
  path: 11,
} as const

/** What a question is about: numbers and texts, in the order in which they are read. */
export type About = readonly (number | string)[]

const scratch = new Writer()

/**
 * Starts a question for the native side. There is one writer for all of them: whatever runs code of the caller's (getters, iterators)
 * is read before.
 */
export function question(): Writer {
  scratch.length = 0
  return scratch
}

/** Puts what a question is about into the exchange. Returns how many bytes it has. */
export function putAbout(about: About): number {
  const asked = question()
  for (const part of about) {
    if (typeof part === 'number') asked.varint(part)
    else asked.text(part)
  }
  return putWritten(asked)
}

/** A text that may be missing. */
export function optional(text: string | undefined): About {
  return text === undefined ? [0] : [1, text]
}

/** A target that `plainTarget` gave. */
export function aboutTarget(target: string | PlainEdge): About {
  return typeof target === 'string' ? [0, target] : [1, target.from, target.type, target.to, target.key]
}
