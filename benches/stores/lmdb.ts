import { join } from 'node:path'
import type { Change, Fact, Store } from './driver.ts'

/** The part of lmdb that is used here. */
interface Table<K, V> {
  get(key: K): V | undefined
  put(key: K, value: V): Promise<boolean>
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

/** The newest version in one table, those before it in another. A commit has settled when it is synced. */
export function lmdb(): Store {
  let root: Root
  let facts: Table<string, Kept>
  let past: Table<[string, number], Kept>
  const apply = ([key, fact]: Change): void => {
    const before = facts.get(key)
    if (before) void past.put([key, before.version], before)
    void facts.put(key, { ...fact, version: (before?.version ?? 0) + 1 })
  }
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
    read(key) {
      const kept = facts.get(key)
      return kept && { count: kept.count, score: kept.score, text: kept.text, sure: kept.sure }
    },
    close: () => root.close(),
  }
}
