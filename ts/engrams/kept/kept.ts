// Packages kept in a folder, in which what they have in common is there once.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { KaryonError } from '../../errors.ts'
import { checkedPath } from '../arguments.ts'
import { Cursor } from '../cursor.ts'
import { type Looked, checkGaps, lookAt } from '../inspect.ts'
import { ROW_BYTES } from '../layout.ts'
import { SIGNATURES_MAX } from '../limits.ts'
import { encodeManifest } from '../manifest.ts'
import { NewFile } from '../new-file.ts'
import { syncDirectory } from '../output.ts'
import { withFile } from '../refusals.ts'
import { COUNT_BYTES, joinedSignatures, signatureBytes } from '../signatures.ts'
import { turns } from '../turns.ts'
import type { Inspected, Kept, KeptInfo } from '../types.ts'
import { ChunkIndex } from './chunk-index.ts'
import { chunksOf } from './chunking.ts'
import { FLAT_ROWS_MAX, type Flat, flatten, replaced, unflatten } from './flat.ts'
import { bytesOf, checkedRoot, listPath, makeFolder, packPath, rootsIn, sweep } from './folder.ts'
import { Keeping } from './keeping.ts'
import { KeptList, chunkBytes, type PackName, damaged } from './list.ts'
import { alone } from './lock.ts'
import { Packs } from './packs.ts'
import { repack } from './repack.ts'

/** How often a restore is begun, where packs are put together anew while it reads them. */
const RESTORES_MAX = 8

type Turn = () => Promise<void> | undefined

/**
 * Keeps a package in a folder, which is made if there is none: of what it is, only that is stored which no package of the folder has. It is verified
 * while it is read, every block of it; who has signed it is not asked. It is kept once this resolves, and not at all if it does not: what is
 * left of one that was broken off is removed by the next one.
 *
 * What it shares is compared byte for byte with what is there: a chunk that is lost or damaged is stored anew. So a package that is kept again stores
 * nothing, or what of it has suffered; other packages that need the same find it again once they are kept again, too. Valid signatures that it was not
 * kept with are joined to those that it was kept with.
 *
 * Throws what `inspectEngram` throws, `ERR_KARYON_PACKAGE` where a list of the folder is damaged, `ERR_KARYON_PACKAGE_LIMIT`,
 * `ERR_KARYON_OWNED` while another process or worker writes in the folder; within an isolate one waits for the other.
 *
 * Cost: the package is read once (twice where one of its root is there that is not as it should be), what it shares once, and the lists of all packages; memory for 56 to 128 bytes for each different chunk of the folder, of 4 KiB
 * on average, and 48 for each of the package. It gives way to others every few milliseconds, but while the lookup is put
 * into the order of its nodes: 0.3 s for 200,000 of them; a lookup of more than 2^20 rows, some 700,000 nodes and 1.1 s, is kept as it is.
 *
 * @example
 * const { stored } = await keepEngram('./react-1.1.0.engram', './engrams')
 */
export async function keepEngram(path: string, folder: string): Promise<Kept> {
  checkedPath(path)
  makeFolder(checkedPath(folder))
  return alone(folder, async () => {
    sweep(folder)
    const looked = lookAt(path, {})
    try {
      return await keep(looked, folder)
    } finally {
      looked.blocks.close()
    }
  })
}

/**
 * Puts a kept package together again, byte for byte, signatures included. Each chunk is checked, and the whole against the root; it is there under
 * its name once it is whole, in the place of what had that name.
 *
 * Throws `ERR_KARYON_PACKAGE` where list or packs are damaged or contradict themselves, `ERR_KARYON_PACKAGE_ROOT` where bytes are others than were
 * kept, `ERR_KARYON_IO` also where there is no such package. Cost: the package is read and written once, and read once more.
 *
 * @example
 * await restoreEngram('./engrams', root, './react.engram')
 */
export async function restoreEngram(folder: string, root: string, path: string): Promise<Inspected> {
  checkedPath(folder)
  checkedPath(path)
  const place = listPath(folder, checkedRoot(root))
  for (let tries = 1; ; tries++) {
    using list = new KeptList(place, root)
    try {
      return await restore(list, folder, path)
    } catch (error) {
      if (tries === RESTORES_MAX || !isReplaced(list)) throw error
    }
  }
}

/** Whether a list is another one by now, as packs have been put together anew. */
function isReplaced(list: KeptList): boolean {
  try {
    using now = new KeptList(list.path, list.head.root)
    return !now.isAs(list)
  } catch (error) {
    if (error instanceof KaryonError) return false
    throw error
  }
}

async function restore(list: KeptList, folder: string, path: string): Promise<Inspected> {
  const { root } = list.head
  const turn = turns()
  using packs = new Packs(folder, list.head.packs)
  const file = new NewFile(path)
  try {
    for (const part of restoredParts(list, packs)) {
      file.write(part)
      await turn()
    }
    file.sync()
    const inspected = await verified(file.temporary, turn)
    if (inspected.root !== root) throw damaged(list.path, 'its chunks are another package')
    if (!encodeManifest(inspected.manifest).equals(encodeManifest(list.head.manifest))) {
      throw damaged(list.path, 'its manifest is not that of the package')
    }
    file.rename()
    return inspected
  } finally {
    file.abandon()
  }
}

/**
 * The packages that are kept in a folder, by root, ascending; none where there is no such folder. Throws `ERR_KARYON_PACKAGE` where a list is
 * damaged. Cost: the head of each list is read.
 *
 * @example
 * keptEngrams('./engrams').filter(({ name }) => name === 'react')
 */
export function keptEngrams(folder: string): readonly KeptInfo[] {
  checkedPath(folder)
  return rootsIn(folder).map((root) => {
    using list = new KeptList(listPath(folder, root), root)
    const { manifest, bytes, packBytes } = list.head
    return { root, name: manifest.name, version: manifest.version, bytes, own: packBytes + list.fileBytes }
  })
}

/**
 * Lets go of a package, also of one whose list is damaged. Packs in which no other one has a chunk are removed; of those that stay, and of which more
 * than a third is used by nobody any more, what is used is put together in a new pack. So packs take at most half as much again as what is used of them.
 *
 * Throws `ERR_KARYON_IO` where there is no such package, `ERR_KARYON_PACKAGE` where the list of another one is damaged: then this one is gone,
 * but its packs may not be. `ERR_KARYON_OWNED` as `keepEngram`. Cost: all lists are read, and what is put together anew is read and written, at most twice what
 * becomes free; memory for 56 to 128 bytes for each different chunk of the folder.
 *
 * @example
 * await dropEngram('./engrams', root)
 */
export async function dropEngram(folder: string, root: string): Promise<void> {
  const path = listPath(checkedPath(folder), checkedRoot(root))
  await alone(folder, async () => {
    withFile(path, () => {
      rmSync(path)
      syncDirectory(join(folder, 'packages'))
    })
    sweep(folder)
    await repack(folder, turns())
  })
}

/** The bytes of a kept package. */
function* restoredParts(list: KeptList, packs: Packs): Generator<Buffer, void> {
  const { flat } = list.head
  if (!flat) return yield* chunksIn(list, packs)
  yield* replaced(chunksIn(list, packs), flat.offset, flat.offset + flat.bytes, (bytes) => {
    const table = unflatten(bytes, flat.rows)
    if (!table) throw damaged(list.path, 'its lookup is none')
    return table
  })
}

function* chunksIn(list: KeptList, packs: Packs): Generator<Buffer, void> {
  for (const { rows, at, place } of list.rows()) yield packs.open(place.pack).chunk(place, rows, at)
}

/** Reads all of a package, and verifies it. */
async function verified(path: string, turn: Turn): Promise<Inspected> {
  const { blocks, sections, inspected } = lookAt(path, {})
  try {
    const parts = blocks.verified()
    while (parts.next().done !== true) await turn()
    checkGaps(blocks, sections)
    return inspected
  } finally {
    blocks.close()
  }
}

async function keep({ blocks, sections, inspected }: Looked, folder: string): Promise<Kept> {
  const { root, manifest } = inspected
  const turn = turns()
  const path = listPath(folder, root)
  const isKnown = existsSync(path)
  let signatures = blocks.unverified(blocks.treeEnd, blocks.fileBytes - blocks.treeEnd)
  const lookup = lookupOf(blocks, sections)
  if (isKnown) {
    using list = new KeptList(path, root)
    using packs = new Packs(folder, list.head.packs)
    const end = chunkBytes({ bytes: blocks.treeEnd, flat: list.head.flat })
    const kept = await signaturesOf(list, packs, end, turn)
    if (kept) signatures = joinedSignatures(kept, signatures, blocks.root)
    const isSaid =
      encodeManifest(list.head.manifest).equals(encodeManifest(manifest)) &&
      (!list.head.flat || isDeepStrictEqual(list.head.flat, lookup?.flat))
    if (isSaid && (await isWhole(list, packs, partsOf(blocks, signatures, list.head.flat && lookup), turn))) {
      checkGaps(blocks, sections)
      const { bytes, chunks } = list.head
      return { root, bytes, stored: 0, chunks, shared: chunks }
    }
  }
  const names: PackName[] = []
  const index = await indexOf(folder, names, turn)
  using keeping = new Keeping(folder, root, names, index)
  for (const chunk of chunksOf(partsOf(blocks, signatures, lookup))) {
    keeping.add(chunk)
    await turn()
  }
  checkGaps(blocks, sections)
  const kept = keeping.finish({
    root,
    manifest,
    bytes: blocks.treeEnd + signatures.length,
    flat: lookup?.flat,
  })
  // Of the list that had its name before some packs may be of no use to any other.
  if (isKnown) sweep(folder)
  return kept
}

/** All bytes of a package; those that the root stands for are verified. */
function* partsOf(
  blocks: Looked['blocks'],
  signatures: Buffer,
  lookup: Lookup | undefined,
): Generator<Buffer, void> {
  if (!lookup) yield* blocks.verified()
  else {
    const { offset, rows } = lookup.flat
    yield* replaced(blocks.verified(), offset, offset + rows * ROW_BYTES, () => lookup.bytes)
  }
  yield signatures
}

/** The lookup of a package as it is kept. */
interface Lookup {
  readonly bytes: Buffer
  readonly flat: Flat
}

/** Nothing where it is kept as it is. */
function lookupOf(blocks: Looked['blocks'], { keys }: Looked['sections']): Lookup | undefined {
  const { offset, bytes } = keys
  if (bytes === 0 || bytes % ROW_BYTES !== 0 || bytes > FLAT_ROWS_MAX * ROW_BYTES) return undefined
  const cursor = new Cursor(blocks, offset, offset + bytes)
  cursor.need(bytes)
  const flat = flatten(cursor.bytes.subarray(cursor.at, cursor.at + bytes))
  return flat && { bytes: flat, flat: { offset, bytes: flat.length, rows: bytes / ROW_BYTES } }
}

/** Whether a list is of just these bytes, and all of them are where it says. */
async function isWhole(
  list: KeptList,
  packs: Packs,
  parts: Iterable<Uint8Array>,
  turn: Turn,
): Promise<boolean> {
  const rows = list.rows()
  for (const chunk of chunksOf(parts)) {
    const row = rows.next()
    if (row.done === true || !packs.holds(row.value.place, chunk)) return false
    await turn()
  }
  return rows.next().done === true
}

/** The signatures of a kept package, which begin at so many bytes; nothing where they are not there as they were kept. */
async function signaturesOf(
  list: KeptList,
  packs: Packs,
  from: number,
  turn: Turn,
): Promise<Buffer | undefined> {
  const bytes = chunkBytes(list.head)
  if (bytes < from + COUNT_BYTES || bytes > from + signatureBytes(SIGNATURES_MAX)) return undefined
  const parts: Buffer[] = []
  let at = 0
  for (const { rows, at: row, place } of list.rows()) {
    await turn()
    at += place.length
    if (at <= from) continue
    const chunk = packs.chunk(place, rows, row)
    if (!chunk) return undefined
    parts.push(parts.length === 0 ? chunk.subarray(Math.max(0, chunk.length - (at - from))) : chunk)
  }
  const all = Buffer.concat(parts)
  return all.length === signatureBytes(all.readUInt32LE(0)) ? all : undefined
}

/** Where all chunks of a folder lie, but for packs that are lost; the packs get the numbers in which `names` has them then. */
async function indexOf(folder: string, names: PackName[], turn: Turn): Promise<ChunkIndex> {
  const index = new ChunkIndex()
  const numbers = new Map<string, number>()
  const sizes: number[] = []
  for (const root of rootsIn(folder)) {
    using list = new KeptList(listPath(folder, root), root)
    const here = list.head.packs.map((name) => {
      const path = packPath(folder, name)
      const known = numbers.get(path)
      if (known !== undefined) return known
      sizes.push(bytesOf(path, name))
      numbers.set(path, names.length)
      return names.push(name) - 1
    })
    for (const { rows, at, place } of list.rows()) {
      const pack = here[place.pack]!
      if (place.offset + place.length <= sizes[pack]!) index.add(rows, at, { ...place, pack })
      await turn()
    }
  }
  return index
}
