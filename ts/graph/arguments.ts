// Arguments, read once: what is handed in may have getters, and may change.
import { badArgument } from '../errors.ts'
import { checkKey, checkName, checkNodeKey } from '../values/keys.ts'
import type { EdgeIdentity, Target } from './types.ts'

/** An edge's identity with nothing left to chance. */
export interface PlainEdge {
  readonly from: string
  readonly type: string
  readonly to: string
  readonly key: string
}

/** Reads and checks an edge's identity. */
export function plainEdge(edge: EdgeIdentity): PlainEdge {
  if (typeof edge !== 'object' || edge === null) throw badArgument('an edge is { from, type, to, key }')
  const { from, type, to, key = '' } = edge
  checkNodeKey(from)
  checkName(type)
  checkNodeKey(to)
  checkKey(key)
  return { from, type, to, key }
}

/** Reads and checks a target. */
export function plainTarget(target: Target): string | PlainEdge {
  if (typeof target === 'string') {
    checkNodeKey(target)
    return target
  }
  if (typeof target !== 'object' || target === null) {
    throw badArgument('a target is a node’s key or { from, type, to, key }')
  }
  return plainEdge(target)
}

/** Passes options on, or throws when they are no object. */
export function checkedOptions<T extends object>(options: T): T {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw badArgument('options are an object')
  }
  return options
}

/** A copy of a list, or the error when it is none. */
export function listOf<T>(list: readonly T[], what: string): T[] {
  if (!Array.isArray(list)) throw badArgument(what)
  return Array.from(list as readonly T[])
}
