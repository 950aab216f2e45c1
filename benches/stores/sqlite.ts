import { join } from 'node:path'
import type { Change, Fact, Store } from './driver.ts'

/** The part of better-sqlite3 that is used here. */
interface Statement {
  run(...values: unknown[]): unknown
  get(...values: unknown[]): unknown
}
interface Database {
  pragma(text: string): unknown
  exec(text: string): void
  prepare(text: string): Statement
  transaction<A extends unknown[]>(work: (...values: A) => void): (...values: A) => void
  close(): void
}
interface Row {
  readonly version: number
  readonly count: number
  readonly score: number
  readonly text: string
  readonly sure: number
}

const NAME: string = 'better-sqlite3'

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS facts(
    key TEXT PRIMARY KEY, version INTEGER, count INTEGER, score REAL, text TEXT, sure INTEGER) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS past(
    key TEXT, version INTEGER, count INTEGER, score REAL, text TEXT, sure INTEGER,
    PRIMARY KEY(key, version)) WITHOUT ROWID;`

/** How a synchronous library serves many writers: a transaction each, or, if all agree, one for all. */
export type InFlight = 'one transaction each' | 'one transaction for all'

/** WAL with synchronous = FULL, so that a commit that returned is synced. */
export function sqlite(inFlight: InFlight = 'one transaction each'): Store {
  let database: Database
  let read: Statement
  let readPast: Statement
  let version = 0
  let one: (change: Change) => void
  let many: (changes: readonly Change[]) => void
  return {
    name: inFlight === 'one transaction each' ? NAME : `${NAME}, ${inFlight}`,
    async open(folder) {
      const { default: Opened } = (await import(NAME)) as { default: new (path: string) => Database }
      database = new Opened(folder === undefined ? ':memory:' : join(folder, 'facts.sqlite'))
      database.pragma('journal_mode = WAL')
      database.pragma('synchronous = FULL')
      database.exec(SCHEMA)
      const keep = database.prepare('INSERT INTO past SELECT * FROM facts WHERE key = ?')
      const set = database.prepare('INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?, ?)')
      read = database.prepare('SELECT version, count, score, text, sure FROM facts WHERE key = ?')
      readPast = database.prepare(`
        SELECT count, score, text, sure FROM past WHERE key = ? AND version <= ?
        ORDER BY version DESC LIMIT 1`)
      const apply = ([key, fact]: Change): void => {
        keep.run(key)
        set.run(key, ++version, fact.count, fact.score, fact.text, fact.sure ? 1 : 0)
      }
      one = database.transaction(apply)
      many = database.transaction((changes: readonly Change[]) => changes.forEach(apply))
    },
    load: (changes) => many(changes),
    write: (change) => one(change),
    writeInFlight(changes) {
      if (inFlight === 'one transaction for all') many(changes)
      else for (const change of changes) one(change)
    },
    read: (key) => plain(read.get(key) as Row | undefined),
    loadVersions(changes) {
      version = 0
      many(changes)
    },
    readAt(key, moment) {
      const newest = read.get(key) as Row | undefined
      if (newest && newest.version <= moment) return plain(newest)
      return plain(readPast.get(key, moment) as Row | undefined)
    },
    close: () => database.close(),
  }
}

function plain(row: Row | undefined): Fact | undefined {
  return row && { count: row.count, score: row.score, text: row.text, sure: row.sure === 1 }
}
