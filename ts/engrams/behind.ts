// What is written to a file while the next is made: each piece on a thread of Node's pool, and here where too many are on their way.
import { fsync, write, writeSync } from 'node:fs'
import { withFile } from './refusals.ts'

/** Pieces that are on their way at once; each is held in memory until it is written. */
const PIECES_MAX = 8
/** Bytes behind which the disk is told to begin: it works while the next ones are made, and there is less to wait for in the end. */
const SYNC_BYTES: number = 32 * 1_024 * 1_024

/** Writes pieces of a file behind the back of whoever makes them. */
export class Behind {
  readonly #path: string
  readonly #file: number
  readonly #pieceBytes: number
  readonly #free: Buffer[] = []
  #pieces = 0
  #failure: Error | undefined
  #isSyncing = false
  #unsynced = 0
  #wake: (() => void) | undefined

  constructor(path: string, file: number, pieceBytes: number) {
    this.#path = path
    this.#file = file
    this.#pieceBytes = pieceBytes
  }

  /** An empty piece. */
  piece(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#pieceBytes)
  }

  /** Writes bytes of a piece, which is not to be used any more. Throws what went wrong with one before. */
  put(piece: Buffer, start: number, end: number, position: number): void {
    this.#check()
    if (this.#pieces === PIECES_MAX) {
      this.putNow(piece.subarray(start, end), position)
      this.#free.push(piece)
    } else {
      this.#pieces++
      this.#put(piece, start, end, position)
    }
    this.#unsynced += end - start
    if (this.#unsynced >= SYNC_BYTES) this.#begin()
  }

  #put(piece: Buffer, start: number, end: number, position: number): void {
    write(this.#file, piece, start, end - start, position, (error, count) => {
      if (!error && count < end - start) {
        this.#put(piece, start + count, end, position + count)
        return
      }
      this.#failure ??= error ?? undefined
      this.#pieces--
      this.#free.push(piece)
      this.#tell()
    })
  }

  /** Writes bytes before it returns. */
  putNow(bytes: Buffer, position: number): void {
    withFile(this.#path, () => {
      for (let done = 0; done < bytes.length;) {
        done += writeSync(this.#file, bytes, done, bytes.length - done, position + done)
      }
    })
  }

  #begin(): void {
    if (this.#isSyncing) return
    this.#isSyncing = true
    this.#unsynced = 0
    fsync(this.#file, (error) => {
      this.#failure ??= error ?? undefined
      this.#isSyncing = false
      this.#tell()
    })
  }

  #check(): void {
    const failure = this.#failure
    if (failure)
      withFile(this.#path, () => {
        throw failure
      })
  }

  #tell(): void {
    if (this.#pieces === 0 && !this.#isSyncing) this.#wake?.()
  }

  /** Resolves when nothing is on its way any more: the file may be closed then. */
  async settled(): Promise<void> {
    if (this.#pieces > 0 || this.#isSyncing) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  /** Resolves when all that was written is on disk. Rejects with what went wrong with any of it. */
  async synced(): Promise<void> {
    await this.settled()
    this.#begin()
    await this.settled()
    this.#check()
  }
}
