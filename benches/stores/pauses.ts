// How long reads and writes wait while checkpoints, tables of the past and merges of tables are written.
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Case } from '../measure.ts'
import { median } from '../measure.ts'
import { keyOf, numbers } from './facts.ts'
import { karyonStore } from './karyon.ts'
import {
  PACED_NODES,
  PACED_OPTIONS,
  READ_EACH_MS,
  UPDATES_EACH,
  WRITE_EACH_MS,
  type Paced,
  type Paces,
} from './paced.ts'
import { everyKey, freshFolder, oncePerRound, partSide, quantile } from './work.ts'

/** Updates before the first round, so that a table that is written makes others be merged. */
const FILLED_UPDATES = 2_000_000
const TOGETHER = 1_000
/** A round lasts at least, and until one image and two tables have been written, at most. */
const SECONDS = [5, 60] as const
const LOOK_EACH_MS = 20
const PAUSE_MS_MAX = 10

const PARTS = { p50: 0.5, p99: 0.99, max: 1 } as const

type Does = Paced['does']
type Pauses = Readonly<Record<Does | 'loop', Float64Array>>

const WHAT: Readonly<Record<keyof Pauses, readonly [what: string, peer: string, limit?: number]>> = {
  reads: ['a point read, from its call on', 'a look into a Map', PAUSE_MS_MAX],
  writes: ['a write, from its call until it is durable', 'a raw write and fdatasync', PAUSE_MS_MAX],
  loop: ['how late the event loops of both threads are', 'the same without a store'],
}

export function pauses(): readonly Case[] {
  const images: number[] = []
  const tables: number[] = []
  const measured = oncePerRound(async () => {
    const store = await paced(await filled())
    images.push(store.images)
    tables.push(store.tables)
    return { store, machine: await paced(undefined, store.seconds) }
  })
  return (['reads', 'writes', 'loop'] as const).flatMap((of) => {
    const [what, peer, limit] = WHAT[of]
    return Object.entries(PARTS).map(([name, part]): Case => ({
      name: `store/curves/pauses/${of}/${name}`,
      unit: 'ms',
      operations: 1,
      note: () =>
        `${what}: in one thread a read each ${READ_EACH_MS} ms, in another a transaction of ${UPDATES_EACH} updates each ${WRITE_EACH_MS} ms, while ${median(images)} images and ${median(tables)} tables of the past are written; against the machine's own: ${peer}, as long and as often`,
      ours: partSide('karyon', measured, ({ store }) => quantile(store.pauses[of], part)),
      peers: [partSide('self: no store', measured, ({ machine }) => quantile(machine.pauses[of], part))],
      ...(name === 'max' && limit !== undefined && { limit }),
      slow: true,
    }))
  })
}

let made: Promise<string> | undefined

/** A folder with a long past; each round goes on with it. */
function filled(): Promise<string> {
  made ??= (async () => {
    const folder = freshFolder()
    const store = karyonStore(PACED_OPTIONS)
    await store.open(folder)
    await store.load(everyKey(PACED_NODES))
    const random = numbers(3)
    for (let at = 0; at < FILLED_UPDATES; at += TOGETHER) {
      await store.writeCountsTogether(
        Array.from({ length: TOGETHER }, () => [keyOf(random() % PACED_NODES), random()] as const),
      )
    }
    await store.kernel().graph.ready('history')
    await store.close()
    return folder
  })()
  return made
}

interface Outcome {
  readonly pauses: Pauses
  readonly seconds: number
  readonly images: number
  readonly tables: number
}

/** Both threads at work, for so many seconds or until enough has been written. */
async function paced(folder: string | undefined, seconds?: number): Promise<Outcome> {
  const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const seen = folder === undefined ? undefined : watched(folder)
  const start = async (does: Does): Promise<Paces> => {
    const workerData: Paced = { does, folder, stop }
    const worker = new Worker(new URL('./paced.js', import.meta.url), { workerData })
    const [paces] = (await once(worker, 'message')) as [Paces]
    return paces
  }
  const started = performance.now()
  const lasted = (): number => (performance.now() - started) / 1e3
  const working = Promise.all([start('reads'), start('writes')])
  const isEnough = (): boolean => {
    if (seconds !== undefined) return lasted() >= seconds
    const { images, tables } = seen!()
    return (lasted() >= SECONDS[0] && images >= 1 && tables >= 2) || lasted() >= SECONDS[1]
  }
  while (!isEnough()) await delay(LOOK_EACH_MS)
  const took = lasted()
  Atomics.store(stop, 0, 1)
  Atomics.notify(stop, 0)
  const [reads, writes] = await working
  const loop = Float64Array.from([...reads.late, ...writes.late])
  return {
    pauses: { reads: reads.done, writes: writes.done, loop },
    seconds: took,
    images: 0,
    tables: 0,
    ...seen?.(),
  }
}

/** How many images and tables have come into a folder since. */
function watched(folder: string): () => { images: number; tables: number } {
  const files = (name: string): string[] => {
    const inside = join(folder, name)
    return existsSync(inside) ? readdirSync(inside).filter((file) => /\.(image|table)$/.test(file)) : []
  }
  const there = new Set([...files('checkpoint'), ...files('history')])
  const come = { images: new Set<string>(), tables: new Set<string>() }
  return () => {
    for (const file of files('checkpoint')) if (!there.has(file)) come.images.add(file)
    for (const file of files('history')) if (!there.has(file)) come.tables.add(file)
    return { images: come.images.size, tables: come.tables.size }
  }
}
