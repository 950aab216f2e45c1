// Timers of cells: numbered here, kept in order by the scheduler.
import { badArgument } from '../errors.ts'
import { checkedOptions } from '../graph/arguments.ts'
import { shielded } from '../shield.ts'
import type { Cell } from './cell.ts'
import type { Timer, TimerOptions } from './context.ts'
import { bounded, failure } from './failures.ts'
import { Op } from './protocol.ts'
import type { CellRuntime } from './runtime.ts'
import { LIMITS } from './scheduler.ts'

/** A timer as the runtime has it. */
export interface ArmedTimer extends Timer {
  readonly number: number
  readonly cell: Cell
  readonly code: number
  readonly payload: unknown
  readonly trace: string | undefined
  armed: boolean
  /** Told that it will not fall due any more. */
  onOver?: (() => void) | undefined
}

/** All armed timers, by number. */
export class Timers {
  readonly #runtime: CellRuntime
  /** A number comes back only after four billion others: what the scheduler still says of a timer never meets another. */
  readonly #armed = new Map<number, ArmedTimer>()
  #last = 0

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
    options: TimerOptions = {},
    trace?: string,
  ): ArmedTimer {
    bounded('the wait of a timer in milliseconds', delayMs, 0, LIMITS.delayMaxMs, false)
    const { ref = true } = checkedOptions(options, 'ref')
    if (typeof ref !== 'boolean') throw badArgument('ref of a timer is true or false')
    const code = this.#runtime.codeOf(cell, name)
    return this.set(cell, code, this.#runtime.admit(cell, code, payload), delayMs, periodMs, ref, trace)
  }

  /** Arms one for what was admitted. */
  set(
    cell: Cell,
    code: number,
    payload: unknown,
    delayMs: number,
    periodMs: number,
    ref: boolean,
    trace: string | undefined,
  ): ArmedTimer {
    const limit = LIMITS.timersMax
    if (this.#armed.size >= limit) {
      throw failure('ERR_KARYON_TIMER_COUNT', `${limit} timers are armed; cancel some`, { limit })
    }
    const [delay, period] = [Math.ceil(delayMs), Math.ceil(periodMs)]
    return shielded(() => {
      do this.#last = (this.#last + 1) >>> 0
      while (this.#armed.has(this.#last))
      const timer: ArmedTimer = { number: this.#last, cell, code, payload, trace, armed: true }
      this.#armed.set(timer.number, timer)
      this.#runtime.scheduler.write(Op.timerSet, timer.number, cell.id, delay, period, ref ? 1 : 0)
      return timer
    })
  }

  cancel(timer: ArmedTimer): boolean {
    if (!timer?.armed || this.#armed.get(timer.number) !== timer) return false
    shielded(() => {
      this.#runtime.scheduler.write(Op.timerCancel, timer.number)
      this.over(timer.number)
    })
    return true
  }

  /** It fell due. */
  due(number: number, again: boolean): void {
    const timer = this.#armed.get(number)
    if (timer === undefined) return
    if (!again) this.over(number)
    this.#runtime.post(timer.cell, timer.code, timer.payload, timer.trace)
  }

  /** It will not fall due any more. */
  over(number: number): void {
    const timer = this.#armed.get(number)
    if (timer === undefined) return
    timer.armed = false
    this.#armed.delete(number)
    timer.onOver?.()
  }

  /** One that is armed. */
  at(number: number): ArmedTimer {
    return this.#armed.get(number) as ArmedTimer
  }
}
