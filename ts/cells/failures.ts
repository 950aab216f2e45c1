// What cells are refused with, in words.
import { KaryonError, badArgument, type ErrorDetails, type KaryonErrorCode } from '../errors.ts'

/** An error with its facts, and its cause where there is one. */
export function failure(
  code: KaryonErrorCode,
  message: string,
  details: ErrorDetails = {},
  cause?: unknown,
): KaryonError {
  return new KaryonError(code, message, { details, ...(cause !== undefined && { cause }) })
}

/** A whole number within its bounds, or an error that names both. */
export function bounded(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw badArgument(`${name} is a whole number from ${least} to ${most}, not ${value}`, { value })
}

/** The cell takes no messages any more. */
export function goneError(path: string, details: ErrorDetails = { path }): KaryonError {
  return failure('ERR_KARYON_CELL_DEAD', `${path} is gone or stops; it takes no messages`, details)
}
