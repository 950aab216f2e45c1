// Bounded traversals, breadth first, as crates/graph/src/walk.rs does them.
import { KaryonError, badArgument } from '../errors.ts'
import type { WalkOptions } from '../graph/types.ts'
import { checkName } from '../values/keys.ts'
import type { End } from './links.ts'

/** Nodes that one traversal reaches at most, and that one may ask for. */
export const REACH_MAX = 65_536
/** Edges that one traversal looks at. */
export const TRAVERSED_EDGES_MAX = 1_000_000
/** The largest number of 32 bits. */
const HOPS_MAX = 2 ** 32 - 1

/** A traversal that was read and checked. */
export interface Walk {
  readonly directions: readonly ('out' | 'in')[]
  readonly type: string | undefined
  readonly hops: number
  readonly limit: number
}

/** Reads and checks where a traversal goes. */
export function walkOf({ type, direction = 'out', hops = 1 }: WalkOptions, limit: number): Walk {
  if (type !== undefined) checkName(type)
  if (direction !== 'out' && direction !== 'in' && direction !== 'both') {
    throw badArgument("a direction is 'out', 'in' or 'both'")
  }
  if (!isWithin(hops, HOPS_MAX)) throw badArgument('hops are a count of edges')
  if (!isWithin(limit, REACH_MAX) || limit === 0)
    throw badArgument(`a limit is a count of nodes, 1 to ${REACH_MAX}`)
  return { directions: direction === 'both' ? ['out', 'in'] : [direction], type, hops, limit }
}

function isWithin(count: number, most: number): boolean {
  return Number.isSafeInteger(count) && count >= 0 && count <= most
}

/** An edge that is met on the way, and the direction in which it is followed. */
export interface Step extends End {
  readonly direction: 'out' | 'in'
}

/** A node that was reached. */
export interface Place {
  readonly key: string
  readonly hops: number
  /** The place of the one before it on the way; its own for the first. */
  readonly by: number
  /** The first edge that led to it. */
  readonly step: Step | undefined
}

/** The edges of a node in one direction. */
export type EndsOf = (key: string, direction: 'out' | 'in', type: string | undefined) => Iterable<End>

/** The nodes within some edges of one, the near ones first and that one before all; until one of them is reached. */
export function reach(
  start: string,
  { directions, type, hops, limit }: Walk,
  endsOf: EndsOf,
  until?: string,
): Place[] {
  const reached: Place[] = [{ key: start, hops: 0, by: 0, step: undefined }]
  if (start === until) return reached
  const seen = new Set([start])
  let left = TRAVERSED_EDGES_MAX
  for (let by = 0; by < reached.length && reached[by]!.hops < hops; by++) {
    const { key, hops: before } = reached[by]!
    // All edges of a node are counted before where they lead to is: a walk that is too long is refused, however near its end is.
    const found: Step[] = []
    for (const direction of directions) {
      for (const end of endsOf(key, direction, type)) {
        if (--left < 0) throw tooFar()
        if (!seen.has(end.other)) found.push({ ...end, direction })
      }
    }
    for (const step of found) {
      if (seen.has(step.other)) continue
      seen.add(step.other)
      const isLast = step.other === until || reached.length === limit
      reached.push({ key: step.other, hops: before + 1, by, step })
      if (isLast) return reached
    }
  }
  return reached
}

function tooFar(): KaryonError {
  const message = `a traversal has come to ${TRAVERSED_EDGES_MAX} edges; follow one type, or fewer hops`
  return new KaryonError('ERR_KARYON_TRANSACTION_SIZE', message, { details: { limit: TRAVERSED_EDGES_MAX } })
}
