// A package on its way into a folder: what of it is new, and the list of all.
import { hash } from 'node:crypto'
import { Writer } from '../../values/writer.ts'
import { checkLimit } from '../limits.ts'
import { NewFile } from '../new-file.ts'
import type { Kept } from '../types.ts'
import type { ChunkIndex, Place } from './chunk-index.ts'
import { freeName, listPath, packPath } from './folder.ts'
import {
  LISTED_MAX,
  type ListHead,
  PACKS_MAX,
  type PackName,
  encodeListHead,
  encodeRow,
  listBytes,
  packHead,
  sumOf,
} from './list.ts'
import { Packs } from './packs.ts'

/** A package that is being kept: the pack of what is new, and the rows of its list. */
export class Keeping implements Disposable {
  readonly #folder: string
  readonly #own: PackName
  readonly #names: readonly PackName[]
  readonly #index: ChunkIndex
  readonly #known: Packs
  /** The packs of the list, in the order in which they are first named, and their places in it. */
  readonly #packs: PackName[] = []
  readonly #places = new Map<number, number>()
  readonly #rows = new Writer()
  #pack: NewFile | undefined
  #list: NewFile | undefined
  #chunks = 0
  #shared = 0

  /** The packs of the index have the numbers of `names`. */
  constructor(folder: string, root: string, names: readonly PackName[], index: ChunkIndex) {
    this.#folder = folder
    this.#names = names
    this.#index = index
    this.#known = new Packs(folder, names)
    this.#own = freeName(folder, root, names)
  }

  add(chunk: Buffer): void {
    checkLimit('the number of chunks of a kept package', ++this.#chunks, LISTED_MAX)
    const digest = hash('sha256', chunk, 'buffer')
    let place = this.#index.find(digest)
    if (place && this.#isAt(place, chunk)) this.#shared++
    else {
      place = this.#store(chunk)
      this.#index.put(digest, 0, place)
    }
    const row = encodeRow(digest, { ...place, pack: this.#listed(place.pack) })
    this.#rows.append({ bytes: row, length: row.length })
  }

  /** Whether a chunk is where it should be: what a disk has lost, or has otherwise, is shared with nothing. */
  #isAt(place: Place, chunk: Buffer): boolean {
    return place.pack === this.#names.length || this.#known.holds(place, chunk)
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
  finish(said: Pick<ListHead, 'root' | 'manifest' | 'bytes' | 'flat'>): Kept {
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

  /** Lets go of what is open, and gives up what is not finished. */
  [Symbol.dispose](): void {
    this.#known[Symbol.dispose]()
    this.#pack?.abandon()
    this.#list?.abandon()
  }
}
