// A package as it is written: block after block, each hashed on the way, under another name until it is whole.
import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { Writer } from '../values/writer.ts'
import { Behind } from './behind.ts'
import {
  ALIGNMENT,
  BLOCK_BYTES,
  HASH_BYTES,
  OFFSET_MAX,
  type Section,
  type Sections,
  aligned,
  encodeHead,
  firstSection,
} from './layout.ts'
import { checkLimit } from './limits.ts'
import { withFile } from './refusals.ts'
import { LEAD_BYTES, hashOf, levelsOver, treeOver } from './tree.ts'

const ZEROS = Buffer.alloc(ALIGNMENT)
/** Bytes that are hashed and written together: whole blocks. */
const PIECE_BYTES: number = 16 * BLOCK_BYTES

/** A file that becomes a package. */
export class Output {
  readonly #path: string
  readonly #temporary: string
  readonly #file: number
  readonly #most: number
  readonly #format: number
  readonly #behind: Behind
  /** The first block is written last: its head says where everything is. */
  #first: Buffer | undefined
  /** The blocks that are being filled, with room before them. */
  #piece: Buffer
  #used = 0
  /** Where in the file they begin. */
  #start = 0
  /** The hashes of all blocks; that of the first one comes at the end. */
  readonly #leaves = new Writer()
  readonly #length = new Writer()
  #isOpen = true

  constructor(path: string, bytesMax: number, format: number) {
    this.#path = path
    this.#format = format
    this.#most = Math.min(bytesMax, OFFSET_MAX)
    this.#temporary = `${path}.${randomUUID()}.tmp`
    this.#file = withFile(path, () => openSync(this.#temporary, 'wx'))
    this.#behind = new Behind(path, this.#file, LEAD_BYTES + PIECE_BYTES)
    this.#piece = this.#behind.piece()
    this.write(Buffer.alloc(firstSection(format)))
  }

  /** Where in the file the next byte is written. */
  get position(): number {
    return this.#start + this.#used
  }

  write(bytes: Buffer, length: number = bytes.length): void {
    for (let done = 0; done < length;) {
      if (this.#used === PIECE_BYTES) this.#flush()
      const count = Math.min(length - done, PIECE_BYTES - this.#used)
      bytes.copy(this.#piece, LEAD_BYTES + this.#used, done, done + count)
      this.#used += count
      done += count
    }
  }

  /** The length of what a writer holds, and that. */
  record({ bytes, length }: Writer): void {
    this.#length.length = 0
    this.#length.varint(length)
    this.write(this.#length.bytes, this.#length.length)
    this.write(bytes, length)
  }

  /** What a writer holds, which is empty then. */
  take(writer: Writer): void {
    this.write(writer.bytes, writer.length)
    writer.length = 0
  }

  /** Zeros up to where a section may begin. */
  align(): void {
    this.write(ZEROS.subarray(0, aligned(this.position) - this.position))
  }

  /** Writes a section. */
  async section(entries: number, write: () => Promise<void> | void): Promise<Section> {
    const offset = this.position
    await write()
    const bytes = this.position - offset
    this.align()
    return { offset, bytes, entries }
  }

  #flush(): void {
    checkLimit('the size of the package in bytes', this.position, this.#most)
    const [piece, used] = [this.#piece, this.#used]
    for (let at = 0; at < used; at += BLOCK_BYTES) {
      const block = piece.subarray(at, LEAD_BYTES + Math.min(used, at + BLOCK_BYTES))
      this.#leaves.append({
        bytes: this.#hashOf(block, (this.#start + at) / BLOCK_BYTES),
        length: HASH_BYTES,
      })
    }
    if (this.#start === 0)
      this.#first = Buffer.from(piece.subarray(0, LEAD_BYTES + Math.min(used, BLOCK_BYTES)))
    this.#behind.put(piece, LEAD_BYTES, LEAD_BYTES + used, this.#start)
    this.#piece = this.#behind.piece()
    this.#start += used
    this.#used = 0
  }

  /** The hash of a block; what is hashed with it stands over the end of the one before meanwhile. */
  #hashOf(block: Buffer, number: number): Buffer {
    const before = Buffer.from(block.subarray(0, LEAD_BYTES))
    const hash = hashOf(block, 0, number)
    before.copy(block)
    return hash
  }

  /** Writes head, tree and what signs the root; then the package is there under its name. */
  async finish(sections: Sections, sign: (root: Buffer) => Buffer): Promise<void> {
    const bytes = this.position
    this.#flush()
    // What comes now is written over what may be on its way still.
    await this.#behind.settled()
    const first = this.#first!
    encodeHead({ format: this.#format, bytes, levels: levelsOver(bytes).length }, sections).copy(
      first,
      LEAD_BYTES,
    )
    const leaves = this.#leaves.bytes.subarray(0, this.#leaves.length)
    hashOf(first, 0, 0).copy(leaves)
    this.#behind.putNow(first.subarray(LEAD_BYTES), 0)
    const { levels, root } = treeOver(leaves)
    let end = bytes
    for (const part of [...levels, sign(root)]) {
      this.#behind.putNow(part, end)
      end += part.length
    }
    checkLimit('the size of the package in bytes', end, this.#most)
    await this.#behind.synced()
    withFile(this.#path, () => {
      this.#close()
      renameSync(this.#temporary, this.#path)
      syncDirectory(dirname(this.#path))
    })
  }

  #close(): void {
    if (this.#isOpen) closeSync(this.#file)
    this.#isOpen = false
  }

  /** Gives up what is not finished. Nothing once it is. */
  async abandon(): Promise<void> {
    // Its number may be that of another file once it is closed.
    await this.#behind.settled()
    this.#close()
    rmSync(this.#temporary, { force: true })
  }

  /** Numbers that are written and then read, beside the file. */
  spool(name: string): Spool {
    return new Spool(`${this.#temporary}.${name}`)
  }
}

/** The name of the file is durable once its directory is. */
export function syncDirectory(path: string): void {
  // Windows has no handle for a directory, and needs none.
  if (process.platform === 'win32') return
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/** Numbers held in memory at once. */
const SPOOLED = 16_384
const NUMBER_BYTES = 4

/** A queue of numbers of 32 bits on disk: all of them are put in before the first is taken out. */
export class Spool {
  readonly #path: string
  readonly #file: number
  readonly #held = new Uint32Array(SPOOLED)
  #at = 0
  #written = 0
  #read = 0

  constructor(path: string) {
    this.#path = path
    this.#file = withFile(path, () => openSync(path, 'wx+'))
  }

  put(number: number): void {
    if (this.#at === SPOOLED) this.#spill()
    this.#held[this.#at++] = number
  }

  /** Puts in a number of 53 bits, as two. */
  putLong(number: number): void {
    this.put(number % 2 ** 32)
    this.put(Math.floor(number / 2 ** 32))
  }

  #bytes(count: number): Buffer {
    return Buffer.from(this.#held.buffer, 0, count * NUMBER_BYTES)
  }

  #spill(): void {
    const bytes = this.#bytes(this.#at)
    withFile(this.#path, () => {
      for (let done = 0; done < bytes.length;) {
        done += writeSync(this.#file, bytes, done, bytes.length - done, this.#written + done)
      }
    })
    this.#written += bytes.length
    this.#at = 0
  }

  /** From now on numbers are taken out. */
  rewind(): void {
    this.#spill()
    this.#at = SPOOLED
  }

  take(): number {
    if (this.#at === SPOOLED) {
      const bytes = this.#bytes(SPOOLED)
      this.#read += withFile(this.#path, () => readSync(this.#file, bytes, 0, bytes.length, this.#read))
      this.#at = 0
    }
    return this.#held[this.#at++] as number
  }

  takeLong(): number {
    const lower = this.take()
    return lower + this.take() * 2 ** 32
  }

  close(): void {
    closeSync(this.#file)
    rmSync(this.#path, { force: true })
  }
}
