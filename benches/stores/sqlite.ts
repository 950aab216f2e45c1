import { join } from 'node:path'
import type { Change, Concurrent, Fact, Indexed, Link, Linked, Named, Recount, Recounting } from './driver.ts'

/** The part of better-sqlite3 that is used here. */
export interface Statement {
  run(...values: unknown[]): unknown
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
}
export interface Database {
  pragma(text: string): unknown
  exec(text: string): void
  prepare(text: string): Statement
  transaction<A extends unknown[]>(work: (...values: A) => void): (...values: A) => void
  close(): void
}
interface Row {
  readonly key: string
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
    PRIMARY KEY(key, version)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS links(source TEXT, target TEXT, PRIMARY KEY(source, target)) WITHOUT ROWID;`

/** What is one or two links away from a key. */
const REACHED = `
  WITH near AS (SELECT target FROM links WHERE source = @key),
    reached AS (
      SELECT target FROM near UNION
      SELECT links.target FROM near JOIN links ON links.source = near.target)
  SELECT key, count, score, text, sure FROM reached JOIN facts ON facts.key = reached.target
  WHERE reached.target <> @key`

/** The same as of a version: the newest row where it is old enough, else the newest of the past that is. */
const REACHED_AT = `
  ${REACHED} AND facts.version <= @moment UNION ALL
  SELECT past.key, past.count, past.score, past.text, past.sure
  FROM reached JOIN facts ON facts.key = reached.target JOIN past ON past.key = reached.target
  WHERE reached.target <> @key AND facts.version > @moment AND past.version =
    (SELECT max(version) FROM past WHERE key = reached.target AND version <= @moment)`

/** A database whose commits are synced when they return: WAL with synchronous = FULL. */
export async function openSqlite(file: string): Promise<Database> {
  const { default: Opened } = (await import(NAME)) as { default: new (path: string) => Database }
  const database = new Opened(file)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  return database
}

/** How a synchronous library serves many writers: a transaction each, or, if all agree, one for all. */
export type InFlight = 'one transaction each' | 'one transaction for all'

/** Newest rows in one table, full copies of those before them in another. */
export function sqlite(
  inFlight: InFlight = 'one transaction each',
): Concurrent & Linked & Indexed & Recounting {
  let database: Database
  let read: Statement
  let readPast: Statement
  let reached: Statement
  let reachedAt: Statement
  let equal: Statement
  let range: Statement
  let version = 0
  let before = 0
  let one: (change: Change) => void
  let many: (changes: readonly Change[]) => void
  let recountOne: (change: Recount) => void
  let recount: (changes: readonly Recount[]) => void
  let link: (links: readonly Link[]) => void
  return {
    name: inFlight === 'one transaction each' ? NAME : `${NAME}, ${inFlight}`,
    async open(folder) {
      database = await openSqlite(folder === undefined ? ':memory:' : join(folder, 'facts.sqlite'))
      database.exec(SCHEMA)
      const keep = database.prepare('INSERT INTO past SELECT * FROM facts WHERE key = ?')
      const set = database.prepare('INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?, ?)')
      const setCount = database.prepare('UPDATE facts SET version = ?, count = ? WHERE key = ?')
      const setLink = database.prepare('INSERT INTO links VALUES (?, ?)')
      read = database.prepare('SELECT version, count, score, text, sure FROM facts WHERE key = ?')
      readPast = database.prepare(`
        SELECT count, score, text, sure FROM past WHERE key = ? AND version <= ?
        ORDER BY version DESC LIMIT 1`)
      reached = database.prepare(REACHED)
      reachedAt = database.prepare(REACHED_AT)
      equal = database.prepare('SELECT key, count, score, text, sure FROM facts WHERE count = ?')
      range = database.prepare(
        'SELECT key, count, score, text, sure FROM facts WHERE count >= ? AND count < ?',
      )
      const apply = ([key, fact]: Change): void => {
        keep.run(key)
        set.run(key, ++version, fact.count, fact.score, fact.text, fact.sure ? 1 : 0)
      }
      const applyCount = ([key, count]: Recount): void => {
        keep.run(key)
        setCount.run(++version, count, key)
      }
      one = database.transaction(apply)
      many = database.transaction((changes: readonly Change[]) => changes.forEach(apply))
      recountOne = database.transaction(applyCount)
      recount = database.transaction((changes: readonly Recount[]) => changes.forEach(applyCount))
      link = database.transaction((links: readonly Link[]) => {
        for (const [from, to] of links) setLink.run(from, to)
      })
    },
    load: (changes) => many(changes),
    write: (change) => one(change),
    writeTogether: (changes) => many(changes),
    writeCount: (change) => recountOne(change),
    writeCountsTogether: (changes) => recount(changes),
    writeInFlight(changes) {
      if (inFlight === 'one transaction for all') many(changes)
      else for (const change of changes) one(change)
    },
    read: (key) => plain(read.get(key) as Row | undefined),
    loadVersions(changes) {
      before = version
      many(changes)
    },
    readAt(key, moment) {
      const newest = read.get(key) as Row | undefined
      if (newest && newest.version <= before + moment) return plain(newest)
      return plain(readPast.get(key, before + moment) as Row | undefined)
    },
    recount: (changes) => recount(changes),
    link: (links) => link(links),
    around: (key) => reached.all({ key }).map(named),
    aroundAt: (key, moment) => reachedAt.all({ key, moment: before + moment }).map(named),
    index: () => database.exec('CREATE INDEX facts_count ON facts(count)'),
    equal: (count) => equal.all(count).map(named),
    range: (from, to) => range.all(from, to).map(named),
    close: () => database.close(),
  }
}

function plain(row: Row | undefined): Fact | undefined {
  return row && { count: row.count, score: row.score, text: row.text, sure: row.sure === 1 }
}

function named(row: unknown): Named {
  const { key, count, score, text, sure } = row as Row
  return { key, count, score, text, sure: sure === 1 }
}
