// The list of a kept package: of which chunks it is, and where each lies.
import { createHash, hash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { KaryonError } from '../../errors.ts'
import type { Place } from './chunk-index.ts'
import { CHUNK_BYTES_MAX } from './chunking.ts'
import { FLAT_ROWS_MAX, type Flat } from './flat.ts'
import { HASH_BYTES, ROW_BYTES, getLong, putLong } from '../layout.ts'
import { checkLimit, limitsOf } from '../limits.ts'
import { checkManifest, decodeManifest, encodeManifest } from '../manifest.ts'
import { withFile } from '../refusals.ts'
import type { Manifest } from '../types.ts'

/** The newest format of lists that is understood. What says nothing that is new in it is written in the first. */
export const LIST_FORMAT = 2
/** The newest format of packs that is understood, and the one that is written. */
export const PACK_FORMAT = 1
/** Chunks of one package: 64 GiB of them, at 4 KiB. */
export const LISTED_MAX: number = 2 ** 24
/** Packs in which the chunks of one package lie. */
export const PACKS_MAX = 65_536
/** Bytes of a row of a list. */
export const LISTED_BYTES = 48
/** Bytes before the first chunk of a pack. */
export const PACK_HEAD_BYTES = 48
/** Bytes of a list before its manifest. */
const HEAD_BYTES = 72
/** Bytes behind them in format 2: where the lookup is. */
const FLAT_BYTES = 24
/** Bytes for each pack: a root, and the number. */
const PACK_BYTES: number = HASH_BYTES + 4
/** Rows that are read at once. */
const ROWS_AT_ONCE = 4_096

const LIST_MAGIC = Buffer.from('KARYLIST', 'latin1')
const PACK_MAGIC = Buffer.from('KARYPACK', 'latin1')
const READING: number = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** Which pack: the package that it was written for, and a number where that was kept, dropped and kept again. */
export interface PackName {
  readonly root: string
  readonly number: number
}

/** What a list says before its rows. */
export interface ListHead {
  readonly root: string
  readonly manifest: Manifest
  /** Of the package. */
  readonly bytes: number
  /** Of the pack that was written for it, with its head; 0 for none. */
  readonly packBytes: number
  readonly chunks: number
  readonly packs: readonly PackName[]
  /** Where the lookup is, where it is kept in an order of its own: `flat.ts`. */
  readonly flat?: Flat | undefined
}

/** Bytes of all chunks of a package. */
export function chunkBytes({ bytes, flat }: Pick<ListHead, 'bytes' | 'flat'>): number {
  return flat ? bytes - flat.rows * ROW_BYTES + flat.bytes : bytes
}

/** What is said of a file of such a folder that is not what was written. */
export function damaged(path: string, what: string): KaryonError {
  const message = `${path} is damaged: ${what}; drop the packages that need it, and keep them again from their files`
  return new KaryonError('ERR_KARYON_PACKAGE', message, { details: { path } })
}

/** The head of a pack. */
export function packHead({ root, number }: PackName): Buffer {
  const head = Buffer.alloc(PACK_HEAD_BYTES)
  PACK_MAGIC.copy(head)
  head.writeUInt32LE(PACK_FORMAT, 8)
  head.writeUInt32LE(number, 12)
  head.write(root, 16, 'hex')
  return head
}

/** Bytes of a list. */
export function listBytes({ manifest, packs, chunks, flat }: ListHead): number {
  return (
    HEAD_BYTES +
    (flat ? FLAT_BYTES : 0) +
    encodeManifest(manifest).length +
    packs.length * PACK_BYTES +
    HASH_BYTES +
    chunks * LISTED_BYTES +
    HASH_BYTES
  )
}

/** Everything before the rows. */
export function encodeListHead({ root, manifest, bytes, packBytes, chunks, packs, flat }: ListHead): Buffer {
  const said = encodeManifest(manifest)
  const head = Buffer.alloc(HEAD_BYTES + (flat ? FLAT_BYTES : 0))
  LIST_MAGIC.copy(head)
  head.writeUInt32LE(flat ? 2 : 1, 8)
  if (flat) {
    putLong(head, flat.offset, 72)
    putLong(head, flat.bytes, 80)
    putLong(head, flat.rows, 88)
  }
  head.writeUInt32LE(packs.length, 12)
  head.write(root, 16, 'hex')
  putLong(head, bytes, 48)
  putLong(head, packBytes, 56)
  head.writeUInt32LE(chunks, 64)
  head.writeUInt32LE(said.length, 68)
  const table = Buffer.alloc(packs.length * PACK_BYTES)
  packs.forEach((pack, at) => {
    table.write(pack.root, at * PACK_BYTES, 'hex')
    table.writeUInt32LE(pack.number, at * PACK_BYTES + HASH_BYTES)
  })
  const all = Buffer.concat([head, said, table])
  return Buffer.concat([all, hash('sha256', all, 'buffer')])
}

/** A row: SHA-256 · u64 offset · u32 bytes · u32 which pack of the list. */
export function encodeRow(digest: Buffer, { pack, offset, length }: Place): Buffer {
  const row = Buffer.allocUnsafe(LISTED_BYTES)
  digest.copy(row)
  putLong(row, offset, HASH_BYTES)
  row.writeUInt32LE(length, 40)
  row.writeUInt32LE(pack, 44)
  return row
}

/** The sum behind the rows, over that of the head and all of them. */
export function sumOf(head: Buffer, rows: Buffer): Buffer {
  return createHash('sha256').update(head.subarray(-HASH_BYTES)).update(rows).digest()
}

/** A list that is open; its head is checked. */
export class KeptList implements Disposable {
  readonly path: string
  readonly head: ListHead
  /** Of the list. */
  readonly fileBytes: number
  readonly #file: number
  readonly #rowsAt: number
  readonly #headSum: Buffer

  /** Throws `ERR_KARYON_PACKAGE` for what is no list of this root, `ERR_KARYON_PACKAGE_LIMIT`, `ERR_KARYON_IO`. */
  constructor(path: string, root: string) {
    this.path = path
    this.#file = withFile(path, () => openSync(path, READING))
    try {
      const stat = withFile(path, () => fstatSync(this.#file))
      if (!stat.isFile()) throw damaged(path, 'it is not a file')
      this.fileBytes = stat.size
      const fixed = this.#read(0, HEAD_BYTES)
      checkFormat(path, fixed, LIST_MAGIC, LIST_FORMAT)
      const headEnd = HEAD_BYTES + (fixed.readUInt32LE(8) === 1 ? 0 : FLAT_BYTES)
      const [packs, chunks, said] = [fixed.readUInt32LE(12), fixed.readUInt32LE(64), fixed.readUInt32LE(68)]
      const most = limitsOf()
      checkLimit('the number of packs of a kept package', packs, PACKS_MAX)
      checkLimit('the number of chunks of a kept package', chunks, LISTED_MAX)
      checkManifest(said, most.manifestBytes)
      const headBytes = headEnd + said + packs * PACK_BYTES
      this.#rowsAt = headBytes + HASH_BYTES
      if (stat.size !== this.#rowsAt + chunks * LISTED_BYTES + HASH_BYTES) {
        throw damaged(path, 'it has more or fewer bytes than it says')
      }
      const all = this.#read(0, headBytes)
      this.#headSum = this.#read(headBytes, HASH_BYTES)
      if (!hash('sha256', all, 'buffer').equals(this.#headSum))
        throw damaged(path, 'its head has another sum')
      if (all.toString('hex', 16, 48) !== root) throw damaged(path, 'it is the list of another package')
      const [bytes, packBytes] = [getLong(all, 48), getLong(all, 56)]
      checkLimit('the size of the package in bytes', bytes, most.bytes)
      const manifest = decodeManifest(all.subarray(headEnd, headEnd + said))
      const table = all.subarray(headEnd + said)
      const names = Array.from({ length: packs }, (_, at) => ({
        root: table.toString('hex', at * PACK_BYTES, at * PACK_BYTES + HASH_BYTES),
        number: table.readUInt32LE(at * PACK_BYTES + HASH_BYTES),
      }))
      const flat =
        headEnd === HEAD_BYTES
          ? undefined
          : { offset: getLong(all, 72), bytes: getLong(all, 80), rows: getLong(all, 88) }
      this.head = { root, manifest, bytes, packBytes, chunks, packs: names, flat }
      if (flat && !isFlat(flat, chunkBytes(this.head))) throw damaged(path, 'it has no such lookup')
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  /** Whether another list has the same packs, of the same package. */
  isAs(other: KeptList): boolean {
    return this.#headSum.equals(other.#headSum)
  }

  #read(offset: number, bytes: number): Buffer {
    return readAt(this.path, this.#file, offset, bytes)
  }

  /**
   * The SHA-256 of each chunk, which stands at `at` of `rows`, and its place, in the order of the package. What comes has the shape of a
   * chunk; whether all of it is what was written is known at the end, where it throws `ERR_KARYON_PACKAGE` if not.
   */
  *rows(): Generator<{ readonly rows: Buffer; readonly at: number; readonly place: Place }, void> {
    const { chunks, packs } = this.head
    const sum = createHash('sha256').update(this.#headSum)
    let [left, next] = [chunkBytes(this.head), this.#rowsAt]
    for (let done = 0; done < chunks; done += ROWS_AT_ONCE) {
      const rows = this.#read(next, Math.min(ROWS_AT_ONCE, chunks - done) * LISTED_BYTES)
      next += rows.length
      sum.update(rows)
      for (let at = 0; at < rows.length; at += LISTED_BYTES) {
        const place = {
          pack: rows.readUInt32LE(at + 44),
          offset: getLong(rows, at + HASH_BYTES),
          length: rows.readUInt32LE(at + 40),
        }
        left -= place.length
        const isChunk =
          place.pack < packs.length &&
          place.offset >= PACK_HEAD_BYTES &&
          place.length > 0 &&
          place.length <= CHUNK_BYTES_MAX &&
          left >= 0
        if (!isChunk) throw damaged(this.path, 'a row of it is no place of a chunk')
        yield { rows, at, place }
      }
    }
    if (left !== 0) throw damaged(this.path, 'its chunks are not as long as the package')
    if (!sum.digest().equals(this.#read(next, HASH_BYTES)))
      throw damaged(this.path, 'its rows have another sum')
  }

  [Symbol.dispose](): void {
    closeSync(this.#file)
  }
}

/** A pack that is open; its head is checked. */
export class Pack implements Disposable {
  readonly path: string
  readonly bytes: number
  readonly #file: number

  constructor(path: string, name: PackName) {
    this.path = path
    this.#file = withFile(path, () => openSync(path, READING))
    try {
      const stat = withFile(path, () => fstatSync(this.#file))
      if (!stat.isFile()) throw damaged(path, 'it is not a file')
      this.bytes = stat.size
      const head = this.#read(0, PACK_HEAD_BYTES)
      checkFormat(path, head, PACK_MAGIC, PACK_FORMAT)
      if (!head.equals(packHead(name))) throw damaged(path, 'it is another pack')
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  #read(offset: number, bytes: number): Buffer {
    return readAt(this.path, this.#file, offset, bytes)
  }

  /** What is in a place, whatever that is. */
  read({ offset, length }: Place): Buffer {
    if (offset + length > this.bytes) throw damaged(this.path, 'it is cut short')
    return this.#read(offset, length)
  }

  /** The bytes of a chunk, whose SHA-256 stands at `at` of `digests`. Throws `ERR_KARYON_PACKAGE_ROOT` for other bytes. */
  chunk(place: Place, digests: Buffer, at: number): Buffer {
    const bytes = this.read(place)
    if (hash('sha256', bytes, 'buffer').compare(digests, at, at + HASH_BYTES) !== 0) {
      const message = `${this.path}: the ${place.length} bytes at ${place.offset} are not what was kept; drop the packages that need it, and keep them again from their files`
      throw new KaryonError('ERR_KARYON_PACKAGE_ROOT', message, { details: { path: this.path, ...place } })
    }
    return bytes
  }

  [Symbol.dispose](): void {
    closeSync(this.#file)
  }
}

/** Whether a lookup is in so many bytes, and no larger than one may be. */
function isFlat({ offset, bytes, rows }: Flat, all: number): boolean {
  return bytes > 0 && rows > 0 && rows <= FLAT_ROWS_MAX && bytes <= rows * ROW_BYTES && offset + bytes <= all
}

function checkFormat(path: string, head: Buffer, magic: Buffer, newest: number): void {
  if (!head.subarray(0, magic.length).equals(magic)) throw damaged(path, 'it begins otherwise')
  const format = head.readUInt32LE(magic.length)
  if (format > newest) {
    const message = `${path} has format ${format}, this Karyon reads up to ${newest}; use a newer one`
    throw new KaryonError('ERR_KARYON_FORMAT_NEWER', message, { details: { format, limit: newest } })
  }
  if (format < 1) throw damaged(path, 'its format is none')
}

function readAt(path: string, file: number, offset: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes)
  for (let done = 0; done < bytes;) {
    const count = withFile(path, () => readSync(file, buffer, done, bytes - done, offset + done))
    if (count === 0) throw damaged(path, 'it is cut short')
    done += count
  }
  return buffer
}
