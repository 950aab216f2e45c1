// Programmed termination: the lease and the budget of one incarnation, and what it is told before they kill it.
import { badArgument } from '../errors.ts'
import type { Incarnation } from './cell.ts'
import type { Handler } from './definition.ts'
import { Death, Op } from './protocol.ts'
import { Stage } from './stage.ts'
import type { Turn } from './turn.ts'

/** The share of a budget after which a cell is warned. */
const WARN_SHARE = 0.8

/** How long an incarnation lives without a sign of progress. */
export interface Lease {
  /**
   * Milliseconds, 2 to 2,147,483,647. It runs while a turn that has returned a promise, or work of `ctx.run`, goes on, and begins anew with
   * `ctx.renew`. Past it the cell is warned, half a period later no turn begins any more, another half later it is dead.
   */
  readonly periodMs: number
  /** It runs also while nothing goes on; false by default. */
  readonly idle?: boolean
}

/** What one incarnation may use. Warned at 80 percent; once it is used up no turn begins any more, and with the open turn the incarnation ends. */
export interface Budget {
  /** Turns, 1 to 2^53 - 1. */
  readonly messages?: number
  /**
   * Milliseconds of CPU time in its turns, each until it first awaits or returns; 1 to 2^53 - 1. Measured, at a cost of about a microsecond for each turn.
   * Where the system does not tell CPU time, and in simulations, nothing is used up.
   */
  readonly cpuMs?: number
}

/** Counts what an incarnation uses, and keeps its lease. */
export class Gauge {
  readonly #incarnation: Incarnation
  readonly #lease: Lease | undefined
  readonly #budget: Budget
  /** No turn begins any more, until progress is made. */
  quiescent = false
  #turns = 0
  #cpuMs = 0
  /** Turns and work that go on. */
  #open = 0
  #progress = Number.NEGATIVE_INFINITY

  constructor(incarnation: Incarnation, lease: Lease | undefined, budget: Budget | undefined) {
    this.#incarnation = incarnation
    this.#lease = lease
    this.#budget = budget ?? {}
  }

  /** A turn begins. */
  turn(): void {
    this.#spend(this.#turns, ++this.#turns, this.#budget.messages)
  }

  /** A turn has used so much CPU time. */
  used(cpuMs: number): void {
    this.#spend(this.#cpuMs, (this.#cpuMs += cpuMs), this.#budget.cpuMs)
  }

  /** What was used has grown. */
  #spend(from: number, to: number, most = Number.POSITIVE_INFINITY): void {
    const passes = (bound: number): boolean => from < bound && to >= bound
    const warned = Math.ceil(most * WARN_SHARE)
    if (passes(warned)) warn(this.#incarnation, 'budget', false)
    // Once is enough, whichever budget it was.
    if (!passes(most) || this.#incarnation.stage >= Stage.closing) return
    const { cell, number } = this.#incarnation
    warn(this.#incarnation, 'budget', true)
    this.#incarnation.close()
    cell.runtime.scheduler.write(Op.finish, cell.id, number, Death.budget)
  }

  /** It came up. */
  start(): void {
    if (this.#lease?.idle) this.#run()
  }

  /** A turn, or work beside it, goes on from here. */
  open(): void {
    if (this.#open++ === 0) this.#run()
  }

  /** One that went on is over. */
  close(): void {
    if (--this.#open > 0 || this.#lease === undefined || !this.#incarnation.alive) return
    if (this.#lease.idle) this.#run()
    else this.#write(0)
  }

  /** Begins the lease anew, unless this is no progress. */
  renew(progress: number): boolean {
    if (typeof progress !== 'number' || Number.isNaN(progress))
      throw badArgument('renew takes a number that grows with the progress that was made')
    if (progress <= this.#progress) return false
    this.#progress = progress
    if (this.#open > 0 || this.#lease?.idle) this.#run()
    return true
  }

  /** The lease began anew: turns may begin again. */
  renewed(): void {
    if (this.#incarnation.stage >= Stage.closing) return
    this.quiescent = false
    this.#incarnation.unbar()
  }

  #run(): void {
    if (this.#lease !== undefined) this.#write(this.#lease.periodMs)
  }

  #write(periodMs: number): void {
    const { cell, number } = this.#incarnation
    this.renewed()
    cell.runtime.scheduler.write(Op.lease, cell.id, number, periodMs)
  }
}

/** A handler whose CPU time counts against a budget. */
export function metered(handler: Handler): Handler {
  return (context, payload) => {
    const { gauge, cell } = (context as Turn).incarnation
    const { cpuMs } = cell.runtime
    const fromMs = cpuMs()
    try {
      return handler(context, payload)
    } finally {
      gauge?.used(cpuMs() - fromMs)
    }
  }
}

/** Says that a lease or a budget runs out; a quiescent incarnation begins no turn any more. */
export function warn(incarnation: Incarnation, reason: 'lease' | 'budget', quiescent: boolean): void {
  const { cell, number } = incarnation
  if (quiescent) {
    if (incarnation.gauge !== undefined) incarnation.gauge.quiescent = true
    incarnation.bar()
  }
  cell.runtime.emit({ type: 'cell.warned', path: cell.path, incarnation: number, reason, quiescent })
}
