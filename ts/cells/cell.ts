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
import { Stage, Standing, type StageWord, type StandingWord } from './stage.ts'
import type { Turn } from './turn.ts'

/** Why a cell is gone, or an incarnation has ended. */
export type EndReason = DeathReason | DownReason

/** What few cells and incarnations have: a million idle ones would keep a million empty places for it. */
class Rare {
  /** Who wants to know of its end. */
  onEnd: Set<(reason: EndReason) => void> | undefined
  /** How it ended, once it has and that is known. */
  endReason: EndReason | undefined
}

/** Something whose end others wait for: each of them is told once. */
export abstract class Mortal {
  abstract readonly rare: Rare | undefined

  /** The same, for those who add something. */
  abstract get own(): Rare

  get endReason(): EndReason | undefined {
    return this.rare?.endReason
  }

  /** Has `tell` called when it ends. */
  whenEnded(tell: (reason: EndReason) => void): void {
    const { own } = this
    own.onEnd ??= new Set()
    own.onEnd.add(tell)
  }

  /** It has ended: tells who wants to know. */
  tellEnd(reason: EndReason): void {
    const { own } = this
    own.endReason ??= reason
    const listeners = own.onEnd
    own.onEnd = undefined
    for (const tell of listeners ?? []) tell(reason)
  }
}

/** What distinguishes a cell from a supervisor, which has none of it. */
export interface CellFacts {
  readonly definition: CompiledCell
  readonly args: unknown
}

/** What few cells have. */
class RareOfCell extends Rare {
  /** It takes no messages any more. */
  closed = false
  /** What the last failure was. */
  failure: unknown
  /** What the incarnation before failed with, until the next begins: a worker may have to say first which message that cost. */
  failureBefore: unknown
  /** Why its last incarnation ended. */
  lastReason: DeathReason | undefined
  /** Somebody wants no turn of it to begin. */
  paused = false
  /** A supervisor's own. */
  children: Children | undefined
  /** Which of those has failed last. */
  failedChild: Cell | undefined
}

/** A cell or supervisor. What every message looks at stands first, and so close together. */
export class Cell extends Mortal {
  readonly runtime: CellRuntime
  /** The scheduler's handle. */
  readonly id: number
  incarnation: Incarnation
  /** Known later of a cell that runs here for another isolate. */
  definition: CompiledCell | undefined
  args: unknown
  /** The last part of its path. */
  readonly name: string
  /** What it stands below; nothing for the root. */
  readonly parent: Cell | undefined
  ref: CellRef<never> | undefined
  rare: RareOfCell | undefined

  constructor(runtime: CellRuntime, id: number, name: string, parent?: Cell, facts?: CellFacts) {
    super()
    this.runtime = runtime
    this.id = id
    this.name = name
    this.parent = parent
    this.definition = facts?.definition
    this.args = facts?.args
    this.incarnation = new Incarnation(this, 1)
  }

  get own(): RareOfCell {
    return (this.rare ??= new RareOfCell())
  }

  /** It takes messages. */
  get live(): boolean {
    return this.rare === undefined || !this.rare.closed
  }

  /** It is told to stop, or gone. */
  close(): void {
    this.own.closed = true
  }

  get failure(): unknown {
    return this.rare?.failure
  }

  set failure(error: unknown) {
    this.own.failure = error
  }

  get paused(): boolean {
    return this.rare?.paused ?? false
  }

  set paused(paused: boolean) {
    if (paused !== this.paused) this.own.paused = paused
  }

  get children(): Children | undefined {
    return this.rare?.children
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

/** What few incarnations have. */
class RareOfIncarnation extends Rare {
  /** Those that it became. */
  handlers: readonly Handler[] | undefined
  /** Its lease and budget. */
  gauge: Gauge | undefined
  /** Where it runs, or whom it runs for, if that is another isolate. */
  seat: Seat | undefined
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
  standing: StandingWord
  /** From closing on, no further message of it runs. */
  stage: StageWord
  /** The batch in which no further message of it may run. */
  closedIn = 0
  /** The turn, or `init`, that returned a promise. */
  turn: Turn | undefined
  state: unknown
  readonly number: number
  session: Session | undefined
  rare: RareOfIncarnation | undefined

  constructor(cell: Cell, number: number) {
    super()
    this.cell = cell
    this.number = number
    this.standing = cell.paused ? Standing.barred : Standing.waits
    // Whether it is up is told, but of one that starts at once.
    const isTold =
      number > 1 || cell.parent?.children !== undefined || cell.definition?.isolation === 'thread'
    this.stage = isTold || cell.definition?.begins ? Stage.starting : Stage.up
    const { lease, budget } = cell.definition?.limits ?? {}
    if (lease !== undefined || budget !== undefined) this.own.gauge = new Gauge(this, lease, budget)
  }

  get own(): RareOfIncarnation {
    return (this.rare ??= new RareOfIncarnation())
  }

  /** The last one of a cell has ended as the cell has. */
  override get endReason(): EndReason | undefined {
    return this.rare?.endReason ?? this.cell.endReason
  }

  get handlers(): readonly Handler[] {
    return this.rare?.handlers ?? this.cell.definition?.handlers ?? []
  }

  get alive(): boolean {
    return this.stage !== Stage.dead
  }

  get gauge(): Gauge | undefined {
    return this.rare?.gauge
  }

  get seat(): Seat | undefined {
    return this.rare?.seat
  }

  set seat(seat: Seat) {
    this.own.seat = seat
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

  /** It came up: `init` is over. */
  start(): void {
    if (this.stage === Stage.starting) this.stage = Stage.up
  }

  /** From here on no message of it runs, though what runs goes on. */
  close(): void {
    if (this.alive) this.stage = Stage.closing
  }

  /** It is up, as the scheduler knows too. */
  issue(): void {
    if (this.standing !== Standing.barred) this.standing = Standing.issued
  }

  /** From here on only the scheduler says when a message of it may run. */
  bar(): void {
    this.standing = Standing.barred
  }

  /** One thing that barred it is over. */
  unbar(): void {
    const { standing, stage, cell, gauge } = this
    if (standing !== Standing.barred || stage >= Stage.closing || cell.paused || gauge?.quiescent) return
    this.standing = Standing.waits
  }

  /** From here on nothing it does counts. */
  die(cause?: unknown): void {
    if (!this.alive) return
    this.stage = Stage.dead
    // What is sent from now on is for the next incarnation, if there is one.
    this.standing = Standing.waits
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
