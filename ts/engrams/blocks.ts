// The blocks of a package: read where they lie, and checked against the tree before a byte of them is believed.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { BLOCK_BYTES, FIRST_SECTION, type Frame, HASH_BYTES, decodeFrame } from './layout.ts'
import { checkLimit } from './limits.ts'
import { altered, closed, malformed, withFile } from './refusals.ts'
import { LEAD_BYTES, blockBuffer, blocksIn, hashOf, levelsOver } from './tree.ts'

/** Blocks that are kept at least: one of each level of the largest tree, and a few to read from. */
const KEPT_MIN = 16
/** Blocks that are read at once where all are. */
const READ_AHEAD = 64

/** What is no file, but a pipe, would be waited for. */
const READING: number = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** A verified block that is kept. */
interface Kept {
  readonly key: number
  readonly bytes: Buffer
  /** The same in numbers of 32 bits. */
  readonly words: Uint32Array
  /** Whether it was asked for since the hand of the clock has passed it. */
  used: boolean
}

/** An open file whose blocks are verified. */
export class Blocks {
  readonly path: string
  /** Of the whole file. */
  readonly fileBytes: number
  readonly frame: Frame
  /** Where the signatures begin. */
  readonly treeEnd: number
  readonly root: Buffer
  #file: number | undefined
  readonly #levelBytes: readonly number[]
  readonly #levelOffsets: readonly number[]
  readonly #most: number
  readonly #kept = new Map<number, Kept>()
  /** The same in a ring: what the hand comes to is let go, unless it was asked for meanwhile. */
  readonly #ring: Kept[] = []
  #hand = 0

  /** Opens a file; nothing of it is read but its head and the top of its tree. */
  constructor(path: string, cacheBytes: number, bytesMax: number) {
    this.path = path
    const file = withFile(path, () => openSync(path, READING))
    this.#file = file
    try {
      const stat = withFile(path, () => fstatSync(file))
      if (!stat.isFile()) throw malformed('it is not a file')
      this.fileBytes = stat.size
      checkLimit('the size of the package in bytes', stat.size, bytesMax)
      this.#most = Math.max(KEPT_MIN, Math.floor(cacheBytes / BLOCK_BYTES))
      this.frame = decodeFrame(this.unverified(0, Math.min(FIRST_SECTION, stat.size)))
      if (this.frame.bytes > stat.size) throw malformed('it is cut short')
      this.#levelBytes = levelsOver(this.frame.bytes)
      if (this.#levelBytes.length !== this.frame.levels) throw malformed('its tree has other levels')
      let end = this.frame.bytes
      this.#levelOffsets = this.#levelBytes.map((bytes) => (end += bytes) - bytes)
      this.treeEnd = end
      if (end > stat.size) throw malformed('it is cut short')
      this.root = this.#top()
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The hash of the highest level, which is kept for good. */
  #top(): Buffer {
    const level = this.#levelBytes.length
    const buffer = this.#read(this.#levelOffsets[level - 1]!, this.#levelBytes[level - 1]!)
    this.#keep(keyOf(level, 0), buffer)
    return hashOf(buffer, level, 0)
  }

  /** Throws when it is closed. */
  checkOpen(): void {
    if (this.#file === undefined) throw closed()
  }

  /** The verified block of this number. */
  block(number: number): Buffer {
    return this.#at(0, number).bytes
  }

  /** The same in numbers of 32 bits, as they stand in it. */
  words(number: number): Uint32Array {
    return this.#at(0, number).words
  }

  /** A block of a level: level 0 is the file up to the tree, the others the tree. */
  #at(level: number, number: number): Kept {
    this.checkOpen()
    const kept = this.#kept.get(keyOf(level, number))
    if (kept) {
      kept.used = true
      return kept
    }
    const [offset, all] =
      level === 0 ? [0, this.frame.bytes] : [this.#levelOffsets[level - 1]!, this.#levelBytes[level - 1]!]
    const start = number * BLOCK_BYTES
    const buffer = this.#read(offset + start, Math.min(BLOCK_BYTES, all - start))
    this.#check(buffer, level, number)
    return this.#keep(keyOf(level, number), buffer)
  }

  #check(buffer: Buffer, level: number, number: number): void {
    const found = hashOf(buffer, level, number)
    if (level === this.#levelBytes.length) {
      if (!found.equals(this.root)) throw this.#altered(level, number)
      return
    }
    const above = this.#at(level + 1, Math.floor((number * HASH_BYTES) / BLOCK_BYTES)).bytes
    const at = (number * HASH_BYTES) % BLOCK_BYTES
    if (found.compare(above, at, at + HASH_BYTES) !== 0) throw this.#altered(level, number)
  }

  #altered(level: number, block: number): Error {
    return altered(`block ${block}${level === 0 ? '' : ` of level ${level} of the tree`}`, { level, block })
  }

  #keep(key: number, buffer: Buffer): Kept {
    const words = new Uint32Array(
      buffer.buffer,
      buffer.byteOffset + LEAD_BYTES,
      (buffer.length - LEAD_BYTES) / 4,
    )
    const kept = { key, bytes: buffer.subarray(LEAD_BYTES), words, used: true }
    this.#kept.set(key, kept)
    if (this.#ring.length < this.#most) {
      this.#ring.push(kept)
      return kept
    }
    for (let other = this.#ring[this.#hand]!; other.used; other = this.#ring[this.#hand]!) {
      other.used = false
      this.#hand = (this.#hand + 1) % this.#most
    }
    this.#kept.delete(this.#ring[this.#hand]!.key)
    this.#ring[this.#hand] = kept
    this.#hand = (this.#hand + 1) % this.#most
    return kept
  }

  /** Reads bytes into a buffer that has room before them. */
  #read(offset: number, bytes: number): Buffer {
    const buffer = blockBuffer(bytes)
    this.#fill(buffer, LEAD_BYTES, offset, bytes)
    return buffer
  }

  #fill(buffer: Buffer, at: number, offset: number, bytes: number): void {
    const file = this.#file
    if (file === undefined) throw closed()
    for (let done = 0; done < bytes;) {
      const count = withFile(this.path, () => readSync(file, buffer, at + done, bytes - done, offset + done))
      if (count === 0) throw malformed('it is cut short')
      done += count
    }
  }

  /** Bytes that nothing vouches for: the head before it is verified, and signatures. */
  unverified(offset: number, bytes: number): Buffer {
    const buffer = Buffer.alloc(bytes)
    this.#fill(buffer, 0, offset, bytes)
    return buffer
  }

  /** Verifies everything up to the signatures, block after block, in large reads. */
  verifyAll(): void {
    const all = this.verified()
    while (all.next().done !== true);
  }

  /** The same, and hands out the bytes of each block, in the order of the file. They hold until the next ones are asked for. */
  *verified(): Generator<Buffer, void> {
    yield* this.#verifiedLevel(0, 0, this.frame.bytes)
    for (const [at, bytes] of this.#levelBytes.entries()) {
      yield* this.#verifiedLevel(at + 1, this.#levelOffsets[at]!, bytes)
    }
  }

  *#verifiedLevel(level: number, offset: number, bytes: number): Generator<Buffer, void> {
    const [count, step] = [blocksIn(bytes), BLOCK_BYTES * READ_AHEAD]
    const buffer = blockBuffer(Math.min(bytes, step))
    for (let first = 0; first < count; first += READ_AHEAD) {
      const start = first * BLOCK_BYTES
      this.#fill(buffer, LEAD_BYTES, offset + start, Math.min(step, bytes - start))
      for (let number = first; number < Math.min(count, first + READ_AHEAD); number++) {
        const at = (number - first) * BLOCK_BYTES
        const end = at + Math.min(BLOCK_BYTES, bytes - number * BLOCK_BYTES)
        // What is hashed with a block is written over the end of the one before, which has been hashed, and is not used any more.
        this.#check(buffer.subarray(at, LEAD_BYTES + end), level, number)
        yield buffer.subarray(LEAD_BYTES + at, LEAD_BYTES + end)
      }
    }
  }

  close(): void {
    const file = this.#file
    this.#file = undefined
    this.#kept.clear()
    this.#ring.length = 0
    if (file !== undefined) closeSync(file)
  }
}

/** One number for the level and number of a block. */
function keyOf(level: number, number: number): number {
  return number * 16 + level
}
