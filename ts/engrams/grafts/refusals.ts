// What grafts are refused with, in words.
import { type ErrorDetails, KaryonError } from '../../errors.ts'
import { OPERATIONS_MAX } from '../../values/limits.ts'
import type { PlannedConflict } from '../types.ts'

/** A graft that does not exist, or cannot be made. */
export function graftError(message: string, details: ErrorDetails = {}, cause?: unknown): KaryonError {
  return new KaryonError('ERR_KARYON_GRAFT', message, { details, ...(cause !== undefined && { cause }) })
}

/** Conflicts whose policy is to refuse: how many there are as far as was looked, and some of them. */
export function conflictError(count: number, conflicts: readonly PlannedConflict[]): KaryonError {
  const [{ target, property } = { target: '', property: undefined }] = conflicts
  const first = JSON.stringify({ target, property })
  const message = `the policy of ${count} or more conflicts is 'reject', of ${first} first; plan tells them, another policy decides them`
  return new KaryonError('ERR_KARYON_GRAFT_CONFLICT', message, { details: { count, conflicts } })
}

/** A promotion that no commit holds. */
export function tooMuch(cause?: unknown): KaryonError {
  const message =
    'the promotion is more than a commit holds; promote less at once: promote({ nodes, edges }), each a function that says which'
  const details = { limit: OPERATIONS_MAX }
  return new KaryonError('ERR_KARYON_TRANSACTION_SIZE', message, {
    details,
    ...(cause !== undefined && { cause }),
  })
}

/** Whether it is an error of ours with this code. */
export function isFailure(error: unknown, code: KaryonError['code']): error is KaryonError {
  return error instanceof KaryonError && error.code === code
}
