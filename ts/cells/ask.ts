// What is known of an ask, and what it is rejected with.
import { badArgument, type ErrorDetails, type KaryonError, type KaryonErrorCode } from '../errors.ts'
import type { Once } from './durable.ts'
import { failure, goneError } from './failures.ts'
import { isFailure, peek } from './foreign.ts'
import { AskEnd } from './protocol.ts'

/** How long an ask waits, and what calls it off. */
export interface AskOptions {
  /** In milliseconds; 5,000 by default. `Infinity` waits for ever. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Names a message that may be sent again, to a durable cell, which consumes it once; asked again it rejects with `ERR_KARYON_CONSUMED`. */
  readonly once?: Once
}

/** What calls a delivery off, and what tells it from others. */
export type DeliverOptions = Pick<AskOptions, 'signal' | 'once'>

/** What is known of an ask. */
export interface AskFacts {
  readonly path: string
  readonly message: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** What the turn failed with, or the cell. */
  readonly error?: unknown
  /** The cells that would wait for each other, in a circle. */
  readonly cycle?: readonly string[]
}

/** The error of an ask that was not answered. */
export function askError(end: number, ask: AskFacts): KaryonError {
  const { path, message, timeoutMs, error, cycle = [] } = ask
  const what = `${message} of ${path}`
  const facts = { path, message }
  const said = (
    code: KaryonErrorCode,
    text: string,
    cause?: unknown,
    details: ErrorDetails = facts,
  ): KaryonError => failure(code, text, details, cause)
  switch (end) {
    case AskEnd.failed: {
      if (isFailure(error, 'ERR_KARYON_INVARIANT')) return error
      const because = peek(() => (error instanceof Error ? `: ${error.message}` : ''))
      return said('ERR_KARYON_CELL_FAILED', `${what} failed${because ?? ''}`, error)
    }
    case AskEnd.conflict:
      return said('ERR_KARYON_CONFLICT', `${what} met a conflict at every attempt; ask again`, error)
    case AskEnd.timeout: {
      const details = { ...facts, timeoutMs }
      return said(
        'ERR_KARYON_ASK_TIMEOUT',
        `${what} did not answer within ${timeoutMs} ms`,
        undefined,
        details,
      )
    }
    case AskEnd.abandoned:
      return said(
        'ERR_KARYON_ASK_ABORTED',
        `${what} was called off by its signal`,
        peek(() => ask.signal?.reason),
      )
    case AskEnd.cycle: {
      const text = `cells would wait for each other: ${cycle.join(' → ')}`
      return said('ERR_KARYON_ASK_CYCLE', text, undefined, { ...facts, cycle })
    }
    case AskEnd.refused:
      return said('ERR_KARYON_MAILBOX_FULL', `the mailbox of ${path} is full; wait, or use deliver`)
    case AskEnd.askerDead:
      return said('ERR_KARYON_CELL_DEAD', `the incarnation that asked ${what} is dead`)
    case AskEnd.turnTimeout:
    case AskEnd.lostInTurn:
      // A turn that does not let its worker turn is lost with that.
      if (end === AskEnd.turnTimeout || isFailure(error, 'ERR_KARYON_TURN_TIMEOUT'))
        return said('ERR_KARYON_TURN_TIMEOUT', `${what} took longer than its turn may`, error)
      return said('ERR_KARYON_CELL_DEAD', `${path} was stopped in the middle of ${message}`, error)
    default:
      return goneError(path, error, facts)
  }
}

/** Refuses what is no signal, such as the controller that has one. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || signal instanceof AbortSignal) return
  // One of another realm, or of a library, will do.
  const { aborted, addEventListener, removeEventListener } = Object(signal) as Partial<AbortSignal>
  const listens = typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  if (!listens || typeof aborted !== 'boolean') {
    throw badArgument('signal is an AbortSignal: of an AbortController, pass controller.signal')
  }
}
