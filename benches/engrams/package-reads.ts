// Nodes read by their keys where a package lies, and by the same keys elsewhere.
import { join } from 'node:path'
import type { Engram, Kernel, Node } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import type { Fact } from '../stores/driver.ts'
import { factOf, keyOf } from '../stores/facts.ts'
import { openSqlite, type Database, type Statement } from '../stores/sqlite.ts'
import { freshFolder, removeFolder, weightOf } from '../stores/work.ts'
import { filled, inCommits, once, packed } from './packages.ts'

const NODES = 100_000
const LOOKS = 50_000
const LABEL = 'Fact'

export function packageReads(): readonly Case[] {
  const kernel = once(() =>
    filled((graph) =>
      inCommits(graph, NODES, (tx, at) => tx.put(keyOf(at), { labels: [LABEL], props: { ...factOf(at) } })),
    ),
  )
  return [
    {
      name: 'engram/get-package',
      unit: 'ns/op',
      operations: LOOKS,
      note: `one of ${NODES} nodes of a label and four properties by its key, read whole, from files that are cached`,
      ours: fromPackage(kernel),
      peers: [fromSqlite(), fromGraph(kernel)],
    },
  ]
}

/** What the sides have in common: which keys, and what they add up to. */
function reading(
  name: string,
  open: () => Promise<(key: string) => Fact | undefined>,
  stop: () => Promise<void> | void,
): Side {
  let read: (key: string) => Fact | undefined
  let keys: string[] = []
  let sum = 0
  return {
    name,
    async start() {
      read = await open()
    },
    prepare(round) {
      keys = Array.from({ length: LOOKS }, (_, at) => keyOf(((at + round * LOOKS) * 7_368_787) % NODES))
      sum = 0
    },
    run() {
      for (const key of keys) sum += weightOf(read(key))
    },
    answer: () => sum,
    stop,
  }
}

/** Read whole: its label too. */
function factIn(node: Node | undefined): Fact | undefined {
  return node?.labels[0] === LABEL ? (node.props as unknown as Fact) : undefined
}

function fromPackage(kernel: () => Promise<Kernel>): Side {
  let engram: Engram
  const open = async (): Promise<(key: string) => Fact | undefined> => {
    const { path } = await packed((await kernel()).graph, 'facts')
    engram = (await karyon()).openEngram(path)
    return (key) => factIn(engram.get(key))
  }
  return reading('karyon', open, () => engram.close())
}

function fromGraph(kernel: () => Promise<Kernel>): Side {
  const open = async (): Promise<(key: string) => Fact | undefined> => {
    const { graph } = await kernel()
    return (key) => factIn(graph.get(key))
  }
  return reading('self: the graph', open, async () => (await kernel()).close())
}

function fromSqlite(): Side {
  let database: Database
  let folder: string
  let get: Statement
  const open = async (): Promise<(key: string) => Fact | undefined> => {
    folder = freshFolder()
    database = await openSqlite(join(folder, 'facts.sqlite'))
    database.exec(
      'CREATE TABLE facts(key TEXT PRIMARY KEY, label TEXT, count INTEGER, score REAL, text TEXT, sure INTEGER) WITHOUT ROWID',
    )
    const put = database.prepare('INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?)')
    database.transaction(() => {
      for (let at = 0; at < NODES; at++) {
        const { count, score, text, sure } = factOf(at)
        put.run(keyOf(at), LABEL, count, score, text, sure ? 1 : 0)
      }
    })()
    database.pragma('wal_checkpoint(TRUNCATE)')
    get = database.prepare('SELECT key, label, count, score, text, sure FROM facts WHERE key = ?')
    return (key) => {
      const row = get.get(key) as (Omit<Fact, 'sure'> & { label: string; sure: number }) | undefined
      return row?.label === LABEL ? { ...row, sure: row.sure === 1 } : undefined
    }
  }
  return reading('better-sqlite3 on a file, prepared', open, () => {
    database.close()
    removeFolder(folder)
  })
}
