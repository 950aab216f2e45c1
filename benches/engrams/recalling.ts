// A text is looked for by what is remembered of it: recall, and the full-text index of SQLite.
import type { Kernel, Recall } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import { median } from '../measure.ts'
import type { Database } from '../stores/sqlite.ts'
import { glosses, mementos, REMEMBERED, type Memento, type Remembered } from './glosses.ts'
import { filled, inCommits } from './packages.ts'

const TEXTS = 50_000
const QUERIES = 500
const TOLD = 10
const CURVE = [1_000, 10_000, 50_000, Infinity] as const
/** How texts are remembered along the curve. */
const CURVE_KIND = 'noisy'
const PEER = 'SQLite FTS5, bm25'

export function recalling(): readonly Case[] {
  const kinds = Object.keys(REMEMBERED) as Remembered[]
  return [
    ...kinds.map((kind) => speed(`engram/recall/${kind}`, kind, TEXTS)),
    ...kinds.map(quality),
    ...CURVE.map((most) => {
      const texts = Math.min(most, glosses().length)
      return speed(`engram/recall-curve/${texts}`, CURVE_KIND, texts)
    }),
    bytes(),
  ]
}

/** Whoever finds texts: the numbers of those that seem to be meant, the best first. */
interface Finder {
  readonly name: string
  find(words: readonly string[]): number[]
}

function speed(name: string, kind: Remembered, texts: number): Case {
  return {
    name,
    unit: 'ms',
    operations: QUERIES,
    note: `one of ${texts} glosses of WordNet by ${REMEMBERED[kind]}, ${TOLD} candidates; FTS5 in memory, words joined with OR`,
    ours: asking(ours, kind, texts),
    peers: [asking(theirs, kind, texts)],
    slow: true,
  }
}

/** Both sides give what they think is best: how good that is, the rows of the quality tell. */
function asking(finderOf: (texts: number) => Promise<Finder>, kind: Remembered, texts: number): Side {
  let finder: Finder
  let asked: readonly Memento[] = []
  return {
    name: finderOf === ours ? 'karyon' : PEER,
    async start() {
      finder = await finderOf(texts)
      // Code that has not run yet is slow for everybody.
      for (const { words } of mementos(kind, QUERIES, texts, WARM_SEED)) finder.find(words)
    },
    prepare(round) {
      asked = mementos(kind, QUERIES, texts, round + 1)
    },
    run() {
      for (const { words } of asked) finder.find(words)
    },
  }
}

const WARM_SEED = 99

function quality(kind: Remembered): Case {
  const [mine, peer] = [found(ours, kind), found(theirs, kind)]
  const percent = (parts: readonly number[]): string => `${(median(parts) * 100).toFixed(1)} %`
  return {
    name: `engram/recall-at-10/${kind}`,
    unit: '×',
    operations: QUERIES,
    note: () =>
      `queries for each that has its text among ${TOLD}; one of ${TEXTS} glosses of WordNet by ${REMEMBERED[kind]}, ${QUERIES} a round: ${percent(mine.parts)} are found against ${percent(peer.parts)}`,
    ours: mine.side,
    peers: [peer.side],
    slow: true,
  }
}

function found(
  finderOf: (texts: number) => Promise<Finder>,
  kind: Remembered,
): { readonly side: Side; readonly parts: number[] } {
  const parts: number[] = []
  let finder: Finder
  let asked: readonly Memento[] = []
  const side: Side = {
    name: finderOf === ours ? 'karyon' : PEER,
    async start() {
      finder = await finderOf(TEXTS)
    },
    prepare(round) {
      asked = mementos(kind, QUERIES, TEXTS, round + 1)
    },
    run() {
      parts.push(asked.filter(({ at, words }) => finder.find(words).includes(at)).length / QUERIES)
    },
    figure: () => 1 / parts.at(-1)!,
  }
  return { side, parts }
}

function bytes(): Case {
  let recall: Recall
  return {
    name: 'engram/recall-bytes',
    unit: 'B/op',
    operations: TEXTS,
    note: `of one of ${TEXTS} glosses of WordNet, what it is found by: slots and postings; FTS5's pages after 'optimize', with the texts and without`,
    ours: {
      name: 'karyon',
      async start() {
        ;({ recall } = await recallOf(TEXTS))
      },
      run: () => recall.stats(),
      figure: () => recall.stats().bytes / TEXTS,
    },
    peers: [pages('SQLite FTS5', ''), pages('SQLite FTS5 without the texts', ", content=''")],
    slow: true,
  }
}

function pages(name: string, options: string): Side {
  let database: Database
  let bytes = 0
  return {
    name,
    async start() {
      database = await indexOf(TEXTS, options)
      database.exec("INSERT INTO glosses(glosses) VALUES('optimize'); VACUUM")
    },
    run() {
      const [count, size] = ['page_count', 'page_size'].map((field) =>
        Object.values(database.prepare(`PRAGMA ${field}`).get() as Record<string, number>).at(0),
      )
      bytes = count! * size!
    },
    figure: () => bytes / TEXTS,
    stop: () => database.close(),
  }
}

interface Opened {
  readonly kernel: Kernel
  readonly recall: Recall
}

const opened = new Map<number, Promise<Opened>>()

/** The first texts as nodes, and a recall of them; made once for all cases of so many texts. */
function recallOf(texts: number): Promise<Opened> {
  const make = async (): Promise<Opened> => {
    const kernel = await glossesIn(texts)
    const recall = await (await karyon()).openRecall(kernel.graph, { label: 'Gloss', text: 'text' })
    return { kernel, recall }
  }
  const made = opened.get(texts) ?? make()
  opened.set(texts, made)
  return made
}

/** The first texts as nodes. */
export function glossesIn(texts: number): Promise<Kernel> {
  const all = glosses()
  return filled((graph) =>
    inCommits(graph, texts, (tx, at) => tx.put(String(at), { labels: ['Gloss'], props: { text: all[at]! } })),
  )
}

async function ours(texts: number): Promise<Finder> {
  const { recall } = await recallOf(texts)
  return {
    name: 'karyon',
    find: (words) => recall.find(words.join(' '), { limit: TOLD }).map(({ key }) => Number(key)),
  }
}

const indexed = new Map<number, Promise<Finder>>()

function theirs(texts: number): Promise<Finder> {
  const make = async (): Promise<Finder> => {
    const database = await indexOf(texts, '')
    database.exec("INSERT INTO glosses(glosses) VALUES('optimize')")
    const select = database.prepare(
      `SELECT rowid FROM glosses WHERE glosses MATCH ? ORDER BY bm25(glosses) LIMIT ${TOLD}`,
    )
    return {
      name: PEER,
      find: (words) =>
        (select.all(words.map((word) => `"${word}"`).join(' OR ')) as { readonly rowid: number }[]).map(
          ({ rowid }) => rowid - 1,
        ),
    }
  }
  const made = indexed.get(texts) ?? make()
  indexed.set(texts, made)
  return made
}

async function indexOf(texts: number, options: string): Promise<Database> {
  const module = (await import('better-sqlite3' as string)) as { default: new (path: string) => Database }
  const database = new module.default(':memory:')
  database.exec(
    `CREATE VIRTUAL TABLE glosses USING fts5(text, tokenize='unicode61 remove_diacritics 2'${options})`,
  )
  const put = database.prepare('INSERT INTO glosses(rowid, text) VALUES (?, ?)')
  database.transaction(() => {
    for (const [at, text] of glosses().slice(0, texts).entries()) put.run(at + 1, text)
  })()
  return database
}
