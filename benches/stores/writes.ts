// Writing: one by one, together, many at once, against each other, and filling a new store.
import type { Case, Side } from '../measure.ts'
import { median } from '../measure.ts'
import type { Change, Concurrent, Recount, Recounting } from './driver.ts'
import { changes, groupsOfChanges } from './facts.ts'
import { karyonStore } from './karyon.ts'
import { lmdb } from './lmdb.ts'
import { mapStore } from './map.ts'
import { sqlite } from './sqlite.ts'
import { rawSync } from './sync.ts'
import { KEPT, against, everyKey, everything, inFolders, inMemory, type Work } from './work.ts'

const KEYS = 1_000
const DURABLE_WRITES = 200
const MEMORY_WRITES = 10_000
/** Groups of writes that are in flight together, in one round. */
const GROUPS = 20
/** Keys of transactions with many changes: more than they have changes. */
const TOGETHER_KEYS = 100_000

/** Commits in the time of one raw sync, by how many are in flight. */
const COMMITS_PER_SYNC = { 64: 8, 1024: 30 } as const

export function writes(): readonly Case[] {
  return [
    {
      name: 'store/write-durable/in-flight-1',
      unit: 'op/s',
      operations: DURABLE_WRITES,
      note: `synced before the next; ${KEPT}; the raw fdatasync overwrites 256 bytes and keeps nothing`,
      ...withFloor(
        against(
          writingOneByOne(DURABLE_WRITES, WHOLE),
          [karyonStore(), 'folder'],
          inFolders<Recounting>(lmdb(), sqlite()),
        ),
        syncing(DURABLE_WRITES),
      ),
    },
    inFlight(64, [lmdb(), sqlite(), sqlite('one transaction for all')]),
    inFlight(256, [lmdb()]),
    ...([64, 1024] as const).map(perRawSync),
    ...WRITTEN.flatMap((written): Case[] => [
      durableBatch(100, 20, written),
      durableBatch(1_000, 5, written),
      {
        name: `store/write-memory/1${written.parameter}`,
        unit: 'op/s',
        operations: MEMORY_WRITES,
        note: `${written.what}; nothing on disk, one in flight; ${KEPT}`,
        ...against(
          writingOneByOne(MEMORY_WRITES, written),
          [karyonStore(), 'memory'],
          inMemory<Recounting>(sqlite(), mapStore()),
        ),
      },
      {
        name: `store/write-memory/1000${written.parameter}`,
        unit: 'op/s',
        operations: 20_000,
        note: `${written.what}; nothing on disk, 1,000 updates in a transaction; ${KEPT}`,
        ...against(
          writingTogether(20, 1_000, written),
          [karyonStore(), 'memory'],
          inMemory<Recounting>(sqlite(), mapStore()),
        ),
      },
    ]),
  ]
}

/** What an update gives: the whole object, or one property of it. */
interface Written {
  readonly parameter: string
  readonly what: string
  one(store: Recounting, change: Change): Promise<unknown> | void
  together(store: Recounting, changes: readonly Change[]): Promise<unknown> | void
}

const WHOLE: Written = {
  parameter: '',
  what: 'whole objects',
  one: (store, change) => store.write(change),
  together: (store, changes) => store.writeTogether(changes),
}

const ONE_PROPERTY: Written = {
  parameter: '/one-property',
  what: 'one property of an object: SQLite updates a column, lmdb and Map have to put the whole object again',
  one: (store, change) => store.writeCount(countOf(change)),
  together: (store, changes) => store.writeCountsTogether(changes.map(countOf)),
}

const WRITTEN = [WHOLE, ONE_PROPERTY] as const

function countOf([key, { count }]: Change): Recount {
  return [key, count]
}

function durableBatch(size: number, groups: number, written: Written): Case {
  return {
    name: `store/write-durable-batch/${size}${written.parameter}`,
    unit: 'op/s',
    operations: groups * size,
    note: `${written.what}; ${size} updates in a transaction that is synced before the next; ${KEPT}`,
    ...against(
      writingTogether(groups, size, written),
      [karyonStore(), 'folder'],
      inFolders<Recounting>(lmdb(), sqlite()),
    ),
  }
}

function inFlight(count: number, peers: readonly Concurrent[]): Case {
  return {
    name: `store/write-durable/in-flight-${count}`,
    unit: 'op/s',
    operations: GROUPS * count,
    note: `${count} asked for at once, each synced when acknowledged; ${KEPT}`,
    ...against(writingInFlight(count), [karyonStore(), 'folder'], inFolders(...peers)),
  }
}

function withFloor(sides: Pick<Case, 'ours' | 'peers'>, floor: Side): Pick<Case, 'ours' | 'peers'> {
  return { ...sides, peers: [...sides.peers, floor] }
}

/** As many raw syncs as others make commits. */
function syncing(count: number): Side {
  let disk: ReturnType<typeof rawSync>
  return {
    name: 'raw fdatasync',
    start() {
      disk = rawSync()
    },
    run() {
      for (let at = 0; at < count; at++) disk.sync()
    },
    stop: () => disk.close(),
  }
}

/** How many commits are acknowledged in the time that the disk takes for one raw sync, both in turns within each round. */
function perRawSync(count: 64 | 1024): Case {
  const store = karyonStore()
  const work = writingInFlight(count)()
  let disk: ReturnType<typeof rawSync>
  let commits: number
  const { ours } = against(
    () => ({
      ...work,
      fill() {
        disk = rawSync()
      },
      async run() {
        const groups: number[] = []
        const syncs: number[] = []
        for (const together of work.round()) {
          groups.push(await millisecondsOf(() => store.writeInFlight(together)))
          for (let at = 0; at < 5; at++) syncs.push(await millisecondsOf(() => disk.sync()))
        }
        commits = (count * median(syncs)) / median(groups)
      },
      figure: () => commits,
    }),
    [store, 'folder'],
    [],
  )
  return {
    name: `store/write-durable/in-flight-${count}`,
    unit: 'op/sync',
    operations: GROUPS * count,
    note: `commits in the time of one raw fdatasync, ${count} asked for at once; the median group and the median sync, in turns`,
    ours: {
      ...ours,
      async stop() {
        await ours.stop!()
        disk.close()
      },
    },
    peers: [],
    limit: COMMITS_PER_SYNC[count],
  }
}

async function millisecondsOf(act: () => unknown): Promise<number> {
  const started = performance.now()
  await act()
  return performance.now() - started
}

function writingOneByOne(count: number, written: Written): () => Work<Recounting> {
  return () => {
    let round: Change[] = []
    return {
      filled: () => everyKey(KEYS),
      prepare(number) {
        round = changes(count, KEYS, number + 1)
      },
      async run(store) {
        for (const change of round) await written.one(store, change)
      },
      answer: (store) => everything(store, KEYS),
    }
  }
}

function writingTogether(groups: number, size: number, written: Written): () => Work<Recounting> {
  return () => {
    let round: Change[][] = []
    return {
      filled: () => everyKey(TOGETHER_KEYS),
      prepare(number) {
        round = groupsOfChanges(groups, size, TOGETHER_KEYS, number + 1)
      },
      async run(store) {
        for (const together of round) await written.together(store, together)
      },
      answer: (store) => round.flat().map(([key]) => store.read(key)),
    }
  }
}

function writingInFlight(count: number): () => Work<Concurrent> & { round(): readonly Change[][] } {
  return () => {
    let round: Change[][] = []
    return {
      round: () => round,
      filled: () => everyKey(KEYS),
      prepare(number) {
        const all = changes(GROUPS * count, KEYS, number + 1)
        round = Array.from({ length: GROUPS }, (_, at) => all.slice(at * count, (at + 1) * count))
      },
      async run(store) {
        for (const together of round) await store.writeInFlight(together)
      },
      answer: (store) => everything(store, KEYS),
    }
  }
}
