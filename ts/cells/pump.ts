// Runs turns: takes batches from the scheduler, runs their handlers, and tells it what came of them.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Submitted } from '../graph/session.ts'
import type { Incarnation } from './cell.ts'
import type { CompiledCell, Handler } from './definition.ts'
import { Durable, type Once } from './durable.ts'
import { applyEffects, withError } from './effects.ts'
import { failure } from './failures.ts'
import { disown, isFailure, isThenable } from './foreign.ts'
import { Life } from './life.ts'
import { Death, Header, INIT_TURN, Op, Verdict, type DeathWord, type VerdictWord } from './protocol.ts'
import type { CellRuntime } from './runtime.ts'
import type { Driver } from './simulation.ts'
import type { Slot } from './slots.ts'
import { Stage } from './stage.ts'
import { NOT_IN_BATCH, NOT_ISSUED, Turn } from './turn.ts'

/** Messages that are run before the event loop gets its turn. */
const PUMP_MESSAGES = 1_024
/** How long messages are run before the event loop gets its turn, in milliseconds. */
const PUMP_MS = 2
/** How many quick messages may pass between two looks at the clock. */
const CLOCK_STRIDE_MAX = 16
/** A stretch that took less, in milliseconds, lets the next be longer. */
const CLOCK_QUICK_MS = 0.05

/** What stands for the pump itself where cells are named: the root's place, which has no turns. */
const NOBODY = 0

/** What runs the cells of a runtime. */
export class Pump {
  readonly #runtime: CellRuntime
  readonly #life: Pick<Life, 'set' | 'end'>
  readonly #driver: Driver | undefined
  readonly #inContext: (pump: () => void) => void
  readonly #inits: Incarnation[] = []
  /** The CPU time of turns here, of incarnations that the watchdog has met. */
  readonly #used = new WeakMap<Incarnation, number>()
  /** The turn whose handler is running. */
  current: Turn | undefined
  /** Turns that settled after their incarnation was dead. */
  late = 0
  /** What the last turn that was stopped in place failed with. */
  stopped: unknown
  #turns = 0
  #batch = 1
  /** The CPU time of all turns that was accounted for, and where the watchdog writes it. */
  #cpuMs = 0
  #header: Float64Array = new Float64Array(0)
  #scheduled = false
  #pumping = false

  constructor(runtime: CellRuntime) {
    this.#runtime = runtime
    this.#driver = runtime.driver
    this.#life = runtime.driver ?? new Life(() => this.schedule())
    this.#inContext = AsyncLocalStorage.snapshot()
  }

  /** Lets messages run soon, once this synchronous stretch is over. */
  schedule(): void {
    if (this.#scheduled || this.#pumping || this.#runtime.scheduler.closed) return
    this.#scheduled = true
    const pump = (): void => this.#inContext(() => this.#pump())
    if (this.#driver === undefined) setImmediate(pump)
    else this.#driver.later(pump)
  }

  /** Runs messages now: this side was just woken for them. */
  wake(): void {
    if (this.#pumping || this.#runtime.scheduler.closed) return
    this.#scheduled = true
    this.#inContext(() => this.#pump())
  }

  /** Lets an incarnation's `init` run before the next messages. */
  startSoon(incarnation: Incarnation): void {
    this.#inits.push(incarnation)
  }

  /** No cell is left, and no ask. */
  #end(): void {
    const { scheduler, root, endWatch } = this.#runtime
    this.#life.end()
    endWatch()
    scheduler.close()
    root.tellEnd('stopped')
  }

  /** The CPU time that the turns of an incarnation have used, in milliseconds; see `CellInfo`. */
  cpuMsOf(incarnation: Incarnation): number {
    return incarnation.seat?.cpuMs ?? this.#used.get(incarnation) ?? 0
  }

  /** What the watchdog has seen used since it was last asked was used by this one. */
  #account(incarnation: Incarnation): void {
    const cpuMs = this.#header[Header.cpu] as number
    const used = this.cpuMsOf(incarnation) + cpuMs - this.#cpuMs
    this.#cpuMs = cpuMs
    if (incarnation.seat === undefined) this.#used.set(incarnation, used)
    else incarnation.seat.cpuMs = used
  }

  #pump(): void {
    const { scheduler } = this.#runtime
    this.#scheduled = false
    if (scheduler.closed) return
    this.#pumping = true
    this.#header = scheduler.memory.header
    let idle = false
    try {
      idle = this.#runMessages()
    } finally {
      scheduler.pause()
      this.#pumping = false
      if (!scheduler.closed && !idle) this.schedule()
    }
  }

  /** Runs messages until there are none, or the event loop is due; whether there are none. */
  #runMessages(): boolean {
    const { scheduler, now: clock } = this.#runtime
    const { inbox, outbox } = scheduler.memory
    const startedAt = clock()
    let now = startedAt
    let count = 0
    let stride = 1
    let untilClock = 1
    for (;;) {
      // What follows is no cell's time, and turns may come of it at once.
      scheduler.begin(INIT_TURN, NOBODY)
      scheduler.cross(now)
      this.#batch++
      applyEffects(this.#runtime, scheduler.answer(Header.effects))
      if (scheduler.closed) return false
      const size = scheduler.answer(Header.batch)
      if (this.#driver !== undefined) this.#trace(size)
      const more = scheduler.answer(Header.more) !== 0
      // User code runs only once all effects are known: what it does must not meet a cell that died meanwhile.
      if (this.#inits.length > 0 && (size > 0 || !more)) this.#runInits()
      const before = count
      for (;;) {
        if (scheduler.ran < size) {
          const at = 2 * scheduler.ran
          this.#run(inbox[at] as number, inbox[at + 1] as number, scheduler.ran++)
        } else {
          const at = more || count >= PUMP_MESSAGES ? -1 : scheduler.takeIdle()
          if (at < 0) break
          this.#run(outbox[at + 1] as number, outbox[at + 2] as number, NOT_ISSUED)
        }
        count++
        if (--untilClock > 0) continue
        const lookedAt = clock()
        stride = lookedAt - now < CLOCK_QUICK_MS ? Math.min(stride * 2, CLOCK_STRIDE_MAX) : 1
        untilClock = stride
        now = lookedAt
        if (now - startedAt >= PUMP_MS) return false
      }
      if (count === before) {
        now = clock()
        if (!scheduler.waits && !more) {
          const { threads } = this.#runtime
          if (threads?.linger()) continue
          this.#runtime.slots.trim()
          if (this.#runtime.root.gone !== undefined && this.#runtime.stats.asks === 0) {
            this.#end()
            return true
          }
          // Wakes for the next deadline, and keeps the program alive while something is open.
          const alive = scheduler.answer(Header.open) > 0 || this.#runtime.waits > 0
          this.#life.set(scheduler.answer(Header.nextDue), now, alive)
          return threads?.rest() ?? true
        }
      }
      if (count >= PUMP_MESSAGES || now - startedAt >= PUMP_MS) return false
    }
  }

  #run(id: number, number: number, position: number): void {
    const { incarnation } = this.#runtime.cellAt(id)
    if (incarnation.closedIn === this.#batch) return
    if (incarnation.stage >= Stage.closing) {
      incarnation.closedIn = this.#batch
      this.#runtime.scheduler.write(Op.result, position, Verdict.notRun)
      return
    }
    const { rare } = incarnation
    if (rare?.seat !== undefined && !rare.seat.admits(number)) return
    incarnation.issue()
    const slot = this.#runtime.slots.at(number)
    if (slot.once !== undefined && rare?.durable?.has(slot.once)) {
      this.#skip(slot, incarnation, position)
      return
    }
    rare?.gauge?.turn()
    const turn = new Turn(incarnation, ++this.#turns, position)
    if (slot.trace !== undefined) turn.trace = slot.trace
    const handler = incarnation.handlers[slot.code] as Handler
    this.current = turn
    this.#runtime.scheduler.begin(turn.number, id)
    let answer: unknown
    let goesOn: boolean
    try {
      answer =
        this.#driver === undefined
          ? handler(turn, slot.payload)
          : this.#driver.during(turn, () => handler(turn, slot.payload))
      goesOn = isThenable(answer)
    } catch (error) {
      this.current = undefined
      if (this.#header[Header.cpu] !== this.#cpuMs) this.#account(incarnation)
      const stopped = error === this.stopped && this.stopped !== undefined
      this.#failTurn(turn, slot, error, stopped ? Verdict.stopped : Verdict.failed)
      return
    }
    this.current = undefined
    if (this.#header[Header.cpu] !== this.#cpuMs) this.#account(incarnation)
    if (goesOn) this.#goOn(turn, slot, answer)
    else this.#endTurn(turn, slot, answer)
  }

  /** A durable cell has consumed the message before: it ends without a turn. */
  #skip(slot: Slot, { cell, rare }: Incarnation, position: number): void {
    const { path } = cell
    const { source, number } = slot.once as Once
    const details = { path, source, number, consumed: rare?.durable?.consumed(source) }
    const message = `${path} has consumed message ${number} of ${source} before; go on with the next`
    if (position === NOT_ISSUED) this.#runtime.scheduler.ended++
    if (slot.ask !== undefined) {
      slot.ask.error = failure('ERR_KARYON_CONSUMED', message, details)
      this.#runtime.scheduler.write(Op.reply, slot.number)
    }
    this.#runtime.slots.outcome(slot)
  }

  /** The turn returned a promise. */
  #goOn(turn: Turn, slot: Slot, answer: unknown): void {
    const { incarnation } = turn
    this.#runtime.scheduler.write(Op.async, this.#positionOf(turn, slot), turn.number)
    turn.position = NOT_IN_BATCH
    incarnation.closedIn = this.#batch
    incarnation.gauge?.open()
    void this.#whenSettled(turn, answer, (verdict, outcome) => {
      if (verdict === Verdict.ended) this.#endTurn(turn, slot, outcome)
      else this.#failTurn(turn, slot, outcome, verdict)
    })
  }

  async #whenSettled(
    turn: Turn,
    answer: unknown,
    settle: (verdict: VerdictWord, outcome: unknown) => void,
  ): Promise<void> {
    const { incarnation } = turn
    incarnation.turn = turn
    let verdict: VerdictWord = Verdict.ended
    let outcome: unknown
    try {
      // Whatever a thenable does, this goes on exactly once.
      outcome = await (this.#driver?.settled(turn, answer) ?? answer)
      turn.assertWork()
    } catch (error) {
      verdict = Verdict.failed
      outcome = error
    }
    if (incarnation.alive) settle(verdict, outcome)
    else this.#lateSettlement(incarnation, verdict === Verdict.failed ? outcome : undefined)
  }

  /** The handler came through: what it left is checked and committed. */
  #endTurn(turn: Turn, slot: Slot, answer: unknown): void {
    const { incarnation } = turn
    if (turn.deferred) {
      if (slot.once !== undefined) {
        const { path } = incarnation.cell
        const message = `${path} puts aside a message that is consumed once, in the order of its number: it could not come back behind the next; keep what it says in the state`
        return this.#failTurn(turn, slot, failure('ERR_KARYON_ARGUMENT', message, { path }), Verdict.failed)
      }
      turn.discard()
      this.#report(turn, slot, turn.became ? Verdict.deferredBecame : Verdict.deferred)
      return
    }
    let reply = answer
    let submitted: Submitted | undefined
    let verdict: VerdictWord = Verdict.invariant
    try {
      if (slot.ask !== undefined) {
        verdict = Verdict.failed
        reply = this.#runtime.admitReply(incarnation.cell, slot.code, answer)
        verdict = Verdict.invariant
      }
      assertInvariant(incarnation, slot, reply)
      verdict = Verdict.conflict
      const remember = incarnation.rare?.durable?.save(turn, slot.once)
      // Also a turn that only read: what it answers may rest on commits that are not durable yet.
      submitted = turn.transaction?.submit()
      remember?.()
    } catch (error) {
      if (verdict === Verdict.conflict && !isFailure(error, 'ERR_KARYON_CONFLICT')) verdict = Verdict.failed
      this.#failTurn(turn, slot, error, verdict)
      return
    }
    turn.over = true
    if (turn.became) this.#report(turn, slot, Verdict.became)
    else if (turn.position === NOT_ISSUED) this.#runtime.scheduler.ended++
    else if (turn.position === NOT_IN_BATCH) this.#report(turn, slot, Verdict.ended)
    // First: whoever has the answer can count on the outcome.
    this.#runtime.slots.outcome(slot)
    if (slot.ask !== undefined || submitted !== undefined) this.#answer(slot, reply, submitted)
  }

  /** Releases the reply once what it says is durable. */
  #answer(slot: Slot, answer: unknown, submitted: Submitted | undefined): void {
    const { ask } = slot
    const { scheduler } = this.#runtime
    if (submitted !== undefined && (ask === undefined || scheduler.replyAt !== undefined))
      submitted.durable.catch(() => {}) // The store reports its own failures; nobody waits for this one.
    if (ask === undefined) return
    const reply = (error?: unknown): void => {
      ask.error = error // An earlier attempt may have left one.
      if (slot.ask === ask) scheduler.write(Op.reply, slot.number)
    }
    ask.value = answer
    if (submitted === undefined) reply()
    else if (scheduler.replyAt === undefined) submitted.durable.then(() => reply(), reply)
    else {
      ask.error = undefined
      scheduler.replyAt(slot, Number(submitted.version))
    }
  }

  #failTurn(turn: Turn, slot: Slot, error: unknown, verdict: VerdictWord): void {
    const { incarnation } = turn
    if (slot.ask !== undefined) slot.ask.error = error
    incarnation.cell.failure = error
    turn.discard()
    this.#report(turn, slot, verdict)
    if (verdict !== Verdict.conflict) this.#runtime.slots.outcome(slot)
    // Fenced at once; the scheduler says later what follows.
    incarnation.die(error)
  }

  #report(turn: Turn, slot: Slot, verdict: VerdictWord): void {
    const { incarnation } = turn
    const { scheduler } = this.#runtime
    turn.over = true
    if (turn.position === NOT_IN_BATCH) {
      incarnation.endTurn()
      scheduler.write(Op.settled, incarnation.cell.id, turn.number, verdict)
      return
    }
    scheduler.write(Op.result, this.#positionOf(turn, slot), verdict)
    if (verdict !== Verdict.deferred) incarnation.closedIn = this.#batch
  }

  #positionOf({ position, incarnation }: Turn, slot: Slot): number {
    if (position !== NOT_ISSUED) return position
    return this.#runtime.scheduler.adopt(incarnation.cell.id, slot.number)
  }

  /** Tells a simulation what is to be run. */
  #trace(size: number): void {
    const { scheduler, slots } = this.#runtime
    for (let at = 0; at < size; at++) {
      const cell = this.#runtime.cellAt(scheduler.memory.inbox[2 * at] as number)
      const slot = slots.at(scheduler.memory.inbox[2 * at + 1] as number)
      this.#driver?.note(`run ${cell.path}#${cell.incarnation.number} ${cell.definition?.names[slot.code]}`)
    }
  }

  #runInits(): void {
    for (const incarnation of this.#inits.splice(0)) {
      if (incarnation.alive && incarnation.cell.incarnation === incarnation) this.#init(incarnation)
    }
  }

  #init(incarnation: Incarnation): void {
    const turn = new Turn(incarnation, INIT_TURN, NOT_IN_BATCH)
    let verdict: VerdictWord = Verdict.ended
    let outcome: unknown
    let goesOn = false
    this.current = turn
    this.#runtime.scheduler.begin(INIT_TURN, incarnation.cell.id)
    try {
      outcome =
        this.#driver === undefined ? this.#begin(turn) : this.#driver.during(turn, () => this.#begin(turn))
      goesOn = isThenable(outcome)
    } catch (error) {
      verdict = Verdict.failed
      outcome = error
    }
    this.current = undefined
    if (this.#header[Header.cpu] !== this.#cpuMs) this.#account(incarnation)
    if (!goesOn) {
      this.#inited(turn, verdict, outcome)
      return
    }
    incarnation.gauge?.open()
    void this.#whenSettled(turn, outcome, (how, what) => this.#inited(turn, how, what))
  }

  /** Makes the first state, or takes up the one that was kept. */
  #begin(turn: Turn): unknown {
    const { incarnation } = turn
    const { definition, args } = incarnation.cell
    if (definition?.persist) {
      const session = this.#runtime.sessionOf(incarnation)
      const { durable, saved } = Durable.load(incarnation, () => session.begin())
      incarnation.own.durable = durable
      incarnation.state = saved
      if (saved !== undefined) return definition.resume?.(turn, saved, args)
    }
    return definition?.init?.(turn, args)
  }

  /** `init` is over: with the state, or with what it failed with. */
  #inited(turn: Turn, verdict: VerdictWord, outcome: unknown): void {
    const { incarnation } = turn
    const { cell, number } = incarnation
    turn.discard()
    incarnation.endTurn()
    if (verdict !== Verdict.ended) cell.failure = outcome
    this.#runtime.scheduler.write(Op.inited, cell.id, number, verdict)
    if (verdict === Verdict.ended) {
      // A cell that resumes may leave the state as it was kept.
      if (outcome !== undefined) incarnation.state = outcome
      incarnation.start()
      incarnation.issue()
      incarnation.gauge?.start()
      this.#runtime.emit({ type: 'cell.started', path: cell.path, incarnation: number })
    } else incarnation.die(outcome)
  }

  /** Work that an incarnation left running failed. */
  failBetweenTurns(incarnation: Incarnation, error: unknown, death: DeathWord = Death.error): void {
    if (!incarnation.alive) {
      this.#lateSettlement(incarnation, error)
      return
    }
    const { cell, number } = incarnation
    cell.failure = error
    this.#runtime.scheduler.write(Op.fail, cell.id, number, death)
    incarnation.die(error)
  }

  #lateSettlement({ cell, number }: Incarnation, error?: unknown): void {
    this.late++
    const { path } = cell
    this.#runtime.emit({ type: 'turn.late-settlement', path, incarnation: number, ...withError(error) })
  }
}

function assertInvariant({ cell, state }: Incarnation, { code, payload }: Slot, reply: unknown): void {
  const { invariant, names } = cell.definition as CompiledCell
  if (invariant === undefined) return
  const holds: unknown = invariant(state, { message: names[code] as string, payload, reply })
  const isLate = isThenable(holds)
  if (isLate) disown(holds)
  if (holds && !isLate) return
  const { path } = cell
  const message = isLate
    ? `the invariant of ${path} answered with a promise, which is no answer; it must not be async`
    : `what the turn did, or the state it left, breaks the invariant of ${path}`
  throw failure('ERR_KARYON_INVARIANT', message, { path })
}
