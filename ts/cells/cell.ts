// What this side knows of a cell and of its living incarnation.
import type { KaryonError } from '../errors.ts'
import type { DownReason } from '../events.ts'
import type { Session } from '../graph/session.ts'
import type { Children } from './children.ts'
import type { CompiledCell, Handler } from './definition.ts'
import { failure } from './failures.ts'
import type { CellRef } from './ref.ts'
import type { CellRuntime } from './runtime.ts'
import type { Turn } from './turn.ts'

/** What distinguishes a cell from a supervisor, which has none of it. */
export interface CellFacts {
  readonly definition: CompiledCell
  readonly args: unknown
  /** Messages that may wait. */
  readonly mailbox: number
}

/** A cell or supervisor. */
export class Cell {
  readonly runtime: CellRuntime
  /** The scheduler's handle. */
  readonly id: number
  readonly path: string
  /** What it stands below; nothing for the root. */
  readonly parent: Cell | undefined
  readonly definition: CompiledCell | undefined
  readonly args: unknown
  readonly mailbox: number
  /** It takes messages. */
  live = true
  incarnation: Incarnation
  /** What the last failure was. */
  failure: unknown
  ref: CellRef<never> | undefined
  /** A supervisor's own. */
  children: Children | undefined
  /** Who wants to know when it is gone. */
  onGone: Set<(reason: DownReason) => void> | undefined
  /** Why it is gone, and its handle with it. */
  gone: DownReason | undefined

  constructor(runtime: CellRuntime, id: number, name: string, parent?: Cell, facts?: CellFacts) {
    this.runtime = runtime
    this.id = id
    this.path = parent === undefined ? name : `${parent.path}/${name}`
    this.parent = parent
    this.definition = facts?.definition
    this.args = facts?.args
    this.mailbox = facts?.mailbox ?? 0
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
  /** The scheduler has issued a message to it: it has started. */
  issued = false
  /** The batch in which no further message of it may run. */
  closedIn = 0
  /** It wants its cell to stop: no further message of it runs. */
  stops = false
  /** The turn, or `init`, that returned a promise. */
  turn: Turn | undefined
  /** That turn is past its time limit. */
  late = false
  session: Session | undefined
  /** What it watches: called to stop watching. */
  watches: Set<() => void> | undefined
  random: (() => number) | undefined
  #controller: AbortController | undefined
  #cause: unknown

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

  /** The turn that went on is over. If it was late, the next gets a signal that is not aborted. */
  endTurn(): void {
    this.turn = undefined
    if (this.late) this.#controller = undefined
    this.late = false
  }

  /** From here on nothing it does counts. */
  die(cause?: unknown): void {
    if (!this.alive) return
    this.alive = false
    this.#cause = cause
    this.turn?.discard()
    this.session?.kill()
    this.#controller?.abort(this.deadError())
    for (const stop of this.watches ?? []) stop()
  }

  /** What every use after death throws. */
  deadError(): KaryonError {
    const { path } = this.cell
    const details = { path, incarnation: this.number }
    return failure(
      'ERR_KARYON_CELL_DEAD',
      `incarnation ${this.number} of ${path} is dead`,
      details,
      this.#cause,
    )
  }
}
