// What a handler is given.
import type { DeathReason, DownReason } from '../events.ts'
import type { Graph, Transaction } from '../graph/types.ts'
import type { AskOptions } from './ask.ts'
import type { AskedName, Handlers, InputOf, Messages, PayloadArguments, ReplyOf } from './definition.ts'
import type { AnyRef, CellRef } from './ref.ts'
import type { Spawn } from './spawn.ts'
import type { Published, Subscription, Topic } from './topics.ts'

/** A timer that `sendAfter` or `every` armed; for `cancel`. */
export interface Timer {
  /** Not yet due for the last time, and not cancelled. */
  readonly armed: boolean
}

/** What a monitor sends, once: that its cell is gone for good, or that one incarnation has ended. */
export interface Down {
  readonly path: string
  /** The last one, or the one that was watched. */
  readonly incarnation: number
  readonly reason: DownReason | DeathReason
}

/** What a monitor watches. */
export interface MonitorOptions {
  /** The cell, whatever its restarts, by default; or only its present incarnation. */
  readonly of?: 'cell' | 'incarnation'
}

/** A watch over another cell. */
export interface Monitor {
  /** Ends the watch; false if it was over already. */
  cancel(): boolean
}

/** The messages of a cell that can carry a `Down`. */
export type DownName<M> = { [Name in keyof M]: Down extends InputOf<M[Name]> ? Name : never }[keyof M] &
  string

/** The messages of a cell that can carry what work comes to. */
export type ResultName<M, T> = { [Name in keyof M]: T extends InputOf<M[Name]> ? Name : never }[keyof M] &
  string

/** How a timer is armed. */
export interface TimerOptions {
  /** Whether it keeps the program alive; true by default. */
  readonly ref?: boolean
}

/**
 * What `init` is given. It belongs to one incarnation: once that is dead, every call throws `ERR_KARYON_CELL_DEAD`.
 */
export interface InitContext<M extends Messages<M>, Args> {
  /** The cell itself. */
  readonly self: CellRef<M>
  /** What it was spawned with. */
  readonly args: Args
  /** The graph, with the cell's grants. What is written through it is its own commit, whatever becomes of the turn. */
  readonly graph: Graph
  /** Aborted when the incarnation dies, when it is told to stop, or when its turn is past its time limit. */
  readonly signal: AbortSignal
  /** As `ref.send`. */
  send<N extends Messages<N>, Name extends keyof N & string>(
    ref: CellRef<N>,
    name: Name,
    ...payload: PayloadArguments<N[Name]>
  ): boolean
  /** As `ref.ask`; a cycle of cells that wait for each other is refused at once. */
  ask<N extends Messages<N>, Name extends AskedName<N>>(
    ref: CellRef<N>,
    name: Name,
    ...rest: [...payload: PayloadArguments<N[Name]>, options?: AskOptions]
  ): Promise<ReplyOf<N[Name]>>
  /**
   * The trace context that the message came with, and that goes with all that the turn sends: a `traceparent`, say, or any text of up to 1,024
   * characters. Setting it counts for what the turn sends from then on. After an `await` it goes with what `ctx` sends; what references
   * send there is no turn's.
   */
  trace: string | undefined
  /** Starts a child. It stops when this incarnation ends. */
  readonly spawn: Spawn
  /** Sends the cell a message after a while, 0 to 2,147,483,647 ms; not after a restart. */
  sendAfter<Name extends keyof M & string>(
    delayMs: number,
    name: Name,
    ...rest: [...payload: PayloadArguments<M[Name]>, options?: TimerOptions]
  ): Timer
  /** Sends the cell a message again and again, on its beat; beats that were missed are skipped. */
  every<Name extends keyof M & string>(
    periodMs: number,
    name: Name,
    ...rest: [...payload: PayloadArguments<M[Name]>, options?: TimerOptions]
  ): Timer
  /**
   * Calls a timer off; false if it was no longer armed.
   *
   * @throws ERR_KARYON_ARGUMENT if another cell armed it
   */
  cancel(timer: Timer): boolean
  /**
   * Sends the cell the named message, with a `Down`, exactly once, when the other cell is gone for good, or its incarnation has ended. It comes
   * behind what that has sent before, and whether there is room or not.
   */
  monitor(ref: { readonly path: string }, name: DownName<M>, options?: MonitorOptions): Monitor
  /**
   * Binds the present incarnations of two cells: if one ends, but by its own `stop`, the other fails too, once, with reason `linked`. It needs
   * the power over the other cell: what `spawn` returned. A supervisor to which a cell is linked takes it with it, and does not end with it.
   *
   * @throws ERR_KARYON_CELL_DEAD if the other cell is gone
   */
  link(ref: AnyRef): Monitor
  /** Has what is published under a topic sent to the cell as the named message. Ends with the incarnation. */
  subscribe<Name extends keyof M & string>(topic: Topic<InputOf<M[Name]>, unknown>, name: Name): Subscription
  /** Sends to every subscriber of a topic; how many had room, and could be reached with it. */
  publish<Input>(topic: Topic<unknown, Input>, ...payload: Published<Input>): number
  /**
   * Shows progress: the lease begins anew if the number is greater than that of the last time; whether it was. A cell without a lease may call
   * it too.
   */
  renew(progress: number): boolean
  /**
   * Starts work that may outlive the turn. It ends with the incarnation, whose signal it gets. If it fails while its turn
   * goes on, as one does that returned a promise, whoever handles the returned promise decides; if nobody does by the end of
   * the turn, the turn fails with that error. If it fails after its turn is over, the cell fails, whoever handles the promise.
   * With `then`, what it comes to is sent to the cell as that message, behind all that waits, whether there is room or not.
   */
  run<T>(
    task: (signal: AbortSignal) => T | Promise<T>,
    options?: { readonly then?: ResultName<M, NoInfer<T>> },
  ): Promise<T>
  /** The kernel's time. */
  now(): Date
  /** A number in [0, 1) that follows from the kernel's seed, the path and the incarnation. */
  random(): number
  /** Stops the cell when its turn is over. */
  stop(): void
}

/** What a handler is given. */
export interface Context<M extends Messages<M>, State, Args> extends InitContext<M, Args> {
  /** What `init` made. A turn that fails takes its changes with it. */
  state: State
  /**
   * The turn's transaction, begun when this property is first read and committed when the turn ends well. A handler
   * that awaits something else first reads it after that: what others commit from its beginning on may be a conflict.
   */
  readonly tx: Transaction
  /** Other handlers from the next message on; messages not among them keep theirs. Deferred messages come back. */
  become(handlers: Partial<Handlers<M, State, Args>>): void
  /**
   * Puts the message aside until the next `become`; the turn's transaction is dropped. What the turn has changed in `ctx.state` stays, unchecked:
   * decide before you change it. A message that is sent `once` cannot be put aside: its turn fails with `ERR_KARYON_ARGUMENT`.
   */
  defer(): void
}
