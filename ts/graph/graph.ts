// The graph: reads of the newest durable version, writes, and the way to the past.
import { setTimeout as delay } from 'node:timers/promises'
import { KaryonError, badArgument } from '../errors.ts'
import { answer } from '../exchange.ts'
import { native } from '../native.ts'
import type { Moment, Version } from '../time.ts'
import { checkedOptions, checkedPath } from './arguments.ts'
import { copied } from './copies.ts'
import { blame, checkSpan, diff, digestAt, history, questionOf, revert, verify } from './past.ts'
import { BaseReader, NEWEST } from './reader.ts'
import type { Submitted } from './session.ts'
import { LongTransaction, SessionTransaction } from './transaction.ts'
import type {
  Blame,
  Change,
  Copied,
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

type RevertOptions = Parameters<Graph['revert']>[0]

/** The graph of a session. */
export class StoreGraph extends BaseReader implements Graph {
  protected override source(): number {
    this.session.connection.checkOpen()
    return NEWEST
  }

  /** Starts what answers with a promise; inside the function given to `write` it throws at once. */
  #outside<T>(act: () => Promise<T>): Promise<T> {
    this.session.connection.checkOutside()
    return act()
  }

  write<T>(fn: (tx: Transaction) => T, options: { readonly cause?: Version } = {}): Promise<Written<T>> {
    return this.#outside(() => this.#write(fn, options))
  }

  async #write<T>(fn: (tx: Transaction) => T, options: { readonly cause?: Version }): Promise<Written<T>> {
    if (typeof fn !== 'function') throw badArgument('write takes a function of a transaction')
    const { cause } = checkedOptions(options, 'cause')
    for (let attempt = 1; ; attempt++) {
      this.source()
      const transaction = new SessionTransaction(this.session)
      const value = this.#run(fn, transaction)
      let submitted: Submitted
      try {
        submitted = transaction.submit(cause)
      } catch (error) {
        transaction.discard()
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
    try {
      const value = fn(transaction)
      if (!isThenable(value)) return value
      // What it was going to say is covered by the error below.
      Promise.resolve(value).catch(() => {})
    } catch (error) {
      transaction.discard()
      throw error
    } finally {
      connection.writing = false
    }
    transaction.discard()
    throw new KaryonError(
      'ERR_KARYON_WRITE_ASYNC',
      'the function given to write returned a promise; write synchronously, or use graph.begin() across awaits',
    )
  }

  begin(options: { readonly timeoutMs?: number; readonly cause?: Version } = {}): OpenTransaction {
    this.source()
    const { timeoutMs, cause } = checkedOptions(options, 'timeoutMs', 'cause')
    return new LongTransaction(this.session, timeoutMs, cause)
  }

  at(moment: Moment): View {
    return new StoreView(this.session, this.session.connection.resolve(moment))
  }

  snapshot(): View {
    return new StoreView(this.session, this.session.fixed(this.source()))
  }

  settled(moment: Moment): Promise<void> {
    return this.#outside(() => this.session.connection.settled(moment))
  }

  ready(what: 'history'): Promise<void> {
    return this.#outside(async () => {
      if (what !== 'history') throw badArgument("ready takes 'history'")
      await this.session.connection.historyReady()
    })
  }

  history(
    target: Target,
    options: { readonly property?: string; readonly from?: Moment; readonly to?: Moment } = {},
  ): IterableIterator<Change> {
    const { from = 0n, to, property } = checkedOptions(options, 'property', 'from', 'to')
    const about = questionOf(target, property)
    const after = this.#version(from)
    const until = to === undefined ? this.session.fixed(this.source()) : this.#version(to)
    checkSpan(after, until, [from, to ?? BigInt(until)])
    return history(this.session, about, after, until)
  }

  diff(from: Moment, to: Moment): IterableIterator<Difference> {
    return diff(this.session, this.#version(from), this.#version(to))
  }

  #version(moment: Moment): number {
    return this.session.connection.resolve(moment)
  }

  blame(target: Target, property?: string): Blame | undefined {
    this.source()
    return blame(this.session, questionOf(target, property))
  }

  revert(options: RevertOptions): Promise<RevertReport> {
    return this.#outside(async () => {
      const { principal, since, dryRun = false } = checkedOptions(options, 'principal', 'since', 'dryRun')
      if (typeof principal !== 'string')
        throw badArgument('principal is the path of a cell, such as root/alice')
      if (typeof dryRun !== 'boolean') throw badArgument('dryRun is true or false')
      return revert(this.session, principal, this.#version(since), dryRun)
    })
  }

  digest(moment?: Moment): string {
    const source = this.source()
    return digestAt(this.session, moment === undefined ? source : this.#version(moment))
  }

  verify(): Promise<VerifyReport> {
    return this.#outside(async () => {
      this.source()
      return verify(this.session)
    })
  }

  backup(path: string): Promise<Copied> {
    return this.#outside(async () => {
      this.source()
      checkedPath(path)
      return this.session.background(() => native.backupStore(this.session.handle, path), copied)
    })
  }

  stats(): GraphStats {
    this.source()
    const length = this.session.checked(native.storeStats(this.session.handle))
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
