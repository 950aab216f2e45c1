// The thread that puts half of a graph in one transaction once it is told to.
import { isMainThread, workerData } from 'node:worker_threads'
import type { Kernel } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import { factOf, keyOf } from './facts.ts'

export const NODES = 100_000

/** What the word that both threads see says of the transaction. */
export const STARTING = 0
export const READY = 1
export const WRITING = 2
export const DONE = 3

/** Puts the first so many nodes, in one transaction. */
export async function putFacts(kernel: Kernel, count: number, seed: number): Promise<void> {
  await kernel.graph.write((tx) => {
    for (let at = 0; at < count; at++)
      tx.put(keyOf(at), { labels: ['Fact'], props: { ...factOf(seed + at) } })
  })
}

async function write({
  folder,
  state,
  round,
}: {
  folder: string
  state: Int32Array
  round: number
}): Promise<void> {
  const kernel = await (await karyon()).Kernel.open(folder)
  Atomics.store(state, 0, READY)
  Atomics.wait(state, 0, READY)
  await putFacts(kernel, NODES / 2, (round + 1) * NODES)
  Atomics.store(state, 0, DONE)
  await kernel.close()
}

if (!isMainThread) await write(workerData as Parameters<typeof write>[0])
