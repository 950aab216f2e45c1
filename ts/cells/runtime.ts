// The cells of one kernel: what references and contexts ask of it. The scheduler decides, the pump runs.
import { KaryonError, badArgument } from '../errors.ts'
import { native } from '../native.ts'
import type { KernelEvent } from '../events.ts'
import { checkedOptions } from '../graph/arguments.ts'
import type { Grants, Session, SessionSource } from '../graph/session.ts'
import { shield, shielded } from '../shield.ts'
import type { Threads } from '../threads/threads.ts'
import { askError, checkSignal, type AskOptions, type DeliverOptions } from './ask.ts'
import { Cell, type Incarnation } from './cell.ts'
import type { Monitor, MonitorOptions } from './context.ts'
import { cell as define, type CompiledCell } from './definition.ts'
import { checkedOnce, durableName, type Once } from './durable.ts'
import { failure, goneError } from './failures.ts'
import { disown } from './foreign.ts'
import type { CellInfo } from './inspect.ts'
import { AskEnd, CLOSED, Class, NO_CELL, NO_TURN, Op } from './protocol.ts'
import { Pump } from './pump.ts'
import { CellRef, type AnyRef, type Reference } from './ref.ts'
import { LIMITS, Scheduler, placeOf, type CellScheduler } from './scheduler.ts'
import { assertSendable, freezeSendable } from './sendable.ts'
import type { Driver } from './simulation.ts'
import { Slots, type PendingAsk } from './slots.ts'
import { spawnBelow, type Spawn, type SpawnOptions } from './spawn.ts'
import { Timers } from './timers.ts'
import { Topics } from './topics.ts'
import { checkedTrace, withTrace } from './trace.ts'
import { NOT_IN_BATCH, Turn } from './turn.ts'
import { onOverrun, watchedEnvironment } from './watchdog.ts'

/** How long an ask waits unless it says otherwise. */
const ASK_TIMEOUT_MS = 5_000
/** Names of messages that are compared one by one: of so few, each a word of memory, that costs a fraction of hashing one. */
const COMPARED_MAX = 8

/** Stands for the message of a cell of which nothing is known. */
const NO_CODE = -1

const SHAPE = define({ name: 'shape', messages: {}, on: {} })

/** What a runtime is made with. */
export interface RuntimeOptions {
  /** The graph's sessions, one for each incarnation that uses it. */
  readonly sessions: SessionSource
  /** Where events go. */
  readonly emit?: (event: KernelEvent) => void
  /** The clock of deadlines and budgets, in milliseconds that never step back. After moving it by hand: `wake()`. */
  readonly now?: () => number
  /** The CPU time of this thread, in milliseconds. */
  readonly cpuMs?: () => number
  /** What `ctx.now()` answers. */
  readonly time?: () => Date
  /** What backoff jitter and `ctx.random()` follow from. */
  readonly seed?: number
  /** Whether payloads are checked and frozen; by default outside of production. */
  readonly sendableCheck?: boolean
  /** The trace context of what is sent outside of turns. */
  readonly trace?: (() => string | undefined) | undefined
  /** What drives it in the place of the event loop. */
  readonly driver?: Driver
  /** What is to be done about an isolate in which a turn was stopped inside of an async scope; by default the kernel closes. */
  readonly tainted?: (error: KaryonError) => void
  /** Makes the threads for cells that run in one, when the first of them is spawned. */
  readonly threads?: (runtime: CellRuntime) => Threads
  /** Of a runtime that only runs turns: where the kernel is, and what of it is here. */
  readonly outside?: OutsideOfRuntime
  readonly scheduler?: (runtime: CellRuntime) => CellScheduler
  readonly slots?: Slots
}

/** The kernel of a runtime that only runs turns. */
export interface OutsideOfRuntime {
  spawn(incarnation: Incarnation, definition: unknown, options: SpawnOptions): AnyRef
  monitor(incarnation: Incarnation, ref: Reference, name: string, options: MonitorOptions): Monitor
  link(incarnation: Incarnation, ref: Reference): Monitor
  subscribe(incarnation: Incarnation, topic: string, name: string): Monitor
  publish(topic: string, payload: unknown, trace: string | undefined): number
  /** What a cell is made of that came here as a reference alone, or does not run here yet. */
  describe(cell: Cell): CompiledCell | undefined
  inspect(ref: Reference): Promise<CellInfo & { readonly state?: unknown }>
}

/** What the cells of a kernel have done so far. */
export interface CellStats {
  readonly cells: number
  readonly restarts: number
  readonly sent: number
  readonly ended: number
  readonly failed: number
  readonly refused: number
  readonly deadLetters: number
  readonly conflicts: number
  /** Asks without an answer. */
  readonly asks: number
  /** Turns that settled after their incarnation was dead. */
  readonly lateSettlements: number
  /** Whether Node exports what `stopInPlace` takes; otherwise such turns are only reported. */
  readonly stopInPlace: boolean
}

/** The cells of one kernel. */
export class CellRuntime {
  /** Rejects when a supervisor that somebody wrote gave up with nobody above it; else stays pending. */
  readonly failed: Promise<never>
  fail: (error: KaryonError) => void = () => {}
  readonly scheduler: CellScheduler
  /** Where cells run that do not run here; once there are such. */
  threads: Threads | undefined
  readonly outside: OutsideOfRuntime | undefined
  readonly pump: Pump
  readonly timers: Timers
  readonly topics: Topics = new Topics(this)
  readonly slots: Slots
  /** By place. */
  readonly cells: (Cell | undefined)[] = []
  /** Cells that are gone, of which the scheduler may still have something to tell. */
  readonly departed: Map<number, Cell> = new Map()
  readonly root: Cell
  readonly emit: (event: KernelEvent) => void
  readonly now: () => number
  readonly cpuMs: () => number
  readonly time: () => Date
  readonly seed: number
  /** Whether payloads are checked and frozen. */
  readonly check: boolean
  readonly driver: Driver | undefined
  /**
   * Turns, slots, references and definitions come and go. While none is alive the engine forgets their shape after a few
   * collections, and all code that it compiled for them: one of each is kept, so that a burst after a pause is fast.
   */
  readonly shapes: readonly unknown[]
  /** Stops, looks at cells elsewhere, and work, that somebody waits for. */
  waits = 0
  #works = 0
  /** Lets go of the watchdog's news. */
  readonly endWatch: () => void
  readonly tainted: (error: KaryonError) => void
  readonly #sessions: SessionSource
  readonly #trace: (() => string | undefined) | undefined
  readonly #shield = shield
  readonly #makeThreads: ((runtime: CellRuntime) => Threads) | undefined
  #refused = 0
  #deadLetters = 0

  constructor(options: RuntimeOptions) {
    this.#sessions = options.sessions
    this.emit = options.emit ?? (() => {})
    this.now = options.now ?? monotonic
    // What a simulation does must not depend on how long it takes.
    this.cpuMs = options.driver !== undefined ? () => 0 : (options.cpuMs ?? threadCpuMs)
    this.time = options.time ?? (() => new Date())
    this.seed = options.seed ?? Math.trunc(Math.random() * 0x1_0000_0000)
    this.tainted = options.tainted ?? ((error) => this.fail(error))
    this.check = options.sendableCheck ?? process.env['NODE_ENV'] !== 'production'
    this.driver = options.driver
    this.#trace = options.trace
    this.#makeThreads = options.threads
    this.outside = options.outside
    this.slots = options.slots ?? new Slots()
    this.pump = new Pump(this)
    const environment = watchedEnvironment()
    this.scheduler = options.scheduler?.(this) ?? new Scheduler(this)
    const { handle } = this.scheduler.memory
    this.endWatch = onOverrun((overrun) => {
      // What a simulation does must not depend on how long it takes.
      if (overrun.environment !== environment || overrun.again || this.driver !== undefined) return
      const { cells = handle, path, cpuMs } = overrun
      if (cells !== handle) return
      this.emit(
        path === undefined ? { type: 'isolate.stalled', cpuMs } : { type: 'cell.stalled', path, cpuMs },
      )
    })
    this.timers = new Timers(this)
    this.root = new Cell(this, this.scheduler.memory.root, 'root')
    this.cells[placeOf(this.root.id)] = this.root
    this.shapes = [SHAPE, this.refOf(this.root), new Turn(this.root.incarnation, 0, NOT_IN_BATCH)]
    this.failed = new Promise((_, reject) => {
      this.fail = reject
    })
    this.failed.catch(() => {})
  }

  /** Starts a cell or supervisor below the root. */
  readonly spawn: Spawn = ((definition: never, options?: SpawnOptions) =>
    spawnBelow(this.root, definition, options)) as Spawn

  /**
   * Stops all cells, then the runtime, once all that was asked has its answer: what a turn has committed may still wait for the disk. Legal at any
   * time, any number of times.
   */
  stop(): Promise<void> {
    return this.stopCell(this.root)
  }

  /** Counts since the start. */
  get stats(): CellStats {
    const [sent = 0, ended = 0, failed = 0, refused = 0, deadLetters = 0, ...others] = this.scheduler.counts()
    const [conflicts = 0, restarts = 0, cells = 0, asks = 0] = others
    return {
      cells,
      restarts,
      sent: sent + this.#refused + this.#deadLetters,
      ended,
      failed,
      refused: refused + this.#refused,
      deadLetters: deadLetters + this.#deadLetters,
      conflicts,
      asks,
      lateSettlements: this.pump.late,
      stopInPlace: !!this.scheduler.memory.guard,
    }
  }

  /** Looks at the clock soon: for one that is moved by hand. */
  wake(): void {
    this.pump.schedule()
  }

  /** The trace context of what is sent now: that of the turn that sends it, or what a program says of what is sent outside of turns. */
  traceOf(turn: Turn | undefined = this.pump.current): string | undefined {
    if (turn !== undefined) return turn.trace
    return this.#trace === undefined ? undefined : checkedTrace(this.#trace())
  }

  send(cell: Cell, name: string, payload: unknown, turn?: Turn): boolean {
    const code = this.codeOf(cell, name)
    return this.post(cell, code, this.admit(cell, code, payload), this.traceOf(turn))
  }

  /** Sends what was admitted. */
  post(cell: Cell, code: number, payload: unknown, trace: string | undefined, once?: Once): boolean {
    return this.#shield.running === 0
      ? this.#post(cell, code, payload, trace, once)
      : this.#shield.during(() => this.#post(cell, code, payload, trace, once))
  }

  #post(
    cell: Cell,
    code: number,
    payload: unknown,
    trace: string | undefined,
    once: Once | undefined,
  ): boolean {
    const room = this.#roomOf(cell)
    const control = cell.definition?.controls?.has(code) && room !== CLOSED
    if (!control && room <= 0 && !this.#drops(cell, room)) return this.turnAway(cell, code, room, trace)
    const slot = this.slots.take(code, payload)
    if (once !== undefined) slot.once = once
    if (trace !== undefined) slot.trace = trace
    if (control) this.scheduler.write(Op.send, cell.id, slot.number, Class.control)
    else this.scheduler.send(cell, slot.number, room)
    return true
  }

  /** Throws where the incarnation has ended in another isolate, and that is not known here yet. */
  assertGoesOn(_incarnation: Incarnation): void {}

  /** Work of an incarnation goes on, and keeps the program alive, until that ends or what is returned is called. */
  work(incarnation: Incarnation): () => void {
    const over = (): void => {
      shielded(() => {
        if (incarnation.rare?.watches?.delete(over) && --this.#works === 0) this.#keepAlive(false)
      })
    }
    shielded(() => {
      incarnation.watch(over)
      if (++this.#works === 1) this.#keepAlive(true)
    })
    return over
  }

  #keepAlive(works: boolean): void {
    if (this.scheduler.keepAlive !== undefined) return this.scheduler.keepAlive(works)
    this.waits += works ? 1 : -1
    this.pump.schedule()
  }

  /** Sends what a cell is owed, behind all that was sent before, whatever room there is. */
  owe(cell: Cell, code: number, payload: unknown, trace?: string): void {
    const slot = this.slots.take(code, payload)
    slot.trace = trace
    this.scheduler.write(Op.send, cell.id, slot.number, Class.owed)
  }

  deliver(cell: Cell, name: string, payload: unknown, options: DeliverOptions = {}): Promise<void> {
    const { promise, resolve, reject } = this.#owed<void>()
    try {
      const { signal, once: given } = checkedOptions(options, 'signal', 'once')
      checkSignal(signal)
      const once = onceFor(cell, given)
      const code = this.codeOf(cell, name)
      const admitted = this.admit(cell, code, payload)
      const trace = this.traceOf()
      const { path } = cell
      const aborted = (): KaryonError =>
        askError(AskEnd.abandoned, { path, message: name, timeoutMs: 0, signal })
      if (signal?.aborted) throw aborted()
      const room = this.#roomOf(cell)
      if (room > 0 || room === CLOSED || this.#drops(cell, room) || cell.definition?.controls?.has(code)) {
        if (!this.post(cell, code, admitted, trace, once)) throw goneError(path, cell.failure)
        resolve()
        return promise
      }
      shielded(() => {
        const slot = this.slots.take(code, admitted)
        slot.once = once
        slot.trace = trace
        const withdraw = (): void => this.scheduler.write(Op.withdraw, cell.id, slot.number)
        const over = (): void => signal?.removeEventListener('abort', withdraw)
        slot.delivery = {
          resolve: () => {
            over()
            resolve()
          },
          reject: (error) => {
            over()
            reject(signal?.aborted ? aborted() : error)
          },
        }
        signal?.addEventListener('abort', withdraw, { once: true })
        this.scheduler.write(Op.deliver, cell.id, slot.number)
      })
    } catch (error) {
      reject(error)
    }
    return promise
  }

  ask(
    cell: Cell,
    name: string,
    payload: unknown,
    options: AskOptions = {},
    asker: Turn | undefined = this.pump.current,
  ): Promise<unknown> {
    const { promise, resolve, reject: refuse } = this.#owed<unknown>()
    const reject = (error: unknown): void => {
      // Whoever asked is dead and handles nothing any more: that fails nobody else.
      if (asker?.incarnation.alive === false) disown(promise)
      refuse(error)
    }
    try {
      const {
        timeoutMs = ASK_TIMEOUT_MS,
        signal,
        once: given,
      } = checkedOptions(options, 'timeoutMs', 'signal', 'once')
      checkSignal(signal)
      const once = onceFor(cell, given)
      const code = this.codeOf(cell, name)
      const admitted = this.admit(cell, code, payload)
      if (typeof timeoutMs !== 'number' || !(timeoutMs > 0))
        throw badArgument('timeoutMs of an ask is a number above 0, or Infinity', { timeoutMs })
      const { path } = cell
      const ask: PendingAsk = { path, message: name, timeoutMs, signal, resolve, reject }
      if (signal?.aborted) throw askError(AskEnd.abandoned, ask)
      if (cell.definition?.controls?.has(code))
        throw badArgument(`${name} of ${path} is a control message, which is not asked; send it`)
      const trace = this.traceOf(asker)
      shielded(() => this.#ask(cell, code, admitted, ask, asker, once, trace))
    } catch (error) {
      refuse(error)
    }
    return promise
  }

  /** What somebody is promised. Where a turn runs that may be stopped before it has it, nobody may be left to handle it. */
  #owed<T>(): {
    readonly promise: Promise<T>
    readonly resolve: (value: T) => void
    readonly reject: (error: unknown) => void
  } {
    let resolve!: (value: T) => void
    let reject!: (error: unknown) => void
    const made = new Promise<T>((one, other) => {
      resolve = one
      reject = other
    })
    const promise = this.driver === undefined ? made : this.driver.waiting(made)
    // At once, not in a microtask: Node would keep a list of what is rejected and not handled yet, and a stop within
    // the function that takes a promise off it leaves it there, whoever handles it.
    if (this.#shield.running !== 0) promise.catch(() => {})
    return { promise, resolve, reject }
  }

  #ask(
    cell: Cell,
    code: number,
    payload: unknown,
    ask: PendingAsk,
    asker: Turn | undefined,
    once: Once | undefined,
    trace: string | undefined,
  ): void {
    const { path, signal, timeoutMs } = ask
    const room = this.#roomOf(cell)
    if (room <= 0 && !this.#drops(cell, room)) {
      this.turnAway(cell, code, room, trace)
      throw room === CLOSED ? goneError(path, cell.failure) : askError(AskEnd.refused, ask)
    }
    if (signal !== undefined) {
      ask.onAbort = () => this.scheduler.write(Op.abandon, slot.number)
      signal.addEventListener('abort', ask.onAbort, { once: true })
    }
    // Nothing is taken before all that could throw is behind.
    this.scheduler.take(cell, room)
    const slot = this.slots.take(code, payload)
    slot.ask = ask
    slot.once = once
    slot.trace = trace
    const waits = timeoutMs > LIMITS.delayMaxMs ? 0 : Math.ceil(timeoutMs)
    const id = asker === undefined ? NO_CELL : asker.incarnation.cell.id
    const turn = asker?.over ? NO_TURN : asker?.number
    this.scheduler.write(Op.ask, cell.id, slot.number, id, turn, waits)
  }

  stopCell(cell: Cell, kill = false): Promise<void> {
    // The root's end is told of last of all: see `Pump.end`.
    if (cell === this.root ? this.scheduler.closed : cell.gone !== undefined) return Promise.resolve()
    return new Promise((resolve) => shielded(() => this.#stopCell(cell, kill, resolve)))
  }

  #stopCell(cell: Cell, kill: boolean, ended: () => void): void {
    this.waits++
    cell.whenEnded(() => {
      this.waits--
      ended()
    })
    cell.close()
    this.scheduler.write(Op.stop, cell.id, kill ? 1 : 0)
  }

  refOf(cell: Cell): CellRef<never> {
    return (cell.ref ??= new CellRef<never>(cell))
  }

  sessionOf(incarnation: Incarnation): Session {
    const { path, definition } = incarnation.cell
    const { number } = incarnation
    incarnation.session ??= shielded(() =>
      this.#sessions.session(path, number, grantsOf(path, definition), incarnation),
    )
    return incarnation.session
  }

  codeOf(cell: Cell, name: string): number {
    const { definition } = cell
    const names = definition?.names
    if (names !== undefined && names.length <= COMPARED_MAX)
      for (let code = 0; code < names.length; code++) if (names[code] === name) return code
    const code = definition?.codes.get(name)
    if (code !== undefined) return code
    const { path } = cell
    if (typeof name !== 'string') throw badArgument('a message is named by a string')
    if (definition === undefined) {
      if (cell.gone === undefined) cell.definition = this.outside?.describe(cell)
      if (cell.definition !== undefined) return this.codeOf(cell, name)
      // Of one that is gone, and was forgotten where the reference was, nobody knows what it understood.
      if (cell.gone !== undefined || this.outside !== undefined) return NO_CODE
    }
    const known = definition?.names.join(', ') ?? ''
    const message = `${path} has no message ${name}; it has: ${known}`
    throw failure('ERR_KARYON_MESSAGE_UNKNOWN', message, { path, message: name })
  }

  /** What the handler will get: validated by the message's schema, checked and frozen outside of production. */
  admit(cell: Cell, code: number, payload: unknown): unknown {
    const parser = cell.definition?.parsers[code]
    const parsed = parser === undefined ? payload : parser(payload)
    if (parsed === undefined) return parsed
    if (this.check) freezeSendable(parsed, 'payload')
    else if (cell.definition?.isolation === 'thread') assertSendable(parsed, 'payload')
    return parsed
  }

  /** Cells are to run in threads. */
  needThreads(): void {
    if (this.#makeThreads === undefined)
      throw badArgument("a simulation has no workers: cells of isolation 'thread' do not run in it")
    this.threads ??= this.#makeThreads(this)
  }

  /** Counts a message that was turned away in another isolate. */
  countTurnedAway(type: 'message.refused' | 'message.dead-letter'): void {
    if (type === 'message.refused') this.#refused++
    else this.#deadLetters++
  }

  /** What the asker will get: validated by the schema of replies, and checked outside of production. */
  admitReply(cell: Cell, code: number, answer: unknown): unknown {
    const parser = cell.definition?.replies[code]
    const reply = parser === undefined ? answer : parser(answer)
    if (this.check && reply !== undefined) assertSendable(reply, 'reply')
    return reply
  }

  cellAt(id: number): Cell {
    return this.cells[placeOf(id)] as Cell
  }

  /** Whether a full mailbox makes room by itself. */
  #drops(cell: Cell, room: number): boolean {
    return room !== CLOSED && (cell.definition?.limits.dropOldest ?? false)
  }

  #roomOf(cell: Cell): number {
    if (!cell.live) return CLOSED
    const room = this.scheduler.memory.credits[placeOf(cell.id)] as number
    return room > 0 && this.scheduler.delivering?.has(cell.id) ? 0 : room
  }

  /** No room, or nobody there, or no way there. */
  turnAway(cell: Cell, code: number, room: number | 'not-sendable', trace: string | undefined): false {
    const { path } = cell
    const message = cell.definition?.names[code] ?? ''
    const traced = withTrace(trace)
    if (room === CLOSED) {
      this.#deadLetters++
      this.emit({ type: 'message.dead-letter', path, message, reason: 'stopped', ...traced })
    } else {
      this.#refused++
      const reason = room === 'not-sendable' ? room : 'full'
      this.emit({ type: 'message.refused', path, message, reason, ...traced })
    }
    return false
  }
}

/** What a cell may read and write: what it was granted, and where it keeps its state. */
function grantsOf(path: string, definition: CompiledCell | undefined): Grants {
  const { grants = {}, persist = false } = definition ?? {}
  if (!persist) return grants
  const own = durableName(path)
  const { read = [], write = [] } = grants
  return { read: read === '*' ? read : [...read, own], write: write === '*' ? write : [...write, own] }
}

function onceFor(cell: Cell, once: Once | undefined): Once | undefined {
  if (once === undefined) return undefined
  if (cell.definition?.persist) return checkedOnce(once)
  const { path } = cell
  throw badArgument(`${path} is not durable: nothing would remember what it has consumed`, { path })
}

function monotonic(): number {
  return performance.now()
}

function threadCpuMs(): number {
  return native.threadCpuMs() ?? 0
}
