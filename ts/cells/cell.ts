// What this side knows of a cell and of its living incarnation.
import type { KaryonError } from '../errors.ts'
import type { DeathReason, DownReason } from '../events.ts'
import type { Session } from '../graph/session.ts'
import { Gauge } from './apoptosis.ts'
import type { Children } from './children.ts'
import type { CompiledCell, Handler } from './definition.ts'
import type { Durable } from './durable.ts'
import { failure } from './failures.ts'
import type { CellRef } from './ref.ts'
import type { CellRuntime } from './runtime.ts'
import type { Turn } from './turn.ts'

/** Why a cell is gone, or an incarnation has ended. */
export type EndReason = DeathReason | DownReason

/** Something whose end others wait for: each of them is told once. */
export class Mortal {
  /** Who wants to know. */
  onEnd: Set<(reason: EndReason) => void> | undefined
  /** How it ended, once it has and that is known. */
  endReason: EndReason | undefined

  /** It has ended: tells who wants to know. */
  tellEnd(reason: EndReason): void {
    this.endReason ??= reason
    const listeners = this.onEnd
    this.onEnd = undefined
    for (const tell of listeners ?? []) tell(reason)
  }
}

/** What distinguishes a cell from a supervisor, which has none of it. */
export interface CellFacts {
  readonly definition: CompiledCell
  readonly args: unknown
  /** Messages that may wait. */
  readonly mailbox: number
}

/** A cell or supervisor. What every message looks at stands first, and so close together. */
export class Cell extends Mortal {
  readonly runtime: CellRuntime
  /** The scheduler's handle. */
  readonly id: number
  /** It takes messages. */
  live = true
  incarnation: Incarnation
  /** Known later of a cell that runs here for another isolate. */
  definition: CompiledCell | undefined
  readonly mailbox: number
  args: unknown
  /** The last part of its path. */
  readonly name: string
  /** What it stands below; nothing for the root. */
  readonly parent: Cell | undefined
  /** What the last failure was. */
  failure: unknown
  /** Why its last incarnation ended. */
  lastReason: DeathReason | undefined
  /** Somebody wants no turn of it to begin. */
  paused = false
  ref: CellRef<never> | undefined
  /** A supervisor's own. */
  children: Children | undefined

  constructor(runtime: CellRuntime, id: number, name: string, parent?: Cell, facts?: CellFacts) {
    super()
    this.runtime = runtime
    this.id = id
    this.name = name
    this.parent = parent
    this.definition = facts?.definition
    this.args = facts?.args
    this.mailbox = facts?.mailbox ?? 0
    this.incarnation = new Incarnation(this, 1)
  }

  /** Where it stands: `root/alice`. Put together each time: a million idle cells would keep a million paths. */
  get path(): string {
    return this.parent === undefined ? this.name : `${this.parent.path}/${this.name}`
  }

  /** Why it is gone, and its handle with it. */
  get gone(): DownReason | undefined {
    return this.endReason as DownReason | undefined
  }
}

/** Where an incarnation runs that belongs to one isolate and runs in another. */
export interface Seat {
  /** Whether the message of a slot runs here, now. */
  admits(slot: number): boolean
  abort?(stop: boolean): void
  /** The incarnation is dead. */
  retire(): void
  /** The CPU time of its turns, as `CellInfo` tells it. */
  cpuMs: number
}

/** What few incarnations have: a million idle ones would keep a million empty places for it. */
export class Rare {
  /** What it watches: called to stop watching. */
  watches: Set<() => void> | undefined
  /** What it has committed of its own, if it is durable. */
  durable: Durable | undefined
  random: (() => number) | undefined
  controller: AbortController | undefined
  /** What it died of. */
  cause: unknown
  /** Its turn that goes on is past its time limit. */
  late = false
}

/** One life of a cell: its state, its session, its signal. */
export class Incarnation extends Mortal {
  readonly cell: Cell
  /** It is up, as the scheduler knows too, and neither paused nor quiescent: a message of it may be issued. */
  issued = false
  /** Only the scheduler says when a message of it may run: it is paused or quiescent. */
  barred: boolean
  /** No further message of it runs. */
  stops = false
  /** The batch in which no further message of it may run. */
  closedIn = 0
  /** The turn, or `init`, that returned a promise. */
  turn: Turn | undefined
  /** Its lease and budget, if it has any. */
  readonly gauge: Gauge | undefined
  handlers: readonly Handler[]
  state: unknown
  readonly number: number
  alive = true
  /** It came up: `init` is over, or there is none. */
  started: boolean
  session: Session | undefined
  /** Where it runs, or whom it runs for, if that is another isolate. */
  seat: Seat | undefined
  rare: Rare | undefined

  constructor(cell: Cell, number: number) {
    super()
    this.cell = cell
    this.number = number
    this.handlers = cell.definition?.handlers ?? []
    this.barred = cell.paused
    this.started = !cell.definition?.begins
    const { lease, budget } = cell.definition?.limits ?? {}
    this.gauge = lease === undefined && budget === undefined ? undefined : new Gauge(this, lease, budget)
  }

  /** For those who add something. */
  get own(): Rare {
    return (this.rare ??= new Rare())
  }

  /** Aborted when the incarnation dies, or its turn is late or hastened. */
  get signal(): AbortSignal {
    const { own } = this
    if (own.controller === undefined) {
      own.controller = new AbortController()
      if (!this.alive) own.controller.abort(this.deadError())
    }
    return own.controller.signal
  }

  abort(reason: unknown): void {
    this.own.controller ??= new AbortController()
    this.own.controller.abort(reason)
  }

  /** Something watches for it; `stop` is called when it dies. */
  watch(stop: () => void): void {
    this.own.watches ??= new Set()
    this.own.watches.add(stop)
  }

  /** The turn that went on is over. If it was late, the next gets a signal that is not aborted. */
  endTurn(): void {
    if (this.turn !== undefined) this.gauge?.close()
    this.turn = undefined
    if (!this.rare?.late) return
    this.rare.controller = undefined
    this.rare.late = false
  }

  /** From here on only the scheduler says when a message of it may run. */
  bar(): void {
    this.barred = true
    this.issued = false
  }

  /** From here on nothing it does counts. */
  die(cause?: unknown): void {
    if (!this.alive) return
    this.alive = false
    // What is sent from now on is for the next incarnation, if there is one.
    this.issued = false
    if (cause !== undefined) this.own.cause = cause
    this.turn?.discard()
    this.session?.kill()
    this.seat?.retire()
    this.rare?.controller?.abort(this.deadError())
    for (const stop of this.rare?.watches ?? []) stop()
  }

  /** What every use after death throws. */
  deadError(): KaryonError {
    const { path } = this.cell
    const details = { path, incarnation: this.number }
    return failure(
      'ERR_KARYON_CELL_DEAD',
      `incarnation ${this.number} of ${path} is dead`,
      details,
      this.rare?.cause,
    )
  }
}
