// What this side knows of a cell and of its living incarnation.
import { KaryonError } from '../errors.ts'
import type { DownReason } from '../events.ts'
import type { Session } from '../graph/session.ts'
import type { CompiledCell, Handler } from './definition.ts'
import type { CellRuntime } from './runtime.ts'
import type { Turn } from './turn.ts'

/** A cell or supervisor. */
export class Cell {
  readonly runtime: CellRuntime
  /** The scheduler's handle. */
  readonly id: number
  /** The place in tables. */
  readonly place: number
  readonly path: string
  /** `undefined` for supervisors. */
  readonly definition: CompiledCell | undefined
  readonly args: unknown
  /** It takes messages. */
  live = true
  /** It is gone, and so is its handle. */
  gone = false
  incarnation: Incarnation
  /** What the last failure was. */
  failure: unknown
  /** Who wants to know when it is gone. */
  onGone: Set<(reason: DownReason) => void> | undefined
  goneReason: DownReason = 'stopped'

  constructor(
    runtime: CellRuntime,
    id: number,
    place: number,
    path: string,
    definition: CompiledCell | undefined,
    args: unknown,
  ) {
    this.runtime = runtime
    this.id = id
    this.place = place
    this.path = path
    this.definition = definition
    this.args = args
    this.incarnation = new Incarnation(this, 1)
  }
}

/** One life of a cell: its state, its session, its signal. */
export class Incarnation {
  readonly cell: Cell
  readonly number: number
  alive = true
  state: unknown
  handlers: readonly Handler[]
  /** The batch in which no further message of it may run. */
  closedIn = 0
  /** The turn, or `init`, that returned a promise. */
  turn: Turn | undefined
  /** That turn is past its time limit. */
  late = false
  session: Session | undefined
  #controller: AbortController | undefined
  #death: KaryonError | undefined
  /** Numbers of its armed timers. */
  timers: Set<number> | undefined
  /** What it watches: called to stop watching. */
  watches: Set<() => void> | undefined
  random: (() => number) | undefined

  constructor(cell: Cell, number: number) {
    this.cell = cell
    this.number = number
    this.handlers = cell.definition?.handlers ?? []
  }

  /** Aborted when the incarnation dies, or its turn is late or hastened. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (!this.alive) this.#controller.abort(this.deadError())
    }
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    this.#controller ??= new AbortController()
    this.#controller.abort(reason)
  }

  /** A late turn came through after all: the next gets a signal that is not aborted. */
  renewSignal(): void {
    this.late = false
    this.#controller = undefined
  }

  /** From here on nothing it does counts. */
  die(cause?: unknown): void {
    if (!this.alive) return
    this.alive = false
    this.#death = cause === undefined ? undefined : this.deadError(cause)
    this.turn?.discard()
    this.session?.kill()
    this.#controller?.abort(this.deadError())
    for (const stop of this.watches ?? []) stop()
  }

  /** What every use after death throws. */
  deadError(cause?: unknown): KaryonError {
    if (this.#death !== undefined) return this.#death
    const { path } = this.cell
    return new KaryonError('ERR_KARYON_CELL_DEAD', `incarnation ${this.number} of ${path} is dead`, {
      details: { path, incarnation: this.number },
      ...(cause === undefined ? {} : { cause }),
    })
  }
}
