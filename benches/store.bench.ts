import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Case, Side } from './measure.ts'
import { ROOT } from './project.ts'
import type { Change, Fact, Store } from './stores/driver.ts'
import { changes, factOf, keyOf, numbers, skewed } from './stores/facts.ts'
import { karyonStore } from './stores/karyon.ts'
import { lmdb } from './stores/lmdb.ts'
import { sqlite } from './stores/sqlite.ts'

/** On the disk of the project and not in the system's temporary folder, which may be memory. */
const RESULTS = join(ROOT, 'benches/results')

const WRITE_KEYS = 1_000
const DURABLE_WRITES = 200
const IN_FLIGHT = 64
const IN_FLIGHT_WRITES = IN_FLIGHT * 20
const MEMORY_WRITES = 10_000
const READ_KEYS = 100_000
const READS = 100_000
const VERSIONS = 1_000_000
const VERSION_KEYS = 100_000
const VERSION_READS = 50_000
/** Distinct questions of a round that are asked again and again. */
const HOT_QUESTIONS = 1_000

const KEPT = 'every version kept by all'

export function cases(): readonly Case[] {
  return [
    {
      name: 'store/write-durable/in-flight-1',
      unit: 'op/s',
      operations: DURABLE_WRITES,
      note: `synced before the next; ${KEPT}`,
      ...against(writingOneByOne(DURABLE_WRITES), 'folder', karyonStore(), [lmdb(), sqlite()]),
    },
    {
      name: `store/write-durable/in-flight-${IN_FLIGHT}`,
      unit: 'op/s',
      operations: IN_FLIGHT_WRITES,
      note: `${IN_FLIGHT} asked for at once, each synced when acknowledged; ${KEPT}`,
      ...against(writingInFlight, 'folder', karyonStore(), [
        lmdb(),
        sqlite(),
        sqlite('one transaction for all'),
      ]),
    },
    {
      name: 'store/write-memory',
      unit: 'op/s',
      operations: MEMORY_WRITES,
      note: `nothing on disk, one in flight; ${KEPT}`,
      ...against(writingOneByOne(MEMORY_WRITES), 'memory', karyonStore(), [sqlite()]),
    },
    {
      name: 'store/point-read',
      unit: 'op/s',
      operations: READS,
      note: `whole objects of ${READ_KEYS} keys, drawn uniformly`,
      ...against(reading, 'folder', karyonStore(), [lmdb(), sqlite()]),
    },
    ...(['uniform', 'deep'] as const).flatMap((keys) =>
      (['', '/distinct'] as const).map((questions): Case => ({
        name: `store/asof-${keys}${questions}`,
        unit: 'op/s',
        operations: VERSION_READS,
        note: `${VERSIONS} versions of ${VERSION_KEYS} keys; ${keys === 'deep' ? 'keys as often as they were changed' : 'any key'}, any version, ${questions === '' ? `${HOT_QUESTIONS} questions again and again` : 'each question once'}`,
        ...against(readingVersions(keys, questions === ''), 'folder', karyonStore(), [lmdb(), sqlite()]),
      })),
    ),
    {
      name: 'store/open',
      unit: 'ms',
      operations: 1,
      note: `${VERSIONS} versions of ${VERSION_KEYS} keys, closed in good order, until the first read`,
      ...against(opening, 'folder', karyonStore(), [lmdb(), sqlite()]),
    },
  ]
}

/** What is done with an open store: before the first round, in each, and what is then compared. */
interface Work {
  filled(): readonly Change[]
  /** Each of them a version. Made when they are written and dropped then: there are too many to keep those of every case. */
  versions?(): readonly Change[]
  prepare(round: number, store: Store): Promise<void> | void
  run(store: Store, folder: string | undefined): Promise<unknown> | unknown
  answer(store: Store): unknown
}

function against(
  work: () => Work,
  where: 'folder' | 'memory',
  ours: Store,
  peers: readonly Store[],
): Pick<Case, 'ours' | 'peers'> {
  const side = (store: Store): Side => {
    const own = work()
    let folder: string | undefined
    return {
      name: store.name,
      async start() {
        if (where === 'folder') {
          mkdirSync(RESULTS, { recursive: true })
          folder = mkdtempSync(join(RESULTS, 'store-'))
        }
        await store.open(folder)
        await store.load(own.filled())
        if (own.versions) await store.loadVersions(own.versions())
      },
      prepare: (round) => own.prepare(round, store),
      run: () => own.run(store, folder),
      answer: () => own.answer(store),
      async stop() {
        await store.close()
        if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
      },
    }
  }
  return { ours: side(ours), peers: peers.map(side) }
}

function writingOneByOne(count: number): () => Work {
  return () => {
    let round: Change[] = []
    return {
      filled: () => everyKey(WRITE_KEYS),
      prepare(number) {
        round = changes(count, WRITE_KEYS, number + 1)
      },
      async run(store) {
        for (const change of round) await store.write(change)
      },
      answer: (store) => everything(store, WRITE_KEYS),
    }
  }
}

function writingInFlight(): Work {
  let round: Change[][] = []
  return {
    filled: () => everyKey(WRITE_KEYS),
    prepare(number) {
      const all = changes(IN_FLIGHT_WRITES, WRITE_KEYS, number + 1)
      round = Array.from({ length: all.length / IN_FLIGHT }, (_, at) =>
        all.slice(at * IN_FLIGHT, (at + 1) * IN_FLIGHT),
      )
    },
    async run(store) {
      for (const together of round) await store.writeInFlight(together)
    },
    answer: (store) => everything(store, WRITE_KEYS),
  }
}

function reading(): Work {
  let keys: string[] = []
  let sum = 0
  return {
    filled: () => everyKey(READ_KEYS),
    prepare(number) {
      const random = numbers(number + 1)
      keys = Array.from({ length: READS }, () => keyOf(random() % READ_KEYS))
    },
    run(store) {
      sum = 0
      for (const key of keys) sum += weightOf(store.read(key))
    },
    answer: () => sum,
  }
}

function readingVersions(keys: 'uniform' | 'deep', again: boolean): () => Work {
  return () => {
    let questions: (readonly [string, number])[] = []
    let sum = 0
    return {
      filled: () => [],
      versions: everyVersion,
      prepare(number) {
        const random = numbers(number + 1)
        const often = skewed(VERSION_KEYS, number + 1)
        const moment = (): number => VERSION_KEYS + 1 + (random() % VERSIONS)
        const key = (): number => (keys === 'deep' ? often() : random() % VERSION_KEYS)
        const distinct = again ? HOT_QUESTIONS : VERSION_READS
        questions = Array.from({ length: distinct }, () => [keyOf(key()), moment()] as const)
      },
      run(store) {
        sum = 0
        for (let at = 0; at < VERSION_READS; at++) {
          const [key, version] = questions[at % questions.length]!
          sum += weightOf(store.readAt(key, version))
        }
      },
      answer: () => sum,
    }
  }
}

function opening(): Work {
  let first: Fact | undefined
  return {
    filled: () => [],
    versions: everyVersion,
    prepare: (_number, store) => store.close(),
    async run(store, folder) {
      await store.open(folder)
      first = store.read(keyOf(0))
    },
    answer: () => first,
  }
}

/** Every key, then each change a version. Every fact is another: what changes nothing is no version to Karyon, and one to its peers. */
function everyVersion(): Change[] {
  const drawn = skewed(VERSION_KEYS, 1)
  const change = (_: unknown, at: number): Change => [keyOf(drawn()), factOf(VERSION_KEYS + at)]
  return [...everyKey(VERSION_KEYS), ...Array.from({ length: VERSIONS }, change)]
}

function everyKey(keys: number): Change[] {
  return Array.from({ length: keys }, (_, at) => [keyOf(at), factOf(at)] as const)
}

function everything(store: Store, keys: number): Fact[] {
  return Array.from({ length: keys }, (_, at) => store.read(keyOf(at))!)
}

/** A number that depends on every property of a fact. */
function weightOf(fact: Fact | undefined): number {
  if (!fact) throw new Error('a fact that was written is missing')
  return fact.count + fact.score + fact.text.length + (fact.sure ? 1 : 0)
}
