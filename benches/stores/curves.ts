// How disk and memory grow while a store is updated: a row for each tenth of the updates.
import { join } from 'node:path'
import type { Case } from '../measure.ts'
import type { Recount, Recounting } from './driver.ts'
import { keyOf, numbers } from './facts.ts'
import { karyonStore } from './karyon.ts'
import { PARTS, UPDATED, UPDATES, updatedApart } from './ram.ts'
import { sqlite } from './sqlite.ts'
import { bytesOnDisk, everyKey, freshFolder, oncePerRound, partSide, removeFolder, weightOf } from './work.ts'

const NODES = 5_000
/** Of one property, in transactions of so many. */
const DISK_UPDATES = 600_000
const TOGETHER = 1_000
/** Several fall due within the updates. */
const CHECKPOINT_BYTES = 256 * 1024
const UNDO_BYTES_MAX = 64 * 1024 ** 2

/** What a store is on the disk; of a peer the whole folder alone. */
const FOLDERS = ['log', 'history', 'checkpoint'] as const
type Bytes = Readonly<Record<'whole' | (typeof FOLDERS)[number], number>>

export function curves(): readonly Case[] {
  return [...diskCurves(), undo(), ...memoryCurve()]
}

function diskCurves(): Case[] {
  const ours = oncePerRound(() => grown(karyonStore({ checkpointBytes: CHECKPOINT_BYTES })))
  const theirs = oncePerRound(() => grown(sqlite()))
  const what = `after so much of ${DISK_UPDATES} updates of one property of ${NODES} nodes, ${TOGETHER} in a transaction, a checkpoint each ${CHECKPOINT_BYTES / 1024} KiB or as much as the last one is`
  const common = { unit: 'B', operations: 1, slow: true } as const
  const whole = tenths().map(({ at, name }): Case => ({
    ...common,
    name: `store/curves/disk/${name}`,
    note: `the whole folder ${what}; against full copies of the rows before`,
    ours: partSide(
      'karyon',
      ours,
      ({ points }) => points[at]!.whole,
      ({ sum }) => sum,
    ),
    peers: [
      partSide(
        'better-sqlite3',
        theirs,
        ({ points }) => points[at]!.whole,
        ({ sum }) => sum,
      ),
    ],
  }))
  const parts = FOLDERS.flatMap((folder) =>
    tenths().map(({ at, name }): Case => ({
      ...common,
      name: `store/curves/disk-${folder}/${name}`,
      note: `${folder === 'log' ? 'the log, with what is made ahead of time' : folder} ${what}`,
      ours: partSide('karyon', ours, ({ points }) => points[at]![folder]),
      peers: [partSide('self: the whole folder', ours, ({ points }) => points[at]!.whole)],
    })),
  )
  return [...whole, ...parts]
}

interface Grown {
  readonly points: readonly Bytes[]
  /** Of all that is read in the end. */
  readonly sum: number
}

async function grown(store: Recounting): Promise<Grown> {
  const folder = freshFolder()
  await store.open(folder)
  await store.load(everyKey(NODES))
  const random = numbers(1)
  const update = (): Recount => [keyOf(random() % NODES), random()]
  const points: Bytes[] = []
  for (let part = 0; part < PARTS; part++) {
    for (let at = 0; at < DISK_UPDATES / PARTS; at += TOGETHER) {
      await store.writeCountsTogether(Array.from({ length: TOGETHER }, update))
    }
    const [log, history, checkpoint] = FOLDERS.map((name) => bytesOnDisk(join(folder, name))) as [
      number,
      number,
      number,
    ]
    points.push({ whole: bytesOnDisk(folder), log, history, checkpoint })
  }
  let sum = 0
  for (let at = 0; at < NODES; at++) sum += weightOf(store.read(keyOf(at)))
  await store.close()
  removeFolder(folder)
  return { points, sum }
}

const MEMORY = `while one property of ${UPDATED} nodes is updated ${UPDATES} times and a snapshot of before is held, which then answers; open runs, caches and all`

function undo(): Case {
  // What filling has left behind is given back while the first updates are made: from then on it grows.
  const grown = ({ taken }: { readonly taken: readonly number[] }): number =>
    taken.at(-1)! - Math.min(...taken)
  return {
    name: 'store/ram/undo',
    unit: 'B',
    operations: 1,
    note: `what a process of its own grows by, from its least on, ${MEMORY}`,
    ours: partSide('karyon', updatedApart.held, grown),
    peers: [partSide('self: no snapshot', updatedApart.free, grown)],
    limit: UNDO_BYTES_MAX,
    slow: true,
  }
}

function memoryCurve(): Case[] {
  return tenths().map(({ at, name }) => ({
    name: `store/curves/memory/${name}`,
    unit: 'B',
    operations: 1,
    note: `what a process of its own takes in all, after so much of it: ${MEMORY}`,
    ours: partSide('karyon', updatedApart.held, ({ taken }) => taken[at + 1]!),
    peers: [partSide('self: no snapshot', updatedApart.free, ({ taken }) => taken[at + 1]!)],
    slow: true,
  }))
}

function tenths(): { readonly at: number; readonly name: string }[] {
  return Array.from({ length: PARTS }, (_, at) => ({ at, name: `${((at + 1) * 100) / PARTS}%` }))
}
