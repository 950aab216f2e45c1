// One opening of a store in this isolate: what is visible, who waits for what, the dictionary.
import { KaryonError, checked, takeFailure } from '../errors.ts'
import { answer } from '../exchange.ts'
import { native } from '../native.ts'
import { shield, shielded } from '../shield.ts'
import { Instant, type Moment, nativeMoment } from '../time.ts'
import { Ask, AskStore, putAbout } from './ask.ts'

/** What a native function answers when it has failed. */
const FAILED = -1
/** The longest delay that a timer takes. */
const DELAY_MAX_MS = 2 ** 31 - 1
/** What follows it runs when this run of JavaScript has ended; `queueMicrotask` makes an async resource each time. */
const SETTLED = Promise.resolve()

/** When a commit counts: once it is on disk, or once it is published. */
export type Durability = 'durable' | 'relaxed' | 'memory'

/** Somebody who waits for a version, or for the history. */
interface Waiter {
  readonly version: number
  readonly resolve: () => void
  readonly reject: (error: KaryonError) => void
}

/** Something native that does not outlive the connection. */
interface Releasable {
  release(): void
}

/** Keeps the process alive while somebody awaits something that only the native side will settle. */
class KeepAlive {
  #count = 0
  /** One for all: to start and stop a timer costs more than a write in memory. From the beginning, so that it is no turn's of a simulation. */
  readonly #timer = setInterval(() => {}, DELAY_MAX_MS).unref()

  add(): void {
    if (this.#count++ === 0) this.#timer.ref()
  }

  release(): void {
    if (--this.#count === 0) this.#timer.unref()
  }

  during<T>(promise: Promise<T>): Promise<T> {
    return shielded(() => this.#during(promise))
  }

  async #during<T>(promise: Promise<T>): Promise<T> {
    this.add()
    try {
      return await promise
    } finally {
      this.release()
    }
  }

  end(): void {
    clearInterval(this.#timer)
  }
}

/** What all openings of one store in this isolate share: a run of JavaScript sees one version, whichever it asks. */
interface Shared {
  /** The newest version that reads answer for. */
  visible: number
  /** The same when the first of them was made. */
  readonly opened: number
  /** The function given to `write` runs, unless its turn was stopped since: then more turns were. */
  writing: number | undefined
  openings: number
}

const shared = new Map<number, Shared>()

/** A store, as this isolate sees it. */
export class Connection {
  readonly handle: number
  readonly #durability: Durability
  readonly #keepAlive = new KeepAlive()
  /** The store's dictionary, as far as it is known here. */
  readonly names: string[] = []
  /** The numbers of names that were asked for. */
  readonly nameNumbers: Map<string, number> = new Map()
  /** Ascending by version. */
  #waiters: Waiter[] = []
  #historyWaiters: Waiter[] = []
  /** Those who wait for any news. */
  readonly #watchers = new Set<() => void>()
  /** Those who wait for the clock; each is to be called when the store closes. */
  readonly #sleepers = new Set<() => void>()
  /** Released when the store closes. */
  readonly sessions: Set<Releasable> = new Set()
  readonly #identity: number
  readonly #shared: Shared
  /** The newest version that was committed here. */
  #committed = 0
  #advancing = false
  #tasks = 0
  #failure: KaryonError | undefined
  /** Set once `close` was called. */
  #closing: Promise<void> | undefined
  /** Set once the handle may be somebody else's. */
  #released = false
  readonly #onFailure: (error: KaryonError) => void

  /** `onFailure` is told once when the store can take no more writes. */
  constructor(handle: number, durability: Durability, onFailure: (error: KaryonError) => void = () => {}) {
    this.#onFailure = onFailure
    this.handle = handle
    this.#durability = durability
    const visible = checked(native.advance(handle))
    this.#identity = checked(this.#ask(AskStore.identity))
    this.#shared = shared.get(this.#identity) ?? { visible, opened: visible, writing: undefined, openings: 0 }
    this.#shared.visible = visible
    this.#shared.openings++
    shared.set(this.#identity, this.#shared)
    if (durability !== 'memory') this.#watch()
  }

  /** The newest version when the store was first opened here. */
  get opened(): number {
    return this.#shared.opened
  }

  #watch(): void {
    checked(native.watchStore(this.handle, () => this.#advance()))
  }

  /** Others write to the store too: what they write is told from now on, also where it needs no disk. */
  listen(): void {
    if (this.#durability === 'memory') this.#watch()
  }

  /** Looks for what is durable by now: what somebody has just said may rest on it. */
  refresh(): void {
    this.#advance()
  }

  #ask(question: number, isTime = false, value = 0): number {
    return native.askStore(this.handle, question, isTime, value)
  }

  /** The newest version that reads answer for. */
  get visible(): number {
    return this.#shared.visible
  }

  /** Marks the time in which the function given to `write` runs. */
  set writing(writing: boolean) {
    this.#shared.writing = writing ? shield.stops : undefined
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** Fetches what the dictionary has got since, and the name of a number in it. */
  fetchName(id: number, session: number): string {
    const fetched = answer(checked(native.ask(session, Ask.names, putAbout([this.names.length]))))
    for (let left = fetched.varint(); left > 0; left--) this.names.push(fetched.text())
    return this.names[id] ?? ''
  }

  /** As `visibleAt`, for a commit of this connection. */
  durableAt(version: number): Promise<void> {
    this.#committed = Math.max(this.#committed, version)
    return this.visibleAt(version)
  }

  /** Resolves when a version is visible; rejects when the store has failed before. */
  visibleAt(version: number): Promise<void> {
    if (version <= this.visible) return Promise.resolve()
    if (this.#failure) return Promise.reject(this.#failure)
    if (this.closed) return Promise.reject(closedError())
    // Otherwise a commit counts at once: what is left is to let this run of JavaScript end.
    if (this.#durability !== 'durable' && !this.#advancing) {
      this.#advancing = true
      void SETTLED.then(() => this.#advance())
    }
    return new Promise<void>((resolve, reject) => shielded(() => this.#wait({ version, resolve, reject })))
  }

  /** Has `wake` called once there is news: a version that is visible, a failure, the end. Returns what takes it back. */
  watch(wake: () => void): () => void {
    this.checkNotClosed()
    if (this.#failure) throw this.#failure
    shielded(() => {
      this.#watchers.add(wake)
      this.#keepAlive.add()
    })
    return () => {
      if (this.#watchers.delete(wake)) this.#keepAlive.release()
    }
  }

  /** Wakes those who wait for news. */
  tell(): void {
    for (const wake of this.#watchers) {
      this.#watchers.delete(wake)
      this.#keepAlive.release()
      wake()
    }
  }

  #wait(waiter: Waiter): void {
    this.#keepAlive.add()
    const waiters = this.#waiters
    waiters.push(waiter)
    // Only those who wait for a version to come stand in front of their place.
    for (let at = waiters.length - 1; at > 0; at--) {
      const before = waiters[at - 1] as Waiter
      if (before.version <= waiter.version) break
      waiters[at] = before
      waiters[at - 1] = waiter
    }
  }

  #advance(): void {
    this.#advancing = false
    if (this.#released) return
    for (let moved = true; moved;) {
      const durable = native.advance(this.handle)
      if (durable < 0) {
        const failure = takeFailure()
        if (!this.#failure) this.#onFailure(failure)
        // Another opening may have been told first of what is durable.
        this.#settle(this.visible)
        this.#fail(failure)
        break
      }
      // A failure is told of only when nothing new is durable: whoever still waits has to ask again.
      moved = durable > this.visible && this.#waiters.length > 0
      this.#settle(durable)
    }
    if (this.#historyWaiters.length > 0) this.#askForHistory()
  }

  #askForHistory(): void {
    const ready = this.#ask(AskStore.historyReady) > 0
    const failure = ready ? undefined : takeFailure()
    if (failure?.code === 'ERR_KARYON_HISTORY_BUILDING') return
    for (const { resolve, reject } of this.#historyWaiters.splice(0)) {
      if (failure) reject(failure)
      else resolve()
    }
  }

  #settle(durable: number): void {
    this.#shared.visible = durable
    const waiters = this.#waiters
    let settled = 0
    while (settled < waiters.length && (waiters[settled] as Waiter).version <= durable) settled++
    for (const waiter of waiters.splice(0, settled)) {
      this.#keepAlive.release()
      waiter.resolve()
    }
    this.tell()
  }

  #fail(error: KaryonError): void {
    this.#failure = error
    for (const waiter of this.#waiters.splice(0)) {
      this.#keepAlive.release()
      waiter.reject(error)
    }
    this.tell()
  }

  /** A moment's version; throws when it is not settled. */
  resolve(moment: Moment): number {
    this.checkOpen()
    const { isTime, value } = nativeMoment(moment)
    return checked(this.#ask(AskStore.resolve, isTime, value))
  }

  /** Resolves when a moment's answer is final. */
  async settled(moment: Moment): Promise<void> {
    const { isTime, value } = nativeMoment(moment)
    for (;;) {
      this.checkOpen()
      const version = this.#ask(AskStore.settlesWith, isTime, value)
      if (version >= 0) return this.visibleAt(version)
      if (version === -1) throw takeFailure()
      if (!isTime) return this.visibleAt(value)
      const aheadMs = Math.max(1, Math.ceil(value / 1000 - Date.now()))
      await this.#sleep(Math.min(aheadMs, DELAY_MAX_MS))
    }
  }

  /** Resolves after a delay, or when the store closes. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#sleepers.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      this.#sleepers.add(wake)
    })
  }

  /** Resolves when the index of the past is whole. */
  historyReady(): Promise<void> {
    this.checkOpen()
    if (this.#ask(AskStore.historyReady) > 0) return Promise.resolve()
    const failure = takeFailure()
    if (failure.code !== 'ERR_KARYON_HISTORY_BUILDING') return Promise.reject(failure)
    return this.#keepAlive.during(
      new Promise<void>((resolve, reject) => this.#historyWaiters.push({ version: 0, resolve, reject })),
    )
  }

  now(): Instant {
    this.checkOpen()
    return Instant.fromMicros(BigInt(checked(this.#ask(AskStore.now))))
  }

  timeOf(version: number): Instant {
    this.checkNotClosed()
    return Instant.fromMicros(BigInt(checked(this.#ask(AskStore.timeOf, false, version))))
  }

  /**
   * Awaits a native task and reads its outcome, which `checked` has passed. All of it in one go: whatever runs in between may use the
   * exchange, or fail and leave another reason.
   */
  async background<T>(
    start: () => Promise<number> | null,
    checked: (length: number) => number,
    read: (length: number) => T,
  ): Promise<T> {
    const task = start()
    if (!task) return read(checked(FAILED))
    this.#tasks++
    const outcome = await this.#keepAlive.during(task).finally(() => this.#tasks--)
    return read(checked(native.takeOutcome(outcome)))
  }

  /** A native task runs. */
  get busy(): boolean {
    return this.#tasks > 0
  }

  /** Throws when the store is closed. */
  checkNotClosed(): void {
    if (this.closed) throw closedError()
  }

  /** Throws when the function given to `write` uses the graph instead of its transaction. */
  checkOutside(): void {
    if (this.#shared.writing === shield.stops) {
      throw new KaryonError(
        'ERR_KARYON_WRITE_OUTSIDE',
        'inside the function given to write, use its transaction, not the graph: its reads are part of the commit',
      )
    }
  }

  /** Keeps the process alive until a promise settles. */
  alive<T>(promise: Promise<T>): Promise<T> {
    return this.#keepAlive.during(promise)
  }

  /** Throws when the graph must not be used now. */
  checkOpen(): void {
    this.checkNotClosed()
    this.checkOutside()
  }

  /**
   * Writes what waits and frees the directory, unless somebody else has it open. What was committed here is settled first; who waits
   * for something else is refused. Closing again is waiting for the same.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // Another opening may keep the store from writing all at once.
    await this.committed()
    let failure: unknown
    try {
      await this.background(() => native.closeStore(this.handle), checked, Number)
    } catch (error) {
      failure = error
    }
    this.#advance()
    this.#fail(closedError())
    for (const { reject } of this.#historyWaiters.splice(0)) reject(closedError())
    for (const wake of this.#sleepers) wake()
    for (const session of this.sessions) session.release()
    this.#released = true
    if (--this.#shared.openings === 0) shared.delete(this.#identity)
    native.releaseHandle(this.handle)
    this.#keepAlive.end()
    if (failure) throw failure
  }

  /** Resolves when what was committed here is visible, or will never be. */
  committed(): Promise<void> {
    const version = this.#committed
    if (this.#failure || version <= this.visible) return Promise.resolve()
    return new Promise((resolve) => this.#wait({ version, resolve, reject: () => resolve() }))
  }
}

/** The error for what is asked of a kernel that was closed. */
export function closedError(): KaryonError {
  return new KaryonError('ERR_KARYON_CLOSED', 'the kernel is closed; open it again')
}
