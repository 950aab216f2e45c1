// Reading in one thread while another one writes.
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Kernel } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import { median } from '../measure.ts'
import { keyOf, numbers } from './facts.ts'
import { freshFolder, removeFolder, quantile } from './work.ts'
import { DONE, NODES, READY, STARTING, WRITING, putFacts } from './writer.ts'

const SLOWER_MAX = 3
/** More reads than are made beside the longest transaction. */
const READS_MAX = 2_000_000
const IDLE_READS = 100_000
/** Between the moments at which reads fall due, where they come on schedule. */
const INTERVAL_MS = 0.01

export function besideWriter(): readonly Case[] {
  return [
    caseOf('', 'each read after the one before', 0),
    caseOf('/on-schedule', 'a read due each 10 µs, and its wait counted from then', INTERVAL_MS),
  ]
}

/**
 * Reads made one after the other count a stall as one slow read, however long it is; reads on a schedule count all that it delays, as
 * those do who come from outside.
 */
function caseOf(parameter: string, what: string, intervalMs: number): Case {
  const state = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const times = new Float64Array(READS_MAX)
  const idle: number[] = []
  const beside: number[] = []
  const longest: number[] = []
  let kernel: Kernel
  let folder: string
  let writer: Worker
  const say = (word: number): void => {
    Atomics.store(state, 0, word)
    Atomics.notify(state, 0)
  }
  /** Reads while it is told to, and gives the times in milliseconds. */
  const readWhile = (more: (count: number) => boolean): Float64Array => {
    const random = numbers(1)
    const started = performance.now()
    let count = 0
    while (count < READS_MAX && more(count)) {
      const key = keyOf(random() % NODES)
      let due = performance.now()
      if (intervalMs > 0) {
        due = started + count * intervalMs
        while (performance.now() < due);
      }
      kernel.graph.get(key)
      times[count++] = performance.now() - due
    }
    return times.slice(0, count)
  }
  const ours: Side = {
    name: 'karyon',
    async start() {
      folder = freshFolder()
      kernel = await (await karyon()).Kernel.open(folder)
      await putFacts(kernel, NODES, 0)
    },
    async prepare(round) {
      say(STARTING)
      const workerData = { folder, state, round }
      writer = new Worker(new URL('./writer.js', import.meta.url), { workerData })
      while (Atomics.load(state, 0) !== READY) await delay(1)
    },
    run() {
      const before = readWhile((count) => count < IDLE_READS)
      say(WRITING)
      const meanwhile = readWhile(() => Atomics.load(state, 0) !== DONE)
      idle.push(quantile(before, 0.99))
      beside.push(quantile(meanwhile, 0.99))
      longest.push(quantile(meanwhile, 1))
    },
    figure: () => beside.at(-1)! / idle.at(-1)!,
    answer: () => once(writer, 'exit'),
    async stop() {
      await kernel.close()
      removeFolder(folder)
    },
  }
  return {
    name: `store/read-beside-writer${parameter}`,
    unit: '×',
    operations: 1,
    note: () =>
      `p99 of point reads (${what}) while another thread puts half of ${NODES} nodes in one transaction, by that before it: ` +
      `${micros(beside)} by ${micros(idle)}, the longest ${micros(longest)}`,
    limit: SLOWER_MAX,
    ours,
    peers: [],
  }
}

function micros(milliseconds: readonly number[]): string {
  return `${Math.round(median(milliseconds) * 1e4) / 10} µs`
}
