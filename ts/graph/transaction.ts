// Transactions: verbs are encoded as they are asked for, and cross in one batch, at the latest when something is read.
import { KaryonError, badArgument } from '../errors.ts'
import { answer, putWritten } from '../exchange.ts'
import { native } from '../native.ts'
import { Instant, type Version } from '../time.ts'
import { checkName, encodeValue } from '../values/encode.ts'
import type { PropertyChanges, Value } from '../values/types.ts'
import { Writer } from '../values/writer.ts'
import { BaseReader, checkKey, putEdge, putTarget } from './reader.ts'
import type { NativeSession, Submitted, TurnTransaction } from './session.ts'
import type { Commit, OpenTransaction, Target, Transaction } from './types.ts'

/** How long a transaction that `begin` opened may take, unless it says otherwise. */
const TIMEOUT_MS = 30_000

const NONE = -1

/** A transaction of a session, committed by whoever owns it. */
export class SessionTransaction extends BaseReader implements TurnTransaction {
  /** Verbs that have not crossed yet. */
  readonly #verbs = new Writer()
  /** The native transaction; `NONE` while nothing was read and nothing has to be pinned. */
  #handle = NONE
  #dirty = false
  #ended: (() => KaryonError) | undefined

  /** A transaction whose snapshot is taken now. */
  static open(session: NativeSession): SessionTransaction {
    const transaction = new SessionTransaction(session)
    transaction.#begin()
    return transaction
  }

  get dirty(): boolean {
    return this.#dirty
  }

  #begin(): void {
    this.#handle = this.session.checked(native.beginTransaction(this.session.handle))
  }

  /** Ends it: whoever still uses it gets this error. */
  end(reason: () => KaryonError): void {
    if (this.#ended) return
    this.#ended = reason
    if (this.#handle !== NONE) native.dropTransaction(this.#handle)
    this.#handle = NONE
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

  #check(): void {
    if (this.#ended) throw this.#ended()
    if (this.session.connection.closed) throw new KaryonError('ERR_KARYON_CLOSED', 'the kernel is closed')
  }

  #flush(): void {
    if (this.#verbs.length === 0) return
    const length = putWritten(this.#verbs)
    this.#verbs.length = 0
    this.session.checked(native.pushVerbs(this.#handle, length))
  }

  submit(cause?: Version): Submitted {
    this.#check()
    const { session } = this
    const { connection } = session
    const reason = cause === undefined ? NONE : Number(cause)
    let length: number
    if (this.#handle === NONE) {
      if (!this.#dirty) return visibleNow(session)
      length = native.commitVerbs(session.handle, putWritten(this.#verbs), reason)
    } else {
      try {
        this.#flush()
      } catch (error) {
        this.discard()
        throw error
      }
      length = native.commitTransaction(this.#handle, reason)
      this.#handle = NONE
    }
    this.#ended = doneError
    const bytes = answer(session.checked(length))
    const version = bytes.varint()
    const time = Instant.fromMicros(bytes.signedBig())
    return { version: BigInt(version), time, durable: connection.visibleAt(version) }
  }

  /** Encodes one verb; nothing of it is kept when it throws. */
  #verb(encode: (writer: Writer) => void): void {
    this.#check()
    const start = this.#verbs.length
    try {
      encode(this.#verbs)
    } catch (error) {
      this.#verbs.length = start
      throw error
    }
    this.#dirty = true
  }

  put(
    key: string,
    node: { readonly labels?: readonly string[]; readonly props?: PropertyChanges } = {},
  ): void {
    this.#verb((writer) => {
      writer.byte(1)
      checkKey(key)
      writer.text(key)
      putLabels(writer, node.labels)
      const entries = Object.entries(checkedProps(node.props)).filter((entry) => entry[1] !== undefined)
      writer.varint(entries.length)
      for (const [name, value] of entries) {
        checkName(name)
        writer.text(name)
        encodeValue(writer, value, name)
      }
    })
  }

  patch(
    target: Target,
    changes: {
      readonly labels?: readonly string[]
      readonly dropLabels?: readonly string[]
      readonly props?: PropertyChanges
    },
  ): void {
    this.#verb((writer) => {
      writer.byte(2)
      putTarget(writer, target)
      putLabels(writer, changes.labels)
      putLabels(writer, changes.dropLabels)
      putChanges(writer, changes.props)
    })
  }

  remove(key: string, options: { readonly detach?: boolean } = {}): void {
    this.#verb((writer) => {
      writer.byte(3)
      checkKey(key)
      writer.text(key)
      writer.byte(options.detach ? 1 : 0)
    })
  }

  link(
    from: string,
    type: string,
    to: string,
    options: { readonly key?: string; readonly props?: PropertyChanges } = {},
  ): void {
    this.#verb((writer) => {
      writer.byte(4)
      putEdge(writer, { from, type, to, key: options.key ?? '' })
      putChanges(writer, options.props)
    })
  }

  unlink(from: string, type: string, to: string, options: { readonly key?: string } = {}): void {
    this.#verb((writer) => {
      writer.byte(5)
      putEdge(writer, { from, type, to, key: options.key ?? '' })
    })
  }

  increment(target: Target, property: string, by: number | bigint = 1): void {
    this.#verb((writer) => {
      writer.byte(6)
      putTarget(writer, target)
      putName(writer, property)
      encodeValue(writer, by, 'by')
    })
  }

  append(target: Target, property: string, more: string | Uint8Array | readonly Value[]): void {
    this.#verb((writer) => {
      writer.byte(8)
      putTarget(writer, target)
      putName(writer, property)
      encodeValue(writer, more, property)
    })
  }

  splice(
    target: Target,
    property: string,
    start: number,
    deleteCount: number,
    insert: string | Uint8Array | readonly Value[],
  ): void {
    if (!isCount(start) || !isCount(deleteCount)) {
      throw badArgument('start and deleteCount are whole numbers from 0 on')
    }
    this.#verb((writer) => {
      writer.byte(7)
      putTarget(writer, target)
      putName(writer, property)
      writer.varint(start)
      writer.varint(deleteCount)
      encodeValue(writer, insert, property)
    })
  }
}

function visibleNow(session: NativeSession): Submitted {
  const { visible } = session.connection
  const time = session.connection.timeOf(visible)
  return { version: BigInt(visible), time, durable: Promise.resolve() }
}

function doneError(): KaryonError {
  return new KaryonError('ERR_KARYON_TRANSACTION_DONE', 'the transaction has ended; begin another')
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function putName(writer: Writer, name: string): void {
  if (typeof name !== 'string') throw badArgument(`a property’s name is a string, not ${typeof name}`)
  checkName(name)
  writer.text(name)
}

function putLabels(writer: Writer, labels: readonly string[] = []): void {
  if (!Array.isArray(labels)) throw badArgument('labels are an array of strings')
  writer.varint(labels.length)
  for (const label of labels as readonly string[]) putName(writer, label)
}

function checkedProps(props: PropertyChanges = {}): PropertyChanges {
  if (typeof props !== 'object' || props === null || Array.isArray(props)) {
    throw badArgument('props are an object of values by name')
  }
  return props
}

function putChanges(writer: Writer, props: PropertyChanges | undefined): void {
  const entries = Object.entries(checkedProps(props))
  writer.varint(entries.length)
  for (const [name, value] of entries) {
    putName(writer, name)
    writer.byte(value === undefined ? 0 : 1)
    if (value !== undefined) encodeValue(writer, value, name)
  }
}

/** A transaction that `graph.begin` opened. */
export class LongTransaction extends SessionTransaction implements OpenTransaction {
  readonly #timer: NodeJS.Timeout
  readonly #cause: Version | undefined

  constructor(session: NativeSession, timeoutMs: number = TIMEOUT_MS, cause?: Version) {
    super(session)
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

/** A transaction for `write`: closed to its function once that has returned. */
export function writeTransaction(session: NativeSession): SessionTransaction & Transaction {
  return new SessionTransaction(session)
}
