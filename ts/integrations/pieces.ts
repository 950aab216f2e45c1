// A text or bytes that come in pieces, of any size.

/** Loose pieces: in memory one of a byte takes as much as one of a hundred. */
const LOOSE_MAX = 1_024

/** What has come of something that is not whole: pieces in their order, joined a thousand at a time. */
export class Pieces<T extends string | Uint8Array> {
  readonly #join: (pieces: T[]) => T
  #joined: T[] = []
  #loose: T[] = []
  /** Of all pieces, together. */
  length = 0

  constructor(join: (pieces: T[]) => T) {
    this.#join = join
  }

  add(piece: T): void {
    if (piece.length === 0) return
    this.length += piece.length
    if (this.#loose.push(piece) < LOOSE_MAX) return
    this.#joined.push(this.#join(this.#loose))
    this.#loose = []
  }

  /** All of it, as one; nothing is held then. */
  take(): T {
    const all = [...this.#joined, ...this.#loose]
    this.#joined = []
    this.#loose = []
    this.length = 0
    return all.length === 1 ? all[0]! : this.#join(all)
  }
}
