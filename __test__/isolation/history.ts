// Histories of transactions, in the notation of Jepsen and Elle, so that checkers of others read them too.

/**
 * One operation on one key. Lists are appended to and read whole; registers are written and read.
 *
 * Of a set (the edges of a node, the nodes with a label) every possible member is a list of its own, `set/member`: members are
 * added in no order, and a scan reads all of them, also those that it does not find.
 */
export type Step =
  | readonly ['append', string, number]
  | readonly ['w', string, number]
  | readonly ['r', string, readonly number[] | number | null]

/** A transaction that was attempted. */
export interface Attempt {
  readonly process: number
  /** When it was asked for, and when its outcome was known. */
  readonly began: bigint
  readonly ended: bigint
  readonly committed: boolean
  /** What it did, with what it found, as far as it came. */
  readonly steps: readonly Step[]
  /** Which commit it was, if it wrote: the order in which registers were written. */
  readonly version?: number
}

export type History = readonly Attempt[]

/** What is known of a key from its name. */
export function isMember(key: string): boolean {
  return key.includes('/')
}

interface Line {
  readonly type: 'invoke' | 'ok' | 'fail'
  readonly process: number
  readonly value: readonly Step[]
  readonly version?: number
}

/** The history as JSON lines: each attempt when it began, and again when it had ended. */
export function toJsonLines(history: History): string {
  const events: { readonly at: bigint; readonly line: Line }[] = []
  for (const { process, began, ended, committed, steps, version } of history) {
    const asked = steps.map((step): Step => (step[0] === 'r' ? ['r', step[1], null] : step))
    events.push({ at: began, line: { type: 'invoke', process, value: asked } })
    const type = committed ? 'ok' : 'fail'
    const order = version === undefined ? {} : { version }
    events.push({ at: ended, line: { type, process, value: steps, ...order } })
  }
  const inOrder = events.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  return inOrder.map(({ line }, index) => JSON.stringify({ ...line, index }) + '\n').join('')
}
