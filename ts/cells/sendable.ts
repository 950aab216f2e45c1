import { types } from 'node:util'
import { KaryonError } from '../errors.ts'
import { CellRef } from './ref.ts'

/** Prototypes of objects that hide nothing: what they hold says whether they can leave. */
const OPEN: ReadonlySet<unknown> = new Set(
  [Object, Array, Map, Set, Date, RegExp, Error, RangeError, TypeError].map(
    (kind) => kind.prototype as unknown,
  ),
)

/**
 * Refuses what could not leave its isolate, with the path to it: functions, symbols, and every object that
 * `structuredClone` refuses, such as promises, weak collections, proxies, ports, streams and file handles. References to
 * cells can leave. What is left: an instance of a program's own class passes, and arrives elsewhere as plain data; so
 * do an `arguments` object and a detached buffer, which elsewhere are refused.
 */
export function assertSendable(value: unknown, root: string): void {
  if (!isFlat(value)) walk(value, root, new Set(), false)
}

/**
 * As `assertSendable`, and freezes plain objects and lists: what was sent belongs to the receiver. What a Map, a Date or a view
 * holds cannot be frozen: changing it after sending it shows in the receiver.
 */
export function freezeSendable(value: unknown, root: string): void {
  if (isFlat(value)) {
    Object.freeze(value)
    return
  }
  const seen = new Set<object>()
  walk(value, root, seen, false)
  // Frozen only once all of it was found sendable, so that a refused payload is left as it was.
  for (const object of seen) if (!ArrayBuffer.isView(object)) Object.freeze(object)
}

/** Most payloads: a primitive, or a plain object of nothing but primitives. */
function isFlat(value: unknown): boolean {
  if (!mayHold(value)) return true
  if (
    typeof value !== 'object' ||
    Object.getPrototypeOf(value) !== Object.prototype ||
    types.isProxy(value)
  ) {
    return false
  }
  for (const name in value) if (mayHold((value as Record<string, unknown>)[name])) return false
  return true
}

function mayHold(value: unknown): boolean {
  return (
    value !== null && (typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol')
  )
}

/** `cloned`: an object around this one answers for all that structuredClone refuses. */
function walk(value: unknown, path: string, seen: Set<object>, cloned: boolean): void {
  if (typeof value === 'function' || typeof value === 'symbol') throw refused(path, typeof value)
  if (typeof value !== 'object' || value === null || seen.has(value) || value instanceof CellRef) return
  if (types.isProxy(value)) throw refused(path, 'proxy')
  seen.add(value)
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return
  const opaque = !cloned && !OPEN.has(Object.getPrototypeOf(value))
  const below = (item: unknown, place: string): void => walk(item, `${path}${place}`, seen, cloned || opaque)
  if (value instanceof Map) {
    let place = 0
    for (const [key, item] of value) {
      below(key, `.keys()[${place}]`)
      below(item, `.values()[${place++}]`)
    }
  } else if (value instanceof Set) {
    let place = 0
    for (const item of value) below(item, `.values()[${place++}]`)
  }
  const isList = Array.isArray(value)
  for (const [key, item] of Object.entries(value)) below(item, isList ? `[${key}]` : `.${key}`)
  if (!opaque) return
  try {
    // What such an object hides only the engine knows. Objects that clone as themselves or as plain data pass.
    structuredClone(value)
  } catch (cause) {
    throw refused(path, value.constructor?.name ?? 'host object', cause)
  }
}

function refused(path: string, what: string, cause?: unknown): KaryonError {
  const message = `${path} is a ${what}, which cannot leave its isolate; send plain data`
  return new KaryonError('ERR_KARYON_NOT_SENDABLE', message, {
    details: { path },
    ...(cause !== undefined && { cause }),
  })
}
