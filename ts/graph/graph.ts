// The graph: reads of the newest durable version, writes, and the way to the past.
import { setTimeout as delay } from 'node:timers/promises'
import { KaryonError, badArgument } from '../errors.ts'
import { answer } from '../exchange.ts'
import { native } from '../native.ts'
import type { Moment, Version } from '../time.ts'
import { blame, checkSpan, diff, digestAt, history, revert, verify } from './past.ts'
import { BaseReader, NEWEST } from './reader.ts'
import type { Submitted } from './session.ts'
import { LongTransaction, type SessionTransaction, writeTransaction } from './transaction.ts'
import type {
  Blame,
  Change,
  Difference,
  Graph,
  GraphStats,
  OpenTransaction,
  RevertReport,
  Target,
  Transaction,
  VerifyReport,
  View,
  Written,
} from './types.ts'
import { StoreView } from './view.ts'

/** How often `write` runs its function at most, as in crates/model/src/limits.rs. */
const WRITE_ATTEMPTS_MAX = 16
/** Attempts made at once; later ones wait, so that those who clash come apart. */
const ATTEMPTS_AT_ONCE = 4
/** The longest of those waits, before jitter. */
const RETRY_DELAY_MAX_MS = 16

/** The graph of a session. */
export class StoreGraph extends BaseReader implements Graph {
  protected override source(): number {
    this.session.connection.checkOpen()
    return NEWEST
  }

  async write<T>(
    fn: (tx: Transaction) => T,
    options: { readonly cause?: Version } = {},
  ): Promise<Written<T>> {
    if (typeof fn !== 'function') throw badArgument('write takes a function of a transaction')
    for (let attempt = 1; ; attempt++) {
      this.source()
      const transaction = writeTransaction(this.session)
      const value = this.#run(fn, transaction)
      let submitted: Submitted
      try {
        submitted = transaction.submit(options.cause)
      } catch (error) {
        if (!isConflict(error) || attempt >= WRITE_ATTEMPTS_MAX) throw error
        await backOff(attempt)
        continue
      }
      await submitted.durable
      return { value, version: submitted.version, time: submitted.time }
    }
  }

  #run<T>(fn: (tx: Transaction) => T, transaction: SessionTransaction): T {
    const { connection } = this.session
    connection.writing = true
    let value: T
    try {
      value = fn(transaction)
    } catch (error) {
      transaction.discard()
      throw error
    } finally {
      connection.writing = false
    }
    if (isThenable(value)) {
      transaction.discard()
      // What it was going to say is covered by the error below.
      value.then(undefined, () => {})
      throw new KaryonError(
        'ERR_KARYON_WRITE_ASYNC',
        'the function given to write returned a promise; write synchronously, or use graph.begin() across awaits',
      )
    }
    return value
  }

  begin(options: { readonly timeoutMs?: number; readonly cause?: Version } = {}): OpenTransaction {
    this.source()
    return new LongTransaction(this.session, options.timeoutMs, options.cause)
  }

  at(moment: Moment): View {
    return new StoreView(this.session, this.session.connection.resolve(moment))
  }

  snapshot(): View {
    return new StoreView(this.session, this.session.fixed(this.source()))
  }

  settled(moment: Moment): Promise<void> {
    return this.session.connection.settled(moment)
  }

  async ready(what: 'history'): Promise<void> {
    if (what !== 'history') throw badArgument("ready takes 'history'")
    await this.session.connection.historyReady()
  }

  history(
    target: Target,
    options: { readonly property?: string; readonly from?: Moment; readonly to?: Moment } = {},
  ): IterableIterator<Change> {
    const { from = 0n, to, property } = options
    const after = this.#version(from)
    const until = to === undefined ? this.session.fixed(this.source()) : this.#version(to)
    checkSpan(after, until, [from, to ?? BigInt(until)])
    return history(this.session, target, property, after, until)
  }

  diff(from: Moment, to: Moment): IterableIterator<Difference> {
    return diff(this.session, this.#version(from), this.#version(to))
  }

  #version(moment: Moment): number {
    return this.session.connection.resolve(moment)
  }

  blame(target: Target, property?: string): Blame | undefined {
    this.source()
    return blame(this.session, target, property)
  }

  async revert(options: {
    readonly principal: string
    readonly since: Moment
    readonly dryRun?: boolean
  }): Promise<RevertReport> {
    const since = this.#version(options.since)
    return revert(this.session, options.principal, since, options.dryRun ?? false)
  }

  digest(moment?: Moment): string {
    const source = this.source()
    return digestAt(this.session, moment === undefined ? source : this.#version(moment))
  }

  async verify(): Promise<VerifyReport> {
    this.source()
    return verify(this.session)
  }

  stats(): GraphStats {
    this.source()
    const length = this.session.checked(native.storeStats(this.session.connection.handle))
    return answer(length).value() as unknown as GraphStats
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof KaryonError && error.code === 'ERR_KARYON_CONFLICT'
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  )
}

async function backOff(attempt: number): Promise<void> {
  if (attempt < ATTEMPTS_AT_ONCE) return
  const longest = Math.min(2 ** (attempt - ATTEMPTS_AT_ONCE), RETRY_DELAY_MAX_MS)
  await delay(Math.random() * longest)
}
