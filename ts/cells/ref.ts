import { badArgument } from '../errors.ts'
import type { AskOptions } from './ask.ts'
import type { Cell } from './cell.ts'
import type { ChildInfo, Children } from './children.ts'
import type {
  AnyCellDefinition,
  ChildSpec,
  Messages,
  PayloadArguments,
  ReplyOf,
  SupervisorDefinition,
  UntypedMessages,
} from './definition.ts'

/** What every reference has. */
export class Reference {
  readonly #cell: Cell

  /** Only the runtime makes references. */
  constructor(cell: Cell) {
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
   * Stops what is below it, the last started first, then itself. What runs gets its signal aborted and 5 s, or what its `shutdownMs` says.
   * Resolves when it is gone.
   */
  stop(): Promise<void> {
    return this.#cell.runtime.stopCell(this.#cell)
  }

  /** @internal */
  static cellOf(ref: Reference): Cell {
    try {
      return ref.#cell
    } catch {
      throw badArgument('a reference is needed: what spawn returned, or ctx.self')
    }
  }
}

/** A reference to a cell. It survives restarts; after the cell is gone it stays, and is dead. */
export class CellRef<M extends Messages<M>> extends Reference {
  /**
   * Puts a message into the cell's mailbox. False if it is full or the cell is gone: the message is then lost, and an
   * event says so. Costs well under a microsecond.
   *
   * @throws ERR_KARYON_MESSAGE_UNKNOWN, ERR_KARYON_NOT_SENDABLE, ERR_KARYON_ARGUMENT (schema)
   */
  send<Name extends keyof M & string>(name: Name, ...payload: PayloadArguments<M[Name]>): boolean
  send(name: string, payload?: unknown): boolean {
    const cell = Reference.cellOf(this)
    return cell.runtime.send(cell, name, payload)
  }

  /**
   * As `send`, but waits for room. Resolves once the message is in the mailbox.
   *
   * @throws ERR_KARYON_CELL_DEAD if the cell stops first, ERR_KARYON_MAILBOX_FULL if too many wait already,
   * ERR_KARYON_ASK_ABORTED (`cause` is the signal's reason)
   */
  deliver<Name extends keyof M & string>(
    name: Name,
    ...rest: [...payload: PayloadArguments<M[Name]>, options?: { readonly signal?: AbortSignal }]
  ): Promise<void> {
    const cell = Reference.cellOf(this)
    return cell.runtime.deliver(cell, name, rest[0], rest[1] as { signal?: AbortSignal } | undefined)
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
    const cell = Reference.cellOf(this)
    const reply = cell.runtime.ask(cell, name, rest[0], rest[1] as AskOptions | undefined)
    return reply as Promise<ReplyOf<M[Name]>>
  }
}

/** A reference to a supervisor. */
export class SupervisorRef extends Reference {
  readonly #children: Children

  /** Only the runtime makes references. */
  constructor(cell: Cell, children: Children) {
    super(cell)
    this.#children = children
  }

  /** The child of that name, the last one that was started under it. The caller says what it understands. */
  child<M extends Messages<M> = UntypedMessages>(name: string): CellRef<M> {
    const { ref } = this.#children.get(name)
    if (ref instanceof CellRef) return ref as unknown as CellRef<M>
    throw badArgument(`${ref.path} is a supervisor`, { path: ref.path, name })
  }

  /** The supervisor of that name among the children. */
  supervisor(name: string): SupervisorRef {
    const { ref } = this.#children.get(name)
    if (ref instanceof SupervisorRef) return ref
    throw badArgument(`${ref.path} is a cell`, { path: ref.path, name })
  }

  /** All that it knows of its children, in their order. */
  children(): readonly ChildInfo[] {
    return this.#children.list()
  }

  /**
   * Starts another child, behind all others; of `simple_one_for_one` one of its kind, with a name and args of its own. When the
   * supervisor itself is restarted, children that were started so are gone: what its definition names is what comes back.
   *
   * @throws ERR_KARYON_CELL_NAME where the name is taken, also by a child that is terminated; ERR_KARYON_ARGUMENT
   */
  startChild(
    child: ChildSpec | AnyCellDefinition | SupervisorDefinition | Pick<ChildSpec, 'name' | 'args'>,
  ): AnyRef {
    return this.#children.start(child)
  }

  /** Stops a child, which can be started again in its place; temporary ones are forgotten. Resolves when it is gone. */
  terminateChild(name: string): Promise<void> {
    return this.#children.get(name).ref.stop()
  }

  /**
   * Starts a child again that was terminated or ended by itself: a new cell in the old place. References to the old one are dead.
   *
   * @throws ERR_KARYON_CELL_NAME if it is alive, ERR_KARYON_ARGUMENT if there is none
   */
  restartChild(name: string): AnyRef {
    return this.#children.restart(name)
  }

  /**
   * Forgets a child that was terminated or ended by itself.
   *
   * @throws ERR_KARYON_CELL_NAME if it is alive, ERR_KARYON_ARGUMENT if there is none
   */
  deleteChild(name: string): void {
    this.#children.delete(name)
  }
}

/** Either kind of reference. */
export type AnyRef = CellRef<never> | SupervisorRef
