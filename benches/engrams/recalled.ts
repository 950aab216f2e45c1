// A package with recall tables is asked where it lies; without them a recall of it is built anew.
import type { Recall } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import { mementos } from './glosses.ts'
import { once, packed, type Package } from './packages.ts'
import { glossesIn } from './recalling.ts'

const TEXTS = 20_000
const QUERIES = 500
const OPTIONS = { label: 'Gloss', text: 'text' } as const
const [PLACED, BUILT] = ['karyon', 'self: rebuilt at open']

export function recalled(): readonly Case[] {
  return [
    {
      name: 'engram/recall-open',
      unit: 'ms',
      operations: 1,
      note: `a package of ${TEXTS} glosses of WordNet opened, its recall too, and one cue of four words answered; the file is in the cache of the system`,
      ours: opening(PLACED, carrying),
      peers: [opening(BUILT, bare)],
      slow: true,
    },
    {
      name: 'engram/recall-in-place',
      unit: 'ms',
      operations: QUERIES,
      note: `one of ${TEXTS} glosses by four words in a row, 10 candidates; in the package, whose blocks are read and verified by then, and in memory`,
      ours: asking(PLACED, carrying),
      peers: [asking(BUILT, bare)],
      slow: true,
    },
    {
      name: 'engram/recall-tables',
      unit: 'B/op',
      operations: TEXTS,
      note: 'of a gloss in a package, with recall tables and without; nodes have nothing but their text',
      ours: sized(PLACED, carrying),
      peers: [sized('self: without tables', bare)],
      slow: true,
    },
  ]
}

const carrying = once(() => pack({ recall: [OPTIONS] }))
const bare = once(() => pack({}))

async function pack(options: { readonly recall?: readonly (typeof OPTIONS)[] }): Promise<Package> {
  const { graph } = await glossesIn(TEXTS)
  return packed(graph, options.recall ? 'recalled' : 'bare', options)
}

/** A cue that has an answer, another one in each round. */
function cueOf(round: number): string {
  return mementos('phrase', 1, TEXTS, round + 1)[0]!.words.join(' ')
}

function opening(name: string, file: () => Promise<Package>): Side {
  let path = ''
  let cue = ''
  let found: readonly string[] = []
  return {
    name,
    async start() {
      ;({ path } = await file())
    },
    prepare: (round) => void (cue = cueOf(round)),
    async run() {
      const { openEngram, openRecall } = await karyon()
      using engram = openEngram(path)
      const recall = await openRecall(engram, OPTIONS)
      found = recall.find(cue).map(({ key }) => key)
    },
    answer: () => found,
  }
}

function asking(name: string, file: () => Promise<Package>): Side {
  let recall: Recall
  let cues: string[] = []
  let found: (readonly string[])[] = []
  return {
    name,
    async start() {
      const { openEngram, openRecall } = await karyon()
      recall = await openRecall(openEngram((await file()).path), OPTIONS)
      // Code that has not run yet is slow for everybody, and so are blocks that were not read.
      for (const { words } of mementos('phrase', QUERIES, TEXTS, WARM_SEED)) recall.find(words.join(' '))
    },
    prepare(round) {
      cues = mementos('phrase', QUERIES, TEXTS, round + 1).map(({ words }) => words.join(' '))
      found = []
    },
    run() {
      for (const cue of cues) found.push(recall.find(cue).map(({ key }) => key))
    },
    answer: () => found,
  }
}

const WARM_SEED = 99

function sized(name: string, file: () => Promise<Package>): Side {
  let bytes = 0
  return {
    name,
    async start() {
      ;({ bytes } = await file())
    },
    run: () => bytes,
    figure: () => bytes / TEXTS,
  }
}
