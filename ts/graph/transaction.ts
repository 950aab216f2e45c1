// Transactions: verbs are encoded as they are asked for, and cross in one batch, at the latest when something is read.
import { isUint8Array } from 'node:util/types'
import { KaryonError, badArgument } from '../errors.ts'
import { answer, putWritten } from '../exchange.ts'
import { native } from '../native.ts'
import { type Version, instantMicros, timeError } from '../time.ts'
import { encodeValue, isPlain } from '../values/encode.ts'
import { shielded } from '../shield.ts'
import { checkName, checkNodeKey } from '../values/keys.ts'
import { FRAME_BYTES_MAX, LABELS_MAX, OPERATIONS_MAX, PROPERTIES_MAX } from '../values/limits.ts'
import type { PropertyChanges } from '../values/types.ts'
import { Writer } from '../values/writer.ts'
import { checkedOptions, edgeOf, listOf, plainTarget } from './arguments.ts'
import { BaseReader, putEdge, putTarget } from './reader.ts'
import type { Scan } from './scan.ts'
import type { NativeSession, Submitted, TurnTransaction } from './session.ts'
import type {
  Changes,
  Commit,
  LinkOptions,
  NodeContent,
  OpenTransaction,
  Sequence,
  Target,
  UnlinkOptions,
  Validity,
} from './types.ts'

/** How long a transaction that `begin` opened may take, unless it says otherwise. */
const TIMEOUT_MS = 30_000
/** The longest delay that a timer takes. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1

const NONE = -1

/** Writers of transactions that have ended, for the next ones: a buffer outside of the heap is dear to make. */
const idle: Writer[] = []
/** How many of them are kept, and how large each may be. */
const IDLE_MAX = 16
const IDLE_BYTES_MAX = 256 * 1024

/**
 * What V8 knows of objects of a kind goes with the last of them, and all code that it compiled for them: one is kept, so that a collection
 * does not slow the writes after it.
 */
const kept: SessionTransaction[] = []

/** A transaction of a session, committed by whoever owns it. */
export class SessionTransaction extends BaseReader implements TurnTransaction {
  /** Verbs that have not crossed yet. */
  readonly #verbs = idle.pop() ?? new Writer()
  /** The native transaction; `NONE` while nothing was read and nothing has to be pinned. */
  #handle = NONE
  /** Verbs asked for, and how many bytes of them have crossed. */
  #count = 0
  #crossed = 0
  /** Set while a verb is encoded, when getters of the values may run. */
  #encoding = false
  /** Scans that have pages left to fetch. */
  #scans: Set<Scan<unknown>> | undefined
  #ended: (() => KaryonError) | undefined
  /** Whether what it reads is left unvalidated; to be said before it reads. */
  snapshotIsolation = false

  /** A transaction whose snapshot is taken now. */
  static open(session: NativeSession): SessionTransaction {
    const transaction = new SessionTransaction(session)
    transaction.#begin()
    return transaction
  }

  get dirty(): boolean {
    return this.#count > 0
  }

  #begin(): void {
    shielded(() => {
      this.#handle = this.session.checked(
        native.beginTransaction(this.session.handle, this.snapshotIsolation),
      )
      this.session.open.add(this)
    })
  }

  /** Ends it: whoever still uses it gets this error. */
  end(reason: () => KaryonError): void {
    if (!this.#ended) shielded(() => this.#end(reason))
  }

  #end(reason: () => KaryonError): void {
    this.#ended = reason
    kept[0] = this
    if (this.#handle !== NONE) native.releaseHandle(this.#handle)
    this.#handle = NONE
    this.session.open.delete(this)
    this.#verbs.length = 0
    // A verb that is just being encoded may end its own transaction: its writer is not another's then.
    if (!this.#encoding && idle.length < IDLE_MAX && this.#verbs.bytes.length <= IDLE_BYTES_MAX) {
      idle.push(this.#verbs)
    }
  }

  discard(): void {
    this.end(doneError)
  }

  protected override source(): number {
    this.#check()
    if (this.#handle === NONE) this.#begin()
    this.#flush()
    return -2 - this.#handle
  }

  protected override begun(scan: Scan<unknown>): void {
    const scans = (this.#scans ??= new Set())
    scans.add(scan)
    scan.ended = () => scans.delete(scan)
  }

  #check(): void {
    if (this.#ended) throw this.#ended()
    this.session.connection.checkNotClosed()
    if (this.#encoding) {
      throw badArgument('a getter of a value used the transaction that stores the value; read it before')
    }
  }

  #flush(): void {
    if (this.#verbs.length === 0) return
    const length = putWritten(this.#verbs)
    this.#verbs.length = 0
    this.#crossed += length
    try {
      this.session.checked(native.pushVerbs(this.#handle, length))
    } catch (error) {
      // The batch was refused whole: what is left of the transaction is not what was asked for.
      this.discard()
      throw error
    }
  }

  submit(cause?: Version): Submitted {
    this.#check()
    const reason = causeOf(cause)
    return shielded(() => this.#submit(reason))
  }

  #submit(reason: ReturnType<typeof causeOf>): Submitted {
    const { session } = this
    const { connection } = session
    if (this.#handle === NONE && !this.dirty) {
      this.discard()
      const { visible } = connection
      return { version: BigInt(visible), time: connection.timeOf(visible), durable: Promise.resolve() }
    }
    let length: number
    if (this.#handle === NONE) {
      length = native.commitVerbs(session.handle, putWritten(this.#verbs), reason)
    } else {
      this.#flush()
      length = native.commitTransaction(this.#handle, reason)
      this.#handle = NONE
    }
    this.discard()
    return session.submitted(answer(session.checked(length)))
  }

  /** Encodes one verb: when it holds, its number, and what `encode` adds. Nothing of it is kept when it throws. */
  #verb(number: number, when: Validity | undefined, encode: (writer: Writer) => void): void {
    this.#check()
    // Scans show the transaction as it was when they began.
    if (this.#scans) for (const scan of this.#scans) scan.fetchAll()
    const start = this.#verbs.length
    this.#encoding = true
    try {
      if (when) putValidity(this.#verbs, when)
      this.#verbs.byte(number)
      encode(this.#verbs)
      if (this.#count >= OPERATIONS_MAX || this.#crossed + this.#verbs.length > FRAME_BYTES_MAX) {
        const message = `the transaction has more than ${OPERATIONS_MAX} verbs or ${FRAME_BYTES_MAX} bytes; split it`
        throw new KaryonError('ERR_KARYON_TRANSACTION_SIZE', message, { details: { limit: OPERATIONS_MAX } })
      }
    } catch (error) {
      this.#verbs.length = start
      throw error
    } finally {
      this.#encoding = false
    }
    this.#count++
  }

  put(key: string, node: NodeContent = {}): void {
    this.#verb(1, node, (writer) => {
      checkNodeKey(key)
      const { labels, props } = checkedOptions(node, 'labels', 'props', 'valid', 'expireAt')
      writer.text(key)
      putLabels(writer, labels)
      putProps(writer, props)
    })
  }

  patch(target: Target, changes: Changes): void {
    this.#verb(2, changes, (writer) => {
      const plain = plainTarget(target)
      const { labels, dropLabels, props } = checkedOptions(
        changes,
        'labels',
        'dropLabels',
        'props',
        'valid',
        'expireAt',
      )
      putTarget(writer, plain)
      putLabels(writer, labels)
      putLabels(writer, dropLabels)
      putProps(writer, props)
    })
  }

  remove(key: string, options: { readonly detach?: boolean } = {}): void {
    this.#verb(3, undefined, (writer) => {
      checkNodeKey(key)
      const { detach = false } = checkedOptions(options, 'detach')
      if (typeof detach !== 'boolean') throw badArgument('detach is true or false')
      writer.text(key)
      writer.byte(detach ? 1 : 0)
    })
  }

  link(from: string, type: string, to: string, options: LinkOptions = {}): void {
    this.#verb(4, options, (writer) => {
      const { key, props } = checkedOptions(options, 'key', 'props', 'valid', 'expireAt')
      const edge = edgeOf(from, type, to, key)
      putEdge(writer, edge)
      putProps(writer, props)
    })
  }

  unlink(from: string, type: string, to: string, options: UnlinkOptions = {}): void {
    this.#verb(5, options, (writer) => {
      const { key } = checkedOptions(options, 'key', 'valid')
      const edge = edgeOf(from, type, to, key)
      putEdge(writer, edge)
    })
  }

  increment(target: Target, property: string, by: number | bigint = 1): void {
    this.#verb(6, undefined, (writer) => {
      const plain = plainTarget(target)
      checkName(property)
      if (typeof by !== 'number' && typeof by !== 'bigint') {
        throw wrongType(`increment adds a number or a bigint, not ${describe(by)}`)
      }
      putTarget(writer, plain)
      writer.text(property)
      encodeValue(writer, by, 'by')
    })
  }

  append(target: Target, property: string, more: Sequence): void {
    this.#verb(8, undefined, (writer) => {
      const plain = plainTarget(target)
      checkName(property)
      checkSequence(more)
      putTarget(writer, plain)
      writer.text(property)
      encodeValue(writer, more, property)
    })
  }

  splice(target: Target, property: string, start: number, deleteCount: number, insert: Sequence): void {
    this.#verb(7, undefined, (writer) => {
      if (!isCount(start) || !isCount(deleteCount)) {
        throw badArgument('start and deleteCount are whole numbers from 0 on')
      }
      const plain = plainTarget(target)
      checkName(property)
      checkSequence(insert)
      putTarget(writer, plain)
      writer.text(property)
      writer.varint(start)
      writer.varint(deleteCount)
      encodeValue(writer, insert, property)
    })
  }
}

function doneError(): KaryonError {
  return new KaryonError('ERR_KARYON_TRANSACTION_DONE', 'the transaction has ended; begin another')
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function checkSequence(value: unknown): void {
  if (typeof value === 'string' || isUint8Array(value) || Array.isArray(value)) return
  throw wrongType(`a string, bytes or a list can be appended or inserted, not ${describe(value)}`)
}

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value
}

function wrongType(message: string): KaryonError {
  return new KaryonError('ERR_KARYON_VALUE_TYPE', message)
}

/** A version that made somebody act, for the native side. */
export function causeOf(cause: Version | undefined): number {
  if (cause === undefined) return NONE
  if (typeof cause !== 'bigint' || cause < 1n || cause > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw badArgument('a cause is the version of a commit, a bigint')
  }
  return Number(cause)
}

function putLabels(writer: Writer, labels: readonly string[] | undefined): void {
  if (labels === undefined) return writer.byte(0)
  const names = listOf(labels, 'labels are an array of strings')
  checkCount(names.length, LABELS_MAX, 'labels')
  for (const name of names) checkName(name)
  writer.texts(names)
}

/** Writes properties: their count, then of each its name, whether it is set, and the value. */
function putProps(writer: Writer, props: PropertyChanges | undefined): void {
  if (props === undefined) return writer.byte(0)
  if (typeof props !== 'object' || props === null || Array.isArray(props) || !isPlain(props)) {
    throw badArgument('props are a plain object of values by name')
  }
  const names = Object.keys(props)
  checkCount(names.length, PROPERTIES_MAX, 'properties')
  writer.varint(names.length)
  for (const name of names) {
    checkName(name)
    const value = props[name]
    writer.text(name)
    writer.byte(value === undefined ? 0 : 1)
    if (value !== undefined) encodeValue(writer, value, name)
  }
}

function checkCount(count: number, limit: number, what: string): void {
  if (count <= limit) return
  const message = `${count} ${what} are over the limit of ${limit}; nest them in maps or link nodes`
  throw new KaryonError('ERR_KARYON_PROPERTY_COUNT', message, { details: { limit } })
}

/** Says when the next verb holds; nothing where that is always. */
function putValidity(writer: Writer, { valid, expireAt }: Validity): void {
  if (valid === undefined && expireAt === undefined) return
  if (valid && expireAt) throw badArgument('valid says when it ends; leave expireAt away')
  const { from, to = expireAt } = checkedOptions(valid === undefined ? {} : valid, 'from', 'to')
  // A Date has no such fields, and would mean always.
  if (valid && !isPlain(valid)) throw badArgument('valid is { from, to }, each a Date or an ISO string')
  const bounds = [from, to].map((bound) => (bound === undefined ? undefined : instantMicros(bound)))
  const [begin = -Infinity, end = Infinity] = bounds
  if (begin >= end) throw timeError('valid ends before it begins, or when it begins; swap from and to')
  writer.byte(9)
  writer.byte((from === undefined ? 0 : 1) | (to === undefined ? 0 : 2))
  for (const bound of bounds) if (bound !== undefined) writer.signed(bound)
  writer.byte(expireAt === undefined ? 0 : 1)
}

function checkTimeout(timeoutMs: number): void {
  if (typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= TIMEOUT_MAX_MS) return
  throw badArgument(`timeoutMs is a number of milliseconds, greater than 0 and at most ${TIMEOUT_MAX_MS}`)
}

/** A transaction that `graph.begin` opened. */
export class LongTransaction extends SessionTransaction implements OpenTransaction {
  readonly #timer: NodeJS.Timeout
  readonly #cause: Version | undefined

  constructor(session: NativeSession, snapshot: boolean, timeoutMs: number = TIMEOUT_MS, cause?: Version) {
    checkTimeout(timeoutMs)
    causeOf(cause)
    super(session)
    this.snapshotIsolation = snapshot
    this.#cause = cause
    // Reading nothing: the snapshot is taken now, not at the first read.
    this.source()
    this.#timer = setTimeout(() => {
      this.end(() => {
        const message = `the transaction took longer than ${timeoutMs} ms; begin another, or with a longer timeoutMs`
        return new KaryonError('ERR_KARYON_TRANSACTION_TIMEOUT', message, { details: { timeoutMs } })
      })
    }, timeoutMs)
    this.#timer.unref()
  }

  async commit(): Promise<Commit> {
    try {
      const { version, time, durable } = this.submit(this.#cause)
      await durable
      return { version, time }
    } finally {
      clearTimeout(this.#timer)
    }
  }

  rollback(): void {
    clearTimeout(this.#timer)
    this.discard()
  }

  [Symbol.dispose](): void {
    this.rollback()
  }
}
