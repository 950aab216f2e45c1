// The change feed: every change of the graph in the order of the log, and then those to come.
import { KaryonError, badArgument } from '../errors.ts'
import { checkedOptions } from './arguments.ts'
import { Ask } from './ask.ts'
import { feedChange } from './reports.ts'
import type { NativeSession } from './session.ts'
import type { FeedChange, FeedOptions } from './types.ts'

type Result = IteratorResult<FeedChange, undefined>

const DONE: Result = { done: true, value: undefined }

/**
 * It fetches a page when it is asked for one and has none left: what nobody asks for stays in the log, so it holds a page and no more,
 * however slow its reader is.
 */
export class Feed implements AsyncIterableIterator<FeedChange, undefined> {
  readonly #session: NativeSession
  readonly #signal: AbortSignal | undefined
  /** The changes up to this version are through, and of the next one those before a place. */
  #after: number
  #place: number
  #page: readonly FeedChange[] = []
  #at = 0
  /** Ends who waits for news. */
  #wake: (() => void) | undefined
  #ended = false
  /** What was asked for last: one after the other is answered. */
  #asked: Promise<unknown> = Promise.resolve()

  /** From a version (exclusive), or after a change. */
  constructor(session: NativeSession, options: FeedOptions, version: number) {
    const { from, signal, after } = checkedOptions(options, 'from', 'after', 'signal')
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw badArgument('signal is an AbortSignal')
    if (from !== undefined && after !== undefined)
      throw badArgument('a feed begins from a moment or after a change')
    this.#session = session
    this.#signal = signal
    this.#after = version
    this.#place = 0
    if (after !== undefined) {
      const settled = typeof after?.version === 'bigint' && after.version > 0n && after.version <= version
      if (!settled || !Number.isSafeInteger(after.place) || after.place < 0) {
        throw badArgument('after is a change that a feed has given, or its version and place')
      }
      this.#after = Number(after.version) - 1
      this.#place = after.place + 1
    }
    signal?.addEventListener('abort', this.#end, { once: true })
    if (signal?.aborted) this.#end()
  }

  readonly #end = (): void => {
    this.#ended = true
    this.#signal?.removeEventListener('abort', this.#end)
    this.#wake?.()
  }

  next(): Promise<Result> {
    const next = this.#asked.then(() => this.#next())
    this.#asked = next.catch(() => {})
    return next
  }

  async #next(): Promise<Result> {
    while (!this.#ended) {
      const value = this.#page[this.#at++]
      if (value) return { done: false, value }
      try {
        this.#session.connection.checkOutside()
        if (!this.#fetch()) await this.#news()
      } catch (error) {
        this.#end()
        if (error instanceof KaryonError && error.code === 'ERR_KARYON_CLOSED') break
        throw error
      }
    }
    return DONE
  }

  /** Fetches the next page. False when everything that is visible is through. */
  #fetch(): boolean {
    const session = this.#session
    session.checkAlive()
    const { visible } = session.connection
    if (this.#after >= visible) return false
    const bytes = session.ask(Ask.changes, this.#after, this.#place, visible)
    this.#page = bytes.several(() => feedChange(session, bytes))
    const more = bytes.flag()
    this.#after = more ? bytes.varint() : visible
    this.#place = more ? bytes.varint() : 0
    this.#at = 0
    return true
  }

  /** Resolves when there is news, or when it is to end. */
  #news(): Promise<void> {
    return new Promise((resolve) => {
      const release = this.#session.connection.watch(resolve)
      this.#wake = () => {
        release()
        resolve()
      }
    })
  }

  return(): Promise<Result> {
    this.#end()
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end()
  }
}
