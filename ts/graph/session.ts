// Sessions: what one incarnation of one principal may do. Cells get theirs here; the program has one of its own.
import { KaryonError, checked, takeFailure } from '../errors.ts'
import { putWritten } from '../exchange.ts'
import { native } from '../native.ts'
import type { Instant, Version } from '../time.ts'
import type { ByteReader } from '../values/decode.ts'
import { Writer } from '../values/writer.ts'
import { type Connection, closedError } from './connection.ts'
import { StoreGraph } from './graph.ts'
import { SessionTransaction } from './transaction.ts'
import type { Graph, Transaction } from './types.ts'

/** The labels and edge types that a principal may read and write; `'*'` is everything. What is not granted is denied. */
export interface Grants {
  readonly read?: readonly string[] | '*'
  readonly write?: readonly string[] | '*'
}

/** A commit that is published; `durable` resolves when it is on disk. */
export interface Submitted {
  readonly version: Version
  readonly time: Instant
  readonly durable: Promise<void>
}

/** A turn's transaction. */
export interface TurnTransaction extends Transaction {
  /** Whether anything was written. */
  readonly dirty: boolean
  /** Validates and publishes on this thread. Throws `ERR_KARYON_CONFLICT`, `ERR_KARYON_ACCESS` and what verbs throw. */
  submit(): Submitted
  /** Drops it; nothing when it has ended. */
  discard(): void
}

/** One incarnation's way to the graph. */
export interface Session {
  /** The graph, every call checked by the grants; `ERR_KARYON_CELL_DEAD` once killed. */
  readonly graph: Graph
  /** Begins a turn's transaction. */
  begin(): TurnTransaction
  /** Ends the session, in O(1): nothing of it is read or validated any more. */
  kill(): void
}

/** Where sessions come from. */
export interface SessionSource {
  session(principal: string, incarnation: number, grants: Grants): Session
}

/** The native side of a session, shared by everything that reads and writes through it. */
export class NativeSession {
  readonly connection: Connection
  readonly #principal: string
  readonly #incarnation: number
  readonly #handle: number
  readonly #onRefusal: (error: KaryonError) => void
  /** Transactions that the native side holds for it; they end with it. */
  readonly open: Set<{ end(reason: () => KaryonError): void }> = new Set()
  #alive = true

  constructor(
    connection: Connection,
    handle: number,
    [principal, incarnation]: readonly [string, number],
    onRefusal: (error: KaryonError) => void,
  ) {
    this.connection = connection
    this.#handle = handle
    this.#principal = principal
    this.#incarnation = incarnation
    this.#onRefusal = onRefusal
    connection.adopt(this)
  }

  /** Its number on the native side. Throws once it is gone there: the number may by then be another session's. */
  get handle(): number {
    if (this.#alive) return this.#handle
    this.connection.checkNotClosed()
    throw this.#deadError()
  }

  #deadError(): KaryonError {
    const [principal, incarnation] = [this.#principal, this.#incarnation]
    return new KaryonError(
      'ERR_KARYON_CELL_DEAD',
      `incarnation ${incarnation} of ${principal} is dead; its successor has its own ctx`,
      { details: { principal, incarnation } },
    )
  }

  /** Ends it for whatever it still has open, too, and lets go of it. */
  kill(): void {
    if (!this.#alive) return
    native.killSession(this.#handle)
    this.connection.forget(this)
    this.release()
  }

  /** Lets go of the native side. */
  release(): void {
    this.#alive = false
    for (const transaction of this.open) {
      transaction.end(() => (this.connection.closed ? closedError() : this.#deadError()))
    }
    native.releaseSession(this.#handle)
  }

  /** Passes an answer on, or throws what went wrong; refusals are made known first. */
  checked(length: number): number {
    if (length >= 0) return length
    const failure = takeFailure()
    if (failure.code === 'ERR_KARYON_ACCESS') this.#onRefusal(failure)
    throw failure
  }

  /** Awaits a native task and reads its outcome, with the same care. */
  background<T>(start: () => Promise<number> | null, read: (length: number) => T): Promise<T> {
    return this.connection.background(start, (length) => this.checked(length), read)
  }

  /** A version in place of "the newest", so that several pages show the same. */
  fixed(source: number): number {
    return source === -1 ? this.connection.visible : source
  }

  /** Reads a name's number and resolves it. */
  name(bytes: ByteReader): string {
    const id = bytes.varint()
    const { connection } = this
    if (id < connection.nameCount) return connection.name(id, this.#handle)
    // Fetching names overwrites the answer that is being read: it is read from a copy from here on.
    const rest = bytes.detach()
    const name = connection.name(id, this.#handle)
    bytes.resume(rest)
    return name
  }
}

/** Opens sessions on a connection. */
export class Sessions implements SessionSource {
  readonly #connection: Connection
  readonly #onRefusal: (error: KaryonError) => void

  constructor(connection: Connection, onRefusal: (error: KaryonError) => void) {
    this.#connection = connection
    this.#onRefusal = onRefusal
  }

  session(principal: string, incarnation: number, grants: Grants): Session {
    this.#connection.checkNotClosed()
    const writer = new Writer()
    writer.text(principal)
    for (const scope of [grants.read ?? [], grants.write ?? []]) {
      const names = scope === '*' ? ['*'] : scope
      writer.varint(names.length)
      for (const name of names) writer.text(name)
    }
    const connection = this.#connection
    const length = putWritten(writer)
    const handle = checked(native.openSession(connection.handle, incarnation, length))
    const who = [principal, incarnation] as const
    return new StoreSession(new NativeSession(connection, handle, who, this.#onRefusal))
  }
}

class StoreSession implements Session {
  readonly #native: NativeSession
  readonly graph: Graph

  constructor(session: NativeSession) {
    this.#native = session
    this.graph = new StoreGraph(session)
  }

  begin(): TurnTransaction {
    return SessionTransaction.open(this.#native)
  }

  kill(): void {
    this.#native.kill()
  }
}
