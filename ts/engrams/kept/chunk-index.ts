// Which chunks there are in a folder, and where each lies.
import { HASH_BYTES } from '../layout.ts'
import { checkLimit } from '../limits.ts'

/** Chunks of all packages of a folder, those that they share counted once. Their hashes take 1 GiB then. */
const CHUNKS_MAX: number = 2 ** 25
const CHUNKS_FIRST = 1_024

/** Where a chunk lies. */
export interface Place {
  /** Which pack: a number of the index, or of a list. */
  readonly pack: number
  readonly offset: number
  readonly length: number
}

/**
 * Places by SHA-256: rows of 48 bytes in typed arrays, and slots of four bytes, two to four for each row, with linear probing. Arrays
 * double, so a chunk takes 56 to 128 bytes.
 */
export class ChunkIndex {
  #hashes = Buffer.allocUnsafeSlow(CHUNKS_FIRST * HASH_BYTES)
  #offsets = new Float64Array(CHUNKS_FIRST)
  #lengths = new Uint32Array(CHUNKS_FIRST)
  #packs = new Uint32Array(CHUNKS_FIRST)
  /** 0 for nothing, else 1 + a row. */
  #slots = new Uint32Array(CHUNKS_FIRST * 2)
  #count = 0

  /** Where the chunk of this hash lies, if it is known. */
  find(hash: Buffer): Place | undefined {
    const row = this.#slots[this.#slotOf(hash, 0)]! - 1
    if (row < 0) return undefined
    return { pack: this.#packs[row]!, offset: this.#offsets[row]!, length: this.#lengths[row]! }
  }

  /** Remembers a chunk, unless it is known; says whether it was not. Throws `ERR_KARYON_PACKAGE_LIMIT` when there are too many. */
  add(hash: Buffer, at: number, place: Place): boolean {
    const slot = this.#slotOf(hash, at)
    if (this.#slots[slot] !== 0) return false
    const row = this.#count++
    checkLimit('the number of different chunks in the folder', this.#count, CHUNKS_MAX)
    hash.copy(this.#hashes, row * HASH_BYTES, at, at + HASH_BYTES)
    this.#place(row, place)
    this.#slots[slot] = row + 1
    if (this.#count === this.#packs.length) this.#grow()
    return true
  }

  /** The same, and of one that is known the place is another from now on. */
  put(hash: Buffer, at: number, place: Place): void {
    if (!this.add(hash, at, place)) this.#place(this.#slots[this.#slotOf(hash, at)]! - 1, place)
  }

  #place(row: number, { pack, offset, length }: Place): void {
    this.#packs[row] = pack
    this.#offsets[row] = offset
    this.#lengths[row] = length
  }

  /** The slot of a hash that stands at `at`, or the one where it would be. */
  #slotOf(hash: Buffer, at: number): number {
    const mask = this.#slots.length - 1
    let slot = hash.readUInt32LE(at) & mask
    for (;;) {
      const row = this.#slots[slot]! - 1
      if (row < 0) return slot
      const start = row * HASH_BYTES
      if (hash.compare(this.#hashes, start, start + HASH_BYTES, at, at + HASH_BYTES) === 0) return slot
      slot = (slot + 1) & mask
    }
  }

  #grow(): void {
    const rows = this.#packs.length * 2
    const hashes = Buffer.allocUnsafeSlow(rows * HASH_BYTES)
    this.#hashes.copy(hashes)
    this.#hashes = hashes
    const [offsets, lengths, packs] = [new Float64Array(rows), new Uint32Array(rows), new Uint32Array(rows)]
    offsets.set(this.#offsets)
    lengths.set(this.#lengths)
    packs.set(this.#packs)
    this.#offsets = offsets
    this.#lengths = lengths
    this.#packs = packs
    const mask = rows * 2 - 1
    this.#slots = new Uint32Array(rows * 2)
    for (let row = 0; row < this.#count; row++) {
      let slot = hashes.readUInt32LE(row * HASH_BYTES) & mask
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
      this.#slots[slot] = row + 1
    }
  }
}
