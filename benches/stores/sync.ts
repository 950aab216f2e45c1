import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { freshFolder } from './work.ts'

const FILE_BYTES = 1024 ** 2
const WRITE_BYTES = 256

/** The disk's own speed: bytes over bytes that are there already, and a sync, so that no length changes. */
export interface BareSync {
  /** Overwrites 256 bytes and syncs them. */
  sync(): void
  close(): void
}

export function bareSync(): BareSync {
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
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
