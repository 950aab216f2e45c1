// Arguments, read once: what is handed in may have getters, and may change.
import { type ErrorDetails, KaryonError } from '../errors.ts'

/** A pattern that cannot be meant. */
export function badPattern(message: string, details: ErrorDetails = {}): KaryonError {
  return new KaryonError('ERR_KARYON_ARGUMENT', message, { details })
}

/** A copy of what is said of something. Throws when it is no object, or has a field that nobody would read: a slip of the pen. */
export function onlyFields<T extends object>(said: T, what: string, ...fields: readonly string[]): T {
  if (typeof said !== 'object' || said === null || Array.isArray(said)) {
    throw badPattern(`${what} is an object with ${fields.join(', ')}`)
  }
  const copy = { ...said }
  for (const name of Object.keys(copy)) {
    if (fields.includes(name)) continue
    throw badPattern(`${what} has no ${name}; it has ${fields.join(', ')}`, { name })
  }
  return copy
}

/** A key, label, type or name; how long it may be the graph says. */
export function checkedText(text: unknown, what: string): string {
  if (typeof text !== 'string') {
    throw badPattern(`${what} is a string, not ${text === null ? 'null' : typeof text}`)
  }
  if (text === '') throw new KaryonError('ERR_KARYON_KEY_SIZE', `${what} is empty; name it`)
  return text
}
