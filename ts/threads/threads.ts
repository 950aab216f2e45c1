// The workers of a kernel: which there are, which cells run where, and what happens when one is lost.
import { availableParallelism } from 'node:os'
import type { Cell, EndReason, Incarnation, Mortal, Seat as SeatElsewhere } from '../cells/cell.ts'
import type { CompiledCell } from '../cells/definition.ts'
import { failure } from '../cells/failures.ts'
import { peek } from '../cells/foreign.ts'
import { Death, NO_SLOT, Op, Verdict, type DeathWord } from '../cells/protocol.ts'
import type { CellRuntime } from '../cells/runtime.ts'
import { onOverrun, onWake, type Overrun } from '../cells/watchdog.ts'
import type { KaryonError } from '../errors.ts'
import { badArgument, checked } from '../errors.ts'
import { checkedOptions } from '../graph/arguments.ts'
import type { Durability } from '../graph/connection.ts'
import { native } from '../native.ts'
import { LOADING_CPU_MS, Seat } from './seat.ts'
import { seatOf } from './watch.ts'
import { Thread } from './thread.ts'
import { Asleep, Place, SEATS_MAX } from './wire.ts'

/** The most workers that a kernel may have, its spare not counted. */
export const WORKERS_MAX = 64
/** How long the kernel waits for an answer before it leaves that to its event loop, in milliseconds. */
const LINGER_MS = 0.1
/** After so many misses in a row, only one of 2^n asks is waited for. */
const MISSES_MAX = 6
/** How long after a worker a spare is started, in milliseconds. */
const SPARE_DELAY_MS = 50
/** The CPU time that a cell without a limit may use beside its turns, without a pause, where others that have one share its worker, in milliseconds. */
const UNLIMITED_CPU_MS = 60_000
/** Workers lost by nobody's turn within this time, in milliseconds, … */
const LOSSES_PERIOD_MS = 10_000
/** … after so many of which who may have been at work there counts it as its own failure; if nobody was, everybody. */
const LOSSES_MAX = 5

/** What is taken in from one worker before messages run again, in records. */
const RECORDS_MAX = 2_048

/** How long a kernel that closes waits for answers that workers owe, in milliseconds. */
const ANSWERS_MS = 5_000

/** The workers in which cells of `isolation: 'thread'` run. */
export interface WorkerOptions {
  /** How many at most, 1 to 64; by default as many as the machine runs at once, less one. They start as cells need them. */
  readonly count?: number
  /** Whether one more is kept warm, to take the place of one that is lost within milliseconds; true by default. */
  readonly spare?: boolean
}

/** What the threads of a kernel need of it. */
export interface ThreadsNeeds {
  /** The store's handle. */
  readonly store: number
  readonly durability: Durability
  /** The native handle of an incarnation's session. */
  readonly session: (incarnation: Incarnation) => number
  /** Looks for what is durable by now. */
  readonly refresh: () => void
  /** Resolves when a version is durable; nothing if it is. */
  readonly durable: (version: number) => Promise<void> | undefined
}

/** What is known of a module that cells are of. */
export interface ModuleFacts {
  readonly url: string
  /** From 1, in the order in which they came. */
  readonly number: number
  /** A cell of it has come up. */
  came: boolean
  /** A spare loads it. */
  ahead: boolean
  /** Why it is not loaded again. */
  broken?: KaryonError
}

const OWED = 'its turn is over and what it wrote counts, but its worker was lost before it said the answer'

/** Where something ran, if that was elsewhere, that has ended, and how. */
type End = readonly [SeatElsewhere | undefined, Mortal, EndReason]

/** Why a worker was lost. */
export type LossReason = 'exit' | 'error' | 'replaced'

/** The workers of one runtime. None is there before a cell needs one. */
export class Threads {
  readonly runtime: CellRuntime
  readonly needs: ThreadsNeeds
  readonly tokens: { readonly store: number; readonly credits: number }
  /** By slot: where its message was handed to. */
  readonly holders: (Seat | undefined)[] = []
  /** By slot: which handing over to it that was. */
  readonly hands: number[] = []
  /** Modules of the cells so far, by their URL. */
  readonly modules: Map<string, ModuleFacts> = new Map()
  /** What this side waits on when it sleeps lightly. */
  readonly bell: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(4))
  /** A cell in a worker was asked something since this side last rested. */
  asked = false
  /** How often in a row it was waited in vain, and how often it is not to be tried now. */
  #misses = 0
  #pass = 0
  readonly #count: number
  readonly #warm: boolean
  readonly #threads: Thread[] = []
  #spare: Thread | undefined
  /** Those that were lost and have not exited. */
  readonly #leaving = new Set<Thread>()
  #losses: number[] = []
  /** Whom the scheduler asks for what was handed over, and where that is. */
  readonly #recalls: [Cell, Seat | undefined][] = []
  /** To be told once what was said there is read. */
  readonly #ends: End[] = []
  readonly #endWatch: () => void
  #hurry: NodeJS.Timeout | undefined
  #closed = false

  constructor(runtime: CellRuntime, needs: ThreadsNeeds, options: WorkerOptions) {
    const { count, spare } = checkedWorkers(options)
    this.runtime = runtime
    this.needs = needs
    this.#count = count
    this.#warm = spare
    const share = (handle: number): number => checked(native.shareHandle(handle))
    this.tokens = { store: share(needs.store), credits: share(runtime.scheduler.memory.handle) }
    runtime.scheduler.share()
    const endOverruns = onOverrun((overrun) => this.#overran(overrun))
    const endWakes = onWake(() => runtime.pump.wake())
    this.#endWatch = () => {
      endOverruns()
      endWakes()
    }
  }

  /** The watchdog has seen a stretch go past its limit. If it goes on, its worker is given up. */
  #overran(overrun: Overrun): void {
    const { environment, path, cpuMs } = overrun
    // A module that a spare loads ahead may take its time, and no more.
    if (this.#spare?.environment === environment && cpuMs >= LOADING_CPU_MS) void this.#spare.terminate()
    const thread = this.#threads.find((each) => each.environment === environment)
    if (thread === undefined) return
    // Whoever reads has the pump go to rest afterwards: nobody would wake this side else.
    thread.read()
    this.runtime.wake()
    if (path === undefined) this.#stoodStill(thread, overrun)
    else this.#wentPast(thread, seatOf(path), overrun)
  }

  #wentPast(thread: Thread, seat: number, { cpuMs, again, turn }: Overrun): void {
    const stalled = thread.pathOf(seat)
    if (!again && stalled !== undefined) this.runtime.emit({ type: 'cell.stalled', path: stalled, cpuMs })
    const incarnation = thread.runningIn(seat, turn)
    if (incarnation === undefined) return
    const { path, definition } = incarnation.cell
    const { turnCpuMs: limitMs, stopInPlace } = (definition as CompiledCell).limits
    // It is stopped where it stands, unless it cannot be: then it goes on.
    if (stopInPlace && this.runtime.stats.stopInPlace && !again) return
    const message = `the turn of ${path} used more than its ${limitMs} ms of CPU time; its worker is replaced`
    const error = failure('ERR_KARYON_TURN_CPU', message, { path, limitMs })
    this.replace(thread, incarnation, error, Death.cpu)
  }

  /** Something else than a turn keeps a worker busy: a continuation after an `await`, a module that loads. */
  #stoodStill(thread: Thread, { cpuMs }: Overrun): void {
    const suspects = thread.suspects()
    const possible = suspects.length > 0 ? suspects : thread.living()
    const limits = possible.map(({ allowedMs }) => allowedMs)
    // Of several one may have no limit, and be at work: it gets so much, and the others do not wait for ever.
    const isShared = limits.some(Number.isFinite)
    const each = limits.map((ms) => (isShared && !Number.isFinite(ms) ? UNLIMITED_CPU_MS : ms))
    const limitMs = Math.max(thread.loading === undefined ? 0 : LOADING_CPU_MS, ...each)
    // Told again when it has used twice as much.
    if (cpuMs < limitMs) return
    this.runtime.emit({ type: 'isolate.stalled', cpuMs })
    const path = suspects.length === 1 && !thread.hasOthers ? suspects[0]?.incarnation.cell.path : undefined
    // It may as well be a turn that goes on: then nothing is held against the module.
    const known = thread.loading === undefined || thread.going().length === 0
    const module = known ? thread.loading?.url : undefined
    const what = `for ${Math.round(cpuMs)} ms of CPU time without a pause`
    const message =
      module === undefined
        ? `${path ?? 'what runs outside of turns'} kept its worker busy ${what}; it is replaced`
        : `${module} runs ${what} as it is loaded; have it do less at its top level`
    const error = failure('ERR_KARYON_TURN_CPU', message, { path, cpuMs, module })
    const blamed = known ? this.#blame(thread, error) : undefined
    this.#lose(thread, 'replaced', blamed, error, Death.cpu)
  }

  /**
   * Who is to blame for what happens outside of turns: who alone waits in a turn, or else nobody of whom it is known. While a module is being
   * loaded it is that, with the cells that wait for it: no spare loads it any more, and nobody does, for it would do the same wherever it is loaded;
   * unless it has come up before, or what happened may have been a turn's.
   */
  #blame(thread: Thread, error: KaryonError): readonly Incarnation[] | undefined {
    const { loading } = thread
    const going = thread.going()
    if (loading === undefined)
      return going.length === 1 && !thread.hasOthers ? going.map(({ incarnation }) => incarnation) : undefined
    loading.ahead = false
    if (!loading.came && going.length === 0) loading.broken = error
    return thread.waiting().map(({ incarnation }) => incarnation)
  }

  /** The scheduler lets an incarnation begin. */
  start(incarnation: Incarnation): void {
    const { cell } = incarnation
    const { module = '' } = cell.definition as CompiledCell
    const known = this.modules.get(module)
    const facts: ModuleFacts = known ?? {
      url: module,
      number: this.modules.size + 1,
      came: false,
      ahead: true,
    }
    this.modules.set(module, facts)
    const { broken } = facts
    const seat = broken === undefined ? this.#place().seat(incarnation, facts) : undefined
    if (seat === undefined) {
      const limit = SEATS_MAX
      const message = `${limit} cells run in one worker, which is the most; give the kernel more workers`
      cell.failure = broken ?? failure('ERR_KARYON_CELL_COUNT', message, { limit })
      this.runtime.scheduler.write(Op.inited, cell.id, incarnation.number, Verdict.failed)
      return
    }
    incarnation.seat = seat
    if (known === undefined) this.#spare?.load(facts)
  }

  /** Where the next cell goes: to the worker with the fewest, or a new one while there may be more. */
  #place(): Thread {
    const [least] = this.#threads.toSorted((a, b) => a.occupied - b.occupied)
    if (least !== undefined && (least.occupied === 0 || this.#threads.length >= this.#count)) return least
    const thread = this.#spare ?? new Thread(this)
    this.#spare = undefined
    this.#threads.push(thread)
    this.runtime.emit({ type: 'worker.started', worker: thread.number })
    this.#warmUp()
    return thread
  }

  #warmUp(): void {
    if (this.#warm && this.#spare === undefined) setTimeout(() => this.#keepWarm(), SPARE_DELAY_MS).unref()
  }

  /** Starts a spare once the workers that are needed are up: it must not slow them down. */
  #keepWarm(): void {
    if (!this.#warm || this.#spare !== undefined || this.#closed) return
    const spare = new Thread(this)
    this.#spare = spare
    for (const module of this.modules.values()) if (module.ahead) spare.load(module)
  }

  /** Resolves once a spare is up and has loaded all modules so far; at once where there is to be none. */
  warm(): Promise<void> {
    return this.#spare?.warm() ?? Promise.resolve()
  }

  /** Takes in what the workers have said, so much of it that the event loop gets its turn. */
  read(): void {
    for (const thread of this.#threads) thread.read(RECORDS_MAX)
    for (const thread of this.#leaving) thread.read()
    this.#spare?.read()
  }

  /** Nothing is left to do here: whoever has something to say must wake this side. False if somebody has said something meanwhile. */
  rest(): boolean {
    return this.#rest(Asleep.deep)
  }

  #rest(asleep: Parameters<Thread['rest']>[0]): boolean {
    let rests = true
    for (const thread of this.#threads) rests = thread.rest(asleep) && rests
    for (const thread of this.#leaving) rests = thread.rest(asleep) && rests
    if (this.#spare !== undefined) rests = this.#spare.rest(asleep) && rests
    return rests
  }

  /**
   * Where a cell in a worker was just asked something and nothing is left to do, waits a moment for what it says: to be woken here costs a
   * fraction of what it costs in the event loop. Whether somebody has said something. Where answers take longer it is tried less and less often.
   */
  linger(): boolean {
    if (!this.asked) return false
    this.asked = false
    if (this.#pass > 0) {
      this.#pass--
      return false
    }
    const rung = Atomics.load(this.bell, 0)
    const waited = !this.#rest(Asleep.light) || Atomics.wait(this.bell, 0, rung, LINGER_MS) !== 'timed-out'
    const said = !this.#rest(Asleep.awake) || waited
    this.#misses = said ? 0 : Math.min(this.#misses + 1, MISSES_MAX)
    this.#pass = 2 ** this.#misses - 1
    return said
  }

  /** The worker that a cell runs in. */
  threadOf(cell: Cell): Thread | undefined {
    return (cell.incarnation.seat as Seat | undefined)?.thread
  }

  /** A copy of the state of a cell that runs in a worker. */
  look(cell: Cell): Promise<unknown> | undefined {
    const seat = cell.incarnation.seat as Seat | undefined
    return seat?.thread.look(seat)
  }

  get threads(): readonly Thread[] {
    return this.#threads
  }

  /**
   * Gives up a worker whose cell does not end its turn, or that is gone. Its cells begin anew elsewhere: the culprit with the reason that is given,
   * which counts, its neighbours with `collateral`, which does not.
   */
  replace(
    thread: Thread,
    culprit: Incarnation | undefined,
    error: KaryonError,
    death: DeathWord = Death.error,
  ): void {
    this.#lose(thread, 'replaced', culprit && [culprit], error, death)
  }

  /** A worker has exited. */
  exited(thread: Thread, error: unknown, code: number): void {
    thread.read()
    const { loading, running } = thread
    if (thread === this.#spare) {
      this.#spare = undefined
      if (loading === undefined) return
      // Whoever needs it is told what is wrong with it, where it is loaded for a cell.
      loading.ahead = false
      this.#warmUp()
      return
    }
    if (this.#leaving.delete(thread)) return thread.settleOwed(() => failure('ERR_KARYON_CELL_DEAD', OWED))
    const reason = error === undefined ? 'exit' : 'error'
    // Who ends a worker from outside has it exit with 1, and nobody there hears of it.
    const fails = error !== undefined || code !== 1 || Atomics.load(thread.line.control, Place.exits) === 1
    const loads = running === undefined && fails ? loading?.url : undefined
    const message =
      loads === undefined
        ? `the worker has exited with code ${code}; what ran in it is lost`
        : `${loads} ended its worker with code ${code} as it was loaded; let its top level neither exit nor reject`
    const lost = failure(
      'ERR_KARYON_CELL_DEAD',
      message,
      { worker: thread.number, code, module: loads },
      error,
    )
    const blamed = running === undefined && fails ? this.#blame(thread, lost) : running && [running]
    this.#lose(thread, reason, blamed, lost, Death.error)
    this.#leaving.delete(thread)
  }

  #lose(
    thread: Thread,
    reason: LossReason,
    culprits: readonly Incarnation[] | undefined,
    error: KaryonError,
    death: DeathWord,
  ): void {
    // What it has said so far counts; that it is lost may be among that.
    thread.read()
    const place = this.#threads.indexOf(thread)
    // A spare, or one that was lost before, perhaps.
    if (place < 0 || this.#closed) return void thread.terminate()
    this.#threads.splice(place, 1)
    this.#leaving.add(thread)
    void thread.leave()
    const path = culprits?.[0]?.cell.path
    this.runtime.emit({
      type: 'worker.lost',
      worker: thread.number,
      reason,
      error,
      ...(path !== undefined && { path }),
    })
    const living = thread.living()
    const counting = this.#whoCounts(thread, culprits, error)
    for (const { incarnation } of living) {
      const { cell, number } = incarnation
      cell.failure = error
      const own = culprits === undefined ? Death.error : death
      const word = counting.has(incarnation) ? own : Death.collateral
      this.runtime.scheduler.write(Op.fail, cell.id, number, word)
    }
    thread.settleOwed(() => failure('ERR_KARYON_CELL_DEAD', OWED, {}, error))
  }

  /** Who counts a loss as its own failure: the culprit. Where workers are lost again and again by nobody, who may have been one. */
  #whoCounts(
    thread: Thread,
    culprits: readonly Incarnation[] | undefined,
    { cause }: KaryonError,
  ): ReadonlySet<Incarnation> {
    if (culprits !== undefined) return new Set(culprits)
    const now = this.runtime.now()
    this.#losses = this.#losses.filter((at) => at > now - LOSSES_PERIOD_MS)
    this.#losses.push(now)
    if (this.#losses.length <= LOSSES_MAX) return new Set()
    // Where the error names modules of cells, those are of them, if any; else whoever is up and waits for nothing comes last.
    const stack = peek(() => String((cause as Error).stack)) ?? ''
    const named = [...this.modules.values()].filter(({ url }) => stack.includes(url))
    for (const module of named) module.ahead = false
    const [suspects, living] = [thread.suspects(), thread.living()]
    const late = living.filter(({ begun }) => !begun)
    const counting =
      named.length > 0
        ? living.filter(({ module }) => named.includes(module))
        : ([suspects, late, living].find(({ length }) => length > 0) ?? [])
    return new Set(counting.map(({ incarnation }) => incarnation))
  }

  /** A cell is gone, or has a new incarnation: tells the workers that know of it. */
  gone(cell: Cell, reason: number): void {
    for (const thread of this.#threads) thread.gone(cell, reason)
  }

  renewed(cell: Cell): void {
    for (const thread of this.#threads) thread.renewed(cell)
  }

  /** The message of a slot is lost. */
  lost(slot: number): void {
    this.holders[slot] = undefined
  }

  /** The scheduler asks what of a cell's messages runs; no other is to begin. */
  recall(cell: Cell): void {
    this.#recalls.push([cell, cell.incarnation.seat as Seat | undefined])
  }

  /**
   * Answers the scheduler once all else that it decided is carried out: a worker that is asked says more, also of incarnations whose end must be known
   * here by then.
   */
  answerRecalls(): void {
    if (this.#recalls.length > 0)
      for (const [cell, seat] of this.#recalls.splice(0))
        this.runtime.scheduler.write(Op.recalled, cell.id, seat === undefined ? NO_SLOT : seat.recall())
    if (this.#ends.length > 0) this.#tellEnds(this.#ends.splice(0))
  }

  #tellEnds(ends: readonly End[]): void {
    for (const [seat] of ends) (seat as Seat | undefined)?.thread.read()
    for (const [, mortal, reason] of ends) mortal.tellEnd(reason)
  }

  /** Something ended; it is told when the recalls are answered. */
  ended(seat: SeatElsewhere | undefined, mortal: Mortal, reason: EndReason): void {
    // Where nobody wants to know, nothing is read for it.
    const read = mortal.rare?.onEnd === undefined ? undefined : seat
    if (read === undefined && this.#ends.length === 0) mortal.tellEnd(reason)
    else this.#ends.push([read, mortal, reason])
  }

  /** No cell is left. What a worker has committed it may still answer, unless that takes too long. */
  hurry(): void {
    const message = `its turn is over and what it wrote counts, but its worker has not said the answer within ${ANSWERS_MS} ms, and the kernel closes`
    this.#hurry = setTimeout(() => {
      for (const thread of this.#threads) thread.settleOwed(() => failure('ERR_KARYON_CELL_DEAD', message))
    }, ANSWERS_MS).unref()
  }

  /** Ends all workers. Resolves when they are gone. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#hurry)
    this.#endWatch()
    const all = [...this.#threads, ...this.#leaving, ...(this.#spare === undefined ? [] : [this.#spare])]
    const looked = (): Promise<never> =>
      Promise.reject(failure('ERR_KARYON_CLOSED', 'the kernel was closed before the cell was looked at'))
    await Promise.all(all.map((thread) => thread.leave(looked)))
    native.unshare(this.tokens.store)
    native.unshare(this.tokens.credits)
  }
}

/** Reads the option; throws what is wrong with it. */
export function checkedWorkers(options: WorkerOptions): Required<WorkerOptions> {
  const { count = Math.min(Math.max(availableParallelism() - 1, 1), WORKERS_MAX), spare = true } =
    checkedOptions(options, 'count', 'spare')
  if (!Number.isInteger(count) || count < 1 || count > WORKERS_MAX)
    throw badArgument(`workers.count is a whole number from 1 to ${WORKERS_MAX}`, { count })
  if (typeof spare !== 'boolean') throw badArgument('workers.spare is true or false')
  return { count, spare }
}
