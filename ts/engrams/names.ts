// The names of a package: labels, types and properties, each with the number that stands for it.
import { KEY_BYTES_MAX } from '../values/limits.ts'
import { compareUtf8 } from '../values/encode.ts'
import type { Blocks } from './blocks.ts'
import { Cursor } from './cursor.ts'
import type { Section } from './layout.ts'
import { NAMES_BYTES_MAX, NAMES_MAX, checkLimit } from './limits.ts'

/** Texts with numbers: their places in the order of their UTF-8. */
export class Names {
  readonly texts: readonly string[]
  readonly #numbers: ReadonlyMap<string, number>

  /** Takes texts that are in order, each once. */
  constructor(texts: readonly string[]) {
    this.texts = texts
    this.#numbers = new Map(texts.map((text, number) => [text, number]))
  }

  /** Gives numbers to texts. */
  static of(texts: Iterable<string>): Names {
    return new Names([...new Set(texts)].toSorted(compareUtf8))
  }

  /** The number of a text, if it has one. */
  number(text: string): number | undefined {
    return this.#numbers.get(text)
  }

  /** Reads the number of a text, and which it is. */
  read(cursor: Cursor): string {
    const text = this.texts[cursor.varint()]
    if (text === undefined) throw cursor.malformed('a number stands for no name')
    return text
  }
}

/** Reads a section of names. */
export function readNames(blocks: Blocks, { offset, bytes, entries }: Section): Names {
  checkLimit('the number of names', entries, NAMES_MAX)
  checkLimit('the size of the names in bytes', bytes, NAMES_BYTES_MAX)
  const cursor = new Cursor(blocks, offset, offset + bytes)
  const texts = readTexts(cursor, entries, KEY_BYTES_MAX)
  cursor.done()
  if (texts.includes('__proto__')) throw cursor.malformed('a name is __proto__')
  return new Names(texts)
}

/** Reads texts in ascending order, none of them empty. */
export function readTexts(cursor: Cursor, count: number, most: number): string[] {
  const texts: string[] = []
  let before = ''
  for (let left = count; left > 0; left--) {
    const text = cursor.text(most)
    if (compareUtf8(before, text) >= 0) throw cursor.malformed('texts are empty or out of order')
    texts.push(text)
    before = text
  }
  return texts
}
