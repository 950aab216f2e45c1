// One turn, or one `init`: what the handler sees of the runtime, and what it left behind when it is over.
import { badArgument } from '../errors.ts'
import type { TurnTransaction } from '../graph/session.ts'
import type { Graph } from '../graph/types.ts'
import type { AskOptions } from './ask.ts'
import type { Cell, Incarnation } from './cell.ts'
import type { Monitor, MonitorOptions, Timer, TimerOptions } from './context.ts'
import { checkedOptions } from '../graph/arguments.ts'
import { checkFields, handlerOf, type Handler } from './definition.ts'
import { bounded, failure } from './failures.ts'
import { ownOf } from './foreign.ts'
import { Death, Op } from './protocol.ts'
import { CellRef, Reference, type AnyRef } from './ref.ts'
import type { CellRuntime } from './runtime.ts'
import { seeded, seedOf } from './random.ts'
import { LIMITS } from './scheduler.ts'
import { spawnBelow, type SpawnOptions } from './spawn.ts'
import type { ArmedTimer } from './timers.ts'
import type { Subscription, Topic } from './topics.ts'
import { checkedTrace } from './trace.ts'
import { link, monitor } from './watching.ts'

/** The place in the batch of a turn that is not in it: one that went on, or an `init`. */
export const NOT_IN_BATCH = -1
/** The place in the batch of a turn whose message was never issued: its cell was idle. */
export const NOT_ISSUED = -2

/** What `run` returns: a promise that knows whether anybody handles it. */
class Work<T> extends Promise<T> {
  handled = false

  // Awaiting it, `catch`, `finally` and `Promise.all` all come by here.
  // oxlint-disable-next-line unicorn/no-thenable -- a promise is one, and this one counts on it
  override then<A = T, B = never>(
    onEnd?: ((value: T) => A | PromiseLike<A>) | null,
    onFailure?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.handled = true
    return super.then(onEnd, onFailure)
  }
}

/** The context as the runtime has it; handlers see it as `Context`. */
export class Turn {
  readonly incarnation: Incarnation
  readonly number: number
  /** Its place in the batch. */
  position: number
  transaction: TurnTransaction | undefined
  over = false
  deferred = false
  /** It began something foreign before it returned a promise; of simulations. */
  foreign: unknown
  became = false
  /** Of its message, and of what it sends. */
  #trace: string | undefined
  /** Tasks that failed while the turn went on. */
  #failed: { readonly work: Work<unknown>; readonly error: unknown }[] | undefined

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

  get trace(): string | undefined {
    return this.#trace
  }

  set trace(trace: string | undefined) {
    this.#living()
    this.#trace = checkedTrace(trace)
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
    const incarnation = this.#running('tx')
    return (this.transaction ??= this.#runtime.sessionOf(incarnation).begin())
  }

  get signal(): AbortSignal {
    return this.incarnation.signal
  }

  send(ref: CellRef<never>, name: string, payload: unknown): boolean {
    this.#living()
    return this.#runtime.send(this.#ours(ref), name, payload, this)
  }

  ask(ref: CellRef<never>, name: string, payload: unknown, options?: AskOptions): Promise<unknown> {
    this.#living()
    return this.#runtime.ask(this.#ours(ref), name, payload, options, this)
  }

  spawn(definition: never, options?: SpawnOptions): unknown {
    const incarnation = this.#living()
    const { outside } = this.#runtime
    if (outside !== undefined) return outside.spawn(incarnation, definition, options ?? {})
    return spawnBelow(incarnation.cell, definition, options)
  }

  sendAfter(delayMs: number, name: string, payload?: unknown, options?: TimerOptions): Timer {
    return this.#runtime.timers.arm(this.#living().cell, delayMs, 0, name, payload, options, this.trace)
  }

  every(periodMs: number, name: string, payload?: unknown, options?: TimerOptions): Timer {
    bounded('the period of every in milliseconds', periodMs, 1, LIMITS.delayMaxMs, false)
    return this.#runtime.timers.arm(
      this.#living().cell,
      periodMs,
      periodMs,
      name,
      payload,
      options,
      this.trace,
    )
  }

  cancel(timer: Timer): boolean {
    const { cell } = this.#living()
    const { cell: armedBy = cell } = Object(timer) as Partial<ArmedTimer>
    if (armedBy.id !== cell.id || armedBy.runtime !== cell.runtime)
      throw badArgument(`a timer is called off by the cell that armed it, which is ${armedBy.path}`)
    return this.#runtime.timers.cancel(timer as ArmedTimer)
  }

  monitor(ref: AnyRef, name: string, options?: MonitorOptions): Monitor {
    const incarnation = this.#living()
    this.#ours(ref)
    const { outside } = this.#runtime
    if (outside !== undefined) return outside.monitor(incarnation, ref, name, options ?? {})
    return monitor(incarnation, ref, name, options)
  }

  link(ref: AnyRef): Monitor {
    const incarnation = this.#living()
    this.#ours(ref)
    return this.#runtime.outside?.link(incarnation, ref) ?? link(incarnation, ref)
  }

  subscribe(topic: Topic<unknown, unknown>, name: string): Subscription {
    return this.#runtime.topics.subscribe(this.#living(), topic, name)
  }

  publish(topic: Topic<unknown, unknown>, payload: unknown): number {
    this.#runtime.assertGoesOn(this.#living())
    return this.#runtime.topics.publish(topic, payload, this.trace)
  }

  renew(progress: number): boolean {
    return this.#living().gauge?.renew(progress) ?? true
  }

  run<T>(
    task: (signal: AbortSignal) => T | Promise<T>,
    options: { readonly then?: string } = {},
  ): Promise<T> {
    const incarnation = this.#living()
    if (typeof task !== 'function') throw badArgument('run takes a function, which is given a signal')
    const { then } = checkedOptions(options, 'then')
    const code = then === undefined ? undefined : this.#runtime.codeOf(incarnation.cell, then)
    incarnation.gauge?.open()
    const over = this.#runtime.work(incarnation)
    const work = new Work<T>((resolve) => resolve(task(incarnation.signal)))
    const done = (value: unknown): void => {
      incarnation.gauge?.close()
      over()
      if (code === undefined || !incarnation.alive) return
      try {
        this.#runtime.owe(
          incarnation.cell,
          code,
          this.#runtime.admit(incarnation.cell, code, value),
          this.trace,
        )
      } catch (error) {
        this.#runtime.pump.failBetweenTurns(incarnation, error)
      }
    }
    const failed = (error: unknown): void => {
      incarnation.gauge?.close()
      over()
      if (this.over) this.#runtime.pump.failBetweenTurns(incarnation, error)
      else (this.#failed ??= []).push({ work, error })
    }
    // Past its own `then`: this looks on, and handles nothing.
    Reflect.apply(Promise.prototype.then, work, [done, failed])
    return work
  }

  now(): Date {
    return this.#runtime.time()
  }

  random(): number {
    const incarnation = this.#living()
    const { cell, number } = incarnation
    incarnation.own.random ??= seeded(cell.runtime.seed ^ seedOf(`${cell.path}#${number}`))
    return incarnation.own.random()
  }

  stop(): void {
    const incarnation = this.#living()
    const { cell, number } = incarnation
    incarnation.close()
    cell.runtime.scheduler.write(Op.finish, cell.id, number, Death.ended)
  }

  become(handlers: Readonly<Record<string, Handler | undefined>>): void {
    const incarnation = this.#running('become')
    const definition = incarnation.cell.definition
    if (definition === undefined) return
    checkFields(handlers, 'become')
    for (const [name, handler] of Object.entries(handlers)) {
      this.#runtime.codeOf(incarnation.cell, name)
      if (typeof handler !== 'function') throw badArgument(`become: the handler of ${name} is a function`)
    }
    incarnation.own.handlers = definition.names.map((name, code) => {
      const other = ownOf(handlers, name)
      return other ? handlerOf(other, definition.limits) : (definition.handlers[code] as Handler)
    })
    this.became = true
  }

  defer(): void {
    this.#running('defer')
    this.deferred = true
  }

  /** Forgets what the turn wrote. */
  discard(): void {
    this.over = true
    this.transaction?.discard()
  }

  /** Throws what a task failed with that nobody handles. A turn that returns no promise is over before one can fail. */
  assertWork(): void {
    if (this.foreign !== undefined) throw this.foreign
    const lost = this.#failed?.find(({ work }) => !work.handled)
    if (lost !== undefined) throw lost.error
  }

  #running(what: string): Incarnation {
    const incarnation = this.#living()
    if (!this.over) return incarnation
    throw failure('ERR_KARYON_TRANSACTION_DONE', `the turn is over; ctx.${what} belongs to it alone`)
  }

  /** The cell of a reference, which is this kernel's: a turn's dealings with others are known to the scheduler of both. */
  #ours(ref: Reference): Cell {
    const cell = Reference.cellOf(ref)
    if (cell.runtime === this.#runtime) return cell
    const message = `${cell.path} is a cell of another kernel: ask it by its reference, outside of what ctx does`
    throw badArgument(message, { path: cell.path })
  }

  #living(): Incarnation {
    if (!this.incarnation.alive) throw this.incarnation.deadError()
    return this.incarnation
  }
}
