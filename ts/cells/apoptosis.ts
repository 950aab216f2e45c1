// Programmed termination: the lease and the budget of one incarnation, and what it is told before they kill it.
import { badArgument } from '../errors.ts'
import type { Incarnation } from './cell.ts'
import { Death, Op } from './protocol.ts'

/** The share of a budget after which a cell is warned. */
const WARN_SHARE = 0.8

/** How long an incarnation lives without a sign of progress. */
export interface Lease {
  /**
   * Milliseconds, 2 to 2,147,483,647. It runs while a turn or work of `ctx.run` goes on, and begins anew with `ctx.renew`. Past it the cell is
   * warned, half a period later no turn begins any more, another half later it is dead.
   */
  readonly periodMs: number
  /** It runs also while nothing goes on; false by default. */
  readonly idle?: boolean
}

/** What one incarnation may use. Warned at 80 percent; once it is used up no turn begins any more, and with the open turn the incarnation ends. */
export interface Budget {
  /** Turns, 1 to 2^53 - 1. */
  readonly messages?: number
}

/** Counts what an incarnation uses, and keeps its lease. */
export class Gauge {
  readonly #incarnation: Incarnation
  readonly #lease: Lease | undefined
  readonly #messages: number
  #turns = 0
  /** Turns and work that go on. */
  #open = 0
  #progress = Number.NEGATIVE_INFINITY

  constructor(incarnation: Incarnation, lease: Lease | undefined, budget: Budget | undefined) {
    this.#incarnation = incarnation
    this.#lease = lease
    this.#messages = budget?.messages ?? Number.POSITIVE_INFINITY
  }

  /** A turn begins. */
  turn(): void {
    this.#turns++
    if (this.#turns === Math.ceil(this.#messages * WARN_SHARE)) warn(this.#incarnation, 'budget', false)
    if (this.#turns !== this.#messages) return
    const { cell, number } = this.#incarnation
    warn(this.#incarnation, 'budget', true)
    this.#incarnation.stops = true
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

  #run(): void {
    if (this.#lease !== undefined) this.#write(this.#lease.periodMs)
  }

  #write(periodMs: number): void {
    const { cell, number } = this.#incarnation
    // Renewed, it may begin turns again.
    if (!this.#incarnation.stops) this.#incarnation.barred = cell.paused
    cell.runtime.scheduler.write(Op.lease, cell.id, number, periodMs)
  }
}

/** Says that a lease or a budget runs out; a quiescent incarnation begins no turn any more. */
export function warn(incarnation: Incarnation, reason: 'lease' | 'budget', quiescent: boolean): void {
  const { cell, number } = incarnation
  if (quiescent) incarnation.bar()
  cell.runtime.emit({ type: 'cell.warned', path: cell.path, incarnation: number, reason, quiescent })
}
