import { deepStrictEqual } from 'node:assert/strict'
import type { Kernel } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side, Taken } from '../measure.ts'

const CELLS = 10_000
/** One in ten each second: half of them by a failure of their own, half by somebody who kills them. */
const KILLS_PER_SECOND = CELLS / 10
/** Five rounds are a minute. */
const ROUND_SECONDS = 12
/** Messages sent each time the event loop comes round, and asks among them. */
const [BATCH, ASKS] = [512, 8]
/** That a busy machine stood still is no error of a cell. In milliseconds. */
const PATIENCE_MS = 60_000
/** More than happen between two looks at them. */
const EVENTS_BUFFERED = 1_000_000

/** What is left of the throughput while cells die all the time, and that nobody else notices. */
export function chaos(): readonly Case[] {
  return [
    {
      name: 'cells/chaos',
      unit: 'op/s',
      // A round is as many messages as there was time for: what is measured is one of them.
      operations: 1,
      slow: true,
      note: `messages to ${CELLS} supervised cells, ${KILLS_PER_SECOND} of which die each second, ${ROUND_SECONDS} s a round; no error elsewhere, all messages accounted for`,
      ours: underLoad('karyon', KILLS_PER_SECOND),
      peers: [underLoad('self: without kills', 0)],
    },
  ]
}

/** One of the cells. */
interface Worker {
  send(message: 'work' | 'fail', value: number): boolean
  ask(message: 'work', value: number, options: { timeoutMs: number }): Promise<number>
  kill(): Promise<void>
}

function underLoad(name: string, killsPerSecond: number): Side {
  let library: Awaited<ReturnType<typeof karyon>>
  let kernel: Kernel
  let crew: Crew
  let taken: Taken
  return {
    name,
    async start() {
      library = await karyon()
    },
    prepare() {
      kernel = library.Kernel.memory()
      crew = new Crew(library, kernel)
    },
    async run() {
      taken = await crew.work(killsPerSecond)
    },
    took: () => taken,
    async answer() {
      await crew.assertWhole(killsPerSecond * ROUND_SECONDS)
      await kernel.close()
      return 'all is accounted for'
    },
  }
}

type Library = Awaited<ReturnType<typeof karyon>>

/** The cells, what was sent to them, and what became of it. */
class Crew {
  readonly #kernel: Kernel
  readonly #events: ReturnType<Kernel['events']>
  readonly #restart: (at: number) => Worker
  readonly #all: Worker[] = []
  /** How often each was killed, or made to fail. */
  readonly #killed = new Uint32Array(CELLS)
  readonly #failed = new Uint32Array(CELLS)
  /** How often each was stopped, or restarted, as the kernel tells it. */
  readonly #stops = new Uint32Array(CELLS)
  readonly #restarts = new Uint32Array(CELLS)
  /** Killed and not started again yet. */
  readonly #down = new Uint8Array(CELLS)
  #sent = 0
  #handled = 0
  #kills = 0
  #open = 0
  /** What happened to cells that nobody had killed. */
  readonly #wrongs: string[] = []

  constructor({ cell, message, supervisor }: Library, kernel: Kernel) {
    this.#kernel = kernel
    this.#events = kernel.events({ buffer: EVENTS_BUFFERED })
    const worker = cell({
      name: 'worker',
      restart: 'permanent',
      messages: { work: message<number, number>(), fail: message<number>() },
      init: () => ({ sum: 0 }),
      on: {
        work: ({ state }, value) => {
          this.#handled++
          return (state.sum += value)
        },
        fail: () => {
          throw new Error('on purpose')
        },
      },
    })
    const restart = { intensity: 10_000, periodMs: 1_000 }
    const crew = kernel.spawn(supervisor({ name: 'crew', restart, children: [] }))
    for (let at = 0; at < CELLS; at++)
      this.#all.push(crew.startChild({ name: `worker-${at}`, cell: worker }) as unknown as Worker)
    void this.#watch()
    this.#restart = (at) => crew.restartChild(`worker-${at}`) as unknown as Worker
  }

  /** Sends as fast as messages are handled, and kills meanwhile. */
  async work(killsPerSecond: number): Promise<Taken> {
    // They are up before the clock starts.
    await Promise.all(this.#all.map((_, at) => this.#ask(at)))
    const [handled, cpu, begun] = [this.#handled, process.cpuUsage(), performance.now()]
    let seed = 1
    const somebody = (): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
      return seed % CELLS
    }
    let seconds = 0
    while (seconds < ROUND_SECONDS) {
      for (let at = 0; at < BATCH - ASKS; at++) this.#send(somebody())
      for (let at = 0; at < ASKS; at++) void this.#ask(somebody())
      while (this.#kills < Math.min(seconds, ROUND_SECONDS) * killsPerSecond) this.#kill(somebody())
      await new Promise((resolve) => setImmediate(resolve))
      seconds = (performance.now() - begun) / 1e3
    }
    while (this.#kills < ROUND_SECONDS * killsPerSecond) this.#kill(somebody())
    const count = this.#handled - handled
    const { user, system } = process.cpuUsage(cpu)
    return { seconds: seconds / count, cpuSeconds: (user + system) / 1e6 / count }
  }

  async #watch(): Promise<void> {
    for await (const event of this.#events) {
      if (event.type === 'cell.started') continue
      const at = 'path' in event ? Number(event.path.split('-')[1]) : NaN
      if (event.type === 'cell.stopped') this.#stops[at]!++
      else if (event.type === 'cell.restarted') this.#restarts[at]!++
      else if (event.type !== 'message.dead-letter' || !this.#killed[at])
        this.#wrongs.push(`worker-${at}: ${event.type}`)
    }
  }

  #send(to: number): void {
    this.#sent++
    const taken = this.#all[to]!.send('work', 1)
    if (!taken && this.#down[to] === 0) this.#wrongs.push(`worker-${to} refused a message`)
  }

  async #ask(to: number): Promise<void> {
    this.#sent++
    this.#open++
    const killed = this.#killed[to]
    try {
      await this.#all[to]!.ask('work', 1, { timeoutMs: PATIENCE_MS })
    } catch (error) {
      if (killed === this.#killed[to] && this.#down[to] === 0) this.#wrongs.push(`worker-${to}: ${error}`)
    }
    this.#open--
  }

  #kill(whom: number): void {
    // What was hit a moment ago is left alone until it is up again.
    if (this.#down[whom] !== 0 || this.#failed[whom] !== this.#restarts[whom]) return
    if (this.#kills++ % 2 === 0) {
      this.#sent++
      this.#failed[whom]!++
      this.#all[whom]!.send('fail', 0)
      return
    }
    this.#killed[whom]!++
    this.#down[whom] = 1
    void this.#replace(whom)
  }

  async #replace(whom: number): Promise<void> {
    this.#open++
    await this.#all[whom]!.kill()
    this.#all[whom] = this.#restart(whom)
    this.#down[whom] = 0
    this.#open--
  }

  /** Everybody is back, nobody else was hit, and every message has come to one end. */
  async assertWhole(kills: number): Promise<void> {
    while (this.#open > 0) await new Promise((resolve) => setImmediate(resolve))
    await Promise.all(this.#all.map((_, at) => this.#ask(at)))
    const { sent, ended, failed, refused, deadLetters, conflicts, asks } = this.#kernel.stats().cells
    await this.#events.return!()
    const told = `${sent} sent: ${ended} ended, ${failed} failed, ${refused} refused, ${deadLetters} dead letters`
    if (this.#kills !== kills) throw new Error(`${this.#kills} of ${kills} kills`)
    if (this.#wrongs.length > 0) throw new Error(`${this.#wrongs.length} wrongs: ${this.#wrongs[0]}`)
    if (sent !== this.#sent || sent !== ended + failed + refused + deadLetters + conflicts || asks !== 0)
      throw new Error(`${this.#sent} messages are not accounted for: ${told}, ${asks} unanswered`)
    if (ended !== this.#handled) throw new Error(`${this.#handled} were handled, but ${told}`)
    deepStrictEqual([this.#stops, this.#restarts], [this.#killed, this.#failed])
  }
}
