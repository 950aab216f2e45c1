// Runs cells: takes batches from the scheduler, runs their handlers, and tells it what came of them.
import { AsyncLocalStorage } from 'node:async_hooks'
import { isWellFormed } from '../values/writer.ts'
import { KaryonError, badArgument } from '../errors.ts'
import type { DownReason, KernelEvent } from '../events.ts'
import type { Session, SessionSource, Submitted } from '../graph/session.ts'
import { askError } from './ask.ts'
import { Cell, Incarnation } from './cell.ts'
import type { Monitor } from './context.ts'
import type { CellDefinition, CompiledCell, Handler, Messages, SupervisorDefinition } from './definition.ts'
import { bounded, gaveUpError, goneError, invariantError } from './failures.ts'
import { Life } from './life.ts'
import {
  AskEnd,
  CLOSED,
  DEAD_LETTERS,
  DEATHS,
  DOWNS,
  Effect,
  Header,
  NO_CELL,
  REFUSALS,
  Verdict,
  type VerdictWord,
} from './protocol.ts'
import { seedOf, seeded } from './random.ts'
import { CellRef, SupervisorRef } from './ref.ts'
import { LIMITS, Scheduler, effectAt, placeOf } from './scheduler.ts'
import { assertSendable, freezeSendable } from './sendable.ts'
import { Slots, type PendingAsk } from './slots.ts'
import { Timers } from './timers.ts'
import { NOT_IN_BATCH, Turn, down } from './turn.ts'

export type { Cell } from './cell.ts'

/** Messages that are run before the event loop gets its turn. */
const PUMP_MESSAGES = 1_024
/** How long messages are run before the event loop gets its turn, in milliseconds. */
const PUMP_MS = 2
/** How many quick messages may pass between two looks at the clock. */
const CLOCK_STRIDE_MAX = 16
/** A stretch that took less, in milliseconds, lets the next be longer. */
const CLOCK_QUICK_MS = 0.05
/** How long an ask waits unless it says otherwise. */
const ASK_TIMEOUT_MS = 5_000
/** The longest wait between restarts where a supervisor names none. */
const BACKOFF_MAX_MS = 30_000
const BACKOFF_FACTOR = 2
const BACKOFF_JITTER = 0.2

const NUMBERED = 1
const HAS_INIT = 2
const RESTART_FLAGS = { transient: 0, permanent: 4, temporary: 8 } as const

/** How long an ask waits, and what calls it off. */
export interface AskOptions {
  /** In milliseconds; 5,000 by default. `Infinity` waits for ever. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** How a cell is started. */
export interface SpawnOptions<Args = unknown> {
  /** Unique among living siblings. By default the definition's name, numbered if it is taken. */
  readonly name?: string
  /** What `init` gets, at each start. */
  readonly args?: Args
}

/** Starts cells and supervisors. */
export interface Spawn {
  <M extends Messages<M>, Args>(
    definition: CellDefinition<M, Args>,
    ...options: [Args] extends [void]
      ? [options?: SpawnOptions<Args>]
      : undefined extends Args
        ? [options?: SpawnOptions<Args>]
        : [options: SpawnOptions<Args> & { readonly args: Args }]
  ): CellRef<M>
  (definition: SupervisorDefinition, options?: SpawnOptions): SupervisorRef
}

/** What a runtime is made with. */
export interface RuntimeOptions {
  /** The graph's sessions, one for each incarnation that uses it. */
  readonly sessions: SessionSource
  /** Where events go. */
  readonly emit?: (event: KernelEvent) => void
  /** The clock of deadlines and budgets, in milliseconds that never step back. After moving it by hand: `wake()`. */
  readonly now?: () => number
  /** What `ctx.now()` answers. */
  readonly time?: () => Date
  /** What backoff jitter and `ctx.random()` follow from. */
  readonly seed?: number
  /** Whether payloads are checked and frozen; by default outside of production. */
  readonly sendableCheck?: boolean
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
}

/** The cells of one kernel. */
export class CellRuntime {
  /** Rejects when a supervisor that somebody wrote gave up with nobody above it; else stays pending. */
  readonly failed: Promise<never>
  readonly timers: Timers
  readonly #scheduler: Scheduler
  readonly #slots = new Slots()
  readonly #cells: (Cell | undefined)[] = []
  readonly #refs = new WeakMap<Cell, CellRef<never>>()
  readonly #root: Cell
  readonly #sessions: SessionSource
  readonly #emit: (event: KernelEvent) => void
  readonly #now: () => number
  readonly #time: () => Date
  readonly #seed: number
  readonly #check: boolean
  readonly #life: Life
  readonly #inContext: (pump: () => void) => void
  readonly #inits: Incarnation[] = []
  readonly #paths = new Map<number, string[]>()
  #rejectFailed: (error: KaryonError) => void = () => {}
  #current: Turn | undefined
  #turns = 0
  #batch = 1
  #ran = 0
  #scheduled = false
  #pumping = false
  #closed = false
  #refused = 0
  #deadLetters = 0
  #late = 0
  #lastCounts: NonNullable<ReturnType<Scheduler['counts']>> | undefined
  #stopping = 0

  constructor(options: RuntimeOptions) {
    this.#sessions = options.sessions
    this.#emit = options.emit ?? (() => {})
    this.#now = options.now ?? (() => performance.now())
    this.#time = options.time ?? (() => new Date())
    this.#seed = options.seed ?? Math.trunc(Math.random() * 0x1_0000_0000)
    this.#check = options.sendableCheck ?? process.env['NODE_ENV'] !== 'production'
    this.#scheduler = new Scheduler(this.#seed, this.#now, () => this.#schedule())
    this.timers = new Timers(this, this.#scheduler)
    this.#root = new Cell(
      this,
      this.#scheduler.root,
      placeOf(this.#scheduler.root),
      'root',
      undefined,
      undefined,
    )
    this.#cells[this.#root.place] = this.#root
    this.#life = new Life(() => this.wake())
    this.#inContext = AsyncLocalStorage.snapshot()
    this.failed = new Promise((_, reject) => {
      this.#rejectFailed = reject
    })
    this.failed.catch(() => {})
  }

  /** Starts a cell or supervisor below the root. */
  readonly spawn: Spawn = ((definition: never, options?: SpawnOptions) =>
    this.spawnBelow(this.#root, definition, options)) as Spawn

  /** Stops all cells, the last started first, then the runtime. Legal at any time, any number of times. */
  stop(): Promise<void> {
    return this.stopCell(this.#root)
  }

  /** Counts since the start. */
  get stats(): CellStats {
    const counts = this.#scheduler.counts() ?? this.#lastCounts
    return {
      cells: counts?.cells ?? 0,
      restarts: counts?.restarts ?? 0,
      sent: (counts?.sent ?? 0) + this.#refused + this.#deadLetters,
      ended: counts?.ended ?? 0,
      failed: counts?.failed ?? 0,
      refused: (counts?.refused ?? 0) + this.#refused,
      deadLetters: (counts?.deadLetters ?? 0) + this.#deadLetters,
      conflicts: counts?.conflicts ?? 0,
      asks: counts?.asks ?? 0,
      lateSettlements: this.#late,
    }
  }

  /** Looks at the clock soon: for one that is moved by hand. */
  wake(): void {
    if (!this.#closed) this.#schedule()
  }

  // What references and contexts call.

  send(cell: Cell, name: string, payload: unknown): boolean {
    const code = this.codeOf(cell, name)
    return this.post(cell, code, this.admit(cell, code, payload))
  }

  /** Sends what was admitted. */
  post(cell: Cell, code: number, payload: unknown): boolean {
    const { credits } = this.#scheduler
    const room = cell.live ? (credits[cell.place] as number) : CLOSED
    if (room <= 0) return this.#turnAway(cell, code, room)
    credits[cell.place] = room - 1
    this.#scheduler.send(cell.id, this.#slots.take(code, payload))
    return true
  }

  async deliver(
    cell: Cell,
    name: string,
    payload: unknown,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const code = this.codeOf(cell, name)
    const admitted = this.admit(cell, code, payload)
    const { signal } = options
    signal?.throwIfAborted()
    const room = cell.live ? (this.#scheduler.credits[cell.place] as number) : CLOSED
    if (room > 0 || room === CLOSED) {
      if (!this.post(cell, code, admitted)) throw goneError(cell)
      return
    }
    const slot = this.#slots.take(code, admitted)
    const withdraw = (): void => this.#scheduler.withdraw(cell.id, slot)
    signal?.addEventListener('abort', withdraw, { once: true })
    try {
      await new Promise<void>((resolve, reject) => {
        this.#slots.deliveries.set(slot, { resolve, reject })
        this.#scheduler.deliver(cell.id, slot)
      })
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', withdraw)
    }
  }

  async ask(
    cell: Cell,
    name: string,
    payload: unknown,
    options: AskOptions = {},
    asker: Turn | undefined = this.#current,
  ): Promise<unknown> {
    const code = this.codeOf(cell, name)
    const admitted = this.admit(cell, code, payload)
    if (typeof options !== 'object' || options === null) throw badArgument('options of ask are an object')
    const { timeoutMs = ASK_TIMEOUT_MS, signal } = options
    if (typeof timeoutMs !== 'number' || !(timeoutMs > 0))
      throw badArgument(`an ask waits more than 0 ms, not ${timeoutMs}`, { timeoutMs })
    const { credits } = this.#scheduler
    const room = cell.live ? (credits[cell.place] as number) : CLOSED
    const pending = { path: cell.path, message: name, timeoutMs, signal }
    if (signal?.aborted) throw askError(AskEnd.abandoned, pending)
    if (room <= 0) {
      this.#turnAway(cell, code, room)
      throw room === CLOSED ? goneError(cell) : askError(AskEnd.refused, pending)
    }
    credits[cell.place] = room - 1
    return new Promise((resolve, reject) => {
      let slot = 0
      const onAbort = signal === undefined ? undefined : () => this.#scheduler.abandon(slot)
      const ask: PendingAsk = {
        ...pending,
        resolve,
        reject,
        onAbort,
        settled: false,
        value: undefined,
        error: undefined,
      }
      slot = this.#slots.take(code, admitted, ask)
      if (onAbort !== undefined) signal?.addEventListener('abort', onAbort, { once: true })
      const waits = timeoutMs > LIMITS.delayMaxMs ? 0 : Math.ceil(timeoutMs)
      const id = asker === undefined ? NO_CELL : asker.incarnation.cell.id
      this.#scheduler.ask(cell.id, slot, id, asker?.number ?? 0, waits)
    })
  }

  stopCell(cell: Cell): Promise<void> {
    if (cell.gone) return Promise.resolve()
    return new Promise((resolve) => {
      this.#stopping++
      cell.onGone ??= new Set()
      cell.onGone.add(() => {
        this.#stopping--
        resolve()
      })
      cell.live = false
      this.#scheduler.stop(cell.id)
    })
  }

  stopSelf(incarnation: Incarnation): void {
    this.#scheduler.stopSelf(incarnation.cell.id, incarnation.number)
  }

  /** Work that an incarnation left running failed. */
  failBetweenTurns(incarnation: Incarnation, error: unknown): void {
    if (!incarnation.alive) {
      this.#lateSettlement(incarnation, error)
      return
    }
    incarnation.cell.failure = error
    this.#scheduler.fail(incarnation.cell.id, incarnation.number)
    incarnation.die(error)
  }

  monitor(incarnation: Incarnation, ref: CellRef<never> | SupervisorRef, name: string): Monitor {
    const watched = ref instanceof SupervisorRef ? SupervisorRef.cellOf(ref) : CellRef.cellOf(ref)
    const { cell } = incarnation
    const code = this.codeOf(cell, name)
    let over = false
    const end = (): boolean => {
      if (over) return false
      over = true
      watched.onGone?.delete(tell)
      incarnation.watches?.delete(end)
      return true
    }
    const tell = (reason: DownReason): void => {
      if (!end()) return
      // Waits for room: a notice is owed, whatever the mailbox.
      const slot = this.#slots.take(code, down(watched, reason))
      this.#scheduler.deliver(cell.id, slot)
    }
    watched.onGone ??= new Set()
    watched.onGone.add(tell)
    incarnation.watches ??= new Set()
    incarnation.watches.add(end)
    if (watched.gone) tell(watched.goneReason)
    return { cancel: end }
  }

  spawnBelow(
    parent: Cell,
    definition: CompiledCell | SupervisorDefinition,
    options: SpawnOptions = {},
  ): unknown {
    if (typeof options !== 'object' || options === null) throw badArgument('options of spawn are an object')
    const { name } = options
    if (name !== undefined && (typeof name !== 'string' || !isWellFormed(name))) {
      throw badArgument('a cell’s name is a string without lone surrogates')
    }
    if (definition?.kind === 'supervisor') return this.#spawnSupervisor(parent, definition, options)
    if (definition?.kind !== 'cell') throw badArgument('spawn takes what cell() or supervisor() made')
    return this.refOf(this.#spawnCell(parent, definition, options))
  }

  refOf(cell: Cell): CellRef<never> {
    let ref = this.#refs.get(cell)
    if (ref === undefined) this.#refs.set(cell, (ref = new CellRef<never>(this, cell)))
    return ref
  }

  sessionOf(incarnation: Incarnation): Session {
    const { cell, number } = incarnation
    return (incarnation.session ??= this.#sessions.session(cell.path, number, cell.definition?.grants ?? {}))
  }

  randomOf(incarnation: Incarnation): () => number {
    return (incarnation.random ??= seeded(
      this.#seed ^ seedOf(`${incarnation.cell.path}#${incarnation.number}`),
    ))
  }

  time(): Date {
    return this.#time()
  }

  codeOf(cell: Cell, name: string): number {
    const code = cell.definition?.codes.get(name)
    if (code !== undefined) return code
    const known = cell.definition?.names.join(', ') ?? ''
    throw new KaryonError(
      'ERR_KARYON_MESSAGE_UNKNOWN',
      `${cell.path} has no message ${name}; it has: ${known}`,
      {
        details: { path: cell.path, message: name },
      },
    )
  }

  /** What the handler will get: validated by the message's schema, checked and frozen outside of production. */
  admit(cell: Cell, code: number, payload: unknown): unknown {
    const parser = cell.definition?.parsers[code]
    const parsed = parser === undefined ? payload : parser(payload)
    if (this.#check && parsed !== undefined) freezeSendable(parsed, 'payload')
    return parsed
  }

  // Starting.

  #spawnCell(parent: Cell, definition: CompiledCell, { name, args }: SpawnOptions): Cell {
    this.#requireOpen()
    const { limits, restart, init } = definition
    const flags =
      (name === undefined ? NUMBERED : 0) | (init === undefined ? 0 : HAS_INIT) | RESTART_FLAGS[restart]
    const mailbox = bounded('limits.mailbox', limits.mailbox ?? LIMITS.mailboxDefault, 1, LIMITS.mailboxMax)
    const timeoutMs = bounded('limits.turnTimeoutMs', limits.turnTimeoutMs ?? 0, 0, LIMITS.delayMaxMs)
    const id = this.#scheduler.spawn(parent.id, name ?? definition.name, flags, mailbox, timeoutMs)
    const cell = this.#keep(parent, id, name, definition, args)
    if (init === undefined) this.#emit({ type: 'cell.started', path: cell.path, incarnation: 1 })
    else this.#schedule()
    return cell
  }

  #spawnSupervisor(parent: Cell, definition: SupervisorDefinition, { name }: SpawnOptions): SupervisorRef {
    this.#requireOpen()
    const { intensity, periodMs, backoff } = definition.restart
    const policy = {
      intensity: bounded('restart.intensity', intensity, 0, LIMITS.intensityMax),
      periodMs: bounded('restart.periodMs', periodMs, 1, LIMITS.delayMaxMs),
      initialMs: backoff?.initialMs ?? 0,
      factor: backoff?.factor ?? BACKOFF_FACTOR,
      maxMs: backoff?.maxMs ?? BACKOFF_MAX_MS,
      jitter: backoff?.jitter ?? BACKOFF_JITTER,
    }
    const flags = name === undefined ? NUMBERED : 0
    const id = this.#scheduler.spawnSupervisor(parent.id, name ?? definition.name, flags, policy)
    const supervisor = this.#keep(parent, id, name, undefined, undefined)
    const children = new Map<string, CellRef<never> | SupervisorRef>()
    try {
      for (const child of definition.children) {
        const childName = child.name ?? child.cell.name
        const options = { name: childName, args: child.args }
        const started = child.cell as CompiledCell | SupervisorDefinition
        children.set(
          childName,
          this.spawnBelow(supervisor, started, options) as CellRef<never> | SupervisorRef,
        )
      }
    } catch (error) {
      void this.stopCell(supervisor)
      throw error
    }
    return new SupervisorRef(this, supervisor, children)
  }

  #keep(
    parent: Cell,
    id: number,
    name: string | undefined,
    definition: CompiledCell | undefined,
    args: unknown,
  ): Cell {
    const path = `${parent.path}/${name ?? this.#scheduler.nameOf(id)}`
    const cell = new Cell(this, id, placeOf(id), path, definition, args)
    this.#cells[cell.place] = cell
    return cell
  }

  #requireOpen(): void {
    if (this.#closed) throw new KaryonError('ERR_KARYON_CLOSED', 'the kernel is closed; open it again')
  }

  // Running.

  #schedule(): void {
    if (this.#scheduled || this.#pumping || this.#closed) return
    this.#scheduled = true
    setImmediate(() => this.#inContext(() => this.#pump()))
  }

  /** Runs messages until there are none, or the event loop is due. */
  #pump(): void {
    this.#scheduled = false
    if (this.#closed) return
    this.#pumping = true
    const scheduler = this.#scheduler
    const startedAt = this.#now()
    let now = startedAt
    let count = 0
    let stride = 1
    let untilClock = 1
    let idle = false
    try {
      for (;;) {
        scheduler.cross(now, this.#ran)
        this.#ran = 0
        this.#batch++
        const effects = scheduler.answer(Header.effects)
        for (let place = 0; place < effects; place++) this.#effect(effectAt(place))
        if (this.#closed) return
        const size = scheduler.answer(Header.batch)
        const more = scheduler.answer(Header.more) !== 0
        // User code runs only once all effects are known: what it does must not meet a cell that died meanwhile.
        if (this.#inits.length > 0 && (size > 0 || !more)) this.#runInits()
        let position = 0
        while (position < size) {
          this.#run(position++)
          if (--untilClock > 0) continue
          const lookedAt = this.#now()
          stride = lookedAt - now < CLOCK_QUICK_MS ? Math.min(stride * 2, CLOCK_STRIDE_MAX) : 1
          untilClock = stride
          now = lookedAt
          if (now - startedAt >= PUMP_MS) break
        }
        this.#ran = position
        count += position
        if (size === 0) now = this.#now()
        if (size === 0 && scheduler.waiting === 0 && !more) {
          idle = true
          return
        }
        if (count >= PUMP_MESSAGES || now - startedAt >= PUMP_MS) return
      }
    } finally {
      this.#pumping = false
      if (!this.#closed) {
        if (idle) this.#rest(now)
        else this.#schedule()
      }
    }
  }

  /** Nothing to run: wakes for the next deadline, and keeps the program alive while something is open. */
  #rest(now: number): void {
    const alive = this.#scheduler.answer(Header.open) > 0 || this.#stopping > 0
    this.#life.set(this.#scheduler.answer(Header.nextDue), now, alive)
  }

  #run(position: number): void {
    const { inbox } = this.#scheduler
    const cell = this.#cells[placeOf(inbox[position * 2] as number)] as Cell
    const slot = inbox[position * 2 + 1] as number
    const { incarnation } = cell
    if (incarnation.closedIn === this.#batch) return
    const turn = new Turn(incarnation, ++this.#turns, slot, position)
    const handler = incarnation.handlers[this.#slots.codes[slot] as number] as Handler
    this.#current = turn
    let answer: unknown
    try {
      answer = handler(turn, this.#slots.payloads[slot])
    } catch (error) {
      this.#current = undefined
      this.#failTurn(turn, error, Verdict.failed)
      return
    }
    this.#current = undefined
    if (isThenable(answer)) this.#goOn(turn, answer)
    else this.#endTurn(turn, answer)
  }

  #goOn(turn: Turn, answer: PromiseLike<unknown>): void {
    const { incarnation } = turn
    this.#scheduler.async(turn.position, turn.number)
    turn.position = NOT_IN_BATCH
    incarnation.closedIn = this.#batch
    incarnation.turn = turn
    answer.then(
      (value) => (incarnation.alive ? this.#endTurn(turn, value) : this.#lateSettlement(incarnation)),
      (error: unknown) =>
        incarnation.alive
          ? this.#failTurn(turn, error, Verdict.failed)
          : this.#lateSettlement(incarnation, error),
    )
  }

  /** The handler came through: what it left is checked and committed. */
  #endTurn(turn: Turn, answer: unknown): void {
    const { incarnation, slot } = turn
    if (turn.deferred) {
      turn.discard()
      this.#report(turn, turn.became ? Verdict.deferredBecame : Verdict.deferred)
      return
    }
    const definition = incarnation.cell.definition as CompiledCell
    let submitted: Submitted | undefined
    let verdict: VerdictWord = Verdict.failed
    try {
      if (definition.invariant !== undefined) {
        verdict = Verdict.invariant
        if (!definition.invariant(incarnation.state)) throw invariantError(incarnation.cell)
        verdict = Verdict.failed
      }
      const ask = this.#slots.asks[slot]
      if (ask !== undefined && this.#check && answer !== undefined) assertSendable(answer, 'reply')
      if (turn.transaction !== undefined) {
        verdict = Verdict.conflict
        // Also a turn that only read: what it answers may rest on commits that are not durable yet.
        submitted = turn.transaction.submit()
      }
    } catch (error) {
      const isConflict = error instanceof KaryonError && error.code === 'ERR_KARYON_CONFLICT'
      this.#failTurn(turn, error, verdict === Verdict.conflict && !isConflict ? Verdict.failed : verdict)
      return
    }
    turn.over = true
    if (turn.position === NOT_IN_BATCH || turn.became)
      this.#report(turn, turn.became ? Verdict.became : Verdict.ended)
    this.#answer(slot, answer, submitted)
    this.#slots.outcome(slot)
  }

  /** Releases the reply once what it says is durable. */
  #answer(slot: number, answer: unknown, submitted: Submitted | undefined): void {
    const ask = this.#slots.asks[slot]
    const durable = submitted?.durable
    if (ask === undefined || ask.settled) {
      durable?.catch(() => {}) // The store reports its own failures; nobody waits for this one.
      return
    }
    const reply = (): void => {
      if (!ask.settled) this.#scheduler.reply(slot)
    }
    ask.value = answer
    ask.error = undefined // An earlier attempt may have left one.
    if (durable === undefined) {
      reply()
      return
    }
    durable.then(reply, (error: unknown) => {
      ask.error = error
      reply()
    })
  }

  #failTurn(turn: Turn, error: unknown, verdict: VerdictWord): void {
    const { incarnation, slot } = turn
    const ask = this.#slots.asks[slot]
    if (ask !== undefined) ask.error = error
    incarnation.cell.failure = error
    turn.discard()
    this.#report(turn, verdict)
    if (verdict !== Verdict.conflict) this.#slots.outcome(slot)
    // Fenced at once; the scheduler says later what follows.
    incarnation.die(error)
  }

  #report(turn: Turn, verdict: VerdictWord): void {
    const { incarnation } = turn
    turn.over = true
    if (turn.position !== NOT_IN_BATCH) {
      this.#scheduler.result(turn.position, verdict)
      if (verdict !== Verdict.deferred) incarnation.closedIn = this.#batch
      return
    }
    incarnation.turn = undefined
    if (incarnation.late) incarnation.renewSignal()
    this.#scheduler.settled(incarnation.cell.id, turn.number, verdict)
  }

  #runInits(): void {
    for (const incarnation of this.#inits.splice(0)) {
      if (incarnation.alive && incarnation.cell.incarnation === incarnation) this.#init(incarnation)
    }
  }

  #init(incarnation: Incarnation): void {
    const { cell } = incarnation
    const turn = new Turn(incarnation, ++this.#turns, NOT_IN_BATCH, NOT_IN_BATCH)
    this.#current = turn
    try {
      const state = cell.definition?.init?.(turn, cell.args)
      this.#current = undefined
      if (!isThenable(state)) {
        this.#started(turn, state)
        return
      }
      this.#scheduler.initAsync(cell.id, turn.number)
      incarnation.turn = turn
      state.then(
        (value) => (incarnation.alive ? this.#started(turn, value) : this.#lateSettlement(incarnation)),
        (error: unknown) =>
          incarnation.alive ? this.#initFailed(turn, error) : this.#lateSettlement(incarnation, error),
      )
    } catch (error) {
      this.#current = undefined
      this.#initFailed(turn, error)
    }
  }

  #started(turn: Turn, state: unknown): void {
    const { incarnation } = turn
    const { cell, number } = incarnation
    turn.discard()
    incarnation.turn = undefined
    incarnation.state = state
    if (incarnation.late) incarnation.renewSignal()
    this.#scheduler.inited(cell.id, number, Verdict.ended)
    this.#emit({ type: 'cell.started', path: cell.path, incarnation: number })
  }

  #initFailed(turn: Turn, error: unknown): void {
    const { incarnation } = turn
    turn.discard()
    incarnation.turn = undefined
    incarnation.cell.failure = error
    this.#scheduler.inited(incarnation.cell.id, incarnation.number, Verdict.failed)
    incarnation.die(error)
  }

  #lateSettlement(incarnation: Incarnation, error?: unknown): void {
    this.#late++
    const { cell, number } = incarnation
    this.#emit({ type: 'turn.late-settlement', path: cell.path, incarnation: number, ...withError(error) })
  }

  /** No room, or nobody there. */
  #turnAway(cell: Cell, code: number, room: number): false {
    const message = cell.definition?.names[code] ?? ''
    if (room === CLOSED) {
      this.#deadLetters++
      this.#emit({ type: 'message.dead-letter', path: cell.path, message, reason: 'stopped' })
    } else {
      this.#refused++
      this.#emit({ type: 'message.refused', path: cell.path, message, reason: 'full' })
    }
    return false
  }

  // What the scheduler decided.

  #effect(at: number): void {
    const { effects } = this.#scheduler
    const first = effects[at + 1] as number
    const second = effects[at + 2] as number
    const third = effects[at + 3] as number
    switch (effects[at]) {
      case Effect.init:
        this.#inits.push(this.#at(first).incarnation)
        break
      case Effect.died: {
        const { incarnation } = this.#at(first)
        incarnation.die(incarnation.cell.failure)
        this.timers.forgetAll(incarnation)
        break
      }
      case Effect.restarted:
        this.#restarted(this.#at(first), second, third)
        break
      case Effect.gone:
        this.#gone(this.#at(first), DOWNS[second] as DownReason)
        break
      case Effect.supervisorGaveUp:
        this.#emit({ type: 'supervisor.gave-up', path: this.#at(first).path })
        break
      case Effect.rootFailed:
        this.#rejectFailed(gaveUpError(this.#at(first)))
        break
      case Effect.refused:
        this.#refusedLater(this.#at(first), second, third)
        break
      case Effect.deadLetter: {
        const reason = DEAD_LETTERS[third] ?? 'stopped'
        const { path } = this.#at(first)
        this.#emit({ type: 'message.dead-letter', path, message: this.#nameOf(first, second), reason })
        this.#slots.deliveries.get(second)?.reject(goneError(this.#at(first)))
        this.#lose(second)
        break
      }
      case Effect.conflict:
        this.#emit({
          type: 'message.conflict',
          path: this.#at(first).path,
          message: this.#nameOf(first, second),
        })
        this.#lose(second)
        break
      case Effect.admitted:
        this.#slots.deliveries.get(second)?.resolve()
        this.#slots.deliveries.delete(second)
        break
      case Effect.askSettled:
        this.#askSettled(first, second)
        break
      case Effect.askPath: {
        const path = this.#paths.get(first) ?? []
        path.push(this.#at(second).path)
        this.#paths.set(first, path)
        break
      }
      case Effect.timer:
        this.timers.due(first, second !== 0)
        break
      case Effect.abort:
        this.#abort(this.#at(first).incarnation, second !== 0)
        break
    }
  }

  #restarted(cell: Cell, number: number, death: number): void {
    const error = cell.failure
    cell.failure = undefined
    cell.incarnation = new Incarnation(cell, number)
    const reason = DEATHS[death] ?? 'error'
    this.#emit({ type: 'cell.restarted', path: cell.path, incarnation: number, reason, ...withError(error) })
  }

  #gone(cell: Cell, reason: DownReason): void {
    const { path } = cell
    cell.live = false
    cell.gone = true
    cell.goneReason = reason
    cell.incarnation.die()
    this.#cells[cell.place] = undefined
    const error = withError(cell.failure)
    if (reason === 'gave-up' && cell.definition !== undefined)
      this.#emit({ type: 'cell.gave-up', path, ...error })
    else this.#emit({ type: 'cell.stopped', path, reason, ...error })
    for (const tell of cell.onGone ?? []) tell(reason)
    cell.onGone = undefined
    if (cell === this.#root) this.#close()
  }

  #close(): void {
    this.#lastCounts = this.#scheduler.counts() ?? undefined
    this.#closed = true
    this.#life.end()
    this.#scheduler.close()
  }

  #refusedLater(cell: Cell, slot: number, refusal: number): void {
    const reason = REFUSALS[refusal] ?? 'full'
    this.#emit({ type: 'message.refused', path: cell.path, message: this.#nameOf(cell.id, slot), reason })
    this.#slots.deliveries
      .get(slot)
      ?.reject(askError(AskEnd.refused, { path: cell.path, message: '', timeoutMs: 0 }))
    this.#lose(slot)
  }

  #lose(slot: number): void {
    this.#slots.deliveries.delete(slot)
    this.#slots.outcome(slot)
  }

  #askSettled(slot: number, end: number): void {
    const ask = this.#slots.asks[slot] as PendingAsk
    ask.settled = true
    if (ask.onAbort !== undefined) ask.signal?.removeEventListener('abort', ask.onAbort)
    const path = this.#paths.get(slot)
    this.#paths.delete(slot)
    this.#slots.settled(slot)
    if (end === AskEnd.replied && ask.error === undefined) ask.resolve(ask.value)
    else if (end === AskEnd.replied) ask.reject(ask.error)
    else ask.reject(askError(end, ask, path))
  }

  #abort(incarnation: Incarnation, stop: boolean): void {
    const { path } = incarnation.cell
    incarnation.late = !stop
    incarnation.abort(
      stop
        ? new KaryonError('ERR_KARYON_CELL_DEAD', `${path} is told to stop`, { details: { path } })
        : new KaryonError('ERR_KARYON_TURN_TIMEOUT', `the turn of ${path} is past its time limit`, {
            details: { path },
          }),
    )
  }

  #at(id: number): Cell {
    return this.#cells[placeOf(id)] as Cell
  }

  #nameOf(id: number, slot: number): string {
    return this.#at(id).definition?.names[this.#slots.codes[slot] as number] ?? ''
  }

  /** @internal */
  unknownChild(path: string, name: string): KaryonError {
    return badArgument(`${path} has no such child: ${name}`, { path, name })
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

function withError(error: unknown): { readonly error?: unknown } {
  return error === undefined ? {} : { error }
}
