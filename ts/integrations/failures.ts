// Errors that say where in a file something is wrong.
import { KaryonError, type ErrorDetails, type KaryonErrorCode } from '../index.ts'

/** Where in a file something stands: lines and columns count from 1, columns in UTF-16 units. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** An argument of the wrong type or shape. */
export function badArgument(message: string, details: ErrorDetails = {}): KaryonError {
  return new KaryonError('ERR_KARYON_ARGUMENT', message, { details })
}

/** A file that says something wrong at a place. */
export function wrongAt(
  { line, column }: Place,
  message: string,
  code: KaryonErrorCode = 'ERR_KARYON_ARGUMENT',
  details: ErrorDetails = {},
): KaryonError {
  return new KaryonError(code, `line ${line}, column ${column}: ${message}`, {
    details: { ...details, line, column },
  })
}

/** The same error, which names the line that led to it; what is none of Karyon's, or names one, stays as it is. */
export function located(error: unknown, line: number): unknown {
  if (!(error instanceof KaryonError) || 'line' in error.details) return error
  return withDetails(error, { line, column: 1 }, `line ${line}: `)
}

/** The same error, which knows more. */
export function withDetails(error: KaryonError, more: ErrorDetails, before = ''): KaryonError {
  return new KaryonError(error.code, before + error.message, {
    details: { ...error.details, ...more },
    cause: error.cause ?? error,
  })
}

/** A file, or what was given for one, that could not be read or written. */
export function failedToMove(message: string, cause: unknown, details: ErrorDetails = {}): KaryonError {
  return new KaryonError('ERR_KARYON_IO', `${message}: ${reasonOf(cause)}`, { details, cause })
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

/** Options as they were given; a field that is none of those named is refused, as it would be left unheard. */
export function checkedOptions<T extends object>(options: T, ...fields: readonly (keyof T & string)[]): T {
  if (typeof options !== 'object' || options === null) throw badArgument('options are an object')
  const unknown = Object.keys(options).find((field) => !fields.includes(field as keyof T & string))
  if (unknown === undefined) return options
  throw badArgument(`there is no option ${JSON.stringify(unknown)}; there are ${fields.join(', ')}`)
}
