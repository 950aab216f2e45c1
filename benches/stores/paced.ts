// A thread that reads, or writes, whenever it is due, and says how long each took.
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import type { Kernel, OpenOptions } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import { factOf, keyOf, numbers } from './facts.ts'
import { rawSync, type RawSync } from './sync.ts'

export const PACED_NODES = 50_000
export const READ_EACH_MS = 1
export const WRITE_EACH_MS = 2
/** Updates of one property in a transaction. */
export const UPDATES_EACH = 100
/** About what such a transaction takes of the log. */
const WRITTEN_BYTES = 4096
export const PACED_OPTIONS: OpenOptions = { checkpointBytes: 8 * 1024 ** 2 }

/** What a thread is given; without a folder it does as much without a store. */
export interface Paced {
  readonly does: 'reads' | 'writes'
  readonly folder: string | undefined
  /** One word: not 0 when it is enough. */
  readonly stop: Int32Array
}

/** Milliseconds. */
export interface Paces {
  /** From the call until it was done. */
  readonly done: Float64Array
  /** How late the thread's event loop was to call it. */
  readonly late: Float64Array
}

async function paced({ does, folder, stop }: Paced): Promise<Paces> {
  const kernel = folder === undefined ? undefined : await (await karyon()).Kernel.open(folder, PACED_OPTIONS)
  const disk = kernel ? undefined : rawSync(WRITTEN_BYTES)
  const act = does === 'reads' ? reading(kernel) : writing(kernel, disk)
  const interval = does === 'reads' ? READ_EACH_MS : WRITE_EACH_MS
  const paces = await atIntervals(interval, stop, act)
  await kernel?.close()
  disk?.close()
  return paces
}

type Act = () => Promise<unknown> | void

function reading(kernel: Kernel | undefined): Act {
  const random = numbers(1)
  const map = new Map(Array.from({ length: PACED_NODES }, (_, at) => [keyOf(at), factOf(at)] as const))
  const get = (key: string): unknown => (kernel ? kernel.graph.get(key)?.props['text'] : map.get(key)?.text)
  return () => {
    if (typeof get(keyOf(random() % PACED_NODES)) !== 'string') throw new Error('a node is missing')
  }
}

function writing(kernel: Kernel | undefined, disk: RawSync | undefined): Act {
  const random = numbers(2)
  if (!kernel) return () => disk!.sync()
  return () =>
    kernel.graph.write((tx) => {
      for (let at = 0; at < UPDATES_EACH; at++)
        tx.patch(keyOf(random() % PACED_NODES), { props: { count: random() } })
    })
}

/** Does not wait for one to be done before the next is due; what was missed while the thread was late is not made up for. */
async function atIntervals(interval: number, stop: Int32Array, act: Act): Promise<Paces> {
  const done: number[] = []
  const late: number[] = []
  const running: Promise<void>[] = []
  let due = performance.now()
  while (Atomics.load(stop, 0) === 0) {
    due = Math.max(due + interval, performance.now())
    // A timer of the loop alone is a millisecond too rough.
    if (due - performance.now() > 1) await delay(due - performance.now() - 1)
    Atomics.wait(stop, 0, 0, Math.max(0, due - performance.now()))
    await turn()
    const called = performance.now()
    late.push(called - due)
    const acting = act()
    if (acting === undefined) done.push(performance.now() - called)
    else running.push(acting.then(() => void done.push(performance.now() - called)))
  }
  await Promise.all(running)
  return { done: Float64Array.from(done), late: Float64Array.from(late) }
}

if (!isMainThread) {
  const paces = await paced(workerData as Paced)
  parentPort!.postMessage(paces, [paces.done.buffer as ArrayBuffer, paces.late.buffer as ArrayBuffer])
}
