import { join } from 'node:path'
import type {
  Batched,
  Change,
  Concurrent,
  Counted,
  Fact,
  Linked,
  Named,
  Recount,
  Recounting,
} from './driver.ts'

/** The part of lmdb that is used here. */
interface Table<K, V> {
  get(key: K): V | undefined
  getMany(keys: readonly K[]): Promise<(V | undefined)[]>
  getValues(key: K): Iterable<V>
  put(key: K, value: V): Promise<boolean>
  getRange(options: { start: K; end: K; reverse: boolean; limit: number }): Iterable<{ value: V }>
}
interface Options {
  readonly name: string
  readonly encoding: 'msgpack' | 'ordered-binary'
  readonly dupSort?: boolean
}
interface Root {
  openDB<K, V>(options: Options): Table<K, V>
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
export function lmdb(): Concurrent & Linked & Batched & Recounting & Counted<string, readonly string[]> {
  let root: Root
  let facts: Table<string, Kept>
  let past: Table<[string, number], Kept>
  let links: Table<string, string>
  let version = 0
  let before = 0
  const set = (key: string, change: (fact: Kept | undefined) => Fact): void => {
    const newest = facts.get(key)
    if (newest) void past.put([key, newest.version], newest)
    void facts.put(key, { ...change(newest), version: ++version })
  }
  const apply = ([key, fact]: Change): void => set(key, () => fact)
  /** There is no part of a value to be put: the whole object is, again. */
  const setCount = ([key, count]: Recount): void => set(key, (fact) => ({ ...fact!, count }))
  const inBatches = <T>(items: readonly T[], act: (item: T) => void): void => {
    for (let at = 0; at < items.length; at += LOAD_BATCH) {
      root.transactionSync(() => items.slice(at, at + LOAD_BATCH).forEach((item) => act(item)))
    }
  }
  const keptAt = (key: string, moment: number): Kept | undefined => {
    const newest = facts.get(key)
    if (newest && newest.version <= moment) return newest
    const range = past.getRange({ start: [key, moment], end: [key, -1], reverse: true, limit: 1 })
    for (const { value } of range) return value
    return undefined
  }
  const within = (key: string, read: (key: string) => Kept | undefined): Named[] => {
    const near = new Set(links.getValues(key))
    const reached = new Set(near)
    for (const step of near) for (const next of links.getValues(step)) reached.add(next)
    reached.delete(key)
    return Array.from(reached, (key) => {
      const { count, score, text, sure } = read(key)!
      return { key, count, score, text, sure }
    })
  }
  return {
    name: NAME,
    async open(folder) {
      if (folder === undefined) throw new Error('lmdb is measured with a folder only')
      const library = (await import(NAME)) as Lmdb
      root = library.open({ path: join(folder, 'data.mdb'), overlappingSync: false, maxDbs: 4 })
      facts = root.openDB({ name: 'facts', encoding: 'msgpack' })
      past = root.openDB({ name: 'past', encoding: 'msgpack' })
      links = root.openDB({ name: 'links', encoding: 'ordered-binary', dupSort: true })
    },
    load(changes) {
      root.transactionSync(() => changes.forEach(apply))
    },
    write(change) {
      root.transactionSync(() => apply(change))
    },
    writeTogether(changes) {
      root.transactionSync(() => changes.forEach(apply))
    },
    writeCount(change) {
      root.transactionSync(() => setCount(change))
    },
    writeCountsTogether(changes) {
      root.transactionSync(() => changes.forEach(setCount))
    },
    writeInFlight: (changes) => Promise.all(changes.map((change) => root.transaction(() => apply(change)))),
    read: (key) => plain(facts.get(key)),
    ref: (key) => key,
    refs: (keys) => keys,
    count: (key) => plain(facts.get(key))!.count,
    counts: async (keys) =>
      (await facts.getMany([...keys])).reduce((sum, kept) => sum + plain(kept)!.count, 0),
    readMany: async (keys) => (await facts.getMany(keys)).map((kept) => plain(kept)!),
    loadVersions(changes) {
      before = version
      inBatches(changes, apply)
    },
    readAt: (key, moment) => plain(keptAt(key, before + moment)),
    recount: (changes) => inBatches(changes, setCount),
    link: (pairs) => inBatches(pairs, ([from, to]) => void links.put(from, to)),
    around: (key) => within(key, (key) => facts.get(key)),
    aroundAt: (key, moment) => within(key, (key) => keptAt(key, before + moment)),
    close: () => root.close(),
  }
}

function plain(kept: Kept | undefined): Fact | undefined {
  return kept && { count: kept.count, score: kept.score, text: kept.text, sure: kept.sure }
}
