// Timers of cells: numbered here, kept in order by the scheduler.
import { badArgument } from '../errors.ts'
import type { Cell } from './cell.ts'
import type { Timer, TimerOptions } from './context.ts'
import { failure } from './failures.ts'
import { Op } from './protocol.ts'
import type { CellRuntime } from './runtime.ts'
import { LIMITS } from './scheduler.ts'

/** A timer as the runtime has it. */
export interface ArmedTimer extends Timer {
  readonly number: number
  readonly cell: Cell
  readonly code: number
  readonly payload: unknown
  armed: boolean
}

/** All armed timers, by number. */
export class Timers {
  readonly #runtime: CellRuntime
  readonly #armed: (ArmedTimer | undefined)[] = []
  readonly #free: number[] = []

  constructor(runtime: CellRuntime) {
    this.#runtime = runtime
  }

  /** Arms a timer that sends a cell a message; a period of 0 is once. */
  arm(
    cell: Cell,
    delayMs: number,
    periodMs: number,
    name: string,
    payload: unknown,
    options?: TimerOptions,
  ): ArmedTimer {
    if (!(delayMs >= 0 && delayMs <= LIMITS.delayMaxMs)) {
      throw badArgument(`a timer waits 0 to ${LIMITS.delayMaxMs} ms, not ${delayMs}`, { delayMs })
    }
    const limit = LIMITS.timersMax
    if (this.#armed.length - this.#free.length >= limit) {
      throw failure('ERR_KARYON_TIMER_COUNT', `${limit} timers are armed; cancel some`, { limit })
    }
    const code = this.#runtime.codeOf(cell, name)
    const admitted = this.#runtime.admit(cell, code, payload)
    const number = this.#free.pop() ?? this.#armed.length
    const timer = { number, cell, code, payload: admitted, armed: true }
    this.#armed[number] = timer
    const referenced = (options?.ref ?? true) ? 1 : 0
    const [delay, period] = [Math.ceil(delayMs), Math.ceil(periodMs)]
    this.#runtime.scheduler.write(Op.timerSet, number, cell.id, delay, period, referenced)
    return timer
  }

  cancel(timer: ArmedTimer): boolean {
    if (!timer.armed) return false
    this.#runtime.scheduler.write(Op.timerCancel, timer.number)
    this.over(timer.number)
    return true
  }

  /** It fell due. */
  due(number: number, again: boolean): void {
    const timer = this.#armed[number]
    if (timer === undefined) return
    if (!again) this.over(number)
    this.#runtime.post(timer.cell, timer.code, timer.payload)
  }

  /** It will not fall due any more. */
  over(number: number): void {
    const timer = this.#armed[number]
    if (timer === undefined) return
    timer.armed = false
    this.#armed[number] = undefined
    this.#free.push(number)
  }
}
