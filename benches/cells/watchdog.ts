import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type * as Native from '../../ts/native.ts'
import type { Kernel } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import { median, type Case, type Side } from '../measure.ts'
import { ROOT } from '../project.ts'
import { finish } from './finish.ts'

/** What a turn may use, in milliseconds of CPU time. */
const LIMIT_MS = 5
/** From that limit until the loop runs other turns again, in milliseconds. */
const BACK_MS = 1.5
/** Loops that are stopped in one round. */
const LOOPS = 11
const TURNS = 300_000

/** What the watchdog does, and what it costs. */
export function watchdog(): readonly Case[] {
  return [
    {
      name: 'cells/stop-loop',
      unit: 'ms',
      operations: LOOPS,
      slow: true,
      limit: BACK_MS,
      note: `an endless loop with a limit of ${LIMIT_MS} ms: from there until another turn, or the new worker, runs`,
      ours: stopLoop(),
      peers: [newWorker()],
    },
    {
      name: 'cells/watchdog-tax',
      unit: 'op/s',
      operations: TURNS,
      note: `ping-pong beside a cell with a limit of ${LIMIT_MS} ms; the store for each turn is in both`,
      ours: pingPong('karyon', true),
      peers: [pingPong('self: without its thread', false)],
    },
  ]
}

function stopLoop(): Side {
  let kernel: Kernel
  let ask: () => Promise<unknown>
  let [begun, back] = [0, 0]
  let pasts: number[] = []
  return {
    name: 'karyon',
    async start() {
      const { Kernel: Opened, cell, message, supervisor } = await karyon()
      kernel = Opened.memory()
      const looping = cell({
        name: 'looping',
        messages: { loop: message() },
        on: {
          loop: () => {
            begun = performance.now()
            for (;;);
          },
        },
        limits: { turnCpuMs: LIMIT_MS, stopInPlace: true },
      })
      const next = cell({
        name: 'next',
        messages: { turn: message() },
        on: { turn: () => void (back = performance.now()) },
      })
      const restart = { intensity: 10_000, periodMs: 1_000 }
      const crew = kernel.spawn(supervisor({ name: 'crew', restart, children: [looping, next] }))
      ask = async () => {
        const stopped = crew.child('looping').ask('loop')
        const passed = crew.child('next').ask('turn')
        await stopped.then(
          () => Promise.reject(new Error('an endless loop has come to its end')),
          () => passed,
        )
      }
    },
    async run() {
      pasts = []
      for (let loop = 0; loop < LOOPS; loop++) {
        await ask()
        pasts.push(back - begun - LIMIT_MS)
      }
    },
    figure: () => median(pasts),
    answer: () => pasts.length,
    stop: () => kernel.close(),
  }
}

/** What a program without Karyon does: the loop is in a worker, which is ended at the limit; another one takes its place. */
function newWorker(): Side {
  const text = `const { parentPort } = require('node:worker_threads')
    parentPort.on('message', () => { for (;;); }) // until it is terminated
    parentPort.postMessage('up')`
  let worker: Worker
  let pasts: number[] = []
  const up = async (): Promise<void> => {
    worker = new Worker(text, { eval: true })
    await new Promise((resolve) => worker.once('message', resolve))
  }
  return {
    name: 'terminate + new Worker',
    start: up,
    async run() {
      pasts = []
      for (let loop = 0; loop < LOOPS; loop++) {
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is no window
        worker.postMessage('loop')
        await new Promise((resolve) => setTimeout(resolve, LIMIT_MS))
        const limit = performance.now()
        await worker.terminate()
        await up()
        pasts.push(performance.now() - limit)
      }
    },
    figure: () => median(pasts),
    answer: () => pasts.length,
    async stop() {
      await worker.terminate()
    },
  }
}

function pingPong(name: string, watched: boolean): Side {
  let kernel: Kernel
  let library: Awaited<ReturnType<typeof karyon>>
  let native: typeof Native.native
  let handled: number
  return {
    name,
    async start() {
      library = await karyon()
      native = ((await import(pathToFileURL(join(ROOT, 'dist/native.js')).href)) as typeof Native).native
    },
    async prepare() {
      kernel = library.Kernel.memory()
      const { cell, message } = library
      const limits = { turnCpuMs: LIMIT_MS, stopInPlace: true }
      kernel.spawn(cell({ name: 'limited', messages: { any: message() }, on: { any: () => {} }, limits }))
      // Whoever asks to be watched anew has nothing open yet, and what was open before is watched no more.
      if (!watched) native.watch(() => {})
    },
    async run() {
      const { cell, message } = library
      const end = finish()
      let count = 0
      const player = (called: string, other: () => Player): Player =>
        kernel.spawn(
          cell({
            name: called,
            messages: { ball: message<{ left: number }>() },
            on: {
              ball: (_ctx, { left }) => {
                count++
                if (left > 1) other().send('ball', { left: left - 1 })
                else end.reach(count)
              },
            },
          }),
        )
      const ping: Player = player('ping', () => pong)
      const pong: Player = player('pong', () => ping)
      ping.send('ball', { left: TURNS })
      handled = await end.reached
    },
    async answer() {
      await kernel.close()
      return handled
    },
  }
}

interface Player {
  send(message: 'ball', payload: { left: number }): boolean
}
