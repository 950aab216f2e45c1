// What cells are refused with, in words.
import { KaryonError, badArgument, type ErrorDetails, type KaryonErrorCode } from '../errors.ts'
import { isWellFormed } from '../values/writer.ts'
import { LIMITS } from './scheduler.ts'

/** An error with its facts, and its cause where there is one. */
export function failure(
  code: KaryonErrorCode,
  message: string,
  details: ErrorDetails = {},
  cause?: unknown,
): KaryonError {
  return new KaryonError(code, message, { details, ...(cause !== undefined && { cause }) })
}

/** A number within its bounds, a whole one unless it is said, or an error that names all of it. */
export function bounded(name: string, value: number, least: number, most: number, whole = true): number {
  const is = whole ? Number.isInteger(value) : typeof value === 'number'
  if (is && value >= least && value <= most) return value
  const [kind, given] = [whole ? 'whole number' : 'number', typeof value === 'number' ? value : typeof value]
  throw badArgument(`${name} is a ${kind} from ${least} to ${most}, not ${given}`, { value })
}

/** A name that can stand in a path, or an error. */
export function checkedName(name: string, what: string): string {
  const isName = typeof name === 'string' && name !== '' && !name.includes('/') && !name.includes('\0')
  const most = LIMITS.nameBytesMax
  // UTF-8 needs at most three bytes for a unit: most names are not worth measuring.
  const fits = isName && (name.length * 3 <= most || Buffer.byteLength(name) <= most)
  if (fits && isWellFormed(name)) return name
  const message = `the name of ${what} is text of 1 to ${most} bytes without slashes, NULs or lone surrogates`
  throw badArgument(message, { name })
}

/** The cell takes no messages any more; what it failed with, if it did, is the cause. */
export function goneError(path: string, cause: unknown, details: ErrorDetails = { path }): KaryonError {
  return failure('ERR_KARYON_CELL_DEAD', `${path} is gone or stops; it takes no messages`, details, cause)
}
