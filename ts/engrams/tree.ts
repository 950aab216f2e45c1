// The tree of hashes whose root stands for every byte of a package.
import { hash } from 'node:crypto'
import { BLOCK_BYTES, HASH_BYTES } from './layout.ts'

/** Bytes before those of a block, of which the last nine say which block it is. */
export const LEAD_BYTES = 16
const NUMBER_BYTES = 9

/**
 * A buffer for a block, with room before it for what is hashed with it: a copy of the block would cost as much as its hash.
 */
export function blockBuffer(bytes: number): Buffer {
  return Buffer.allocUnsafeSlow(LEAD_BYTES + bytes)
}

/** The hash of a block that stands in such a buffer: SHA-256 over its level, its number and its bytes. */
export function hashOf(buffer: Buffer, level: number, number: number): Buffer {
  const start = LEAD_BYTES - NUMBER_BYTES
  buffer[start] = level
  buffer.writeUInt32LE(number % 2 ** 32, start + 1)
  buffer.writeUInt32LE(Math.floor(number / 2 ** 32), start + 5)
  return hash('sha256', buffer.subarray(start), 'buffer')
}

/** How many blocks so many bytes are. */
export function blocksIn(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES)
}

/** The bytes of every level of the tree over so many bytes, the lowest first. The last one is one block. */
export function levelsOver(bytes: number): number[] {
  const levels: number[] = []
  let below = bytes
  do {
    below = blocksIn(below) * HASH_BYTES
    levels.push(below)
  } while (below > BLOCK_BYTES)
  return levels
}

/** A tree: its levels, the lowest first, and its root. */
export interface Tree {
  readonly levels: readonly Buffer[]
  readonly root: Buffer
}

/** The tree above the hashes of all blocks. */
export function treeOver(leaves: Buffer): Tree {
  const levels = [leaves]
  for (;;) {
    const below = levels.at(-1)!
    const hashes = Buffer.concat(hashesOf(below, levels.length))
    if (below.length <= BLOCK_BYTES) return { levels, root: hashes }
    levels.push(hashes)
  }
}

function hashesOf(below: Buffer, level: number): Buffer[] {
  return Array.from({ length: blocksIn(below.length) }, (_, number) => {
    const block = below.subarray(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES)
    const buffer = blockBuffer(block.length)
    block.copy(buffer, LEAD_BYTES)
    return hashOf(buffer, level, number)
  })
}
