import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { freshFolder, removeFolder } from './work.ts'

const FILE_BYTES = 1024 ** 2
const WRITE_BYTES = 256

/** The disk's own speed: bytes over bytes that are there already, and a sync, so that no length changes. */
export interface RawSync {
  /** Overwrites 256 bytes and syncs them. */
  sync(): void
  close(): void
}

export function rawSync(): RawSync {
  const folder = freshFolder()
  const file = openSync(join(folder, 'written'), 'w')
  writeSync(file, Buffer.alloc(FILE_BYTES))
  fdatasyncSync(file)
  const bytes = Buffer.alloc(WRITE_BYTES)
  let count = 0
  return {
    sync() {
      bytes.fill(++count)
      writeSync(file, bytes, 0, WRITE_BYTES, (count * WRITE_BYTES) % FILE_BYTES)
      fdatasyncSync(file)
    },
    close() {
      closeSync(file)
      removeFolder(folder)
    },
  }
}
