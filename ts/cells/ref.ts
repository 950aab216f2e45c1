import type { Messages, PayloadArguments, ReplyOf } from './definition.ts'
import type { AskOptions, Cell, CellRuntime } from './runtime.ts'

/** A reference to a cell. It survives restarts; after the cell is gone it stays, and is dead. */
export class CellRef<M extends Messages<M>> {
  readonly #runtime: CellRuntime
  readonly #cell: Cell

  /** Only the runtime makes references. */
  constructor(runtime: CellRuntime, cell: Cell) {
    this.#runtime = runtime
    this.#cell = cell
  }

  /** Where it stands: `root/alice`. Also its principal in the log. */
  get path(): string {
    return this.#cell.path
  }

  /** False once it is told to stop, or gave up. */
  get alive(): boolean {
    return this.#cell.live
  }

  /**
   * Puts a message into the cell's mailbox. False if it is full or the cell is gone: the message is then lost, and an
   * event says so. Costs well under a microsecond.
   *
   * @throws ERR_KARYON_MESSAGE_UNKNOWN, ERR_KARYON_NOT_SENDABLE, ERR_KARYON_ARGUMENT (schema)
   */
  send<Name extends keyof M & string>(name: Name, ...payload: PayloadArguments<M[Name]>): boolean
  send(name: string, payload?: unknown): boolean {
    return this.#runtime.send(this.#cell, name, payload)
  }

  /**
   * As `send`, but waits for room. Resolves once the message is in the mailbox.
   *
   * @throws ERR_KARYON_CELL_DEAD if the cell stops first, ERR_KARYON_MAILBOX_FULL if too many wait already
   */
  deliver<Name extends keyof M & string>(
    name: Name,
    ...rest: [...payload: PayloadArguments<M[Name]>, options?: { readonly signal?: AbortSignal }]
  ): Promise<void> {
    return this.#runtime.deliver(this.#cell, name, rest[0], rest[1] as { signal?: AbortSignal } | undefined)
  }

  /**
   * Sends a message and waits for the answer: what its handler returns, once the turn's transaction is durable.
   * The time limit (5,000 ms by default) ends the waiting, not the turn.
   *
   * @throws ERR_KARYON_CELL_FAILED (`cause` is what the handler threw), ERR_KARYON_ASK_TIMEOUT, ERR_KARYON_ASK_ABORTED,
   * ERR_KARYON_ASK_CYCLE, ERR_KARYON_CELL_DEAD, ERR_KARYON_MAILBOX_FULL, ERR_KARYON_CONFLICT, ERR_KARYON_TURN_TIMEOUT
   */
  ask<Name extends keyof M & string>(
    name: Name,
    ...rest: [...payload: PayloadArguments<M[Name]>, options?: AskOptions]
  ): Promise<ReplyOf<M[Name]>> {
    return this.#runtime.ask(this.#cell, name, rest[0], rest[1] as AskOptions | undefined) as Promise<
      ReplyOf<M[Name]>
    >
  }

  /** Stops the cell, its children first. What runs gets its signal aborted and 5 s. Resolves when it is gone. */
  stop(): Promise<void> {
    return this.#runtime.stopCell(this.#cell)
  }

  /** @internal */
  static cellOf(ref: CellRef<never>): Cell {
    return ref.#cell
  }
}

/** A reference to a supervisor. */
export class SupervisorRef {
  readonly #runtime: CellRuntime
  readonly #cell: Cell
  readonly #children: ReadonlyMap<string, CellRef<never> | SupervisorRef>

  /** Only the runtime makes references. */
  constructor(
    runtime: CellRuntime,
    cell: Cell,
    children: ReadonlyMap<string, CellRef<never> | SupervisorRef>,
  ) {
    this.#runtime = runtime
    this.#cell = cell
    this.#children = children
  }

  /** Where it stands: `root/crew`. */
  get path(): string {
    return this.#cell.path
  }

  /** False once it is told to stop, or gave up. */
  get alive(): boolean {
    return this.#cell.live
  }

  /** The child of that name, which the definition gave it. The caller says what it understands. */
  child<M extends Messages<M>>(name: string): CellRef<M> {
    const child = this.#children.get(name)
    if (child instanceof CellRef) return child as unknown as CellRef<M>
    throw this.#runtime.unknownChild(this.#cell.path, name)
  }

  /** The supervisor of that name among the children. */
  supervisor(name: string): SupervisorRef {
    const child = this.#children.get(name)
    if (child instanceof SupervisorRef) return child
    throw this.#runtime.unknownChild(this.#cell.path, name)
  }

  /** Stops the children, the last started first, then itself. */
  stop(): Promise<void> {
    return this.#runtime.stopCell(this.#cell)
  }

  /** @internal */
  static cellOf(ref: SupervisorRef): Cell {
    return ref.#cell
  }
}
