// Reading what was: as of a version, between two versions, by writer, and taking a writer's work back.
import type { CellRef, Message } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import type { Change, Versioned } from './driver.ts'
import { factOf, keyOf, numbers, skewed } from './facts.ts'
import { karyonStore, type KaryonStore } from './karyon.ts'
import { lmdb } from './lmdb.ts'
import { sqlite } from './sqlite.ts'
import {
  against,
  everyKey,
  folderOfVersions,
  inFolders,
  ownSide,
  quantile,
  weightOf,
  type Work,
} from './work.ts'

export const VERSIONS = 1_000_000
const FEWER_VERSIONS = 100_000
export const VERSION_KEYS = 100_000
const VERSION_READS = 50_000
/** Distinct questions of a round that are asked again and again. */
const HOT_QUESTIONS = 1_000
/** Questions after which a store that was just opened has still hardly read anything. */
const FIRST_QUESTIONS = 1_000

const DIFF_NODES = [10_000, 1_000_000] as const
const DIFF_CHANGES = 1_000
const DIFF_MS_MAX = 5
const BLAMED_NODES = 10_000
const BLAMES = 20_000
const BLAME_NS_MAX = 5_000
const REVERTED = 10_000
const REVERT_MS_MAX = 500

/** Which question: a key, and a version counted from 1. */
type Question = readonly [key: string, version: number]
type Draw = (round: number) => readonly Question[]

export function past(): readonly Case[] {
  return [...asOf(), ...flat(), ...diffs(), blame(), revert()]
}

function asOf(): Case[] {
  return (['uniform', 'deep'] as const).flatMap((keys) =>
    (['', '/distinct'] as const).map((questions): Case => {
      const draw = questionsOf(keys, questions === '' ? HOT_QUESTIONS : VERSION_READS, VERSIONS)
      return {
        name: `store/asof-${keys}${questions}`,
        unit: 'op/s',
        operations: VERSION_READS,
        note: `${VERSIONS} versions of ${VERSION_KEYS} keys; ${keys === 'deep' ? 'keys as often as they were changed' : 'any key'}, any version, ${questions === '' ? `${HOT_QUESTIONS} questions again and again` : 'each question once'}`,
        ...against(asking(draw), [karyonStore(), 'folder'], inFolders<Versioned>(lmdb(), sqlite())),
      }
    }),
  )
}

/** Whether the past costs the same wherever it is, and however long it is. */
function flat(): Case[] {
  const deep = (versions: number): Draw => questionsOf('deep', VERSION_READS, versions)
  const tenth = VERSIONS / 10
  const side = (name: string, draw: Draw, versions: number): Side => ownSide(name, asking(draw, versions)())
  const unit = 'op/s'
  const what = 'keys as often as they were changed, each question once'
  return [
    {
      name: 'store/asof-flat/versions',
      unit,
      operations: VERSION_READS,
      note: `${VERSIONS} versions beside ${FEWER_VERSIONS}; ${what}; meant to be 0.9 at least`,
      ours: side('karyon', deep(VERSIONS), VERSIONS),
      peers: [withoutAnswer(side(`self: ${FEWER_VERSIONS} versions`, deep(FEWER_VERSIONS), FEWER_VERSIONS))],
    },
    {
      name: 'store/asof-flat/oldest',
      unit,
      operations: VERSION_READS,
      note: `the oldest tenth of ${VERSIONS} versions beside the newest; ${what}; meant to be 0.77 at least`,
      ours: side('karyon', deep(tenth), VERSIONS),
      peers: [withoutAnswer(side('self: the newest tenth', later(deep(tenth), VERSIONS - tenth), VERSIONS))],
    },
    {
      name: 'store/asof-flat/miss',
      unit: 'ns/op',
      operations: FIRST_QUESTIONS,
      note: `the median of the first ${FIRST_QUESTIONS} questions after opening, of any key: the store has read nothing yet, the system has its files in memory; ${VERSIONS} versions`,
      ...against(askingFirst, [karyonStore(), 'folder'], inFolders<Versioned>(lmdb(), sqlite())),
    },
  ]
}

/** Other questions have other answers. */
function withoutAnswer(side: Side): Side {
  const other = { ...side }
  delete other.answer
  return other
}

function later(draw: Draw, by: number): Draw {
  return (round) => draw(round).map(([key, version]) => [key, version + by])
}

/** Versions are drawn from the first so many after each key had its first. */
function questionsOf(keys: 'uniform' | 'deep', count: number, versions: number): Draw {
  return (round) => {
    const random = numbers(round + 1)
    const often = skewed(VERSION_KEYS, round + 1)
    return Array.from({ length: count }, () => {
      const key = keyOf(keys === 'deep' ? often() : random() % VERSION_KEYS)
      return [key, VERSION_KEYS + 1 + (random() % versions)] as const
    })
  }
}

/** Asks so many times, from the first question again after the last. */
function asking(draw: Draw, versions: number = VERSIONS): () => Work<Versioned> {
  return () => {
    let questions: readonly Question[] = []
    let sum = 0
    return {
      ...openedOn(versions),
      prepare(round) {
        questions = draw(round)
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

/** Opens the store again in each round and asks of keys that nobody has asked of since. */
function askingFirst(): Work<Versioned> {
  const draw = questionsOf('uniform', FIRST_QUESTIONS, VERSIONS)
  const times = new Float64Array(FIRST_QUESTIONS)
  let questions: readonly Question[] = []
  let sum = 0
  return {
    ...openedOn(VERSIONS),
    async prepare(round, store, folder) {
      await store.close()
      await store.open(folder)
      questions = draw(round)
    },
    run(store) {
      sum = 0
      for (const [at, [key, version]] of questions.entries()) {
        const started = performance.now()
        const fact = store.readAt(key, version)
        times[at] = performance.now() - started
        sum += weightOf(fact)
      }
    },
    figure: () => quantile(times, 0.5) * 1e6,
    answer: () => sum,
  }
}

/** The folder in which a store keeps so many versions. */
export function openedOn(versions: number): Pick<Work<Versioned>, 'filled' | 'folder'> {
  return {
    filled: () => [],
    folder: (store) =>
      folderOfVersions(store, `${store.name}, ${versions} versions`, () => everyVersion(versions)),
  }
}

/** Every key, then each change a version. Every fact is another: what changes nothing is no version to Karyon, and one to its peers. */
function everyVersion(versions: number): Change[] {
  const drawn = skewed(VERSION_KEYS, 1)
  const change = (_: unknown, at: number): Change => [keyOf(drawn()), factOf(VERSION_KEYS + at)]
  return [...everyKey(VERSION_KEYS), ...Array.from({ length: versions }, change)]
}

function diffs(): Case[] {
  const [few, many] = DIFF_NODES
  const common = { unit: 'ms', operations: 1, limit: DIFF_MS_MAX } as const
  return [
    {
      ...common,
      name: `store/diff/${few}`,
      note: `${DIFF_CHANGES} nodes changed since, of ${few}; both sides of each read whole`,
      ours: ownSide('karyon', diffing(few)),
      peers: [],
    },
    {
      ...common,
      name: `store/diff/${many}`,
      note: `${DIFF_CHANGES} nodes changed since, of ${many}; both sides of each read whole; meant to take 1.2 times as long at most, 0.83`,
      ours: ownSide('karyon', diffing(many)),
      peers: [ownSide(`self: ${few} nodes`, diffing(few))],
    },
  ]
}

/** Changes a thousand nodes, one commit each, and asks what differs from before. */
function diffing(nodes: number): Work<KaryonStore> {
  let from = 0n
  let to = 0n
  let found = 0
  return {
    filled: () => everyKey(nodes),
    // Opened again, so that no checkpoint of the filling is still being written.
    async fill(store, folder) {
      await store.close()
      await store.open(folder)
    },
    async prepare(round, store) {
      const { graph } = store.kernel()
      from = graph.stats().head
      await store.recount(
        Array.from(
          { length: DIFF_CHANGES },
          (_, at) => [keyOf((at * 7 + round) % nodes), -1 - round * DIFF_CHANGES - at] as const,
        ),
      )
      to = graph.stats().head
    },
    run(store) {
      found = 0
      for (const { before, after } of store.kernel().graph.diff(from, to)) {
        if (before!.props['count'] !== after!.props['count']) found++
      }
    },
    answer: () => found,
  }
}

function blame(): Case {
  let questions: string[] = []
  let named = 0
  const work: Work<KaryonStore> = {
    filled: () => everyKey(BLAMED_NODES),
    fill: (store) => store.recount(everyKey(BLAMED_NODES).map(([key], at) => [key, -1 - at])),
    prepare(round) {
      const random = numbers(round + 1)
      questions = Array.from({ length: BLAMES }, () => keyOf(random() % BLAMED_NODES))
    },
    run(store) {
      named = 0
      const { graph } = store.kernel()
      for (const key of questions) if (graph.blame(key, 'count')!.principal === 'root') named++
    },
    answer: () => named,
  }
  return {
    name: 'store/blame',
    unit: 'ns/op',
    operations: BLAMES,
    note: `who made a property of any of ${BLAMED_NODES} nodes what it is, a commit each`,
    ours: ownSide('karyon', work),
    peers: [],
    limit: BLAME_NS_MAX,
  }
}

/** What the cell understands whose work is taken back: keys to change, and by how much. */
interface Changing {
  readonly change: Message<{ readonly keys: readonly string[]; readonly by: number }, void>
}

/** A cell changes ten thousand nodes, ten in a commit; then all of it is taken back. */
function revert(): Case {
  let changing: CellRef<Changing>
  let since = 0n
  let restored = 0
  const perCommit = 10
  const work: Work<KaryonStore> = {
    filled: () => everyKey(REVERTED),
    async fill(store) {
      const { cell, message } = await karyon()
      const definition = cell({
        name: 'changing',
        grants: { read: ['Fact'], write: ['Fact'] },
        messages: { change: message<{ readonly keys: readonly string[]; readonly by: number }, void>() },
        on: {
          change({ tx }, { keys, by }) {
            for (const key of keys) tx.increment(key, 'count', by)
          },
        },
      })
      changing = store.kernel().spawn(definition)
    },
    async prepare(round, store) {
      since = store.kernel().graph.stats().head
      const keys = Array.from({ length: REVERTED }, (_, at) => keyOf(at))
      for (let at = 0; at < REVERTED; at += perCommit) {
        await changing.ask('change', { keys: keys.slice(at, at + perCommit), by: round + 1 })
      }
    },
    async run(store) {
      restored = (await store.kernel().graph.revert({ principal: changing.path, since })).restored
    },
    answer(store) {
      const wrong = everyKey(REVERTED).filter(([key, { count }]) => store.read(key)?.count !== count)
      if (restored !== REVERTED || wrong.length > 0)
        throw new Error(`${restored} restored, ${wrong.length} wrong`)
    },
  }
  return {
    name: 'store/revert',
    unit: 'ms',
    operations: 1,
    note: `${REVERTED} properties that one principal changed in ${REVERTED / perCommit} commits, until it is synced`,
    ours: ownSide('karyon', work),
    peers: [],
    limit: REVERT_MS_MAX,
  }
}
