// Keys and names, checked where they are handed in: what is refused there leaves nothing behind.
import { KaryonError, badArgument } from '../errors.ts'
import { KEY_BYTES_MAX } from './limits.ts'

/** UTF-8 needs no more bytes than this for one UTF-16 unit. */
const BYTES_PER_UNIT = 3

/** Refuses what is no key, or too long for one. */
export function checkKey(key: unknown): asserts key is string {
  if (typeof key !== 'string')
    throw badArgument(`a key is a string, not ${key === null ? 'null' : typeof key}`)
  if (key.length * BYTES_PER_UNIT > KEY_BYTES_MAX) checkBytes(key)
}

function checkBytes(key: string): void {
  // A text of more units than bytes are allowed is not worth measuring.
  const bytes = key.length > KEY_BYTES_MAX ? key.length : Buffer.byteLength(key)
  if (bytes <= KEY_BYTES_MAX) return
  const message = `a key of ${bytes} bytes or more is over the limit of ${KEY_BYTES_MAX}; hash it`
  throw new KaryonError('ERR_KARYON_KEY_SIZE', message, { details: { limit: KEY_BYTES_MAX, bytes } })
}

/** Refuses what cannot be a node's key: edges alone may have an empty one. */
export function checkNodeKey(key: unknown): asserts key is string {
  checkKey(key)
  if (key === '') throw new KaryonError('ERR_KARYON_KEY_SIZE', 'a node’s key is empty; name it')
}

/** Refuses what cannot be a label, an edge type or a property’s name. */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== 'string') {
    throw badArgument(
      `a label, edge type or property name is a string, not ${name === null ? 'null' : typeof name}`,
    )
  }
  if (name === '') {
    throw new KaryonError('ERR_KARYON_KEY_SIZE', 'a label, edge type or property name is empty; name it')
  }
  checkReserved(name)
  checkKey(name)
}

/** Refuses the one name that JavaScript would take for the prototype. */
export function checkReserved(name: string): void {
  if (name === '__proto__') {
    throw new KaryonError('ERR_KARYON_NAME_RESERVED', 'the name "__proto__" is refused; rename it')
  }
}
