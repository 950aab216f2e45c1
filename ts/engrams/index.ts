// Packages of knowledge: written, inspected, opened, transplanted.
import type { Graph } from '../graph/types.ts'
import { lookAt } from './inspect.ts'
import { OpenEngram } from './read.ts'
import { checkSignatures } from './signatures.ts'
import type { Engram, EngramOptions, ExportOptions, Inspected } from './types.ts'
import { writeEngram } from './write.ts'

export type * from './types.ts'

/**
 * Packs a graph, or what is selected of it, or of another package, into one file. It is there under its name once it is whole, in the
 * place of what had that name. The same knowledge gives the same bytes, whatever order it was written in; with provenance, what the facts
 * say of their commits is part of it, and with its history, all of that. So a package that is packed again in the same way is the same
 * file: one with a history with `history: 'kept'`, or it is the file of what it holds now; one with recall tables with the same `recall`, for none are taken
 * over that are not asked for.
 *
 * With `recall` the package carries what recalls of it would have in memory: of the nodes that are packed, as they are packed. Then it has format 3, which
 * Karyons that know no tables refuse; without, it is what it always was, byte for byte.
 *
 * Resolves with what `inspectEngram` would say. Throws `ERR_KARYON_PACKAGE_LIMIT` beyond a limit, also where what one node or edge holds takes more
 * than 256 MiB in memory, `ERR_KARYON_PACKAGE` for a package that lists what it does not find, `ERR_KARYON_NODE_MISSING` for a key that
 * is to be packed around, `ERR_KARYON_HORIZON` for the history of an engram that has none, and where the past is let go of while it is packed,
 * `ERR_KARYON_IO` when the file cannot be written; nothing is left then. Cost: the graph is read twice, nodes that were changed since they
 * were made once more, and blamed once for each node and edge, and for each fact of those that were changed; memory for the keys, some 80 bytes a
 * node, and some 20 MiB for what is read and written at once, or more for larger nodes. Values are copied as they are encoded, unless `writers`, `trust`
 * or `recall` look at them; blocks are written on threads of Node's pool while the next ones are made. A history is looked through twice more, a
 * page of 256 changes at a time; memory for one state of one node or edge. Of each recall the nodes with its label are read once more, some 0.2 ms a text,
 * and its tables are in memory while they are written, some 1.7 KiB a text: one recall after the other. It gives way to others every few milliseconds.
 *
 * @example
 * await exportEngram(kernel.graph, './react.engram', { name: 'react', version: '1.0.0', select: { labels: ['Fact'] } })
 */
export async function exportEngram(
  from: Graph | Engram,
  path: string,
  options: ExportOptions,
): Promise<Inspected> {
  await writeEngram(from, path, options)
  return inspectEngram(path, options.limits === undefined ? {} : { limits: options.limits })
}

/**
 * What a package says of itself, and who has signed it: signatures that are wrong are told as such. Nothing of what it knows is read.
 *
 * Throws `ERR_KARYON_PACKAGE` for what is no package or not well formed, `ERR_KARYON_PACKAGE_ROOT` when head or manifest are not those of
 * the root (with `verify: 'full'`, when anything is not), `ERR_KARYON_PACKAGE_LIMIT`, `ERR_KARYON_FORMAT_NEWER`, `ERR_KARYON_IO`. Cost: the
 * blocks of head and manifest, and those of the tree above them: some 200 KiB however large the package is, if its manifest is small.
 *
 * @example
 * inspectEngram('./react.engram').manifest.counts.nodes
 */
export function inspectEngram(path: string, options: EngramOptions = {}): Inspected {
  const { blocks, inspected } = lookAt(path, options)
  blocks.close()
  return inspected
}

/**
 * Opens a package to be read where it lies. Every block is checked against the root when it is first read, so that what is read later
 * may still throw `ERR_KARYON_PACKAGE_ROOT`, and `ERR_KARYON_PACKAGE` where what it says contradicts itself. Who it is from is known where
 * `keys` are given, and one of them has signed it: otherwise it throws `ERR_KARYON_SIGNATURE`, as it does where any signature is wrong.
 *
 * Throws what `inspectEngram` throws. Cost: as that; then that of what is read.
 *
 * @example
 * using engram = openEngram('./react.engram', { keys: { alice: alicePublicKey } })
 * engram.get('useState')?.props.text
 */
export function openEngram(path: string, options: EngramOptions = {}): Engram {
  const { blocks, sections, inspected } = lookAt(path, options, (signatures) =>
    checkSignatures(signatures, options.keys),
  )
  try {
    return new OpenEngram(blocks, sections, inspected)
  } catch (error) {
    blocks.close()
    throw error
  }
}

export { graftEngram, type DirectGraftOptions } from './grafts/graft.ts'
export { dropEngram, keepEngram, keptEngrams, restoreEngram } from './kept/kept.ts'
export { listGrafts, openGraft } from './grafts/opened.ts'
export { planGraft } from './grafts/plan.ts'
