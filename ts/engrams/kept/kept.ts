// Packages kept in a folder, in which what they have in common is there once.
import { hash } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Writer } from '../../values/writer.ts'
import { checkedPath } from '../arguments.ts'
import { ChunkIndex, type Place } from './chunk-index.ts'
import { chunksOf } from './chunking.ts'
import { type Looked, checkGaps, lookAt } from '../inspect.ts'
import { alone, checkedRoot, listPath, makeFolder, packPath, rootsIn, sweep } from './folder.ts'
import {
  KeptList,
  LISTED_MAX,
  type ListHead,
  PACKS_MAX,
  Pack,
  type PackName,
  damaged,
  encodeListHead,
  encodeRow,
  listBytes,
  packHead,
  sumOf,
} from './list.ts'
import { checkLimit } from '../limits.ts'
import { encodeManifest } from '../manifest.ts'
import { NewFile } from '../new-file.ts'
import { syncDirectory } from '../output.ts'
import { withFile } from '../refusals.ts'
import { turns } from '../turns.ts'
import type { Inspected, Kept, KeptInfo } from '../types.ts'

/** Packs that are open at once. */
const OPEN_PACKS_MAX = 64

type Turn = () => Promise<void> | undefined

/**
 * Keeps a package in a folder, which is made if there is none: of what it is, only that is stored which no package of the folder has. It is verified
 * while it is read, every block of it; who has signed it is not asked. It is kept once this resolves, and not at all if it does not: what is
 * left of one that was broken off is removed by the next one. A package of the same root stores nothing: its signatures are those it was first kept with.
 *
 * Throws what `inspectEngram` throws, `ERR_KARYON_PACKAGE` where a list or pack of the folder is damaged, `ERR_KARYON_PACKAGE_LIMIT`,
 * `ERR_KARYON_OWNED` while another process or worker writes in the folder; within an isolate one waits for the other.
 *
 * Cost: the package is read once, and the lists of all packages; memory for 56 to 128 bytes for each different chunk of the folder, of 4 KiB
 * on average, and 48 for each of the package. It gives way to others every few milliseconds.
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
  const turn = turns()
  using list = new KeptList(listPath(folder, checkedRoot(root)), root)
  const file = new NewFile(path)
  const packs = new Packs(folder, list.head.packs)
  try {
    for (const { rows, at, place } of list.rows()) {
      file.write(packs.open(place.pack).chunk(place, rows, at))
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
    packs.close()
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
 * Lets go of a package, also of one whose list is damaged. Packs in which no other one has a chunk are removed; of those that stay, everything stays.
 *
 * Throws `ERR_KARYON_IO` where there is no such package, `ERR_KARYON_PACKAGE` where the list of another one is damaged: then this one is gone,
 * but its packs are not. `ERR_KARYON_OWNED` as `keepEngram`. Cost: the head of each list is read.
 */
export async function dropEngram(folder: string, root: string): Promise<void> {
  const path = listPath(checkedPath(folder), checkedRoot(root))
  await alone(folder, () => {
    withFile(path, () => {
      rmSync(path)
      syncDirectory(join(folder, 'packages'))
    })
    sweep(folder)
  })
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
  const { root, manifest, bytes } = inspected
  const turn = turns()
  const path = listPath(folder, root)
  if (existsSync(path)) {
    using list = new KeptList(path, root)
    const parts = blocks.verified()
    while (parts.next().done !== true) await turn()
    checkGaps(blocks, sections)
    const { chunks } = list.head
    return { root, bytes, stored: 0, chunks, shared: chunks }
  }
  const names: PackName[] = []
  const index = await indexOf(folder, names, turn)
  const keeping = new Keeping(folder, root, names, index)
  try {
    for (const chunk of chunksOf(partsOf(blocks))) {
      keeping.add(chunk)
      await turn()
    }
    checkGaps(blocks, sections)
    return keeping.finish({ root, manifest, bytes })
  } finally {
    keeping.abandon()
  }
}

/** All bytes of a package; those that the root stands for are verified. */
function* partsOf(blocks: Looked['blocks']): Generator<Buffer, void> {
  yield* blocks.verified()
  yield blocks.unverified(blocks.treeEnd, blocks.fileBytes - blocks.treeEnd)
}

/** Where all chunks of a folder lie; the packs get the numbers in which `names` has them then. */
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
      using pack = new Pack(path, name)
      sizes.push(pack.bytes)
      numbers.set(path, names.length)
      return names.push(name) - 1
    })
    for (const { rows, at, place } of list.rows()) {
      const pack = here[place.pack]!
      // What is not there would be shared with whatever comes.
      if (place.offset + place.length > sizes[pack]!) {
        throw damaged(packPath(folder, names[pack]!), `${list.path} has a chunk behind its end`)
      }
      index.add(rows, at, { ...place, pack })
      await turn()
    }
  }
  return index
}

/** A package that is being kept: the pack of what is new, and the rows of its list. */
class Keeping {
  readonly #folder: string
  readonly #own: PackName
  readonly #names: readonly PackName[]
  readonly #index: ChunkIndex
  /** The packs of the list, in the order in which they are first named, and their places in it. */
  readonly #packs: PackName[] = []
  readonly #places = new Map<number, number>()
  readonly #rows = new Writer()
  #pack: NewFile | undefined
  #list: NewFile | undefined
  #chunks = 0
  #shared = 0

  constructor(folder: string, root: string, names: readonly PackName[], index: ChunkIndex) {
    this.#folder = folder
    this.#names = names
    this.#index = index
    let number = 0
    while (existsSync(packPath(folder, { root, number }))) number++
    this.#own = { root, number }
  }

  add(chunk: Buffer): void {
    checkLimit('the number of chunks of a kept package', ++this.#chunks, LISTED_MAX)
    const digest = hash('sha256', chunk, 'buffer')
    let place = this.#index.find(digest)
    if (place) this.#shared++
    else {
      place = this.#store(chunk)
      this.#index.add(digest, 0, place)
    }
    const row = encodeRow(digest, { ...place, pack: this.#listed(place.pack) })
    this.#rows.append({ bytes: row, length: row.length })
  }

  #store(chunk: Buffer): Place {
    if (!this.#pack) {
      this.#pack = new NewFile(packPath(this.#folder, this.#own))
      this.#pack.write(packHead(this.#own))
    }
    const offset = this.#pack.length
    this.#pack.write(chunk)
    return { pack: this.#names.length, offset, length: chunk.length }
  }

  /** The place of a pack in the list. */
  #listed(pack: number): number {
    const known = this.#places.get(pack)
    if (known !== undefined) return known
    const place = this.#packs.push(this.#names[pack] ?? this.#own) - 1
    checkLimit('the number of packs of a kept package', place + 1, PACKS_MAX)
    this.#places.set(pack, place)
    return place
  }

  /** First the pack is there, then the list, and with it the package. */
  finish(said: Pick<ListHead, 'root' | 'manifest' | 'bytes'>): Kept {
    const packBytes = this.#pack?.length ?? 0
    const head = { ...said, packBytes, chunks: this.#chunks, packs: this.#packs }
    const rows = this.#rows.bytes.subarray(0, this.#rows.length)
    const start = encodeListHead(head)
    this.#list = new NewFile(listPath(this.#folder, said.root))
    for (const part of [start, rows, sumOf(start, rows)]) this.#list.write(part)
    this.#pack?.sync()
    this.#list.sync()
    this.#pack?.rename()
    this.#list.rename()
    const stored = packBytes + listBytes(head)
    return { root: said.root, bytes: said.bytes, stored, chunks: this.#chunks, shared: this.#shared }
  }

  /** Gives up what is not finished. Nothing once it is. */
  abandon(): void {
    this.#pack?.abandon()
    this.#list?.abandon()
  }
}

/** The packs of a list, some of them open. */
class Packs {
  readonly #folder: string
  readonly #names: readonly PackName[]
  readonly #open = new Map<number, Pack>()

  constructor(folder: string, names: readonly PackName[]) {
    this.#folder = folder
    this.#names = names
  }

  open(number: number): Pack {
    const known = this.#open.get(number)
    if (known) return known
    if (this.#open.size === OPEN_PACKS_MAX) {
      const [first, pack] = this.#open.entries().next().value!
      this.#open.delete(first)
      pack[Symbol.dispose]()
    }
    const name = this.#names[number]!
    const pack = new Pack(packPath(this.#folder, name), name)
    this.#open.set(number, pack)
    return pack
  }

  close(): void {
    for (const pack of this.#open.values()) pack[Symbol.dispose]()
    this.#open.clear()
  }
}
