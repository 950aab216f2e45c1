import { channel } from 'node:diagnostics_channel'
import { type KaryonError, badArgument } from './errors.ts'
import { checkedOptions } from './graph/arguments.ts'
import { shielded } from './shield.ts'

/** Why an incarnation of a cell ended. */
export type DeathReason =
  | 'error'
  | 'invariant'
  | 'timeout'
  | 'cpu'
  | 'conflict'
  | 'init'
  | 'ended'
  | 'supervisor'
  | 'stopped'
  | 'gave-up'
  | 'lease'
  | 'budget'
  | 'linked'
  | 'collateral'

/** Why a cell is gone for good: `ended` is its own doing, `stopped` somebody else's. */
export type DownReason = 'ended' | 'stopped' | 'failed' | 'gave-up' | 'supervisor-gave-up'

/** Why a message did not reach its turn's end; `stopped`: its cell was gone, or the incarnation that sent it was dead by then. */
export type DeadLetterReason = 'stopped' | 'lost-in-turn' | 'dropped'

/** Everything that a kernel reports. The set is closed: a `switch` over `type` can be exhaustive. */
export type KernelEvent =
  | { readonly type: 'cell.started'; readonly path: string; readonly incarnation: number }
  | {
      readonly type: 'cell.restarted'
      readonly path: string
      /** The new one. */
      readonly incarnation: number
      /** Why the one before it ended. */
      readonly reason: DeathReason
      readonly error?: unknown
    }
  | {
      readonly type: 'cell.stopped'
      readonly path: string
      readonly reason: DownReason
      readonly error?: unknown
    }
  | { readonly type: 'cell.gave-up'; readonly path: string; readonly error?: unknown }
  | {
      /** Its lease was not renewed, or its budget is nearly used up. Next it is quiescent: no turn begins any more. Then it dies. */
      readonly type: 'cell.warned'
      readonly path: string
      readonly incarnation: number
      readonly reason: 'lease' | 'budget'
      readonly quiescent: boolean
    }
  | {
      /** Its children start again. */
      readonly type: 'supervisor.restarted'
      readonly path: string
      readonly incarnation: number
      readonly reason: DeathReason
    }
  | {
      readonly type: 'supervisor.gave-up'
      readonly path: string
      /** The child that failed once too often. */
      readonly child?: string
      /** That its children failed too often, with the last failure as `cause`; or why it could not start them again. */
      readonly error: unknown
    }
  | {
      readonly type: 'message.refused'
      readonly path: string
      readonly message: string
      /** `not-sendable`: it was published, and cannot leave its isolate. */
      readonly reason: 'full' | 'withdrawn' | 'cycle' | 'not-sendable'
      readonly trace?: string
    }
  | {
      readonly type: 'message.dead-letter'
      readonly path: string
      readonly message: string
      readonly reason: DeadLetterReason
      readonly trace?: string
    }
  | {
      readonly type: 'message.conflict'
      readonly path: string
      readonly message: string
      readonly trace?: string
    }
  | {
      readonly type: 'turn.late-settlement'
      readonly path: string
      readonly incarnation: number
      readonly error?: unknown
    }
  | {
      /** A turn went past its `turnCpuMs`. Told when the event loop turns again; while it does not, on stderr. */
      readonly type: 'cell.stalled'
      readonly path: string
      /** The CPU time that it had used when that was found, in milliseconds. */
      readonly cpuMs: number
    }
  | {
      /**
       * Something else than a turn kept the event loop busy, for a second of CPU time or more: a continuation after an `await`, other code of the
       * program. In a worker that is replaced for it: see `worker.lost`.
       */
      readonly type: 'isolate.stalled'
      readonly cpuMs: number
    }
  | {
      /** A turn was stopped inside of an async scope, which stays open: the kernel closes, or the worker is replaced. */
      readonly type: 'isolate.tainted'
      /** Of its cell. */
      readonly path: string
    }
  | {
      readonly type: 'access.refused'
      readonly principal: string
      readonly action: 'read' | 'write'
      readonly name: string
    }
  | {
      /** Cells of `isolation: 'thread'` run in it from here on. */
      readonly type: 'worker.started'
      readonly worker: number
    }
  | {
      /**
       * Its cells begin anew in another one: the one whose code ran, if that is known, with this error, the others with reason `collateral`. Known is
       * whose turn, `init` or module it was; of what runs after an `await`, if only one cell there was waiting.
       */
      readonly type: 'worker.lost'
      readonly worker: number
      /** It exited, by an error that nobody caught or by itself; or it was given up. */
      readonly reason: 'exit' | 'error' | 'replaced'
      /** The cell whose code ran. */
      readonly path?: string
      readonly error: KaryonError
    }
  | { readonly type: 'store.failed'; readonly error: KaryonError }
  | { readonly type: 'events.lagged'; /** Events that this reader lost. */ readonly count: number }

/** What a session's refusal is told as. */
export function accessRefused({ details }: KaryonError): KernelEvent {
  const { principal, action, name } = details
  return {
    type: 'access.refused',
    principal: String(principal),
    action: action === 'write' ? 'write' : 'read',
    name: String(name),
  }
}

/** Events that a reader may have waiting unless it says otherwise. */
export const EVENTS_BUFFERED_DEFAULT = 1_024
/** Events that a reader may have waiting at most. */
export const EVENTS_BUFFERED_MAX = 1_000_000

/**
 * One reader's events: at most `buffer` wait. A reader that lags loses the oldest and finds one `events.lagged` with
 * their number in their place. Ends with the kernel, or by `return()`. Waiting for an event keeps no program alive.
 */
export class EventStream implements AsyncIterableIterator<KernelEvent>, AsyncDisposable {
  readonly #limit: number
  readonly #release: (stream: EventStream) => void
  #waiting: KernelEvent[] = []
  #first = 0
  #lost = 0
  #readers: ((result: IteratorResult<KernelEvent, undefined>) => void)[] = []
  #ended = false

  constructor(buffer: number, release: (stream: EventStream) => void) {
    this.#limit = buffer
    this.#release = release
  }

  push(event: KernelEvent): void {
    if (this.#ended) return
    const reader = this.#readers.shift()
    if (reader !== undefined) {
      reader({ done: false, value: event })
      return
    }
    if (this.#waiting.length - this.#first >= this.#limit) {
      this.#first++
      this.#lost++
      if (this.#first > this.#limit) {
        this.#waiting = this.#waiting.slice(this.#first)
        this.#first = 0
      }
    }
    this.#waiting.push(event)
  }

  /** No event follows; those that wait can still be read. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const reader of this.#readers.splice(0)) reader({ done: true, value: undefined })
  }

  next(): Promise<IteratorResult<KernelEvent, undefined>> {
    if (this.#lost > 0) {
      const count = this.#lost
      this.#lost = 0
      return Promise.resolve({ done: false, value: { type: 'events.lagged', count } })
    }
    const value = this.#waiting[this.#first]
    if (value !== undefined) {
      this.#first++
      if (this.#first === this.#waiting.length) {
        this.#waiting = []
        this.#first = 0
      }
      return Promise.resolve({ done: false, value })
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.#readers.push(resolve))
  }

  return(): Promise<IteratorResult<KernelEvent, undefined>> {
    this.#waiting = []
    this.#first = 0
    this.#lost = 0
    this.end()
    this.#release(this)
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }
}

/** Where every event of every kernel goes too: the channel `karyon` of `node:diagnostics_channel`. */
const diagnostics = channel('karyon')

/** Where events go: to every stream that is open, and to whoever listens to the channel. Costs nothing while nobody does. */
export class EventHub {
  readonly #streams = new Set<EventStream>()
  #ended = false

  /** Hands an event to every reader. */
  readonly emit = (event: KernelEvent): void => {
    if (this.#streams.size > 0) {
      shielded(() => {
        for (const stream of this.#streams) stream.push(event)
      })
    }
    if (diagnostics.hasSubscribers) diagnostics.publish(event)
  }

  /** Hands an event to somebody else first. */
  andTo(first: (event: KernelEvent) => void): (event: KernelEvent) => void {
    return (event) => {
      first(event)
      this.emit(event)
    }
  }

  /** A new reader, from here on. */
  open(options: { readonly buffer?: number } = {}): EventStream {
    const { buffer = EVENTS_BUFFERED_DEFAULT } = checkedOptions(options, 'buffer')
    if (!Number.isSafeInteger(buffer) || buffer < 1 || buffer > EVENTS_BUFFERED_MAX) {
      throw badArgument(`buffer is a whole number of events, 1 to ${EVENTS_BUFFERED_MAX}, not ${buffer}`)
    }
    const stream = new EventStream(buffer, (ended) => this.#streams.delete(ended))
    if (this.#ended) stream.end()
    else this.#streams.add(stream)
    return stream
  }

  /** Ends every stream once its reader has caught up. */
  end(): void {
    this.#ended = true
    for (const stream of this.#streams) stream.end()
    this.#streams.clear()
  }
}
