// Cells in workers, against what a program would write by hand with the worker threads of Node.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import type { Kernel, OwnedRef } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import type { PortsSeed } from './ports.ts'

/** Objects, records and round trips of one round. */
const [ITEMS, RECORDS, TRIPS] = [100_000, 400_000, 4_000]
/** Records in one transferred array, and words in one record. */
const [RUN, WORDS] = [256, 4]
const [RESPAWN_LIMIT_MS, GAP_LIMIT_MS, EXIT_LIMIT_MS] = [5, 10, 100]
const IDLE_WORKERS = 20
const GAPS = 400

export function threads(): readonly Case[] {
  return [
    {
      name: 'cells/thread-oneway',
      unit: 'op/s',
      operations: ITEMS,
      note: 'objects to a cell in a worker, one by one; the peer posts one object at a time',
      ours: ours(async (ref) => {
        for (let n = 0; n < ITEMS; n++) ref.send('item', { to: 1, n })
        return ref.ask('sum', undefined, { timeoutMs: 60_000 })
      }),
      peers: [
        port('MessagePort', (to) => {
          for (let n = 0; n < ITEMS; n++) to.postMessage({ to: 1, n })
          return answerOf(to, 'sum')
        }),
      ],
    },
    {
      name: 'cells/thread-records',
      unit: 'op/s',
      operations: RECORDS,
      note: `records of four numbers in messages of ${RUN}; the peer transfers arrays of as many`,
      ours: ours(async (ref) => {
        for (let at = 0; at < RECORDS; at += RUN) ref.send('words', records(at))
        return ref.ask('sum', undefined, { timeoutMs: 60_000 })
      }),
      peers: [
        port('MessagePort, transferred', (to) => {
          for (let at = 0; at < RECORDS; at += RUN) {
            const words = records(at)
            to.postMessage(words, [words.buffer])
          }
          return answerOf(to, 'sum')
        }),
      ],
    },
    {
      name: 'cells/thread-records/one-by-one',
      unit: 'op/s',
      operations: ITEMS,
      note: `records of four numbers, each a message and a turn of its own; the peer transfers arrays of ${RUN}, without a turn for each`,
      ours: ours(async (ref) => {
        for (let at = 0; at < ITEMS; at++) ref.send('fields', { a: at, b: 2, c: 3, d: 4 })
        return ref.ask('sum', undefined, { timeoutMs: 60_000 })
      }),
      peers: [
        port('MessagePort, transferred', (to) => {
          for (let at = 0; at < ITEMS; at += RUN) {
            const words = records(at, Math.min(RUN, ITEMS - at))
            to.postMessage(words, [words.buffer])
          }
          return answerOf(to, 'sum')
        }),
      ],
    },
    {
      name: 'cells/thread-roundtrip',
      unit: 'op/s',
      operations: TRIPS,
      note: 'one ask after the other; the second peer blocks both threads in Atomics.wait, ours and the first run event loops',
      ours: ours(async (ref) => {
        let sum = 0
        for (let n = 0; n < TRIPS; n++) sum += (await ref.ask('echo', { n })).n
        return sum
      }),
      peers: [
        port(
          'MessagePort',
          async (to) => {
            let sum = 0
            for (let n = 0; n < TRIPS; n++) sum += ((await answerOf(to, { n })) as { n: number }).n
            return sum
          },
          'echo',
        ),
        waiting(),
      ],
    },
    {
      name: 'cells/respawn-worker',
      unit: 'ms',
      operations: 1,
      slow: true,
      limit: RESPAWN_LIMIT_MS,
      note: 'from the loss of a worker in an endless loop to the answer of its cell, with a warm spare',
      ours: respawn('karyon', true),
      peers: [respawn('self: without a spare', false)],
    },
    {
      name: 'cells/neighbour-gap',
      unit: 'ms',
      operations: GAPS,
      slow: true,
      limit: GAP_LIMIT_MS,
      note: 'p99 between two answers of a cell in one worker while a cell in another one loops',
      ours: neighbourGap(),
      peers: [],
    },
    {
      name: 'cells/exit',
      unit: 'ms',
      operations: 1,
      slow: true,
      limit: EXIT_LIMIT_MS,
      note: `process.exit with ${IDLE_WORKERS} idle workers, to the end of the process`,
      ours: exit(),
      peers: [],
    },
  ]
}

type Receiver = OwnedRef<typeof import('./crew.ts').receiver extends { messages: infer M } ? M : never>

function records(first: number, count = Math.min(RUN, RECORDS - first)): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(count * WORDS)
  for (let at = 0; at < count; at++) {
    words[at * WORDS] = first + at
    words[at * WORDS + 1] = 2
    words[at * WORDS + 2] = 3
    words[at * WORDS + 3] = 4
  }
  return words
}

/** A cell in a worker, warmed up. */
async function receiving(kernel: Kernel, name = 'receiver'): Promise<Receiver> {
  const { receiver } = await import('./crew.ts')
  const ref = kernel.spawn(receiver, { name })
  await ref.ask('sum')
  return ref
}

function ours(work: (ref: Receiver) => Promise<unknown>): Side {
  let kernel: Kernel
  let ref: Receiver
  let answer: unknown
  return {
    name: 'karyon',
    async start() {
      const { Kernel } = await karyon()
      kernel = Kernel.memory({ workers: { count: 1, spare: false } })
      ref = await receiving(kernel)
    },
    async run() {
      answer = await work(ref)
    },
    answer: () => answer,
    stop: () => kernel.close(),
  }
}

async function answerOf(port: MessagePort, question: unknown): Promise<unknown> {
  const answer = once(port, 'message')
  port.postMessage(question)
  return (await answer)[0] as unknown
}

function port(
  name: string,
  work: (to: MessagePort) => Promise<unknown>,
  role: PortsSeed['role'] = 'sum',
): Side {
  let worker: Worker
  let to: MessagePort
  let answer: unknown
  return {
    name,
    start() {
      const { port1, port2 } = new MessageChannel()
      worker = byHand({ role, port: port2, words: new SharedArrayBuffer(8) })
      to = port1
    },
    async run() {
      answer = await work(to)
    },
    answer: () => answer,
    async stop() {
      await worker.terminate()
    },
  }
}

function byHand(seed: PortsSeed): Worker {
  return new Worker(new URL('./ports.js', import.meta.url), { workerData: seed, transferList: [seed.port] })
}

function waiting(): Side {
  const words = new SharedArrayBuffer(8)
  const shared = new Int32Array(words)
  let worker: Worker
  let asked = 0
  let sum = 0
  return {
    name: 'Atomics.wait',
    async start() {
      const { port2 } = new MessageChannel()
      worker = byHand({ role: 'wait', port: port2, words })
      await once(worker, 'message')
    },
    run() {
      sum = 0
      for (let n = 0; n < TRIPS; n++) {
        Atomics.store(shared, 0, ++asked)
        Atomics.notify(shared, 0)
        while (Atomics.load(shared, 1) !== asked) Atomics.wait(shared, 1, asked - 1)
        sum += n
      }
    },
    answer: () => sum,
    async stop() {
      await worker.terminate()
    },
  }
}

function respawn(name: string, spare: boolean): Side {
  let kernel: Kernel
  let ref: Receiver
  let figure = 0
  return {
    name,
    async start() {
      const { Kernel } = await karyon()
      kernel = Kernel.memory({ workers: { count: 1, spare } })
      ref = await receiving(kernel)
    },
    async run() {
      // A spare starts a little after the worker before it; without one there is nothing to wait for.
      await new Promise((resolve) => setTimeout(resolve, 500))
      const { failure } = (await import(
        distOf('cells/failures.js')
      )) as typeof import('../../ts/cells/failures.ts')
      const { Reference } = (await import(distOf('cells/ref.js'))) as typeof import('../../ts/cells/ref.ts')
      const flag = new SharedArrayBuffer(4)
      const cell = Reference.cellOf(ref as never)
      const { threads } = cell.runtime
      const thread = threads!.threadOf(cell)!
      ref.send('spin', flag)
      while (Atomics.load(new Int32Array(flag), 0) === 0)
        await new Promise((resolve) => setTimeout(resolve, 1))
      const begun = performance.now()
      threads!.replace(thread, cell.incarnation, failure('ERR_KARYON_TURN_TIMEOUT', 'it loops'))
      await ref.ask('sum')
      figure = performance.now() - begun
    },
    figure: () => figure,
    answer: () => ref.alive,
    stop: () => kernel.close(),
  }
}

function distOf(file: string): string {
  return new URL(`../../../../dist/${file}`, import.meta.url).href
}

function neighbourGap(): Side {
  let kernel: Kernel
  let neighbour: Receiver
  let gaps: number[] = []
  return {
    name: 'karyon',
    async start() {
      const { Kernel } = await karyon()
      kernel = Kernel.memory({ workers: { count: 2, spare: false } })
      const bad = await receiving(kernel, 'bad')
      neighbour = await receiving(kernel, 'neighbour')
      const flag = new SharedArrayBuffer(4)
      bad.send('spin', flag)
      while (Atomics.load(new Int32Array(flag), 0) === 0)
        await new Promise((resolve) => setTimeout(resolve, 1))
    },
    async run() {
      gaps = []
      let last = performance.now()
      for (let n = 0; n < GAPS; n++) {
        await neighbour.ask('echo', { n })
        const now = performance.now()
        gaps.push(now - last)
        last = now
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    },
    figure: () => gaps.toSorted((a, b) => a - b)[Math.floor(GAPS * 0.99)]!,
    answer: () => gaps.length,
    // Nobody may wait for the one that loops.
    async stop() {
      kernel.close().catch(() => {})
    },
  }
}

function exit(): Side {
  let figure = 0
  return {
    name: 'karyon',
    async run() {
      const program = fileURLToPath(new URL('./exit.js', import.meta.url))
      const child = spawn(process.execPath, [program, String(IDLE_WORKERS)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let begun = 0
      child.stdout.on('data', () => (begun ||= performance.now()))
      const [code] = (await once(child, 'exit')) as [number]
      figure = performance.now() - begun
      if (code !== 3 || begun === 0) throw new Error(`it ended with ${code}`)
    },
    figure: () => figure,
    answer: () => 1,
  }
}
