// The graph: reads of the newest durable version, writes, and the way to the past.
import { setTimeout as delay } from 'node:timers/promises'
import { KaryonError, badArgument } from '../errors.ts'
import { native } from '../native.ts'
import type { Moment, Version } from '../time.ts'
import { checkName, checkNodeKey } from '../values/keys.ts'
import { checkedOptions, checkedPath, isSnapshot } from './arguments.ts'
import { type About, Ask, putAbout } from './ask.ts'
import { Feed } from './feed.ts'
import { NumberLookup } from './lookup.ts'
import { blame, checkSpan, diff, digestAt, history, merge, questionOf, revert, why } from './past.ts'
import { BaseReader, NEWEST } from './reader.ts'
import { archived, copied, forkInfo, indexRules, stats, verified } from './reports.ts'
import type { NativeSession, Submitted } from './session.ts'
import { LongTransaction, SessionTransaction } from './transaction.ts'
import type {
  Archived,
  Blame,
  Change,
  Commit,
  Copied,
  Difference,
  FeedOptions,
  Fork,
  ForkInfo,
  Graph,
  GraphStats,
  IndexRules,
  Lookup,
  MergeOptions,
  MergeReport,
  OpenTransaction,
  Provenance,
  Retention,
  RevertReport,
  Target,
  Transaction,
  TransactionOptions,
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

/** The forks of grafts: ts/engrams/grafts/names.ts. */
const GRAFT = /^engram:[0-9a-f]{64}:/

/** Versions of a node that can be asked for to be kept. */
const VERSIONS_MAX = 2 ** 31 - 1
/** Spans of which one version is kept, by name. */
const SPANS_MS: Readonly<Record<string, number>> = { hour: 3_600_000, day: 86_400_000, week: 604_800_000 }
/** The longest of them: ten years. */
const SPAN_MAX_MS = 315_360_000_000

type RevertOptions = Parameters<Graph['revert']>[0]
type IndexDeclaration = Parameters<Graph['index']>[0]

/** The graph of a session. */
export class StoreGraph extends BaseReader implements Graph {
  protected override source(): number {
    this.session.connection.checkOpen()
    return NEWEST
  }

  /** Starts what answers with a promise; inside the function given to `write` it throws at once. */
  protected outside<T>(act: () => Promise<T>): Promise<T> {
    this.session.connection.checkOutside()
    return act()
  }

  write<T>(fn: (tx: Transaction) => T, options: TransactionOptions = {}): Promise<Written<T>> {
    return this.outside(() => this.#write(fn, options))
  }

  async #write<T>(fn: (tx: Transaction) => T, options: TransactionOptions): Promise<Written<T>> {
    if (typeof fn !== 'function') throw badArgument('write takes a function of a transaction')
    const { cause, isolation } = checkedOptions(options, 'cause', 'isolation')
    const snapshotIsolation = isSnapshot(isolation)
    for (let attempt = 1; ; attempt++) {
      this.source()
      const transaction = new SessionTransaction(this.session)
      transaction.snapshotIsolation = snapshotIsolation
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

  begin(options: TransactionOptions & { readonly timeoutMs?: number } = {}): OpenTransaction {
    this.source()
    const { timeoutMs, cause, isolation } = checkedOptions(options, 'timeoutMs', 'cause', 'isolation')
    return new LongTransaction(this.session, isSnapshot(isolation), timeoutMs, cause)
  }

  at(moment: Moment): View {
    return new StoreView(this.session, this.session.connection.resolve(moment))
  }

  snapshot(): View {
    return StoreView.pinned(this.session, this.session.fixed(this.source()))
  }

  validAt(instant: Date | string): View {
    return this.snapshot().validAt(instant)
  }

  settled(moment: Moment): Promise<void> {
    return this.outside(() => this.session.connection.settled(moment))
  }

  ready(what: 'history'): Promise<void> {
    return this.outside(async () => {
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

  why(target: Target, property?: string): IterableIterator<Provenance> {
    this.source()
    return why(this.session, questionOf(target, property))
  }

  changes(options: FeedOptions = {}): Feed {
    const { from } = checkedOptions(options, 'from', 'after', 'signal')
    return new Feed(
      this.session,
      options,
      from === undefined ? this.session.fixed(this.source()) : this.#version(from),
    )
  }

  revert(options: RevertOptions): Promise<RevertReport> {
    return this.outside(async () => {
      const { principal, since, dryRun = false } = checkedOptions(options, 'principal', 'since', 'dryRun')
      if (typeof principal !== 'string')
        throw badArgument('principal is the path of a cell, such as root/alice')
      if (typeof dryRun !== 'boolean') throw badArgument('dryRun is true or false')
      return revert(this.session, principal, this.#version(since), dryRun)
    })
  }

  index(declaration: IndexDeclaration): Promise<Commit> {
    return this.#declare(declaration, 'label', 'property', 'unique', 'required')
  }

  dropIndex(index: Pick<IndexDeclaration, 'label' | 'property'>): Promise<Commit> {
    return this.#declare(index, 'label', 'property')
  }

  #declare(declaration: IndexDeclaration, ...fields: (keyof IndexDeclaration)[]): Promise<Commit> {
    return this.outside(async () => {
      const { label, property, unique = false, required = false } = checkedOptions(declaration, ...fields)
      checkName(label)
      checkName(property)
      if (typeof unique !== 'boolean' || typeof required !== 'boolean') {
        throw badArgument('unique and required are true or false')
      }
      this.source()
      const rules = (fields.length > 2 ? 1 : 0) | (unique ? 2 : 0) | (required ? 4 : 0)
      const declared = this.session.ask(Ask.declare, label, property, rules)
      const { version, time, durable } = this.session.submitted(declared)
      await durable
      return { version, time }
    })
  }

  lookup(property: string, options: { readonly strict?: boolean } = {}): Promise<Lookup> {
    return this.outside(async () => {
      const { strict = true } = checkedOptions(options, 'strict')
      if (typeof strict !== 'boolean') throw badArgument('strict is true or false')
      checkName(property)
      this.source()
      const { session } = this
      return session.connection.background(
        () => native.openLookup(session.handle, putAbout([property])),
        (handle) => session.checked(handle),
        (handle) => new NumberLookup(session, property, strict, handle),
      )
    })
  }

  async fork(name: string, options: { readonly from?: Moment } = {}): Promise<Fork> {
    await this.outside(async () => {
      const { from } = checkedOptions(options, 'from')
      checkName(name)
      const version = from === undefined ? this.session.fixed(this.source()) : this.#version(from)
      await this.session.submitted(this.session.ask(Ask.makeFork, name, version)).durable
    })
    return this.openFork(name)
  }

  openFork(name: string): Fork {
    checkName(name)
    this.source()
    const session = this.session.inFork(name)
    return new StoreFork(session, forkInfo(session, session.ask(Ask.fork)))
  }

  forks(): readonly ForkInfo[] {
    this.source()
    const bytes = this.session.ask(Ask.forks)
    return bytes.several(() => forkInfo(this.session, bytes))
  }

  indexes(moment?: Moment): readonly IndexRules[] {
    const source = this.source()
    const at = moment === undefined ? this.session.fixed(source) : this.#version(moment)
    const bytes = this.session.ask(Ask.rules, at)
    return bytes.several(() => indexRules(this.session, bytes))
  }

  digest(moment?: Moment): string {
    const source = this.source()
    return digestAt(this.session, moment === undefined ? source : this.#version(moment))
  }

  verify(): Promise<VerifyReport> {
    return this.outside(async () => {
      this.source()
      return this.session.askInBackground(verified, Ask.verify)
    })
  }

  backup(path: string): Promise<Copied> {
    return this.outside(async () => {
      this.source()
      checkedPath(path)
      return this.session.askInBackground(copied, Ask.backup, path)
    })
  }

  compact(retention: Retention): Promise<Archived> {
    return this.outside(async () => {
      const { since = 0n, versions = 0, every } = checkedOptions(retention, 'since', 'versions', 'every')
      if (!Number.isSafeInteger(versions) || versions < 0 || versions > VERSIONS_MAX) {
        throw badArgument(`versions is a whole number up to ${VERSIONS_MAX}`)
      }
      const span = typeof every === 'string' ? SPANS_MS[every] : (every ?? 0)
      if (span === undefined || !Number.isSafeInteger(span) || span < 0 || span > SPAN_MAX_MS) {
        throw badArgument("every is 'hour', 'day', 'week' or a whole number of milliseconds")
      }
      const from = this.#version(since)
      return this.#archive(Ask.compact, from, versions, span * 1000)
    })
  }

  erase(key: string): Promise<Archived> {
    return this.outside(async () => {
      this.source()
      checkNodeKey(key)
      return this.#archive(Ask.erase, key)
    })
  }

  async #archive(question: number, ...about: About): Promise<Archived> {
    const done = await this.session.askInBackground(archived, question, ...about)
    await this.session.connection.durableAt(Number(done.version))
    return done
  }

  stats(): GraphStats {
    this.source()
    return stats(this.session.ask(Ask.stats))
  }
}

/** A fork: a graph whose session reads and writes above a version of another one. */
class StoreFork extends StoreGraph implements Fork {
  readonly name: string
  readonly from: Version
  readonly created: Version

  constructor(session: NativeSession, { name, from, created }: ForkInfo) {
    super(session)
    this.name = name
    this.from = from
    this.created = created
  }

  override diff(from: Moment = this.created, to?: Moment): IterableIterator<Difference> {
    return super.diff(from, to ?? BigInt(this.session.fixed(this.source())))
  }

  merge(options: MergeOptions = {}): Promise<MergeReport> {
    return this.outside(async () => {
      const { into, prefer } = checkedOptions(options, 'into', 'prefer')
      if ([this.name, into ?? ''].some((name) => GRAFT.test(name)))
        throw badArgument(
          'a graft is not merged, nor into it; openGraft(kernel, name).promote() takes it over',
        )
      const side = [undefined, 'base', 'fork'].indexOf(prefer)
      if (side < 0) throw badArgument("prefer is 'base' or 'fork'")
      if (into !== undefined) checkName(into)
      return merge(this.session, into ?? '', side)
    })
  }

  drop(): Promise<Commit> {
    return this.outside(async () => {
      this.source()
      const { version, time, durable } = this.session.submitted(this.session.ask(Ask.dropFork))
      await durable
      this.close()
      return { version, time }
    })
  }

  close(): void {
    this.session.letGo()
  }

  [Symbol.dispose](): void {
    this.close()
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
