// Every error that Karyon throws on purpose: one class, a stable code, a message that says what to do, and the facts.
import { native } from './native.ts'

/**
 * The stable codes. Their meaning never changes; messages may.
 *
 * | code | meaning |
 * |---|---|
 * | `ERR_KARYON_ARGUMENT` | an argument has the wrong type or shape |
 * | `ERR_KARYON_CLOSED` | used after it was closed |
 * | `ERR_KARYON_PANIC` | a defect in Karyon was caught; close and open again |
 * | `ERR_KARYON_IO` | the operating system refused a file operation |
 * | `ERR_KARYON_NOT_A_DIRECTORY` | the path is a file |
 * | `ERR_KARYON_NOT_A_STORE` | the directory holds something else |
 * | `ERR_KARYON_NOT_EMPTY` | the directory for a copy of a store is not empty |
 * | `ERR_KARYON_OWNED` | another process has the store open, or writes in the folder of packages (`details.pid`) |
 * | `ERR_KARYON_FORMAT_NEWER` | written by a newer Karyon |
 * | `ERR_KARYON_DAMAGED` | acknowledged bytes do not match their checksum or hash |
 * | `ERR_KARYON_HORIZON` | a version is asked for that is not kept any more |
 * | `ERR_KARYON_SEGMENT_MISSING` | a segment of the log is missing |
 * | `ERR_KARYON_SYNC_FAILED` | a write or sync failed; writes are refused until reopened |
 * | `ERR_KARYON_BUSY` | the commit queue is full |
 * | `ERR_KARYON_INTEGER_RANGE` | an integral number beyond 2^53 − 1, or a bigint beyond 64 bits |
 * | `ERR_KARYON_STRING_MALFORMED` | a string holds a lone surrogate |
 * | `ERR_KARYON_VALUE_CYCLE` | a value contains itself |
 * | `ERR_KARYON_VALUE_DEPTH` | a value is nested too deeply |
 * | `ERR_KARYON_VALUE_SIZE` | a value is too large |
 * | `ERR_KARYON_VALUE_TYPE` | a value's type cannot be stored, or not with this verb |
 * | `ERR_KARYON_NAME_RESERVED` | the name `__proto__` |
 * | `ERR_KARYON_KEY_SIZE` | a key or name is too long, or empty |
 * | `ERR_KARYON_PROPERTY_COUNT` | too many properties or labels |
 * | `ERR_KARYON_TRANSACTION_SIZE` | a transaction has too many verbs, reads or bytes |
 * | `ERR_KARYON_MEMORY` | the present would take more memory than `memoryBytes` |
 * | `ERR_KARYON_CONFLICT` | another transaction committed first; run it again |
 * | `ERR_KARYON_WRITE_ASYNC` | the function given to `write` returned a promise |
 * | `ERR_KARYON_WRITE_OUTSIDE` | `graph` was used inside the function given to `write` |
 * | `ERR_KARYON_TRANSACTION_DONE` | the transaction, or the turn that it belongs to, has ended |
 * | `ERR_KARYON_TRANSACTION_TIMEOUT` | the transaction's time limit has passed |
 * | `ERR_KARYON_NODE_MISSING` | the node does not exist |
 * | `ERR_KARYON_EDGE_MISSING` | the edge does not exist |
 * | `ERR_KARYON_HAS_EDGES` | the node still has edges |
 * | `ERR_KARYON_UNIQUE` | another node holds the value that may be there only once |
 * | `ERR_KARYON_REQUIRED` | a node would lack a property that its label requires |
 * | `ERR_KARYON_LAYER` | there is no such fork, or none can be made |
 * | `ERR_KARYON_SPLICE_RANGE` | a splice lies outside of its value |
 * | `ERR_KARYON_SNAPSHOT_COUNT` | too many snapshots and transactions are open |
 * | `ERR_KARYON_TIME` | a bare number, an unreadable time, an unknown version |
 * | `ERR_KARYON_UNSETTLED` | the moment is not settled yet |
 * | `ERR_KARYON_HISTORY_BUILDING` | the index of the past is being rebuilt |
 * | `ERR_KARYON_ACCESS` | the principal has no grant for this |
 * | `ERR_KARYON_CELL_DEAD` | the cell, or this incarnation of it, is dead; `cause` is what it failed with, if it did |
 * | `ERR_KARYON_CELL_FAILED` | the handler threw; `cause` holds what |
 * | `ERR_KARYON_CELL_NAME` | the name is taken by a living sibling |
 * | `ERR_KARYON_CELL_COUNT` | too many cells are alive |
 * | `ERR_KARYON_MAILBOX_FULL` | the mailbox is full |
 * | `ERR_KARYON_MESSAGE_UNKNOWN` | the cell has no such message |
 * | `ERR_KARYON_NOT_SENDABLE` | the payload could not leave its isolate |
 * | `ERR_KARYON_ASK_TIMEOUT` | no answer in time |
 * | `ERR_KARYON_ASK_ABORTED` | the signal of an ask, or of a delivery, was aborted |
 * | `ERR_KARYON_ASK_CYCLE` | the asked cell waits for the asker |
 * | `ERR_KARYON_TURN_TIMEOUT` | the turn took longer than `turnTimeoutMs` |
 * | `ERR_KARYON_TURN_CPU` | the turn used more CPU time than `turnCpuMs`, and was stopped in place |
 * | `ERR_KARYON_INVARIANT` | the state breaks the cell's invariant |
 * | `ERR_KARYON_RESTART_INTENSITY` | a supervisor gave up |
 * | `ERR_KARYON_TIMER_COUNT` | too many timers are armed |
 * | `ERR_KARYON_FOREIGN_AWAIT` | a turn of a simulation waits for something outside of it |
 * | `ERR_KARYON_CONSUMED` | the durable cell has consumed the message of this number before |
 * | `ERR_KARYON_PACKAGE` | the file is no engram, or what it says contradicts itself; or a file beside kept ones is damaged |
 * | `ERR_KARYON_PACKAGE_ROOT` | bytes of an engram are not those that its root stands for |
 * | `ERR_KARYON_PACKAGE_LIMIT` | an engram is beyond a limit (`details.limit`) |
 * | `ERR_KARYON_SIGNATURE` | nobody who is trusted has signed the engram, or a signature is wrong |
 * | `ERR_KARYON_GRAFT` | there is no such graft, or none can be made: it clashes, or is of an older version |
 * | `ERR_KARYON_GRAFT_CONFLICT` | a graft, or a promotion, has a conflict whose policy is `'reject'` (`details.conflicts`) |
 */
export type KaryonErrorCode =
  | 'ERR_KARYON_ARGUMENT'
  | 'ERR_KARYON_CLOSED'
  | 'ERR_KARYON_PANIC'
  | 'ERR_KARYON_IO'
  | 'ERR_KARYON_NOT_A_DIRECTORY'
  | 'ERR_KARYON_NOT_A_STORE'
  | 'ERR_KARYON_NOT_EMPTY'
  | 'ERR_KARYON_OWNED'
  | 'ERR_KARYON_FORMAT_NEWER'
  | 'ERR_KARYON_DAMAGED'
  | 'ERR_KARYON_HORIZON'
  | 'ERR_KARYON_SEGMENT_MISSING'
  | 'ERR_KARYON_SYNC_FAILED'
  | 'ERR_KARYON_BUSY'
  | 'ERR_KARYON_INTEGER_RANGE'
  | 'ERR_KARYON_STRING_MALFORMED'
  | 'ERR_KARYON_VALUE_CYCLE'
  | 'ERR_KARYON_VALUE_DEPTH'
  | 'ERR_KARYON_VALUE_SIZE'
  | 'ERR_KARYON_VALUE_TYPE'
  | 'ERR_KARYON_NAME_RESERVED'
  | 'ERR_KARYON_KEY_SIZE'
  | 'ERR_KARYON_PROPERTY_COUNT'
  | 'ERR_KARYON_TRANSACTION_SIZE'
  | 'ERR_KARYON_MEMORY'
  | 'ERR_KARYON_CONFLICT'
  | 'ERR_KARYON_WRITE_ASYNC'
  | 'ERR_KARYON_WRITE_OUTSIDE'
  | 'ERR_KARYON_TRANSACTION_DONE'
  | 'ERR_KARYON_TRANSACTION_TIMEOUT'
  | 'ERR_KARYON_NODE_MISSING'
  | 'ERR_KARYON_EDGE_MISSING'
  | 'ERR_KARYON_HAS_EDGES'
  | 'ERR_KARYON_UNIQUE'
  | 'ERR_KARYON_REQUIRED'
  | 'ERR_KARYON_LAYER'
  | 'ERR_KARYON_SPLICE_RANGE'
  | 'ERR_KARYON_SNAPSHOT_COUNT'
  | 'ERR_KARYON_TIME'
  | 'ERR_KARYON_UNSETTLED'
  | 'ERR_KARYON_HISTORY_BUILDING'
  | 'ERR_KARYON_ACCESS'
  | 'ERR_KARYON_CELL_DEAD'
  | 'ERR_KARYON_CELL_FAILED'
  | 'ERR_KARYON_CELL_NAME'
  | 'ERR_KARYON_CELL_COUNT'
  | 'ERR_KARYON_MAILBOX_FULL'
  | 'ERR_KARYON_MESSAGE_UNKNOWN'
  | 'ERR_KARYON_NOT_SENDABLE'
  | 'ERR_KARYON_ASK_TIMEOUT'
  | 'ERR_KARYON_ASK_ABORTED'
  | 'ERR_KARYON_ASK_CYCLE'
  | 'ERR_KARYON_TURN_TIMEOUT'
  | 'ERR_KARYON_TURN_CPU'
  | 'ERR_KARYON_INVARIANT'
  | 'ERR_KARYON_RESTART_INTENSITY'
  | 'ERR_KARYON_TIMER_COUNT'
  | 'ERR_KARYON_FOREIGN_AWAIT'
  | 'ERR_KARYON_CONSUMED'
  | 'ERR_KARYON_PACKAGE'
  | 'ERR_KARYON_PACKAGE_ROOT'
  | 'ERR_KARYON_PACKAGE_LIMIT'
  | 'ERR_KARYON_SIGNATURE'
  | 'ERR_KARYON_GRAFT'
  | 'ERR_KARYON_GRAFT_CONFLICT'

/** Facts about an error, for programs. Limits, counts, versions and process ids are numbers. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/**
 * What Karyon throws.
 *
 * @example
 * try { await graph.write((tx) => tx.link('a', 'KNOWS', 'b')) }
 * catch (error) { if (error instanceof KaryonError && error.code === 'ERR_KARYON_NODE_MISSING') … }
 */
export class KaryonError extends Error {
  /** The stable code. */
  readonly code: KaryonErrorCode
  /** Facts for programs: the limit that was hit, the file, the principal. */
  readonly details: ErrorDetails

  constructor(
    code: KaryonErrorCode,
    message: string,
    options: { readonly details?: ErrorDetails; readonly cause?: unknown } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.details = options.details ?? {}
  }

  static {
    this.prototype.name = 'KaryonError'
  }
}

/** What the native function that just answered with a negative number has to say. */
export function takeFailure(): KaryonError {
  const failure = native.takeFailure()
  if (!failure) {
    return new KaryonError('ERR_KARYON_PANIC', 'a native call failed and left no reason, a defect in Karyon')
  }
  const [code, message, ...facts] = failure
  const details: Record<string, unknown> = {}
  for (let at = 0; at < facts.length; at += 2) details[facts[at] as string] = facts[at + 1]
  // The binding's codes are those of the union: a test compares the two lists.
  return new KaryonError(code as KaryonErrorCode, message as string, { details })
}

/** Passes an answer on, or throws what went wrong. */
export function checked(answer: number): number {
  if (answer < 0) throw takeFailure()
  return answer
}

/** An argument of the wrong type or shape. */
export function badArgument(message: string, details: ErrorDetails = {}): KaryonError {
  return new KaryonError('ERR_KARYON_ARGUMENT', message, { details })
}
