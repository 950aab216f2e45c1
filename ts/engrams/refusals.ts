// What is said of a package that is not taken as it is.
import { type ErrorDetails, KaryonError } from '../errors.ts'

/** A file that is no package, or one that contradicts itself. */
export function malformed(what: string, details: ErrorDetails = {}): KaryonError {
  const message = `the package is not well formed: ${what}; get it again from who made it`
  return new KaryonError('ERR_KARYON_PACKAGE', message, { details })
}

/** Bytes that are not those that the root stands for. */
export function altered(what: string, details: ErrorDetails = {}): KaryonError {
  const message = `${what} does not match the root of the package; get the file again from who made it`
  return new KaryonError('ERR_KARYON_PACKAGE_ROOT', message, { details })
}

/** More of something than a limit allows. */
export function beyondLimit(what: string, limit: number, found: number): KaryonError {
  const message = `${what} is ${found}, over the limit of ${limit}; pack less, or raise the limit if whoever made it is trusted`
  return new KaryonError('ERR_KARYON_PACKAGE_LIMIT', message, { details: { limit, found } })
}

/** Something of the past that is not there. */
export function notKept(what: string): KaryonError {
  return new KaryonError('ERR_KARYON_HORIZON', what)
}

/** A package that was let go of. */
export function closed(): KaryonError {
  return new KaryonError('ERR_KARYON_CLOSED', 'the engram is closed; open it again')
}

/** Does something with a file, and says what the operating system refused. */
export function withFile<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (cause) {
    if (cause instanceof KaryonError || !isSystemError(cause)) throw cause
    const message = `${path}: ${cause.message}; check the path, its rights and the room on the disk`
    throw new KaryonError('ERR_KARYON_IO', message, { details: { path, system: cause.code }, cause })
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error
}
