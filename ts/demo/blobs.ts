// Contents of blobs, through one long-lived `git cat-file --batch`.
import { startGit, type GitProcess } from './git.ts'

/** Larger blobs are data, not source that someone wrote by hand: their imports are not read. */
export const BLOB_BYTES_MAX: number = 256 * 1024

/** Git's own rule: a zero byte near the beginning makes a file binary. */
const BINARY_PROBE_BYTES = 8_000

/** The text of a blob, or why there is none. All three depend on the blob alone. */
export type BlobText = { readonly text: string } | { readonly skipped: 'binary' | 'large' | 'missing' }

interface Waiting {
  readonly resolve: (text: BlobText) => void
  readonly reject: (error: Error) => void
}

/** Reads blobs by hash; answers come in the order of the questions. */
export class BlobReader implements Disposable {
  readonly #git: GitProcess
  readonly #waiting: Waiting[] = []
  #closed: Error | undefined

  constructor(repository: string) {
    this.#git = startGit(repository, ['cat-file', '--batch'])
    this.#answer().then(
      () => this.#close(new Error('git cat-file ended')),
      (error: unknown) => this.#close(error instanceof Error ? error : new Error(String(error))),
    )
  }

  /** The text of one blob. */
  read(object: string): Promise<BlobText> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed)
      this.#waiting.push({ resolve, reject })
      this.#git.stdin.write(`${object}\n`)
    })
  }

  [Symbol.dispose](): void {
    this.#close(new Error('the reader of blobs is closed'))
    this.#git.kill()
  }

  #close(error: Error): void {
    this.#closed ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(this.#closed)
  }

  async #answer(): Promise<void> {
    for await (const text of answers(this.#git.stdout as AsyncIterable<Buffer>))
      this.#waiting.shift()?.resolve(text)
    await this.#git.ended
  }
}

/** `<object> blob <bytes>`, a line feed, the bytes, a line feed; or `<object> missing`. What is too large is let pass, not kept. */
export async function* answers(stdout: AsyncIterable<Buffer>): AsyncGenerator<BlobText, void, undefined> {
  let header = ''
  let kept: Buffer[] = []
  let left = -1
  let large = false
  for await (const part of stdout) {
    let at = 0
    while (at < part.length) {
      if (left < 0) {
        const end = part.indexOf('\n', at)
        header += part.toString('latin1', at, end < 0 ? part.length : end)
        at = end < 0 ? part.length : end + 1
        if (end < 0) continue
        const [, kind = '', size = ''] = header.split(' ')
        header = ''
        if (kind === 'missing') yield { skipped: 'missing' }
        else {
          left = Number(size) + 1
          large = Number(size) > BLOB_BYTES_MAX
        }
        continue
      }
      const piece = part.subarray(at, at + left)
      at += piece.length
      left -= piece.length
      if (!large) kept.push(piece)
      if (left > 0) continue
      left = -1
      yield large ? { skipped: 'large' } : textOf(Buffer.concat(kept).subarray(0, -1))
      kept = []
    }
  }
}

function textOf(bytes: Buffer): BlobText {
  return bytes.subarray(0, BINARY_PROBE_BYTES).includes(0)
    ? { skipped: 'binary' }
    : { text: bytes.toString('utf8') }
}
