// Packages as a forger makes them: what the hash says is right, what the bytes say is not.
import { readFileSync, writeFileSync } from 'node:fs'
import {
  BLOCK_BYTES,
  FIRST_SECTION,
  FORMAT,
  type Sections,
  decodeFrame,
  decodeSections,
  sectionsOf as namesOf,
  tableEnd,
} from '../../ts/engrams/layout.ts'
import { LEAD_BYTES, blockBuffer, hashOf, treeOver } from '../../ts/engrams/tree.ts'

/** Head and sections of a package, without its tree and signatures. */
export function bodyOf(path: string): Buffer {
  return bodyIn(readFileSync(path))
}

/** The same of a package in memory. */
export function bodyIn(file: Buffer): Buffer {
  return file.subarray(0, decodeFrame(file.subarray(0, FIRST_SECTION)).bytes)
}

/** Where its sections are. */
export function sectionsOf(body: Buffer): Sections {
  const frame = decodeFrame(body.subarray(0, FIRST_SECTION))
  return decodeSections(body.subarray(0, tableEnd(frame.format)), frame)
}

/** Writes a file whose tree is that of its body, and which nobody has signed. */
export function seal(path: string, body: Buffer): void {
  writeFileSync(path, sealed(body))
}

/** The same in memory. */
export function sealed(body: Buffer): Buffer {
  const leaves: Buffer[] = []
  for (let at = 0; at < body.length; at += BLOCK_BYTES) {
    const block = body.subarray(at, at + BLOCK_BYTES)
    const buffer = blockBuffer(block.length)
    block.copy(buffer, LEAD_BYTES)
    leaves.push(hashOf(buffer, 0, leaves.length))
  }
  return Buffer.concat([body, ...treeOver(Buffer.concat(leaves)).levels, Buffer.alloc(4)])
}

/** Where in the head the row of a section begins. */
export function rowOf(section: keyof Sections): number {
  return 64 + namesOf(FORMAT).indexOf(section) * 32
}
