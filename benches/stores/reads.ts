// Reading what is there now: by key, by many keys, along links, by an index, and while another thread writes.
import type { Case } from '../measure.ts'
import type { Batched, Change, Counted, Indexed, Link, Linked, Named, Store } from './driver.ts'
import { factOf, keyOf, numbers } from './facts.ts'
import { karyonStore } from './karyon.ts'
import { lmdb } from './lmdb.ts'
import { sqlite } from './sqlite.ts'
import { against, everyKey, inFolders, weightOf, type Contestant, type Work } from './work.ts'

const KEYS = 100_000
const READS = 100_000
const BATCH_KEYS = 256
const BATCHES = 200
/** A prime, so that the links of a key lead to as many others. */
const LINKED_KEYS = 50_021
const LINKS_EACH = 4
const WALKS = 2_000
/** Versions that follow the links, where it is the past that is walked. */
const LINKED_VERSIONS = 100_000
/** Facts with the same count, and facts in a range of counts. */
const EQUAL_HITS = 4
const RANGE_HITS = 100
const EQUAL_QUESTIONS = 10_000
const RANGE_QUESTIONS = 500

export function reads(): readonly Case[] {
  return [
    {
      name: 'store/point-read',
      unit: 'op/s',
      operations: READS,
      note: `whole objects of ${KEYS} keys, drawn uniformly`,
      ...against(reading, [karyonStore(), 'folder'], inFolders<Store>(lmdb(), sqlite())),
    },
    {
      name: 'store/point-number',
      unit: 'op/s',
      operations: READS,
      note: `one number of ${KEYS} keys: by handle, against the whole object`,
      ...against(counting, [karyonStore(), 'folder'], inFolders<Counted>(lmdb())),
    },
    {
      name: 'store/batch-read',
      unit: 'ns/op',
      operations: BATCHES * BATCH_KEYS,
      note: `per key, one number of ${BATCH_KEYS} of ${KEYS} keys at a time: by handles in a typed array, against getMany`,
      ...against(countingBatches, [karyonStore(), 'folder'], inFolders<Counted>(lmdb())),
    },
    {
      name: 'store/batch-read/objects',
      unit: 'ns/op',
      operations: BATCHES * BATCH_KEYS,
      note: `per key, ${BATCH_KEYS} of ${KEYS} keys at a time, whole objects`,
      ...against(readingBatches, [karyonStore(), 'folder'], inFolders<Batched>(lmdb())),
    },
    {
      name: 'store/two-hop',
      unit: 'op/s',
      operations: WALKS,
      note: `${LINKS_EACH + LINKS_EACH ** 2} nodes of ${LINKED_KEYS}, whole; better-sqlite3 is in memory and answers with one statement`,
      ...against(walking, [karyonStore(), 'folder'], walkers()),
    },
    {
      name: 'store/two-hop-asof',
      unit: 'op/s',
      operations: WALKS,
      note: `${LINKS_EACH + LINKS_EACH ** 2} nodes as of any of ${LINKED_VERSIONS} versions, whole; the links of the peers have no past; better-sqlite3 is in memory and answers with one statement`,
      ...against(walkingThePast, [karyonStore(), 'folder'], walkers()),
    },
    {
      name: 'store/find-equal',
      unit: 'op/s',
      operations: EQUAL_QUESTIONS,
      note: `${EQUAL_HITS} hits of ${KEYS} facts by an index, whole; nothing on disk`,
      ...against(
        finding(EQUAL_QUESTIONS, (store, count) => store.equal(count)),
        [karyonStore(), 'memory'],
        [[sqlite(), 'memory']],
      ),
    },
    {
      name: 'store/find-range',
      unit: 'op/s',
      operations: RANGE_QUESTIONS,
      note: `${RANGE_HITS} hits of ${KEYS} facts by an index, whole; nothing on disk`,
      ...against(
        finding(RANGE_QUESTIONS, (store, count) => store.range(count, count + RANGE_HITS / EQUAL_HITS)),
        [karyonStore(), 'memory'],
        [[sqlite(), 'memory']],
      ),
    },
  ]
}

function walkers(): Contestant<Linked>[] {
  return [
    [sqlite(), 'memory'],
    [lmdb(), 'folder'],
  ]
}

function reading(): Work<Store> {
  let keys: string[] = []
  let sum = 0
  return {
    filled: () => everyKey(KEYS),
    prepare(number) {
      keys = drawnKeys(READS, KEYS, number)
    },
    run(store) {
      sum = 0
      for (const key of keys) sum += weightOf(store.read(key))
    },
    answer: () => sum,
  }
}

function counting(): Work<Counted> {
  let refs: unknown[] = []
  let sum = 0
  return {
    filled: () => everyKey(KEYS),
    prepare(number, store) {
      refs = drawnKeys(READS, KEYS, number).map((key) => store.ref(key))
    },
    run(store) {
      sum = 0
      for (const ref of refs) sum += store.count(ref)
    },
    answer: () => sum,
  }
}

function countingBatches(): Work<Counted> {
  let batches: unknown[] = []
  let sum = 0
  return {
    filled: () => everyKey(KEYS),
    prepare(number, store) {
      const keys = drawnKeys(BATCHES * BATCH_KEYS, KEYS, number)
      const at = (batch: number): string[] => keys.slice(batch * BATCH_KEYS, (batch + 1) * BATCH_KEYS)
      batches = Array.from({ length: BATCHES }, (_, batch) => store.refs(at(batch)))
    },
    async run(store) {
      sum = 0
      for (const refs of batches) sum += await store.counts(refs)
    },
    answer: () => sum,
  }
}

function readingBatches(): Work<Batched> {
  let batches: string[][] = []
  let sum = 0
  return {
    filled: () => everyKey(KEYS),
    prepare(number) {
      const keys = drawnKeys(BATCHES * BATCH_KEYS, KEYS, number)
      batches = Array.from({ length: BATCHES }, (_, at) => keys.slice(at * BATCH_KEYS, (at + 1) * BATCH_KEYS))
    },
    async run(store) {
      sum = 0
      for (const keys of batches) for (const fact of await store.readMany(keys)) sum += weightOf(fact)
    },
    answer: () => sum,
  }
}

function walking(): Work<Linked> {
  let keys: string[] = []
  let sum = 0
  return {
    filled: () => everyKey(LINKED_KEYS),
    fill: (store) => store.link(everyLink()),
    prepare(number) {
      keys = drawnKeys(WALKS, LINKED_KEYS, number)
    },
    run(store) {
      sum = 0
      for (const key of keys) sum += weightOfAll(store.around(key))
    },
    answer: () => sum,
  }
}

function walkingThePast(): Work<Linked> {
  let questions: (readonly [string, number])[] = []
  let sum = 0
  return {
    filled: () => everyKey(LINKED_KEYS),
    async fill(store) {
      await store.link(everyLink())
      await store.loadVersions(drawnKeys(LINKED_VERSIONS, LINKED_KEYS, 0).map(newVersion))
    },
    prepare(number) {
      const random = numbers(number + 1)
      questions = drawnKeys(WALKS, LINKED_KEYS, number).map((key) => [key, 1 + (random() % LINKED_VERSIONS)])
    },
    run(store) {
      sum = 0
      for (const [key, version] of questions) sum += weightOfAll(store.aroundAt(key, version))
    },
    answer: () => sum,
  }
}

function finding(
  count: number,
  find: (store: Indexed, count: number) => readonly Named[],
): () => Work<Indexed> {
  return () => {
    let questions: number[] = []
    let sum = 0
    return {
      filled: () =>
        everyKey(KEYS).map(([key, fact], at) => [key, { ...fact, count: Math.floor(at / EQUAL_HITS) }]),
      async fill(store) {
        await store.index()
      },
      prepare(number) {
        const random = numbers(number + 1)
        const last = (KEYS - RANGE_HITS) / EQUAL_HITS
        questions = Array.from({ length: count }, () => random() % last)
      },
      run(store) {
        sum = 0
        for (const question of questions) sum += weightOfAll(find(store, question))
      },
      answer: () => sum,
    }
  }
}

function drawnKeys(count: number, keys: number, round: number): string[] {
  const random = numbers(round + 1)
  return Array.from({ length: count }, () => keyOf(random() % keys))
}

/** Links from every key to four that lie far apart, and from those to sixteen others. */
function everyLink(): Link[] {
  return Array.from({ length: LINKED_KEYS * LINKS_EACH }, (_, at) => {
    const target = (at * 7_919 + 1) % LINKED_KEYS
    return [keyOf(Math.floor(at / LINKS_EACH)), keyOf(target)] as const
  })
}

function newVersion(key: string, at: number): Change {
  return [key, factOf(LINKED_KEYS + at)]
}

/** Facts, how many they are, and their keys. */
function weightOfAll(facts: readonly Named[]): number {
  let sum = facts.length
  for (const fact of facts) sum += weightOf(fact) + fact.key.length + fact.key.charCodeAt(fact.key.length - 1)
  return sum
}
