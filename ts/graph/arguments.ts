// Arguments, read once: what is handed in may have getters, and may change.
import { badArgument } from '../errors.ts'
import { checkKey, checkName, checkNodeKey } from '../values/keys.ts'
import type { Grants } from './session.ts'
import type { EdgeIdentity, Isolation, Target } from './types.ts'

/** An edge's identity with nothing left to chance. */
export interface PlainEdge {
  readonly from: string
  readonly type: string
  readonly to: string
  readonly key: string
}

/** An edge that was read may stand for its identity. */
const EDGE_FIELDS: readonly string[] = ['from', 'type', 'to', 'key', 'props', 'intervals', 'valid', 'version']

/** Reads and checks an edge's identity. A field that no edge has is a slip of the pen: it would stand for another edge. */
export function plainEdge(edge: EdgeIdentity): PlainEdge {
  if (typeof edge !== 'object' || edge === null) throw badArgument('an edge is { from, type, to, key }')
  for (const name in edge) {
    if (EDGE_FIELDS.includes(name)) continue
    throw badArgument(`an edge has no field ${name}; its identity is { from, type, to, key }`, { name })
  }
  return edgeOf(edge.from, edge.type, edge.to, edge.key)
}

/** Checks the parts of an edge's identity. */
export function edgeOf(from: string, type: string, to: string, key = ''): PlainEdge {
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

/** Passes options on. Throws when they are no object, or have a field that nobody would read: a slip of the pen. */
export function checkedOptions<T extends object>(options: T, ...fields: readonly (keyof T & string)[]): T {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw badArgument('options are an object')
  }
  for (const name in options) {
    if (fields.includes(name)) continue
    throw badArgument(`there is no option ${name}; the options are ${fields.join(', ')}`, { name })
  }
  return options
}

/** Whether snapshot isolation is asked for. Throws when it is neither that nor the default. */
export function isSnapshot(isolation: Isolation = 'serializable'): boolean {
  if (isolation === 'serializable' || isolation === 'snapshot') return isolation === 'snapshot'
  throw badArgument("isolation is 'serializable' or 'snapshot'")
}

/** Passes a directory's path on. */
export function checkedPath(path: string): string {
  if (typeof path !== 'string' || path === '') throw badArgument('the path of a directory is a text')
  return path
}

/** Refuses grants that are neither `'*'` nor lists of names. */
export function checkedGrants(grants: Grants): Grants {
  const { read, write } = checkedOptions(grants, 'read', 'write')
  for (const scope of [read, write]) {
    if (scope === undefined || scope === '*') continue
    listOf(scope, "grants are '*' or an array of labels and edge types").forEach(checkName)
  }
  return grants
}

/** A copy of a list, or the error when it is none. */
export function listOf<T>(list: readonly T[], what: string): T[] {
  if (!Array.isArray(list)) throw badArgument(what)
  return Array.from(list as readonly T[])
}
