// Arguments, read once and checked as the graph checks its own.
import { badArgument } from '../errors.ts'
import type { EdgeIdentity, Target } from '../graph/types.ts'
import { checkKey, checkName, checkNodeKey } from '../values/keys.ts'

/** An edge's identity with nothing left to chance. */
export type PlainEdge = Required<EdgeIdentity>

/** An edge that was read may stand for its identity. */
const EDGE_FIELDS: readonly string[] = ['from', 'type', 'to', 'key', 'props', 'intervals', 'valid', 'version']

/** Reads and checks an edge's identity. */
export function plainEdge(edge: EdgeIdentity): PlainEdge {
  if (typeof edge !== 'object' || edge === null) throw badArgument('an edge is { from, type, to, key }')
  for (const name in edge) {
    if (EDGE_FIELDS.includes(name)) continue
    throw badArgument(`an edge has no field ${name}; its identity is { from, type, to, key }`, { name })
  }
  const { from, type, to, key = '' } = edge
  checkNodeKey(from)
  checkName(type)
  checkNodeKey(to)
  checkKey(key)
  return { from, type, to, key }
}

/** Reads and checks a target. */
export function plainTarget(target: Target): string | PlainEdge {
  if (typeof target !== 'string') return plainEdge(target)
  checkNodeKey(target)
  return target
}

/** A copy of options. Throws when they are no object, or have a field that nobody would read: a slip of the pen. */
export function checkedOptions<T extends object>(options: T, ...fields: readonly (keyof T & string)[]): T {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw badArgument('options are an object')
  }
  for (const name in options) {
    if (fields.includes(name)) continue
    throw badArgument(`there is no option ${name}; the options are ${fields.join(', ')}`, { name })
  }
  return { ...options }
}

/** A copy of a list, or the error when it is none. */
export function listOf<T>(list: readonly T[], what: string): T[] {
  if (!Array.isArray(list)) throw badArgument(what)
  return Array.from(list as readonly T[])
}

/** Passes a file's path on. */
export function checkedPath(path: string): string {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw badArgument('the path of a package is a text')
  }
  return path
}
