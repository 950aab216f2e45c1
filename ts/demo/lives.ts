// Watches over the worker: kills it in the middle of its work, starts it again, and writes down what it acknowledged.
import { fork, type ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Version } from '../index.ts'
import type { Lie } from './cells/poisoner.ts'
import type { Evidence, Orders, Report } from './protocol.ts'
import { Seeded } from './seed.ts'

/** How often the worker is killed. */
export const KILLS = 5

/** Where on the line everything read is waited for, and the poison begins: kills lie before, lies after. */
const MARK_SHARE = 0.75

/** How far a worker may get past the acknowledgement that decides its death, while the signal is on its way. */
const LEASH_COMMITS_MAX = 256

/** As much of what a worker writes to its standard error as fits a message. */
const COMPLAINT_CHARS_MAX = 4_000

/** One death. */
export interface Kill {
  /** Commits of the line that were acknowledged when the signal was sent. */
  readonly place: number
  /** Transactions of the ledger that were under way then. */
  readonly inFlight: number
}

/** What the watcher saw of a run, however many lives it took. */
export interface Run {
  readonly directory: string
  readonly acknowledged: readonly Evidence[]
  readonly kills: readonly Kill[]
  /** Restarts by name of the cell, over all lives. */
  readonly restarts: ReadonlyMap<string, number>
  /** How often a cell was ended because it did not renew its lease. */
  readonly leases: number
  /** How often a worker was replaced because a cell in it looped for ever. */
  readonly loops: number
  readonly mark: Version
  readonly lies: readonly Lie[]
  /** From the start of the first life to the end of the last. */
  readonly seconds: number
}

/** What a run works on. */
export interface RunPlan {
  /** The repository's own directory, not that of its work tree. */
  readonly repository: string
  readonly head: string
  /** Commits of the line. */
  readonly commits: number
  readonly directory: string
  readonly seed: number
}

/** What can be watched while a run goes on. */
export interface RunState {
  readonly place: number
  readonly acknowledged: number
  readonly kills: number
  readonly restarts: number
  readonly lies: number
}

/** A run that nothing disturbs. */
export function undisturbedRun(
  plan: RunPlan,
  watch: (state: RunState) => void,
  signal: AbortSignal,
): Promise<Run> {
  return new Watcher(plan, watch, signal).run(0, false)
}

/** A run with accidents in the cells, kills of the process, and poison in the last part. */
export function sabotagedRun(
  plan: RunPlan,
  watch: (state: RunState) => void,
  signal: AbortSignal,
): Promise<Run> {
  return new Watcher(plan, watch, signal).run(KILLS, true)
}

class Watcher {
  readonly #plan: RunPlan
  readonly #watch: (state: RunState) => void
  readonly #signal: AbortSignal
  readonly #acknowledged: Evidence[] = []
  readonly #kills: Kill[] = []
  readonly #restarts = new Map<string, number>()
  #leases = 0
  #loops = 0
  readonly #lies: Lie[] = []
  #restartCount = 0
  #place = 0
  #mark: Version | undefined
  #done = false

  constructor(plan: RunPlan, watch: (state: RunState) => void, signal: AbortSignal) {
    this.#plan = plan
    this.#watch = watch
    this.#signal = signal
  }

  async run(kills: number, sabotage: boolean): Promise<Run> {
    const { repository, head, commits, directory, seed } = this.#plan
    const markAt = Math.floor(commits * MARK_SHARE)
    const started = performance.now()
    const random = new Seeded(seed, 'kills')
    const orders: Orders = { repository, head, directory, seed, life: 0, markAt, poison: sabotage }
    for (let life = 1; life <= kills; life++) {
      // Each doomed life has its own stretch of the line, so that every one of them finds work and none reaches the mark.
      const stretch = Math.floor(markAt / kills)
      const end = life * stretch
      const killAt = end - stretch + 1 + random.below(Math.ceil(stretch / 2))
      await this.#life({ ...orders, life, doomedBefore: Math.min(end, killAt + LEASH_COMMITS_MAX) }, killAt)
    }
    await this.#life({ ...orders, life: sabotage ? kills + 1 : 0 })
    if (this.#mark === undefined || !this.#done) throw new Error('the worker ended before its work was done')
    return {
      directory,
      acknowledged: this.#acknowledged,
      kills: this.#kills,
      restarts: this.#restarts,
      leases: this.#leases,
      loops: this.#loops,
      mark: this.#mark,
      lies: this.#lies,
      seconds: (performance.now() - started) / 1_000,
    }
  }

  /** One process, from its start to its death. */
  async #life(orders: Orders, killAt?: number): Promise<void> {
    const worker = startWorker(orders)
    const stop = (): void => void worker.kill('SIGKILL')
    this.#signal.addEventListener('abort', stop, { once: true })
    let failure: string | undefined
    let complaint = ''
    worker.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-COMPLAINT_CHARS_MAX)
    })
    worker.on('message', (report: Report) => {
      if (report.type === 'failed') failure = report.message
      this.#heard(report)
      if (killAt === undefined || report.type !== 'acknowledged' || worker.killed) return
      if (report.place === undefined || report.place < killAt) return
      worker.kill('SIGKILL')
      this.#kills.push({ place: report.place, inFlight: report.inFlight })
    })
    const how = await death(worker)
    this.#signal.removeEventListener('abort', stop)
    this.#signal.throwIfAborted()
    if (failure !== undefined) throw new Error(`the worker failed: ${failure}`)
    if (how !== (killAt === undefined ? 'exit 0' : 'SIGKILL'))
      throw new Error(
        `the worker ended by itself (${how})${complaint === '' ? '' : `:\n${complaint.trim()}`}`,
      )
  }

  #heard(report: Report): void {
    switch (report.type) {
      case 'acknowledged':
        this.#acknowledged.push(report.evidence)
        this.#place = report.place ?? this.#place
        break
      case 'restarted':
        if (report.reason === 'lease') this.#leases += 1
        if (report.reason === 'cpu') this.#loops += 1
        if (report.reason === 'lease' || report.reason === 'cpu') break
        this.#restarts.set(report.cell, (this.#restarts.get(report.cell) ?? 0) + 1)
        this.#restartCount += 1
        break
      case 'marked':
        this.#mark = report.version
        break
      case 'lied':
        this.#lies.push(report.lie)
        break
      case 'done':
        this.#done = true
        break
      case 'ready':
      case 'failed':
        break
    }
    this.#watch({
      place: this.#place,
      acknowledged: this.#acknowledged.length,
      kills: this.#kills.length,
      restarts: this.#restartCount,
      lies: this.#lies.length,
    })
  }
}

/** A fresh process, from the source or from the build, whichever this file is. Versions are bigints, so JSON would not do. */
function startWorker(orders: Orders): ChildProcess {
  const extension = extname(fileURLToPath(import.meta.url))
  return fork(new URL(`./process${extension}`, import.meta.url), [JSON.stringify(orders)], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
}

/** How a process ended, once everything it still said has been heard. */
async function death(worker: ChildProcess): Promise<string> {
  const silent = new Promise<void>((resolve) => worker.once('disconnect', resolve))
  const how = await new Promise<string>((resolve, reject) => {
    worker.once('error', reject)
    worker.once('close', (exitCode, signal) => resolve(signal ?? `exit ${exitCode}`))
  })
  await silent
  return how
}
