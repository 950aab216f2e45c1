// The kernel: one store, its graph, and the cells that live on it.
import { badArgument, checked } from './errors.ts'
import { answer } from './exchange.ts'
import { checkedOptions } from './graph/arguments.ts'
import { Connection } from './graph/connection.ts'
import { Sessions } from './graph/session.ts'
import type { Graph } from './graph/types.ts'
import { native } from './native.ts'
import type { Instant, Version } from './time.ts'

/** What `Kernel.open` takes. */
export interface OpenOptions {
  /** Bytes of log after which a checkpoint is due; 64 MiB by default. */
  readonly checkpointBytes?: number
}

/** What opening found. */
export interface Recovery {
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

/** A running kernel. */
export class Kernel implements AsyncDisposable {
  readonly #connection: Connection
  /** The graph, as the program itself sees it: principal `root`, everything granted. */
  readonly graph: Graph
  /** What opening found. */
  readonly recovery: Recovery

  private constructor(handle: number, memory: boolean) {
    const recovery = answer(checked(native.storeRecovery(handle))).value()
    this.recovery = recovery as unknown as Recovery
    this.#connection = new Connection(handle, memory)
    const sessions = new Sessions(this.#connection, () => {})
    this.graph = sessions.session('root', 0, { read: '*', write: '*' }).graph
  }

  /**
   * Opens the store in a directory, which is made if need be. Opening it twice in one process joins the same store.
   *
   * Throws `ERR_KARYON_NOT_A_DIRECTORY`, `ERR_KARYON_NOT_A_STORE`, `ERR_KARYON_OWNED`, `ERR_KARYON_FORMAT_NEWER`,
   * `ERR_KARYON_DAMAGED`, `ERR_KARYON_SEGMENT_MISSING` and `ERR_KARYON_IO`.
   */
  static async open(path: string, options: OpenOptions = {}): Promise<Kernel> {
    if (typeof path !== 'string' || path === '') throw badArgument('open takes the path of a directory')
    const { checkpointBytes = 0 } = checkedOptions(options)
    if (!Number.isSafeInteger(checkpointBytes) || checkpointBytes < 0) {
      throw badArgument('checkpointBytes is a whole number of bytes')
    }
    const outcome = await native.openStore(path, checkpointBytes)
    const handle = checked(native.takeOutcome(outcome))
    try {
      return new Kernel(handle, false)
    } catch (error) {
      // Joined after it had failed: whoever has it open must be able to close it for good.
      native.releaseStore(handle)
      throw error
    }
  }

  /** A kernel that keeps nothing: for tests, and for programs that only need the cells. */
  static memory(): Kernel {
    return new Kernel(checked(native.memoryStore()), true)
  }

  /** A time after every commit so far; every later commit's is strictly greater. */
  now(): Instant {
    return this.#connection.now()
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
