// What a package may have at most.
import { badArgument } from '../errors.ts'
import { checkedOptions } from '../graph/arguments.ts'
import { beyondLimit } from './refusals.ts'
import type { PackageLimits } from './types.ts'

/** Signatures of one package. */
export const SIGNATURES_MAX = 64
/** Packages that one comes of. */
export const PARENTS_MAX = 256
/** Principals whose facts alone are packed. */
export const WRITERS_MAX = 1_024
/** Bytes of a description. */
export const DESCRIPTION_BYTES_MAX = 65_536
/** Different labels, types and properties, and bytes of all principals: they are held in memory. */
export const NAMES_MAX = 1_048_576
/** Bytes of all names, and of all principals. */
export const NAMES_BYTES_MAX: number = 64 * 1024 * 1024
/** Bytes of one principal. */
export const PRINCIPAL_BYTES_MAX = 65_536
/** Bytes of one node with its properties, and of one edge with its own. */
export const RECORD_BYTES_MAX: number = 256 * 1024 * 1024
/** Bytes that what one node or one edge holds takes in memory beside its texts and bytes: small values take up to 120 times what they are in a file. */
export const RECORD_MEMORY_MAX: number = 256 * 1024 * 1024
/** Bytes of all edges of one node. */
export const LINKS_BYTES_MAX: number = 1024 * 1024 * 1024
/** Changes that are told of one node or edge: when they are read, each takes some 40 bytes. */
export const CHANGES_MAX = 4_194_304
/** Intervals of valid time in which one property holds something, as in crates/model/src/limits.rs. */
export const INTERVALS_MAX = 4_096
/** Rows of a lookup that are looked at for one key. A table is full to three quarters, so that keys which nobody has chosen for it take far fewer. */
export const PROBES_MAX = 1_024

/** Recalls whose tables one package carries. */
export const RECALLS_MAX = 8

const DEFAULTS: Required<PackageLimits> = {
  bytes: 64 * 2 ** 30,
  nodes: 1_000_000_000,
  edges: 4_000_000_000,
  changes: 4_000_000_000,
  manifestBytes: 2 ** 20,
}

/** The limits that hold. */
export function limitsOf(limits: PackageLimits = {}): Required<PackageLimits> {
  const given = { ...checkedOptions(limits, 'bytes', 'nodes', 'edges', 'changes', 'manifestBytes') }
  for (const [name, limit] of Object.entries(given) as [string, number | undefined][]) {
    if (limit === undefined || (Number.isSafeInteger(limit) && limit >= 0)) continue
    throw badArgument(`the limit ${name} is a count`, { name })
  }
  return {
    bytes: given.bytes ?? DEFAULTS.bytes,
    nodes: given.nodes ?? DEFAULTS.nodes,
    edges: given.edges ?? DEFAULTS.edges,
    changes: given.changes ?? DEFAULTS.changes,
    manifestBytes: given.manifestBytes ?? DEFAULTS.manifestBytes,
  }
}

/** Refuses more than a limit. */
export function checkLimit(what: string, found: number, limit: number): void {
  if (found > limit) throw beyondLimit(what, limit, found)
}

/** Refuses what takes more memory than it may. */
export function checkMemory(bytes: number): void {
  if (bytes > RECORD_MEMORY_MAX)
    throw beyondLimit('what a node or edge takes in memory, in bytes,', RECORD_MEMORY_MAX, bytes)
}
