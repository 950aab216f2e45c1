// Sessions: what one incarnation of one principal may do. Cells get theirs here; the program has one of its own.
import { KaryonError, checked, takeFailure } from '../errors.ts'
import { answer, putWritten } from '../exchange.ts'
import { native } from '../native.ts'
import { Instant, type Version } from '../time.ts'
import type { ByteReader } from '../values/decode.ts'
import { checkName } from '../values/keys.ts'
import { checkedGrants } from './arguments.ts'
import { type About, Ask, putAbout, question } from './ask.ts'
import { type Connection, closedError } from './connection.ts'
import { StoreGraph } from './graph.ts'
import { NEWEST } from './reader.ts'
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
  /** `of` is whose it is, for those who know it. */
  session(principal: string, incarnation: number, grants: Grants, of?: unknown): Session
}

/** One of each is kept, as of transactions: what V8 knows of them goes with the last. */
const kept: Instant[] = []

function openSession(connection: Connection, principal: string, incarnation: number, grants: Grants): number {
  const asked = question()
  asked.text(principal)
  const { read = [], write = [] } = checkedGrants(grants)
  for (const scope of [read, write]) {
    asked.texts(scope === '*' ? ['*'] : scope)
  }
  return native.openSession(connection.handle, incarnation, putWritten(asked))
}

/** A session on the native side, shared by everything that reads and writes through it. */
export class NativeSession implements Session {
  readonly connection: Connection
  readonly graph: Graph = new StoreGraph(this)
  readonly #principal: string
  readonly #incarnation: number
  readonly #handle: number
  readonly #grants: Grants
  readonly #onRefusal: (error: KaryonError) => void
  /** What a fork's session was opened from. */
  #parent: NativeSession | undefined
  /** The same incarnation in forks. */
  readonly #forks = new Set<NativeSession>()
  /** Transactions that the native side holds for it; they end with it. */
  readonly open: Set<{ end(reason: () => KaryonError): void }> = new Set()
  #alive = true

  constructor(
    connection: Connection,
    principal: string,
    incarnation: number,
    grants: Grants,
    onRefusal: (error: KaryonError) => void,
    open: (this: void) => number = () => openSession(connection, principal, incarnation, grants),
  ) {
    connection.checkNotClosed()
    this.#handle = checked(open())
    this.connection = connection
    this.#grants = grants
    this.#principal = principal
    this.#incarnation = incarnation
    this.#onRefusal = onRefusal
    connection.sessions.add(this)
  }

  /** The same session in a fork. It ends with this one. */
  inFork(name: string): NativeSession {
    const [parent, principal, incarnation] = [this.handle, this.#principal, this.#incarnation]
    const fork = new NativeSession(
      this.connection,
      principal,
      incarnation,
      this.#grants,
      this.#onRefusal,
      () => native.openFork(parent, putAbout([name])),
    )
    fork.#parent = this
    this.#forks.add(fork)
    return fork
  }

  /** Its number on the native side. Throws once it is gone there: the number may by then be another session's. */
  get handle(): number {
    this.checkAlive()
    return this.#handle
  }

  /** Throws once the native side has it no more. */
  checkAlive(): void {
    if (!this.#alive) throw this.#endError()
  }

  /** Whether the native side has it still. */
  get alive(): boolean {
    return this.#alive
  }

  #endError(): KaryonError {
    if (this.connection.closed) return closedError()
    if (this.#parent && this.#parent.#alive)
      return new KaryonError('ERR_KARYON_CLOSED', 'the fork is closed; open it again')
    const [principal, incarnation] = [this.#principal, this.#incarnation]
    const message = `incarnation ${incarnation} of ${principal} is dead; its successor has its own ctx`
    return new KaryonError('ERR_KARYON_CELL_DEAD', message, { details: { principal, incarnation } })
  }

  begin(): TurnTransaction {
    return SessionTransaction.open(this)
  }

  kill(): void {
    if (!this.#alive) return
    this.ask(Ask.kill)
    this.letGo()
  }

  /** Ends it here; nothing when it has ended. */
  letGo(): void {
    if (!this.#alive) return
    for (const fork of this.#forks) fork.letGo()
    this.connection.sessions.delete(this)
    this.release()
  }

  /** Lets go of the native side, and of whatever it still has open there. Whoever waits for news is told. */
  release(): void {
    this.#alive = false
    if (this.#parent) this.#parent.#forks.delete(this)
    this.connection.tell()
    for (const transaction of this.open) transaction.end(() => this.#endError())
    native.releaseHandle(this.#handle)
  }

  /** Passes an answer on, or throws what went wrong; refusals are made known first. */
  checked(length: number): number {
    if (length >= 0) return length
    const failure = takeFailure()
    if (failure.code === 'ERR_KARYON_ACCESS') this.#onRefusal(failure)
    throw failure
  }

  /** A commit that was published, from the answer of the native side. */
  submitted(bytes: ByteReader): Submitted {
    const version = bytes.varint()
    const time = Instant.fromMicros(bytes.signedBig())
    kept[0] = time
    return { version: BigInt(version), time, durable: this.connection.durableAt(version) }
  }

  /** Asks the native side something. Returns the answer's length. */
  askFor(question: number, ...about: About): number {
    return this.checked(native.ask(this.handle, question, putAbout(about)))
  }

  /** The same. Returns the answer. */
  ask(question: number, ...about: About): ByteReader {
    return answer(this.askFor(question, ...about))
  }

  /** Asks something that takes long, on a thread of its own, and reads the answer, with the same care. */
  askInBackground<T>(read: (bytes: ByteReader) => T, question: number, ...about: About): Promise<T> {
    return this.connection.background(
      () => native.askInBackground(this.handle, question, putAbout(about)),
      (length) => this.checked(length),
      (length) => read(answer(length)),
    )
  }

  /** A version in place of "the newest", so that several pages show the same. */
  fixed(source: number): number {
    return source === NEWEST ? this.connection.visible : source
  }

  /** The number of a name; `undefined` while nothing has it. */
  nameNumber(name: string): number | undefined {
    const { nameNumbers } = this.connection
    const known = nameNumbers.get(name)
    if (known !== undefined) return known
    checkName(name)
    const found = this.ask(Ask.nameNumber, name)
    if (!found.flag()) return undefined
    const number = found.varint()
    nameNumbers.set(name, number)
    return number
  }

  /** Reads a name's number and resolves it. */
  name(bytes: ByteReader): string {
    const id = bytes.varint()
    const known = this.connection.names[id]
    if (known !== undefined) return known
    // Fetching names overwrites the answer that is being read: it is read from a copy from here on.
    const rest = bytes.detach()
    const name = this.connection.fetchName(id, this.#handle)
    bytes.resume(rest)
    return name
  }
}
