// Numbers found by key, among a million: the lookup and its peers, all of them filled alike.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as Karyon from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Database, Statement } from '../stores/sqlite.ts'

export const ROWS = 1_000_000
/** Keys that are put in one transaction. */
const PORTION = 50_000

export const keyOf = (at: number): string => `fact/subject/${at}`
/** Any number that a double holds. */
export const numberOf = (at: number): number => at * 1.5

/** Who finds a number by a key. */
export interface Finder {
  readonly name: string
  start(): Promise<void>
  find(key: string): number
  stop(): Promise<void> | void
}

/** Everything that a lookup of Karyon's can do. */
export interface Ours extends Finder {
  handles(keys: readonly string[]): Uint32Array
  tags(keys: readonly string[]): BigUint64Array
  findMany(wanted: BigUint64Array | Uint32Array): Float64Array
}

/** `strict` compares the keys themselves, as its peers do. */
export function lookup(strict = true): Ours {
  let kernel: Karyon.Kernel
  let weights: Karyon.Lookup
  return {
    name: 'karyon',
    start: async () => {
      kernel = (await karyon()).Kernel.memory()
      for (let from = 0; from < ROWS; from += PORTION) {
        await kernel.graph.write((tx) => {
          for (let at = from; at < from + PORTION; at++)
            tx.put(keyOf(at), { props: { weight: numberOf(at) } })
        })
      }
      weights = await kernel.graph.lookup('weight', { strict })
    },
    find: (key) => weights.get(key) as number,
    handles: (keys) => kernel.graph.handles(keys),
    tags: (keys) => weights.tags(keys),
    findMany: (wanted) => weights.getMany(wanted),
    stop: async () => {
      weights.close()
      await kernel.close()
    },
  }
}

/** Bytes of eight, as they lie in its map of the file. */
export function lmdb(): Finder {
  interface Table {
    getBinaryFast(key: string): Buffer
    put(key: string, value: Buffer): Promise<boolean>
    transactionSync(work: () => void): void
    close(): Promise<void>
  }
  const path = mkdtempSync(join(tmpdir(), 'karyon-bench-lmdb-'))
  let table: Table
  return {
    name: 'lmdb getBinaryFast',
    start: async () => {
      const { open } = (await import('lmdb' as string)) as { open(options: object): Table }
      table = open({ path, encoding: 'binary', noSync: true })
      table.transactionSync(() => {
        for (let at = 0; at < ROWS; at++) {
          const bytes = Buffer.alloc(8)
          bytes.writeDoubleLE(numberOf(at))
          void table.put(keyOf(at), bytes)
        }
      })
    },
    find: (key) => table.getBinaryFast(key).readDoubleLE(),
    stop: async () => {
      await table.close()
      rmSync(path, { recursive: true })
    },
  }
}

export function sqlite(): Finder {
  let database: Database
  let get: Statement
  return {
    name: 'better-sqlite3 in memory, prepared',
    start: async () => {
      const module = (await import('better-sqlite3' as string)) as { default: new (path: string) => Database }
      database = new module.default(':memory:')
      database.exec('CREATE TABLE weights(key TEXT PRIMARY KEY, weight REAL) WITHOUT ROWID')
      const put = database.prepare('INSERT INTO weights VALUES(?, ?)')
      database.transaction(() => {
        for (let at = 0; at < ROWS; at++) put.run(keyOf(at), numberOf(at))
      })()
      get = database.prepare('SELECT weight FROM weights WHERE key = ?')
    },
    find: (key) => (get.get(key) as { readonly weight: number }).weight,
    stop: () => database.close(),
  }
}

export function map(): Finder {
  const weights = new Map<string, number>()
  return {
    name: 'Map, fresh strings',
    start: async () => {
      for (let at = 0; at < ROWS; at++) weights.set(keyOf(at), numberOf(at))
    },
    find: (key) => weights.get(key) as number,
    stop: () => weights.clear(),
  }
}
