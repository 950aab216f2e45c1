import { types } from 'node:util'
import { KaryonError } from '../errors.ts'
import { CellRef } from './ref.ts'

/**
 * Refuses what could not leave its isolate, with the path to it. Functions, symbols, promises and weak collections
 * cannot; references to cells can.
 */
export function assertSendable(value: unknown, root: string): void {
  walk(value, root, new Set())
}

/**
 * As `assertSendable`, and freezes plain objects and lists: what was sent belongs to the receiver. What a Map, a Date or a view
 * holds cannot be frozen: changing it after sending it shows in the receiver.
 */
export function freezeSendable(value: unknown, root: string): void {
  const seen = new Set<object>()
  walk(value, root, seen)
  // Frozen only once all of it was found sendable, so that a refused payload is left as it was.
  for (const object of seen) if (!ArrayBuffer.isView(object)) Object.freeze(object)
}

function walk(value: unknown, path: string, seen: Set<object>): void {
  if (typeof value === 'function' || typeof value === 'symbol') throw refused(path, `a ${typeof value}`)
  if (typeof value !== 'object' || value === null || seen.has(value) || value instanceof CellRef) return
  const opaque = unsendable(value)
  if (opaque !== undefined) throw refused(path, opaque)
  seen.add(value)
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return
  if (value instanceof Map) {
    let place = 0
    for (const [key, item] of value) {
      walk(key, `${path}.keys()[${place}]`, seen)
      walk(item, `${path}.values()[${place++}]`, seen)
    }
  } else if (value instanceof Set) {
    let place = 0
    for (const item of value) walk(item, `${path}.values()[${place++}]`, seen)
  }
  for (const key of Object.keys(value)) {
    walk(
      (value as Record<string, unknown>)[key],
      Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`,
      seen,
    )
  }
}

function unsendable(value: object): string | undefined {
  if (types.isPromise(value)) return 'a promise'
  if (types.isWeakMap(value) || types.isWeakSet(value) || value instanceof WeakRef) return 'a weak reference'
  if (types.isGeneratorObject(value)) return 'a generator'
  if (types.isProxy(value)) return 'a proxy'
  return undefined
}

function refused(path: string, what: string): KaryonError {
  return new KaryonError(
    'ERR_KARYON_NOT_SENDABLE',
    `${path} is ${what}, which cannot leave its isolate; send plain data`,
    {
      details: { path },
    },
  )
}
