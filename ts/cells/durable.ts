// Durable cells: the state of a cell, and which numbered messages it has consumed, kept in the graph with its turns' commits.
import { badArgument } from '../errors.ts'
import type { TurnTransaction } from '../graph/session.ts'
import { encodeValue } from '../values/encode.ts'
import type { Value } from '../values/types.ts'
import { Writer, isWellFormed } from '../values/writer.ts'
import type { Incarnation } from './cell.ts'
import { failure } from './failures.ts'
import type { Turn } from './turn.ts'

/** Sources of numbered messages that one durable cell may have. */
const SOURCES_MAX = 1_000

/**
 * Names a message of a source that may send it again. A durable cell consumes the numbers of each source in ascending order, and none of
 * them twice, whatever crashes in between: give each source one sender at a time.
 */
export interface Once {
  /** Who counts: the name of a queue, a file, a peer; one of at most 1,000. */
  readonly source: string
  /** A safe integer, greater than those before. */
  readonly number: number
}

/** What a durable cell left behind. */
interface Saved {
  readonly state?: Value
  /** How often it was saved: one more with each time. */
  readonly saves?: number
  readonly consumed?: Readonly<Record<string, number>>
}

/** Where a durable cell keeps what is its own: the key of its node, and the one label of that, which nobody else is granted. */
export function durableName(path: string): string {
  return `cell:${path}`
}

/** What one incarnation of a durable cell has committed. */
export class Durable {
  /** Its state, encoded; a turn that leaves it as it was writes nothing. */
  #bytes: Buffer
  /** Not the prototype's: a source may have any name. */
  #consumed: Readonly<Record<string, number>>
  #saves: number

  private constructor(bytes: Buffer, consumed: Readonly<Record<string, number>>, saves: number) {
    this.#bytes = bytes
    this.#consumed = consumed
    this.#saves = saves
  }

  /** What the last incarnation committed, as the newest commit shows it. */
  static load(
    { cell }: Incarnation,
    begin: () => TurnTransaction,
  ): { durable: Durable; saved: Value | undefined } {
    const transaction = begin()
    try {
      const { state, consumed = {}, saves = 0 } = savedIn(transaction, cell.path)
      return { durable: new Durable(encoded(state), consumed, saves), saved: state }
    } finally {
      transaction.discard()
    }
  }

  /** The newest number of a source that was consumed. */
  consumed(source: string): number | undefined {
    return Object.hasOwn(this.#consumed, source) ? this.#consumed[source] : undefined
  }

  /** Whether a message of this number was consumed before. */
  has({ source, number }: Once): boolean {
    return number <= (this.consumed(source) ?? Number.NEGATIVE_INFINITY)
  }

  /**
   * Adds to a turn's transaction what the turn leaves behind; what to do once that is committed. Where somebody else has saved meanwhile
   * (another opening of the store has a cell there too) or what was saved was taken back, the turn rests on what is no more: that is a conflict.
   */
  save(turn: Turn, once: Once | undefined): () => void {
    const { incarnation } = turn
    const { path } = incarnation.cell
    const bytes = encoded(incarnation.state)
    const changed = !bytes.equals(this.#bytes)
    if (!changed && once === undefined) return () => {}
    const consumed = once === undefined ? this.#consumed : { ...this.#consumed, [once.source]: once.number }
    if (Object.keys(consumed).length > SOURCES_MAX) {
      const message = `${path} has consumed messages of ${SOURCES_MAX} sources, which is the most; give its sources fewer names`
      throw failure('ERR_KARYON_ARGUMENT', message, { path, limit: SOURCES_MAX })
    }
    const saves = this.#saves + 1
    if ((savedIn(turn.tx, path).saves ?? 0) !== this.#saves) {
      const message = `what ${path} has saved was changed by another one, or reverted; it begins anew with what there is`
      throw failure('ERR_KARYON_CONFLICT', message, { path })
    }
    turn.tx.patch(durableName(path), {
      labels: [durableName(path)],
      props: {
        saves,
        ...(changed && { state: incarnation.state as Value | undefined }),
        ...(once !== undefined && { consumed }),
      },
    })
    return () => {
      this.#bytes = bytes
      this.#consumed = consumed
      this.#saves = saves
    }
  }
}

function savedIn(transaction: TurnTransaction, path: string): Saved {
  return (transaction.get(durableName(path))?.props ?? {}) as Saved
}

function encoded(state: unknown): Buffer {
  const writer = new Writer()
  if (state !== undefined) encodeValue(writer, state, 'the state of a durable cell')
  return writer.bytes.subarray(0, writer.length)
}

/** Reads what names a numbered message. */
export function checkedOnce(once: Once): Once {
  const { source, number } = Object(once) as Once
  const isSource = typeof source === 'string' && source !== '' && source !== '__proto__'
  if (isSource && isWellFormed(source) && Number.isSafeInteger(number)) return { source, number }
  throw badArgument(
    'once is { source, number }: well-formed text, and a safe integer that grows with each message of the source',
  )
}
