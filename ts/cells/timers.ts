// Timers of cells: numbered here, kept in order by the scheduler.
import { KaryonError, badArgument } from '../errors.ts'
import type { Incarnation } from './cell.ts'
import type { Timer, TimerOptions } from './context.ts'
import type { CellRuntime } from './runtime.ts'
import { LIMITS, type Scheduler } from './scheduler.ts'

/** What is to be sent, and when. */
export interface TimerSpec {
  readonly delayMs: number
  /** 0 is once. */
  readonly periodMs: number
  readonly name: string
  readonly payload: unknown
  readonly options: TimerOptions | undefined
}

/** A timer as the runtime has it. */
export class ArmedTimer implements Timer {
  readonly incarnation: Incarnation
  readonly code: number
  readonly payload: unknown
  armed = true

  constructor(incarnation: Incarnation, code: number, payload: unknown) {
    this.incarnation = incarnation
    this.code = code
    this.payload = payload
  }
}

/** All armed timers, by number. */
export class Timers {
  readonly #runtime: CellRuntime
  readonly #scheduler: Scheduler
  readonly #armed: (ArmedTimer | undefined)[] = []
  readonly #numbers: Map<ArmedTimer, number> = new Map()
  readonly #free: number[] = []

  constructor(runtime: CellRuntime, scheduler: Scheduler) {
    this.#runtime = runtime
    this.#scheduler = scheduler
  }

  arm(incarnation: Incarnation, { delayMs, periodMs, name, payload, options }: TimerSpec): ArmedTimer {
    if (!(delayMs >= 0 && delayMs <= LIMITS.delayMaxMs)) {
      throw badArgument(`a timer waits 0 to ${LIMITS.delayMaxMs} ms, not ${delayMs}`, { delayMs })
    }
    if (this.#numbers.size >= LIMITS.timersMax) {
      throw new KaryonError('ERR_KARYON_TIMER_COUNT', `${LIMITS.timersMax} timers are armed; cancel some`, {
        details: { limit: LIMITS.timersMax },
      })
    }
    const { cell } = incarnation
    const code = this.#runtime.codeOf(cell, name)
    const timer = new ArmedTimer(incarnation, code, this.#runtime.admit(cell, code, payload))
    const number = this.#free.pop() ?? this.#armed.length
    this.#armed[number] = timer
    this.#numbers.set(timer, number)
    incarnation.timers ??= new Set()
    incarnation.timers.add(number)
    this.#scheduler.setTimer(number, cell.id, Math.ceil(delayMs), Math.ceil(periodMs), options?.ref ?? true)
    return timer
  }

  cancel(timer: ArmedTimer): boolean {
    const number = this.#numbers.get(timer)
    if (number === undefined) return false
    this.#scheduler.cancelTimer(number)
    this.#forget(number, timer)
    return true
  }

  /** It fell due. */
  due(number: number, again: boolean): void {
    const timer = this.#armed[number]
    if (timer === undefined) return
    if (!again) this.#forget(number, timer)
    this.#runtime.post(timer.incarnation.cell, timer.code, timer.payload)
  }

  /** The scheduler has called off all timers of a dead incarnation. */
  forgetAll(incarnation: Incarnation): void {
    for (const number of incarnation.timers ?? []) {
      const timer = this.#armed[number]
      if (timer !== undefined) this.#forget(number, timer)
    }
  }

  #forget(number: number, timer: ArmedTimer): void {
    timer.armed = false
    timer.incarnation.timers?.delete(number)
    this.#numbers.delete(timer)
    this.#armed[number] = undefined
    this.#free.push(number)
  }
}
