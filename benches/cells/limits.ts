import type { Kernel } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'

/** Cells that die at once. */
const DYING = 100_000
/** The event loop may stand still for so long, in milliseconds. */
const STALL_MS = 50
/** A beat and how long it may take, in milliseconds. */
const [BEAT_MS, BEAT_LIMIT_MS] = [16, 20]
/** Beats of one round. */
const BEATS = 100

/** What has a limit of its own, whatever others do. */
export function limits(): readonly Case[] {
  return [
    {
      name: 'cells/mass-death',
      unit: 'ms',
      operations: 1,
      slow: true,
      limit: STALL_MS,
      note: `${DYING} children of one_for_all come down and up again: the longest that the event loop stood still`,
      ours: massDeath(),
      peers: [],
    },
    {
      name: 'cells/timer-fairness',
      unit: 'ms',
      operations: BEATS,
      slow: true,
      limit: BEAT_LIMIT_MS,
      note: `p99 of a timer of ${BEAT_MS} ms while cells run at full load`,
      ours: timerFairness(),
      peers: [],
    },
  ]
}

/** How long the event loop stood still at most while something went on, in milliseconds. */
async function longestStall(work: Promise<unknown>): Promise<number> {
  let [longest, last, over] = [0, performance.now(), false]
  const look = (): void => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (!over) setImmediate(look)
  }
  setImmediate(look)
  await work
  over = true
  return longest
}

function massDeath(): Side {
  let library: Awaited<ReturnType<typeof karyon>>
  let kernel: Kernel
  let answered = 0
  let longest = 0
  return {
    name: 'karyon',
    async start() {
      library = await karyon()
    },
    async prepare() {
      kernel = library.Kernel.memory()
      answered = 0
    },
    async run() {
      const { cell, message, supervisor } = library
      const starts = { count: 0 }
      let up = (): void => {}
      const mortal = cell({
        name: 'mortal',
        messages: { fail: message(), ping: message<void, number>() },
        init: () => {
          if (++starts.count === 2 * DYING) up()
          return {}
        },
        on: {
          fail: () => {
            throw new Error('all of us')
          },
          ping: () => 1,
        },
      })
      const crew = kernel.spawn(
        supervisor({ name: 'crew', strategy: 'one_for_all', children: [{ name: 'first', cell: mortal }] }),
      )
      const all = Array.from({ length: DYING - 1 }, (_, at) => {
        return crew.startChild({ name: `mortal-${at}`, cell: mortal }) as unknown as Mortal
      })
      await all.at(-1)!.ask('ping')
      const back = new Promise<void>((resolve) => (up = resolve))
      crew.child('first').send('fail')
      longest = await longestStall(back)
      answered = (await Promise.all(all.map((one) => one.ask('ping')))).length
    },
    figure: () => longest,
    async answer() {
      await kernel.close()
      return answered
    },
  }
}

interface Mortal {
  ask(message: 'ping'): Promise<number>
}

function timerFairness(): Side {
  let kernel: Kernel
  let beats: number[] = []
  let hops = 0
  return {
    name: 'karyon',
    async start() {
      const { Kernel: Opened, cell, message } = await karyon()
      kernel = Opened.memory()
      const players: { send(message: 'ball'): boolean }[] = []
      const player = cell({
        name: 'player',
        messages: { ball: message() },
        init: (_ctx, args: { next: number }) => args,
        on: {
          ball: (ctx) => {
            hops++
            players[ctx.state.next]!.send('ball')
          },
        },
      })
      for (let at = 0; at < 1_000; at++)
        players.push(kernel.spawn(player, { name: `player-${at}`, args: { next: (at + 1) % 1_000 } }))
      for (const one of players) one.send('ball')
    },
    async run() {
      beats = []
      const before = hops
      for (let beat = 0; beat < BEATS; beat++) {
        const begun = performance.now()
        await new Promise((resolve) => setTimeout(resolve, BEAT_MS))
        beats.push(performance.now() - begun)
      }
      // Without load a timer is always in time.
      if (hops - before < BEATS * 1_000) throw new Error(`the cells handled ${hops - before} messages only`)
    },
    figure: () => beats.toSorted((a, b) => a - b)[Math.floor(BEATS * 0.99)]!,
    answer: () => beats.length,
    stop: () => kernel.close(),
  }
}
