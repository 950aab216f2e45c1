// What an ask is rejected with.
import { KaryonError } from '../errors.ts'
import { AskEnd } from './protocol.ts'

/** What is known of an ask. */
export interface AskFacts {
  readonly path: string
  readonly message: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** What the turn failed with. */
  readonly error?: unknown
}

/** The error of an ask that was not answered. */
export function askError(end: number, ask: AskFacts, cycle: readonly string[] = []): KaryonError {
  const { path, message } = ask
  const what = `${message} of ${path}`
  const details = { path, message }
  const cause = ask.error === undefined ? {} : { cause: ask.error }
  switch (end) {
    case AskEnd.failed:
      if (ask.error instanceof KaryonError && ask.error.code === 'ERR_KARYON_INVARIANT') return ask.error
      return new KaryonError('ERR_KARYON_CELL_FAILED', `${what} failed${because(ask.error)}`, {
        details,
        ...cause,
      })
    case AskEnd.conflict:
      return new KaryonError('ERR_KARYON_CONFLICT', `${what} met a conflict at every attempt; ask again`, {
        details,
        ...cause,
      })
    case AskEnd.timeout:
      return new KaryonError('ERR_KARYON_ASK_TIMEOUT', `${what} did not answer within ${ask.timeoutMs} ms`, {
        details: { ...details, timeoutMs: ask.timeoutMs },
      })
    case AskEnd.abandoned:
      return new KaryonError('ERR_KARYON_ASK_ABORTED', `the asker of ${what} called it off`, {
        details,
        cause: ask.signal?.reason,
      })
    case AskEnd.cycle:
      return new KaryonError(
        'ERR_KARYON_ASK_CYCLE',
        `cells would wait for each other: ${cycle.join(' → ')}`,
        {
          details: { ...details, cycle },
        },
      )
    case AskEnd.turnTimeout:
      return new KaryonError('ERR_KARYON_TURN_TIMEOUT', `${what} took longer than its turn may`, {
        details,
        ...cause,
      })
    case AskEnd.refused:
      return new KaryonError(
        'ERR_KARYON_MAILBOX_FULL',
        `the mailbox of ${path} is full; wait, or use deliver`,
        {
          details,
        },
      )
    case AskEnd.askerDead:
      return new KaryonError('ERR_KARYON_CELL_DEAD', `the incarnation that asked ${what} is dead`, {
        details,
      })
    case AskEnd.lostInTurn:
      return new KaryonError('ERR_KARYON_CELL_DEAD', `${path} was stopped in the middle of ${message}`, {
        details,
      })
    default:
      return new KaryonError('ERR_KARYON_CELL_DEAD', `${path} is gone or stops; it takes no messages`, {
        details,
      })
  }
}

function because(error: unknown): string {
  return error instanceof Error ? `: ${error.message}` : ''
}
