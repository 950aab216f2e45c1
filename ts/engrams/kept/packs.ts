// Packs that are read from, not all of them open at once.
import { KaryonError } from '../../errors.ts'
import type { Place } from './chunk-index.ts'
import { packPath } from './folder.ts'
import { Pack, type PackName } from './list.ts'

/** Packs that are open at once. */
const OPEN_PACKS_MAX = 64

/** Packs by their numbers, some of them open. */
export class Packs implements Disposable {
  readonly #folder: string
  readonly #names: readonly PackName[]
  readonly #open = new Map<number, Pack>()

  constructor(folder: string, names: readonly PackName[]) {
    this.#folder = folder
    this.#names = names
  }

  open(number: number): Pack {
    const known = this.#open.get(number)
    if (known) return known
    if (this.#open.size === OPEN_PACKS_MAX) {
      const [first, pack] = this.#open.entries().next().value!
      this.#open.delete(first)
      pack[Symbol.dispose]()
    }
    const name = this.#names[number]!
    const pack = new Pack(packPath(this.#folder, name), name)
    this.#open.set(number, pack)
    return pack
  }

  /** Whether these bytes are what is in a place, and can be read there. */
  holds(place: Place, bytes: Buffer): boolean {
    if (place.length !== bytes.length) return false
    return this.#tried(place.pack, (pack) => pack.read(place))?.equals(bytes) ?? false
  }

  /** The bytes of a chunk, whose SHA-256 stands at `at` of `digests`; nothing where they are not there. */
  chunk(place: Place, digests: Buffer, at: number): Buffer | undefined {
    return this.#tried(place.pack, (pack) => pack.chunk(place, digests, at))
  }

  #tried(number: number, read: (pack: Pack) => Buffer): Buffer | undefined {
    try {
      return read(this.open(number))
    } catch (error) {
      if (error instanceof KaryonError) return undefined
      throw error
    }
  }

  [Symbol.dispose](): void {
    for (const pack of this.#open.values()) pack[Symbol.dispose]()
    this.#open.clear()
  }
}
