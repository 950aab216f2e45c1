import { badArgument } from '../errors.ts'
import type { AskOptions, DeliverOptions } from './ask.ts'
import type { Cell } from './cell.ts'
import type { AskedChildren, ChildInfo } from './children.ts'
import type {
  AnyDefinition,
  AskedName,
  CellDefinition,
  ChildSpec,
  KindredSpec,
  Messages,
  NeedsNoArgs,
  PayloadArguments,
  ReplyOf,
  SupervisorDefinition,
  UntypedMessages,
} from './definition.ts'
import { peek } from './foreign.ts'
import { infoOf, type CellInfo } from './inspect.ts'
import { Op } from './protocol.ts'
import type { CellRuntime } from './runtime.ts'

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

  /** Which of its lives this is: 1, and one more with each restart. What was learned of an earlier one may be gone. */
  get incarnation(): number {
    return this.#cell.incarnation.number
  }

  /** Its path, for logs. */
  toString(): string {
    return this.path
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

Object.defineProperty(Reference.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: Reference) {
    return `${this.constructor.name} ${this.path}`
  },
})

/** A reference to a cell. It survives restarts; after the cell is gone it stays, and is dead. */
export class CellRef<M extends Messages<M>> extends Reference {
  /** Only for the compiler, which finds here what a cell understands; a method's type, so that any reference may stand for one of `never`. */
  declare readonly '~understands'?: { of(messages: M): void }['of']

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
   * @throws ERR_KARYON_CELL_DEAD if the cell stops first, ERR_KARYON_MAILBOX_FULL if 10,000 of one cell wait already,
   * ERR_KARYON_ASK_ABORTED (`cause` is the signal's reason)
   */
  deliver<Name extends keyof M & string>(
    name: Name,
    ...rest: [...payload: PayloadArguments<M[Name]>, options?: DeliverOptions]
  ): Promise<void> {
    const cell = Reference.cellOf(this)
    return cell.runtime.deliver(cell, name, rest[0], rest[1] as DeliverOptions | undefined)
  }

  /**
   * Sends a message and waits for the answer: what its handler returns, once the turn's transaction is durable.
   * The time limit (5,000 ms by default) ends the waiting, not the turn. Messages of control are not asked.
   *
   * Of a cell in a worker the answer is a copy. Of an inline cell it is what the handler returned, and nothing freezes it: if that is the cell's
   * state, or part of it, whoever changes the answer changes the cell. A handler whose asker may do so returns a copy.
   *
   * @throws ERR_KARYON_CELL_FAILED (`cause` is what the handler threw), ERR_KARYON_ASK_TIMEOUT, ERR_KARYON_ASK_ABORTED,
   * ERR_KARYON_ASK_CYCLE, ERR_KARYON_CELL_DEAD (`cause`, where something else than a stop ended it), ERR_KARYON_MAILBOX_FULL,
   * ERR_KARYON_CONFLICT, ERR_KARYON_TURN_TIMEOUT, ERR_KARYON_INVARIANT, ERR_KARYON_CONSUMED (of what is sent `once`),
   * ERR_KARYON_NOT_SENDABLE (of a payload or an answer that cannot leave its isolate; in development the turn fails with it)
   */
  ask<Name extends AskedName<M>>(
    name: Name,
    ...rest: [...payload: PayloadArguments<M[Name]>, options?: AskOptions]
  ): Promise<ReplyOf<M[Name]>> {
    const cell = Reference.cellOf(this)
    const reply = cell.runtime.ask(cell, name, rest[0], rest[1] as AskOptions | undefined)
    return reply as Promise<ReplyOf<M[Name]>>
  }
}

/**
 * A reference to a cell with the power over it: what `spawn` returns. Whoever is handed it may end the cell; `address` is for all others.
 */
export class OwnedRef<M extends Messages<M>> extends CellRef<M> {
  /** The same cell without the power over it. */
  get address(): CellRef<M> {
    const cell = Reference.cellOf(this)
    return cell.runtime.refOf(cell) as unknown as CellRef<M>
  }

  /**
   * Stops what is below it, all at once, then itself; supervisors among them stop their children in order. What runs gets its signal aborted
   * and 5 s, or what its `shutdownMs` says. Resolves when it is gone.
   */
  stop(): Promise<void> {
    return endCell(this, false)
  }

  /** As `stop`, but every turn is cut short, also where a stop waits for one: what such a turn wrote is dropped. */
  kill(): Promise<void> {
    return endCell(this, true)
  }

  /** No turn of it begins until `resume`. What goes on goes on, messages wait, restarts change nothing. */
  pause(): void {
    pauseCell(this, true)
  }

  /** Ends a pause. */
  resume(): void {
    pauseCell(this, false)
  }

  /** What is known of it, and a copy of its state where it can be copied. */
  async inspect(): Promise<CellInfo & { readonly state?: unknown }> {
    const cell = Reference.cellOf(this)
    const { outside, threads } = cell.runtime
    if (outside !== undefined && cell.incarnation.seat === undefined) return outside.inspect(this)
    const elsewhere = threads?.look(cell)
    const state = await (elsewhere ?? peek(() => structuredClone(cell.incarnation.state)))
    return { ...infoOf(cell), ...(state !== undefined && { state }) }
  }
}

function endCell(ref: Reference, kill: boolean): Promise<void> {
  const cell = Reference.cellOf(ref)
  return cell.runtime.stopCell(cell, kill)
}

function pauseCell(ref: Reference, paused: boolean): void {
  const cell = Reference.cellOf(ref)
  cell.paused = paused
  if (paused) cell.incarnation.bar()
  else cell.incarnation.unbar()
  if (cell.gone === undefined) cell.runtime.scheduler.write(Op.pause, cell.id, paused ? 1 : 0)
}

/**
 * A reference to a supervisor, with the power over it and its children. `Kind` is what a `simple_one_for_one` has children of; `undefined`
 * under the other strategies.
 */
export class SupervisorRef<Kind = AnyDefinition | undefined> extends Reference {
  /** Only for the compiler. */
  declare readonly '~kind'?: Kind
  readonly #children: AskedChildren

  /** Only the runtime makes references. */
  constructor(cell: Cell, children: AskedChildren) {
    super(cell)
    this.#children = children
  }

  /** As `stop` of a cell, with all children. */
  stop(): Promise<void> {
    return endCell(this, false)
  }

  /** As `kill` of a cell, with all children. */
  kill(): Promise<void> {
    return endCell(this, true)
  }

  /**
   * The child of that name, the last one that was started under it. With its definition, what it understands is known to the compiler.
   *
   * @throws ERR_KARYON_ARGUMENT if there is none, or it is not a cell of that definition
   */
  child(name: string): OwnedRef<UntypedMessages>
  child<M extends Messages<M>>(name: string, definition: CellDefinition<M, never>): OwnedRef<M>
  child(name: string, definition?: AnyDefinition): OwnedRef<UntypedMessages> {
    const { ref } = this.#children.get(name)
    checkDefinition(Reference.cellOf(ref), definition)
    if (ref instanceof OwnedRef) return ref as OwnedRef<UntypedMessages>
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
   * Starts another child, behind all others, and at once: it waits for no sibling. Of `simple_one_for_one` one of its kind, of which a name
   * and args are said, and nothing else. When the supervisor itself is restarted, children that were started so are gone: what its
   * definition names is what comes back.
   *
   * @throws ERR_KARYON_CELL_NAME where the name is taken, also by a child that is terminated; ERR_KARYON_ARGUMENT
   */
  startChild<D extends NeedsNoArgs>(definition: Kind extends AnyDefinition ? never : D): RefOf<D>
  startChild<D>(
    child: Kind extends AnyDefinition ? KindredSpec<Kind> : ChildSpec<D>,
  ): RefOf<Kind extends AnyDefinition ? Kind : D>
  startChild(child: never): unknown {
    return this.#children.start(child)
  }

  /**
   * Stops a child, which can be started again in its place, and is so with its group; temporary ones are forgotten. Resolves when it is
   * gone.
   *
   * @throws ERR_KARYON_ARGUMENT if there is none (it rejects)
   */
  async terminateChild(name: string): Promise<void> {
    await this.#children.get(name).ref.stop()
  }

  /**
   * Starts a child again that was terminated or ended by itself: a new cell in the old place, as its group does where that is restarted.
   * References to the old one are dead.
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
export type AnyRef = OwnedRef<never> | SupervisorRef

/** Either kind, to what nobody has said the types of. */
export type FoundRef = OwnedRef<UntypedMessages> | SupervisorRef

/** The reference to what a definition makes. */
export type RefOf<D> =
  D extends SupervisorDefinition<infer Kind>
    ? SupervisorRef<Kind>
    : D extends CellDefinition<infer M, never>
      ? OwnedRef<M>
      : AnyRef

/** The living cell or supervisor at a path, with the power over it; throws if it is not of the definition that is given. */
export function find(runtime: CellRuntime, path: string, expected?: AnyDefinition): FoundRef | undefined {
  if (typeof path !== 'string') throw badArgument(`a path is text, such as root/alice, not a ${typeof path}`)
  const cell = runtime.cells.find((each) => each?.path === path && each !== runtime.root)
  if (cell === undefined) return undefined
  checkDefinition(cell, expected)
  return cell.children === undefined ? new OwnedRef(cell) : new SupervisorRef(cell, cell.children)
}

function checkDefinition(cell: Cell, expected: AnyDefinition | undefined): void {
  if (expected === undefined) return
  const { path, runtime } = cell
  const definition = cell.definition ?? runtime.outside?.describe(cell)
  if (definition === expected) return
  const is = definition === undefined ? 'a supervisor' : `a cell of another definition, ${definition.name}`
  throw badArgument(`${path} is ${is}; find it without one`, { path })
}
