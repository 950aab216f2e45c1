// One turn, or one `init`: what the handler sees of the runtime, and what it left behind when it is over.
import { badArgument } from '../errors.ts'
import type { TurnTransaction } from '../graph/session.ts'
import type { Graph } from '../graph/types.ts'
import type { AskOptions } from './ask.ts'
import type { Incarnation } from './cell.ts'
import type { Monitor, Timer, TimerOptions } from './context.ts'
import type { Handler } from './definition.ts'
import { failure } from './failures.ts'
import { Op } from './protocol.ts'
import { CellRef, type AnyRef } from './ref.ts'
import type { CellRuntime } from './runtime.ts'
import { seeded, seedOf } from './random.ts'
import { spawnBelow, type SpawnOptions } from './spawn.ts'
import type { ArmedTimer } from './timers.ts'

/** The place in the batch of a turn that is not in it: one that went on, or an `init`. */
export const NOT_IN_BATCH = -1
/** The place in the batch of a turn whose message was never issued: its cell was idle. */
export const NOT_ISSUED = -2

/** The context as the runtime has it; handlers see it as `Context`. */
export class Turn {
  readonly incarnation: Incarnation
  readonly number: number
  /** Its place in the batch. */
  position: number
  transaction: TurnTransaction | undefined
  over = false
  deferred = false
  became = false

  constructor(incarnation: Incarnation, number: number, position: number) {
    this.incarnation = incarnation
    this.number = number
    this.position = position
  }

  get #runtime(): CellRuntime {
    return this.incarnation.cell.runtime
  }

  get self(): CellRef<never> {
    return this.#runtime.refOf(this.incarnation.cell)
  }

  get args(): unknown {
    return this.incarnation.cell.args
  }

  get state(): unknown {
    return this.incarnation.state
  }

  set state(state: unknown) {
    this.#living().state = state
  }

  get graph(): Graph {
    return this.#runtime.sessionOf(this.#living()).graph
  }

  get tx(): TurnTransaction {
    const incarnation = this.#living()
    if (this.over) {
      throw failure('ERR_KARYON_TRANSACTION_DONE', 'the turn is over; ctx.tx belongs to it alone')
    }
    return (this.transaction ??= this.#runtime.sessionOf(incarnation).begin())
  }

  get signal(): AbortSignal {
    return this.incarnation.signal
  }

  send(ref: CellRef<never>, name: string, payload: unknown): boolean {
    this.#living()
    return this.#runtime.send(CellRef.cellOf(ref), name, payload)
  }

  ask(ref: CellRef<never>, name: string, payload: unknown, options?: AskOptions): Promise<unknown> {
    this.#living()
    return this.#runtime.ask(CellRef.cellOf(ref), name, payload, options, this)
  }

  spawn(definition: never, options?: SpawnOptions): unknown {
    return spawnBelow(this.#living().cell, definition, options)
  }

  sendAfter(delayMs: number, name: string, payload?: unknown, options?: TimerOptions): Timer {
    return this.#runtime.timers.arm(this.#living().cell, delayMs, 0, name, payload, options)
  }

  every(periodMs: number, name: string, payload?: unknown, options?: TimerOptions): Timer {
    if (!(periodMs >= 1)) throw badArgument(`every takes a period of at least 1 ms, not ${periodMs}`)
    return this.#runtime.timers.arm(this.#living().cell, periodMs, periodMs, name, payload, options)
  }

  cancel(timer: Timer): boolean {
    this.#living()
    return this.#runtime.timers.cancel(timer as ArmedTimer)
  }

  monitor(ref: AnyRef, name: string): Monitor {
    return this.#runtime.monitor(this.#living(), ref, name)
  }

  run<T>(task: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
    const incarnation = this.#living()
    const work = (async () => task(incarnation.signal))()
    work.catch((error: unknown) => {
      if (this.over) this.#runtime.pump.failBetweenTurns(incarnation, error)
    })
    return work
  }

  now(): Date {
    return this.#runtime.time()
  }

  random(): number {
    const incarnation = this.#living()
    const { cell, number } = incarnation
    incarnation.random ??= seeded(cell.runtime.seed ^ seedOf(`${cell.path}#${number}`))
    return incarnation.random()
  }

  stop(): void {
    const incarnation = this.#living()
    const { cell, number } = incarnation
    incarnation.stops = true
    cell.runtime.scheduler.write(Op.stopSelf, cell.id, number)
  }

  become(handlers: Readonly<Record<string, Handler | undefined>>): void {
    const incarnation = this.#living()
    const definition = incarnation.cell.definition
    if (definition === undefined) return
    for (const name of Object.keys(handlers)) this.#runtime.codeOf(incarnation.cell, name)
    incarnation.handlers = definition.names.map(
      (name, code) => handlers[name] ?? (definition.handlers[code] as Handler),
    )
    this.became = true
  }

  defer(): void {
    this.#living()
    this.deferred = true
  }

  /** Forgets what the turn wrote. */
  discard(): void {
    this.over = true
    this.transaction?.discard()
  }

  #living(): Incarnation {
    if (!this.incarnation.alive) throw this.incarnation.deadError()
    return this.incarnation
  }
}
