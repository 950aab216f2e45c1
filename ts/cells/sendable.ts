import { types } from 'node:util'
import { KaryonError } from '../errors.ts'
import { peek } from './foreign.ts'
import { Reference } from './ref.ts'

/** How deep what is sent may be nested: a clone goes as deep on the stack. */
export const PAYLOAD_DEPTH_MAX = 1_000

/**
 * Refuses, with the path to it, what could not leave its isolate, and what would arrive there without its class: functions,
 * symbols, what is nested deeper than `PAYLOAD_DEPTH_MAX`, and every object that `structuredClone` refuses or makes a plain one
 * of, such as promises, proxies, graphs, streams and instances of a program's own classes. References to cells can leave, and so can errors.
 * A subclass of `Date` or of an error passes, and arrives as its base, an error with its name and its fields; so do an `arguments` object and
 * a detached buffer, which elsewhere are refused.
 */
export function assertSendable(value: unknown, root: string): true {
  if (!isFlat(value)) walk(value, root, 0, new Set(), [])
  return true
}

/**
 * As `assertSendable`, and freezes plain objects and lists: what was sent belongs to the receiver. Nothing else is frozen: what
 * a Map, a Date or a view holds could be changed all the same, and the receiver sees it.
 */
export function freezeSendable(value: unknown, root: string): void {
  if (isFlat(value)) {
    Object.freeze(value)
    return
  }
  const plain: object[] = []
  walk(value, root, 0, new Set(), plain)
  // Frozen only once all of it was found sendable, so that a refused payload is left as it was.
  for (const object of plain) Object.freeze(object)
}

/** Whether `assertSendable` lets it pass; not if looking at it throws. */
export function isSendable(value: unknown): boolean {
  return peek(() => assertSendable(value, '')) ?? false
}

/** Whether it is an error, also of another realm, or one that only inherits from errors. */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || (!types.isProxy(value) && value instanceof Error)
}

/** Most payloads: a primitive, or a plain object of nothing but primitives. */
function isFlat(value: unknown): boolean {
  if (!mayHold(value)) return true
  // First of all: even to ask a proxy for its prototype runs a program's code.
  if (types.isProxy(value) || Object.getPrototypeOf(value) !== Object.prototype) return false
  for (const name in value as object) if (mayHold((value as Record<string, unknown>)[name])) return false
  return true
}

function mayHold(value: unknown): boolean {
  return (
    value !== null && (typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol')
  )
}

/** Collects in `plain` what is to be frozen. */
function walk(value: unknown, path: string, depth: number, seen: Set<object>, plain: object[]): void {
  if (typeof value === 'function' || typeof value === 'symbol') throw refused(path, `a ${typeof value}`)
  if (typeof value !== 'object' || value === null) return
  if (types.isProxy(value)) throw refused(path, 'a proxy')
  if (seen.has(value) || value instanceof Reference) return
  if (depth >= PAYLOAD_DEPTH_MAX) throw tooDeep(/^\w+/.exec(path)?.[0] ?? '')
  seen.add(value)
  const below = (item: unknown, place: string | number, dot: string, end: string): void => {
    if (mayHold(item)) walk(item, `${path}${dot}${place}${end}`, depth + 1, seen, plain)
  }
  if (Array.isArray(value) ? isOfRealm(value, 2) : isOfRealm(value, 1)) plain.push(value)
  else if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return
  else if (types.isMap(value) && isOfRealm(value, 2)) {
    let place = 0
    for (const [key, item] of value) {
      below(key, place, '.keys()[', ']')
      below(item, place++, '.values()[', ']')
    }
  } else if (types.isSet(value) && isOfRealm(value, 2)) {
    let place = 0
    for (const item of value) below(item, place++, '.values()[', ']')
  } else if (!types.isDate(value) && !isError(value)) {
    assertClones(value, path)
    return
  }
  const [dot, end] = Array.isArray(value) ? ['[', ']'] : ['.', '']
  for (const key of Object.keys(value)) below((value as Record<string, unknown>)[key], key, dot, end)
}

/** Whether it is made by no class, but by a realm: this many prototypes up there is none. */
function isOfRealm(value: object, prototypes: number): boolean {
  let above: unknown = Object.getPrototypeOf(value)
  for (let at = 0; at < prototypes && above !== null; at++) above = Object.getPrototypeOf(above)
  return above === null
}

/** What an object of a class hides only the engine knows; it keeps the classes that it can clone, and no others. */
function assertClones(value: object, path: string): void {
  const name = (): string => `an instance of ${value.constructor?.name || 'a hidden class'}`
  let clone: unknown
  try {
    clone = structuredClone(value)
  } catch (cause) {
    throw refused(path, name(), cause)
  }
  if (Object.getPrototypeOf(clone) !== Object.getPrototypeOf(value)) throw refused(path, name())
}

/** The error of something that is nested too deep; the path to what is would be as long. */
export function tooDeep(what: string): KaryonError {
  const message = `${what} is nested deeper than ${PAYLOAD_DEPTH_MAX} levels; send it flat, or in parts`
  return new KaryonError('ERR_KARYON_NOT_SENDABLE', message, { details: { limit: PAYLOAD_DEPTH_MAX } })
}

function refused(path: string, what: string, cause?: unknown): KaryonError {
  const message = `${path} is ${what}, which cannot leave its isolate; send plain data, or a key`
  return new KaryonError('ERR_KARYON_NOT_SENDABLE', message, {
    details: { path },
    ...(cause !== undefined && { cause }),
  })
}
