// Simulated time and order: what drives a runtime in the place of the event loop, and sees that nothing else does.
import { AsyncLocalStorage, createHook } from 'node:async_hooks'
import { createHash } from 'node:crypto'
import { badArgument } from '../errors.ts'
import type { KernelEvent } from '../events.ts'
import { failure } from './failures.ts'
import { peek } from './foreign.ts'
import type { Turn } from './turn.ts'

/** What promises are made of: anything else waits for something outside. */
const OF_PROMISES: ReadonlySet<string> = new Set(['PROMISE', 'Microtask', 'TickObject'])
/** Steps without rest, or messages and events, after which a simulation is taken to have none. */
const STEPS_MAX = 100_000
/** The newest lines of a trace that are kept. */
const LINES_MAX = 100_000

/** Drives one runtime: the pump and the clock move only when they are told to. */
export class Driver {
  /** The simulated clock, in milliseconds since the start. */
  nowMs = 0
  /** When the next thing falls due, as the scheduler said last. */
  dueMs: number = Number.POSITIVE_INFINITY
  /** The newest lines of the trace. */
  lines: string[] = []
  /** Lines so far. */
  count = 0
  readonly #hash = createHash('sha256')
  readonly #turns = new AsyncLocalStorage<Turn>()
  /** Turns that go on, with what fails them. */
  readonly #open = new Map<Turn, (error: unknown) => void>()
  /** Promises of the kernel that each turn waits for. */
  readonly #waits = new Map<Turn, number>()
  #pump: (() => void) | undefined
  /** Tells whoever else keeps the time that it has moved. */
  moved: () => void = () => {}
  /** A native task runs. */
  busy: () => boolean = () => false
  readonly #hook = createHook({
    init: (_id, type) => {
      if (!OF_PROMISES.has(type)) this.#foreign(this.#turns.getStore(), type)
    },
  })

  constructor() {
    this.#hook.enable()
  }

  /** Runs the pump at the next step. */
  later(pump: () => void): void {
    this.#pump = pump
  }

  /** The place of the host's timers. */
  set(dueMs: number): void {
    this.dueMs = dueMs
  }

  end(): void {
    this.dueMs = Number.POSITIVE_INFINITY
    this.#hook.disable()
  }

  note(what: string): void {
    const line = `${this.nowMs} ${what}`
    this.count++
    this.#hash.update(`${line}\n`)
    if (this.lines.push(line) >= 2 * LINES_MAX) this.lines = this.lines.slice(-LINES_MAX)
  }

  /** The SHA-256 of all lines so far, as hex. */
  get hash(): string {
    return this.#hash.copy().digest('hex')
  }

  event(event: KernelEvent): void {
    const told = Object.entries(event).map(([name, value]) => {
      const text = peek(() => `${value instanceof Error ? value.message : String(value)}`)
      return `${name}=${text ?? `a ${typeof value} without a text`}`
    })
    this.note(told.join(' '))
  }

  /** Runs user code of a turn so that what it leads to is known to be the turn's. */
  during<T>(turn: Turn, act: () => T): T {
    return this.#turns.run(turn, act)
  }

  /** What a turn returned; it fails once it is found to wait for something foreign. */
  async settled(turn: Turn, answer: unknown): Promise<unknown> {
    const foreign = new Promise<never>((_, reject) => this.#open.set(turn, reject))
    try {
      return await Promise.race([answer, foreign])
    } finally {
      this.#open.delete(turn)
    }
  }

  /** A promise of the kernel's, for which whoever asked may wait. */
  async waiting<T>(promise: Promise<T>): Promise<T> {
    const turn = this.#turns.getStore()
    if (turn === undefined) return promise
    this.#waits.set(turn, (this.#waits.get(turn) ?? 0) + 1)
    try {
      return await promise
    } finally {
      const left = (this.#waits.get(turn) ?? 1) - 1
      if (left === 0) this.#waits.delete(turn)
      else this.#waits.set(turn, left)
    }
  }

  #foreign(turn: Turn | undefined, what: string): void {
    if (turn === undefined) return
    const fail = this.#open.get(turn)
    const { path } = turn.incarnation.cell
    const message = `${path} waits for something outside of the kernel (${what}), which no simulation can repeat; do that in a program, and send the cell what it comes to`
    const error = failure('ERR_KARYON_FOREIGN_AWAIT', message, { path, what })
    if (fail === undefined) turn.foreign ??= error
    else fail(error)
  }

  /** Lets all happen that needs no time. */
  async rest(): Promise<void> {
    const until = this.count + STEPS_MAX
    for (let step = 0; step < STEPS_MAX && this.count < until; step++) {
      // Whatever promises lead to happens before the next of these.
      await new Promise((resolve) => setImmediate(resolve))
      if (this.busy()) continue
      const pump = this.#pump
      this.#pump = undefined
      if (pump !== undefined) {
        pump()
        continue
      }
      const stuck = [...this.#open].filter(([turn]) => !this.#waits.has(turn))
      if (stuck.length === 0) return
      for (const [turn] of stuck) this.#foreign(turn, 'a promise that nothing here settles')
    }
    throw failure(
      'ERR_KARYON_BUSY',
      `the simulation found no rest within ${STEPS_MAX} steps; some cells keep each other busy`,
    )
  }

  /** Lets time pass, from one thing that is due to the next. */
  async pass(ms: number, wake: () => void): Promise<void> {
    if (typeof ms !== 'number' || !(ms >= 0) || ms === Number.POSITIVE_INFINITY)
      throw badArgument('pass takes milliseconds, 0 or more')
    const until = this.nowMs + ms
    for (;;) {
      await this.rest()
      // Whole milliseconds, as the host's timers have them.
      const dueMs = Math.max(this.nowMs, Math.ceil(this.dueMs))
      if (dueMs > until) break
      this.#move(dueMs)
      wake()
    }
    this.#move(until)
    wake()
    await this.rest()
  }

  #move(toMs: number): void {
    this.nowMs = toMs
    this.moved()
  }
}
