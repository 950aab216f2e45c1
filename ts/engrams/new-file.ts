// A file that is there under its name once it is whole.
import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncDirectory } from './output.ts'
import { withFile } from './refusals.ts'

/** Bytes that are written at once. */
const BUFFER_BYTES: number = 1_024 * 1_024

/** Written from its beginning to its end, under another name in the same directory. */
export class NewFile {
  /** What it is called until it is whole. */
  readonly temporary: string
  readonly #path: string
  readonly #file: number
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #used = 0
  #isOpen = true
  /** Bytes so far. */
  length = 0

  constructor(path: string) {
    this.#path = path
    this.temporary = `${path}.${randomUUID()}.tmp`
    this.#file = withFile(path, () => openSync(this.temporary, 'wx'))
  }

  write(bytes: Buffer): void {
    this.length += bytes.length
    for (let done = 0; done < bytes.length;) {
      if (this.#used === BUFFER_BYTES) this.#flush()
      const count = Math.min(bytes.length - done, BUFFER_BYTES - this.#used)
      bytes.copy(this.#buffer, this.#used, done, done + count)
      this.#used += count
      done += count
    }
  }

  #flush(): void {
    withFile(this.#path, () => {
      for (let done = 0; done < this.#used;) {
        done += writeSync(this.#file, this.#buffer, done, this.#used - done)
      }
    })
    this.#used = 0
  }

  /** Makes what was written durable, still under the other name. */
  sync(): void {
    this.#flush()
    withFile(this.#path, () => fsyncSync(this.#file))
    this.#close()
  }

  /** Gives it its name, in the place of what had it. It has to be durable. */
  rename(): void {
    withFile(this.#path, () => {
      renameSync(this.temporary, this.#path)
      syncDirectory(dirname(this.#path))
    })
  }

  #close(): void {
    if (this.#isOpen) closeSync(this.#file)
    this.#isOpen = false
  }

  /** Gives up what has no name yet. Nothing once it has. */
  abandon(): void {
    this.#close()
    rmSync(this.temporary, { force: true })
  }
}
