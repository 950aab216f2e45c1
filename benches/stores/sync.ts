import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { freshFolder, removeFolder } from './work.ts'

const FILE_BYTES = 1024 ** 2
const WRITE_BYTES = 256

/** The disk's own speed: bytes over bytes that are there already, and a sync, so that no length changes. */
export interface RawSync {
  /** Overwrites 256 bytes, or as many as it was asked for, and syncs them. */
  sync(): void
  close(): void
}

export function rawSync(bytesEach: number = WRITE_BYTES): RawSync {
  const folder = freshFolder()
  const file = openSync(join(folder, 'written'), 'w')
  writeSync(file, Buffer.alloc(FILE_BYTES))
  fdatasyncSync(file)
  const bytes = Buffer.alloc(bytesEach)
  let count = 0
  return {
    sync() {
      bytes.fill(++count)
      writeSync(file, bytes, 0, bytesEach, (count * bytesEach) % FILE_BYTES)
      fdatasyncSync(file)
    },
    close() {
      closeSync(file)
      removeFolder(folder)
    },
  }
}
