// The kernel: one store, its graph, and the cells that live on it.
import type { CellStats, CellTree, OwnedRef, Spawn, SupervisorRef, Topic } from './cells/index.ts'
import type { AnyDefinition, CellDefinition, Messages, UntypedMessages } from './cells/definition.ts'
import { treeOf } from './cells/inspect.ts'
import { find } from './cells/ref.ts'
import type { Incarnation } from './cells/cell.ts'
import { peek } from './cells/foreign.ts'
import { CellRuntime } from './cells/runtime.ts'
import { Driver } from './cells/simulation.ts'
import type { Published } from './cells/topics.ts'
import { badArgument, checked } from './errors.ts'
import { EventHub, accessRefused, type KernelEvent } from './events.ts'
import { answer } from './exchange.ts'
import { checkedOptions, checkedPath } from './graph/arguments.ts'
import { Connection, type Durability } from './graph/connection.ts'
import { copied, recovery } from './graph/reports.ts'
import { type Grants, NativeSession } from './graph/session.ts'
import type { Copied, Graph, GraphStats, Salvaged } from './graph/types.ts'
import { prometheus } from './metrics.ts'
import { native } from './native.ts'
import { Simulation, type SimulationOptions } from './simulation.ts'
import { Threads, checkedWorkers, type WorkerOptions } from './threads/threads.ts'
import { type Instant, type Moment, nativeMoment, type Version } from './time.ts'

/** What every kernel takes. */
export interface KernelOptions {
  /** What backoff jitter and `ctx.random()` follow from; drawn at random by default. A whole number below 2^32. */
  readonly seed?: number
  /** Whether payloads are checked and frozen as other tiers would demand; by default outside of production. */
  readonly sendableCheck?: boolean
  /**
   * About how many bytes of memory the present state may take, its past not counted; any number by default. A commit that would make it
   * larger is refused with `ERR_KARYON_MEMORY`; `graph.stats().memoryBytes` tells how much it takes. Of several openings of one store the
   * first one's counts.
   */
  readonly memoryBytes?: number
  /**
   * The trace context of a message that is sent outside of turns, called where it is sent: it travels with the message, as `ctx.trace`,
   * and with all that comes of it, through timers, topics, work and workers. Events of lost messages tell it.
   */
  readonly trace?: () => string | undefined
  /** The workers in which cells of `isolation: 'thread'` run. They start when cells need them. */
  readonly workers?: WorkerOptions
}

/** What `Kernel.open` takes. */
export interface OpenOptions extends KernelOptions {
  /** Bytes of log after which a checkpoint is due; 64 MiB by default. */
  readonly checkpointBytes?: number
  /**
   * When a write counts. `'durable'`, the default: once it is on disk. `'relaxed'`: at once, and the disk follows as fast as it can, so that
   * writes wait for no sync; what a crash of the process or the machine takes is at most the commits of the frame that is being synced
   * and those that wait for the next (65,536), always the newest ones, never one without all that came after it. A write that then fails
   * is told by the event `store.failed`. Whoever joins a store in one process asks for the same.
   */
  readonly durability?: Exclude<Durability, 'memory'>
}

/** What opening found. */
export interface Recovery {
  /** The newest version when the store was opened; of several openings in one isolate, when the first one was. */
  readonly version: Version
  /** Whether the store is new. */
  readonly created: boolean
  /** The version of the checkpoint that was loaded; 0n when the whole log was replayed. */
  readonly checkpoint: Version
  /** Commits replayed after it. */
  readonly replayed: number
  /** Whether the last close was clean. */
  readonly sealed: boolean
  /** What was cut from a torn tail, never acknowledged, and where it is kept. */
  readonly cut?: {
    readonly segment: number
    readonly offset: number
    readonly bytes: number
    readonly file: string
  }
}

/** Counts and sizes of a kernel. */
export interface KernelStats {
  readonly graph: GraphStats
  readonly cells: CellStats
}

/** When simulations begin. */
const SIMULATION_START = new Date(Date.UTC(2000, 0))

/** The principal of the program itself. */
const ROOT = 'root'

/** A running kernel. */
export class Kernel implements AsyncDisposable {
  readonly #connection: Connection
  readonly #events = new EventHub()
  readonly #cells: CellRuntime
  #closing: Promise<void> | undefined
  /** Of the graph, when it was closed. */
  #last: GraphStats | undefined
  #resolveClosed: () => void = () => {}
  #rejectClosed: (error: unknown) => void = () => {}

  /** The graph, as the program itself sees it: principal `root`, everything granted. */
  readonly graph: Graph
  /** What opening found. */
  readonly recovery: Recovery
  /**
   * Starts a cell, or a supervisor with its children. A plain cell is a transient child of the root with a restart window of
   * its own. Throws `ERR_KARYON_CELL_NAME` for a name that a living sibling has.
   */
  readonly spawn: Spawn
  /**
   * Settles when the kernel is closed: rejects if it closed because a supervisor that somebody wrote gave up with nobody above it. Where nobody
   * handles it, that ends the program, as any rejection does that nobody handles.
   */
  readonly closed: Promise<void>

  private constructor(
    handle: number,
    durability: Durability,
    options: KernelOptions,
    driver?: Driver,
    time?: () => Date,
  ) {
    const found = recovery(answer(checked(native.storeRecovery(handle))))
    this.#connection = new Connection(handle, durability, (error) =>
      this.#events.emit({ type: 'store.failed', error }),
    )
    this.recovery = { version: BigInt(this.#connection.opened), ...found }
    const session = (principal: string, incarnation: number, grants: Grants): NativeSession =>
      new NativeSession(this.#connection, principal, incarnation, grants, (refusal) =>
        this.#events.emit(accessRefused(refusal)),
      )
    this.graph = session(ROOT, 0, { read: '*', write: '*' }).graph
    this.#cells = new CellRuntime({
      sessions: { session },
      emit: driver === undefined ? this.#events.emit : this.#events.andTo((event) => driver.event(event)),
      time: time ?? ((): Date => this.now()),
      ...(driver === undefined
        ? { threads: (runtime: CellRuntime) => this.#threads(runtime, durability, options.workers) }
        : { driver, now: () => driver.nowMs }),
      ...(options.seed !== undefined && { seed: options.seed }),
      trace: options.trace,
      ...(options.sendableCheck !== undefined && { sendableCheck: options.sendableCheck }),
    })
    this.spawn = this.#cells.spawn
    this.closed = new Promise<void>((resolve, reject) => {
      this.#resolveClosed = resolve
      this.#rejectClosed = reject
    })
    this.#cells.failed.catch((error: unknown) => {
      this.#resolveClosed = () => this.#rejectClosed(error)
      this.#connection.alive(this.close()).catch(() => {})
    })
  }

  #threads(runtime: CellRuntime, durability: Durability, workers: WorkerOptions = {}): Threads {
    const connection = this.#connection
    connection.listen()
    const needs = {
      store: connection.handle,
      durability,
      session: (incarnation: Incarnation): number => (runtime.sessionOf(incarnation) as NativeSession).handle,
      refresh: () => connection.refresh(),
      durable: (version: number) =>
        version <= connection.visible ? undefined : connection.visibleAt(version),
    }
    return new Threads(runtime, needs, workers)
  }

  /**
   * Opens the store in a directory, which is made if need be. Opening it twice in one process joins the same store.
   *
   * Throws `ERR_KARYON_NOT_A_DIRECTORY`, `ERR_KARYON_NOT_A_STORE`, `ERR_KARYON_OWNED`, `ERR_KARYON_FORMAT_NEWER`,
   * `ERR_KARYON_DAMAGED`, `ERR_KARYON_SEGMENT_MISSING` and `ERR_KARYON_IO`.
   *
   * @example
   * const kernel = await Kernel.open('./memory')
   */
  static async open(path: string, options: OpenOptions = {}): Promise<Kernel> {
    checkedPath(path)
    const others = ['checkpointBytes', 'durability'] as const
    const { checkpointBytes = 0, durability = 'durable', memoryBytes = 0 } = checkOptions(options, others)
    if (!Number.isSafeInteger(checkpointBytes) || checkpointBytes < 0) {
      throw badArgument('checkpointBytes is a whole number of bytes')
    }
    if (durability !== 'durable' && durability !== 'relaxed') {
      throw badArgument("durability is 'durable' or 'relaxed'; Kernel.memory() keeps nothing")
    }
    const outcome = await native.openStore(path, checkpointBytes, memoryBytes, durability === 'relaxed')
    const handle = checked(native.takeOutcome(outcome))
    try {
      return new Kernel(handle, durability, options)
    } catch (error) {
      // Joined after it had failed: whoever has it open must be able to close it for good.
      native.releaseHandle(handle)
      throw error
    }
  }

  /**
   * Copies the store in the directory `from`, which is not changed, to `to`, which must be empty or not exist: as of `at`, or with
   * everything. Versions, times, authors and ids stay; `to` goes its own way from there.
   *
   * Throws `ERR_KARYON_OWNED` while the store is open, `ERR_KARYON_NOT_A_STORE`, `ERR_KARYON_NOT_EMPTY`, `ERR_KARYON_TIME` for a
   * version it does not have, `ERR_KARYON_IO` when the copy cannot be written, and what `open` throws when the store is damaged
   * before `at`. Cost: a pass over the log up to there, on another thread.
   *
   * @example
   * await Kernel.restore('./backup', './memory', { at: '2026-11-25T12:00' })
   */
  static async restore(from: string, to: string, options: { readonly at?: Moment } = {}): Promise<Copied> {
    return copyStore(from, to, false, checkedOptions(options, 'at').at)
  }

  /**
   * Copies what is whole of a damaged store to `to`, from its beginning to the first frame that is not, and says what is lost. The
   * store is not changed. One that is not damaged is copied as it is, with nothing lost.
   *
   * Throws as `restore` does, and `ERR_KARYON_SEGMENT_MISSING` when not even the log's beginning is there.
   *
   * @example
   * const { version, lost } = await Kernel.salvage('./memory', './saved')
   */
  static salvage(from: string, to: string): Promise<Salvaged> {
    return copyStore(from, to, true)
  }

  /** A kernel that keeps nothing: for tests, and for programs that only need the cells. */
  static memory(options: KernelOptions = {}): Kernel {
    checkOptions(options)
    return new Kernel(checked(native.memoryStore(options.memoryBytes ?? 0)), 'memory', options)
  }

  /**
   * A kernel in simulated time, for tests of programs and for finding what hangs on an order: see `Simulation`.
   *
   * @example
   * const simulation = Kernel.simulate({ seed: 7 })
   * simulation.kernel.spawn(heater)
   * await simulation.pass(60_000)
   */
  static simulate(options: SimulationOptions): Simulation {
    const { seed, start = SIMULATION_START } = checkedOptions(options, 'seed', 'start')
    if (seed === undefined)
      throw badArgument('simulate takes a seed: { seed: 7 }, so that it can be repeated')
    checkOptions({ seed })
    if (!(start instanceof Date) || Number.isNaN(start.getTime())) throw badArgument('start is a Date')
    const driver = new Driver()
    const handle = checked(native.memoryStore(0, start.getTime() * 1_000))
    const time = (): Date => new Date(start.getTime() + driver.nowMs)
    const kernel = new Kernel(handle, 'memory', { seed, sendableCheck: true }, driver, time)
    driver.moved = () => void native.setClock(handle, time().getTime() * 1_000)
    driver.busy = () => kernel.#connection.busy
    return new Simulation(kernel, driver, () => kernel.#cells.wake())
  }

  /** A time after every commit so far; every later commit's is strictly greater. */
  now(): Instant {
    return this.#connection.now()
  }

  /**
   * What happens from now on: crashes, restarts, refusals, dead letters. At most `buffer` events wait (1,024 by default); a reader
   * that lags finds one `events.lagged` with how many it lost.
   *
   * @example
   * for await (const event of kernel.events()) if (event.type === 'cell.restarted') console.log(event.path, event.reason)
   */
  events(options: { readonly buffer?: number } = {}): AsyncIterableIterator<KernelEvent> & AsyncDisposable {
    return this.#events.open(options)
  }

  /** Counts and sizes; of a kernel that is closed, the last ones. */
  stats(): KernelStats {
    return { graph: this.#last ?? this.graph.stats(), cells: this.#cells.stats }
  }

  /** Counts and sizes in the text form of Prometheus, version 0.0.4. */
  metrics(): string {
    return prometheus(this.stats())
  }

  /** All cells and supervisors, as they are now, as a tree from the root on. Cost: a pass over them. */
  cells(): CellTree {
    return treeOf(this.#cells)
  }

  /**
   * The cell or supervisor at a path, with the power over it; `undefined` when none is alive there. With the definition of a cell, what it
   * understands is known to the compiler. Cost: a pass over all.
   *
   * @throws ERR_KARYON_ARGUMENT if it is not a cell of that definition, or the path is no text
   *
   * @example
   * await kernel.find('root/alice')?.kill()
   * kernel.find('root/alice', account)?.send('deposit', 5)
   */
  find(path: string): OwnedRef<UntypedMessages> | SupervisorRef | undefined
  find<M extends Messages<M>>(path: string, definition: CellDefinition<M, never>): OwnedRef<M> | undefined
  find(path: string, definition?: AnyDefinition): OwnedRef<UntypedMessages> | SupervisorRef | undefined {
    return find(this.#cells, path, definition)
  }

  /** Sends to every cell that has subscribed to a topic; how many had room, and could be reached with it. */
  publish<Input>(topic: Topic<unknown, Input>, ...payload: Published<Input>): number {
    return this.#cells.topics.publish(topic, payload[0], this.#cells.traceOf())
  }

  /**
   * Keeps the program alive until the kernel is closed; with `signals`, SIGINT and SIGTERM close it in order. Rejects as `closed` and `close` do.
   */
  async run(options: { readonly signals?: boolean } = {}): Promise<void> {
    const stop = (): void => void this.close().catch(() => {})
    const signals = checkedOptions(options, 'signals').signals ? (['SIGINT', 'SIGTERM'] as const) : []
    for (const signal of signals) process.once(signal, stop)
    try {
      await this.#connection.alive(this.closed.then(() => this.close()))
    } finally {
      for (const signal of signals) process.removeListener(signal, stop)
    }
  }

  /**
   * Stops the cells, supervised ones in their order, answers what turns have committed as it gets to the disk, writes what waits, and frees the
   * directory. Whatever was asked or is to be delivered, and has no answer by then, is rejected. Closing again waits for the same end.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#cells.stop()
      await this.#cells.threads?.close()
    } finally {
      await this.#connection.committed()
      this.#last = peek(() => this.graph.stats())
      await this.#connection.close().finally(() => {
        this.#events.end()
        this.#resolveClosed()
      })
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

async function copyStore(from: string, to: string, salvage: boolean, at?: Moment): Promise<Salvaged> {
  const { isTime, value } = at === undefined ? { isTime: false, value: null } : nativeMoment(at)
  const copying = native.restoreStore(checkedPath(from), checkedPath(to), salvage, isTime, value)
  return copied(answer(checked(native.takeOutcome(await copying))))
}

/** What every kernel takes, by name: one that is forgotten here does not compile. */
const KERNEL_OPTIONS = Object.keys({
  seed: true,
  sendableCheck: true,
  memoryBytes: true,
  trace: true,
  workers: true,
} satisfies Record<keyof KernelOptions, true>) as readonly (keyof KernelOptions)[]

/** Passes options on that are those of every kernel, or `others`, whose values are left to the caller. */
function checkOptions<T extends KernelOptions>(options: T, others: readonly (keyof T & string)[] = []): T {
  const known = checkedOptions(options, ...KERNEL_OPTIONS, ...others)
  const { seed = 0, sendableCheck = false, memoryBytes = 0, workers = {}, trace } = known
  checkedWorkers(workers)
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
    throw badArgument('seed is a whole number below 2^32')
  if (typeof sendableCheck !== 'boolean') throw badArgument('sendableCheck is true or false')
  if (trace !== undefined && typeof trace !== 'function')
    throw badArgument('trace is a function that returns text, or undefined')
  if (!Number.isSafeInteger(memoryBytes) || memoryBytes < 0) {
    throw badArgument('memoryBytes is a whole number of bytes')
  }
  return known
}
