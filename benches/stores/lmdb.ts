import { join } from 'node:path'
import type { Change, Fact, Store } from './driver.ts'

/** The part of lmdb that is used here. */
interface Table<K, V> {
  get(key: K): V | undefined
  put(key: K, value: V): Promise<boolean>
  getRange(options: { start: K; end: K; reverse: boolean; limit: number }): Iterable<{ value: V }>
}
interface Root {
  openDB<K, V>(options: { name: string; encoding: 'msgpack' }): Table<K, V>
  transaction(work: () => void): Promise<void>
  transactionSync(work: () => void): void
  close(): Promise<void>
}
interface Lmdb {
  open(options: { path: string; overlappingSync: boolean; maxDbs: number }): Root
}
interface Kept extends Fact {
  readonly version: number
}

const NAME: string = 'lmdb'

const LOAD_BATCH = 10_000

/** The newest version in one table, those before it in another. A commit has settled when it is synced. */
export function lmdb(): Store {
  let root: Root
  let facts: Table<string, Kept>
  let past: Table<[string, number], Kept>
  let version = 0
  const apply = ([key, fact]: Change): void => {
    const before = facts.get(key)
    if (before) void past.put([key, before.version], before)
    void facts.put(key, { ...fact, version: ++version })
  }
  const plain = (kept: Kept | undefined): Fact | undefined =>
    kept && { count: kept.count, score: kept.score, text: kept.text, sure: kept.sure }
  return {
    name: NAME,
    async open(folder) {
      if (folder === undefined) throw new Error('lmdb is measured with a folder only')
      const library = (await import(NAME)) as Lmdb
      root = library.open({ path: join(folder, 'data.mdb'), overlappingSync: false, maxDbs: 4 })
      facts = root.openDB({ name: 'facts', encoding: 'msgpack' })
      past = root.openDB({ name: 'past', encoding: 'msgpack' })
    },
    load(changes) {
      root.transactionSync(() => changes.forEach(apply))
    },
    write(change) {
      root.transactionSync(() => apply(change))
    },
    writeInFlight: (changes) => Promise.all(changes.map((change) => root.transaction(() => apply(change)))),
    read: (key) => plain(facts.get(key)),
    loadVersions(changes) {
      version = 0
      for (let at = 0; at < changes.length; at += LOAD_BATCH) {
        root.transactionSync(() => changes.slice(at, at + LOAD_BATCH).forEach(apply))
      }
    },
    readAt(key, moment) {
      const newest = facts.get(key)
      if (newest && newest.version <= moment) return plain(newest)
      const range = past.getRange({ start: [key, moment], end: [key, -1], reverse: true, limit: 1 })
      for (const { value } of range) return plain(value)
      return undefined
    },
    close: () => root.close(),
  }
}
