// One direction: records in a ring of words that one thread writes and another reads, without a lock.
import { KaryonError } from '../errors.ts'
import { HEAD_WORDS, RECORD_WORDS_MAX, RING_WORDS } from './wire.ts'

const MASK = RING_WORDS - 1
/** In place of a record's length: the next record begins at the ring's beginning. */
const WRAP = 0

/** Where a ring lies, and the words in which its ends say how far they are. */
export interface RingPlaces {
  readonly words: Int32Array
  readonly control: Int32Array
  readonly written: number
  readonly read: number
}

/** The end that writes. A record is seen whole or not at all. */
export class RingWriter {
  readonly #places: RingPlaces
  /** Words written so far, in the arithmetic of 32 bits, as far as the reader knows. */
  #written = 0
  /** Words read so far, as last seen. */
  #read = 0
  #head = 0
  /** Where the record's payload goes on; whoever encodes one moves it. */
  at = 0
  /** Where it must end. */
  end = 0

  constructor(places: RingPlaces) {
    this.#places = places
  }

  /** Begins a record; false if there is no room until the reader has read. */
  begin(kind: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): boolean {
    const { words } = this.#places
    let at = this.#written & MASK
    const left = RING_WORDS - at
    const wraps = left < RECORD_WORDS_MAX
    if (!this.#hasRoom(wraps ? left + RECORD_WORDS_MAX : RECORD_WORDS_MAX)) return false
    if (wraps) {
      words[at] = WRAP
      this.#written = (this.#written + left) | 0
      at = 0
    }
    words[at + 1] = kind
    words[at + 2] = a
    words[at + 3] = b
    words[at + 4] = c
    words[at + 5] = d
    words[at + 6] = e
    words[at + 7] = f
    this.#head = at
    this.at = at + HEAD_WORDS
    this.end = at + RECORD_WORDS_MAX
    return true
  }

  /** Adds bits to a fact of the record, from 0. */
  mark(place: number, bits: number): void {
    const { words } = this.#places
    words[this.#head + 2 + place] = (words[this.#head + 2 + place] as number) | bits
  }

  /** Ends the record: from here on the reader sees it. */
  publish(): void {
    const { words, control, written } = this.#places
    words[this.#head] = this.at - this.#head
    this.#written = (this.#written + this.at - this.#head) | 0
    Atomics.store(control, written, this.#written)
  }

  #hasRoom(words: number): boolean {
    if (((this.#written - this.#read) | 0) + words <= RING_WORDS) return true
    this.#read = Atomics.load(this.#places.control, this.#places.read)
    return ((this.#written - this.#read) | 0) + words <= RING_WORDS
  }
}

/** The end that reads. */
export class RingReader {
  readonly #places: RingPlaces
  readonly #words: Int32Array
  #read = 0
  #written = 0
  #head = 0
  #length = 0
  /** Where the record's payload goes on; whoever decodes one moves it. */
  at = 0

  constructor(places: RingPlaces) {
    this.#places = places
    this.#words = places.words
  }

  /** Goes to the next record; false if there is none. Throws where none can be: then this is not read any further. */
  next(): boolean {
    this.#read = (this.#read + this.#length) | 0
    this.#length = 0
    for (;;) {
      if (this.#read === this.#written) {
        this.#written = Atomics.load(this.#places.control, this.#places.written)
        if (this.#read === this.#written) return false
      }
      const at = this.#read & MASK
      const length = this.#words[at] as number
      const is = length === WRAP ? RING_WORDS - at : length
      const isRecord = length === WRAP || (length >= HEAD_WORDS && length <= RECORD_WORDS_MAX)
      if (!isRecord || ((this.#written - this.#read) | 0) < is)
        throw new KaryonError('ERR_KARYON_PANIC', 'what was written is no record, a defect in Karyon')
      if (length !== WRAP) {
        this.#head = at
        this.#length = length
        this.at = at + HEAD_WORDS
        return true
      }
      this.#read = (this.#read + is) | 0
    }
  }

  /** Where the record stands among all that were written, in the arithmetic of 32 bits. */
  get place(): number {
    return this.#read
  }

  /** Whether there is more, without going there. */
  get waits(): boolean {
    return ((this.#read + this.#length) | 0) !== Atomics.load(this.#places.control, this.#places.written)
  }

  get kind(): number {
    return this.#words[this.#head + 1] as number
  }

  /** A fact of the record, from 0. */
  fact(place: number): number {
    return this.#words[this.#head + 2 + place] as number
  }

  /** The same without its sign. */
  word(place: number): number {
    return (this.#words[this.#head + 2 + place] as number) >>> 0
  }

  /** What was read, this record too, may be overwritten. */
  release(): void {
    this.#read = (this.#read + this.#length) | 0
    this.#length = 0
    Atomics.store(this.#places.control, this.#places.read, this.#read)
  }
}
