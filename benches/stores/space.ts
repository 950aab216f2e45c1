// What versions take up on the disk, and what nodes and edges take up in memory.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Kernel, Transaction } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import { median } from '../measure.ts'
import type { Change, Recount, Versioned } from './driver.ts'
import { keyOf, numbers } from './facts.ts'
import { karyonStore } from './karyon.ts'
import { ENTITIES, measuredApart } from './ram.ts'
import { openSqlite, sqlite, type Database, type Statement } from './sqlite.ts'
import {
  bytesOnDisk,
  everyKey,
  everything,
  freshFolder,
  oncePerRound,
  partSide,
  removeFolder,
} from './work.ts'

const SMALL_NODES = { keys: 1_000, versions: 100_000 } as const
const LARGE_NODES = { keys: 5, versions: 20_000 } as const
const LARGE_TEXT = 8 * 1024
/** A checkpoint is due that often, as else so small a store has its past in the log alone. */
const CHECKPOINT_BYTES = 64 * 1024
const TURNS = 400
const TURN_CHARACTERS = 2_000
const AGENT_BYTES_MAX = 3_000_000
const DOCUMENT_CHARACTERS = 100_000
const RAM_MAX = { node: 128, edge: 96 } as const

export function space(): readonly Case[] {
  // One process a round says both what a node and what an edge takes.
  const entities = oncePerRound(() => measuredApart('entities'))
  return [
    bytesPerVersion('', 'of facts', SMALL_NODES, everyKey(SMALL_NODES.keys)),
    bytesPerVersion('/8KiB', 'of nodes of 8 KiB', LARGE_NODES, largeFacts()),
    {
      name: 'store/bytes-agent-state',
      unit: 'B',
      operations: 1,
      note: `${TURNS} turns that append ${TURN_CHARACTERS} characters each to one list, every version readable; the whole folder against a full copy of each`,
      ours: versionsOf(MESSAGES, inKaryon(MESSAGES)),
      peers: [versionsOf(MESSAGES, inSqlite())],
      limit: AGENT_BYTES_MAX,
      slow: true,
    },
    {
      name: 'store/bytes-edited-text',
      unit: 'B',
      operations: 1,
      note: `${TURNS} turns that set a text of ${DOCUMENT_CHARACTERS} characters anew, each edited near its start, amid it and near its end, every version readable; the whole folder against a full copy of each`,
      ours: versionsOf(DOCUMENT, inKaryon(DOCUMENT)),
      peers: [versionsOf(DOCUMENT, inSqlite())],
      slow: true,
    },
    ...(['node', 'edge'] as const).map((entity): Case => ({
      name: `store/ram/${entity}`,
      unit: 'B/op',
      operations: ENTITIES,
      note: `what a process of its own grows by while ${ENTITIES} are put, without properties`,
      ours: partSide('karyon', entities, (ram) => ram[entity]),
      peers: [],
      limit: RAM_MAX[entity],
      slow: true,
    })),
  ]
}

interface Amount {
  readonly keys: number
  readonly versions: number
}

function bytesPerVersion(parameter: string, of: string, amount: Amount, facts: readonly Change[]): Case {
  const ours = versionBytes(karyonStore({ checkpointBytes: CHECKPOINT_BYTES }), amount, facts)
  const theirs = versionBytes(sqlite(), amount, facts)
  return {
    name: `store/bytes-per-version${parameter}`,
    unit: 'B/op',
    operations: amount.versions,
    note: () =>
      `a version changes one number ${of}; the log as far as it is written and the history, a checkpoint each ${CHECKPOINT_BYTES / 1024} KiB, against full copies of the rows before; the whole folder has grown by ${Math.round(ours.whole())} each`,
    ours: ours.side,
    peers: [theirs.side],
    slow: true,
  }
}

function largeFacts(): Change[] {
  return everyKey(LARGE_NODES.keys).map(([key, fact]) => [
    key,
    { ...fact, text: fact.text.repeat(LARGE_TEXT).slice(0, LARGE_TEXT) },
  ])
}

/** A side, and what all of its folder has come to, where what is compared is a part of it. */
interface Sized {
  readonly side: Side
  whole(): number
}

/** A new store in each round, closed after it was filled and again after the versions. */
function versionBytes(store: Versioned, { keys, versions }: Amount, facts: readonly Change[]): Sized {
  let folder: string
  let before: Bytes
  let recounts: Recount[]
  const whole: number[] = []
  const side: Side = {
    name: store.name,
    async prepare(round) {
      folder = freshFolder()
      await store.open(folder)
      await store.load(facts)
      await store.close()
      before = bytesOf(folder)
      await store.open(folder)
      const random = numbers(round + 1)
      recounts = Array.from({ length: versions }, (_, at) => [keyOf(random() % keys), keys + at] as const)
    },
    run: () => store.recount(recounts),
    async figure() {
      await store.close()
      const after = bytesOf(folder)
      whole.push((after.whole - before.whole) / versions)
      return (after.past - before.past) / versions
    },
    async answer() {
      await store.open(folder)
      const found = everything(store, keys)
      await store.close()
      removeFolder(folder)
      return found
    },
  }
  return { side, whole: () => median(whole) }
}

interface Bytes {
  /**
   * Of ours, what the past is kept in: the log up to its last byte that is not zero, as it is made longer ahead of time, and the history,
   * but no checkpoints, which say again what there is and what is still to be sealed.
   */
  readonly past: number
  readonly whole: number
}

function bytesOf(folder: string): Bytes {
  const whole = bytesOnDisk(folder)
  const log = join(folder, 'log')
  if (!existsSync(log)) return { past: whole, whole }
  const written = readdirSync(log).map((segment) => writtenBytes(readFileSync(join(log, segment))))
  return { past: written.reduce((sum, bytes) => sum + bytes, bytesOnDisk(join(folder, 'history'))), whole }
}

function writtenBytes(bytes: Buffer): number {
  return bytes.findLastIndex((byte) => byte !== 0) + 1
}

/** What has a version a turn: a list that grows, a text that is edited. */
interface Turns {
  readonly turns: number
  readonly first: State
  after(state: State, turn: number): State
  /** What a program that keeps it in Karyon does in a turn. */
  write(tx: Transaction, state: State, turn: number): void
}

type State = string | readonly string[]

/** An agent's list of messages. */
const MESSAGES: Turns = {
  turns: TURNS,
  first: [],
  after: (messages, turn) => [...messages, messageOf(turn)],
  write: (tx, _, turn) => tx.append('agent', 'state', [messageOf(turn)]),
}

/** A text that a program keeps as a whole and sets anew, as it does not know what was edited. */
const DOCUMENT: Turns = {
  turns: TURNS,
  first: lettersOf(0, DOCUMENT_CHARACTERS),
  after(state, turn) {
    const random = numbers(turn)
    let text = String(state)
    for (const third of [0, 1, 2]) {
      const at = Math.floor((third * DOCUMENT_CHARACTERS) / 3) + (random() % (DOCUMENT_CHARACTERS / 4))
      text = `${text.slice(0, at)}turn ${turn}${text.slice(at + (random() % 12))}`
    }
    return text
  },
  write: (tx, state) => tx.patch('agent', { props: { state: String(state) } }),
}

/** Where every turn is kept. */
interface Keeper {
  readonly name: string
  open(folder: string): Promise<void>
  write(state: State, turn: number): Promise<unknown> | void
  /** What it was after so many turns. */
  stateAt(turn: number): State
  close(): Promise<void> | void
}

function versionsOf(work: Turns, keeper: Keeper): Side {
  let folder: string
  return {
    name: keeper.name,
    prepare() {
      folder = freshFolder()
      return keeper.open(folder)
    },
    async run() {
      let state = work.first
      for (let turn = 1; turn <= work.turns; turn++) {
        state = work.after(state, turn)
        await keeper.write(state, turn)
      }
    },
    async figure() {
      await keeper.close()
      return bytesOnDisk(folder)
    },
    async answer() {
      await keeper.open(folder)
      const states = [1, 2, work.turns / 2, work.turns].map((turn) => keeper.stateAt(turn))
      await keeper.close()
      removeFolder(folder)
      return states
    },
  }
}

/** Letters that do not repeat, as no two turns of an agent are the same. */
function messageOf(turn: number): string {
  return `turn ${turn}: ${lettersOf(turn, TURN_CHARACTERS)}`.slice(0, TURN_CHARACTERS)
}

function lettersOf(seed: number, characters: number): string {
  const random = numbers(seed)
  let text = ''
  while (text.length < characters) text += `${random().toString(36)} `
  return text.slice(0, characters)
}

function inKaryon(work: Turns): Keeper {
  let kernel: Kernel
  const versions: bigint[] = []
  return {
    name: 'karyon',
    async open(folder) {
      kernel = await (await karyon()).Kernel.open(folder)
    },
    async write(state, turn) {
      const { version } = await kernel.graph.write((tx) => {
        tx.patch('agent', { labels: ['Agent'] })
        work.write(tx, state, turn)
      })
      versions[turn] = version
    },
    stateAt: (turn) => kernel.graph.at(versions[turn]!).get('agent')!.props['state'] as State,
    close: () => kernel.close(),
  }
}

function inSqlite(): Keeper {
  let database: Database
  let insert: Statement
  let read: Statement
  return {
    name: 'better-sqlite3',
    async open(folder) {
      database = await openSqlite(join(folder, 'agent.sqlite'))
      database.exec('CREATE TABLE IF NOT EXISTS turns(turn INTEGER PRIMARY KEY, state TEXT)')
      insert = database.prepare('INSERT INTO turns VALUES (?, ?)')
      read = database.prepare('SELECT state FROM turns WHERE turn = ?')
    },
    write(state, turn) {
      insert.run(turn, JSON.stringify(state))
    },
    stateAt: (turn) => JSON.parse((read.get(turn) as { state: string }).state) as State,
    close: () => database.close(),
  }
}
