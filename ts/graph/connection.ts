// One opening of a store in this isolate: what is visible, who waits for what, the dictionary.
import { KaryonError, checked, takeFailure } from '../errors.ts'
import { answer } from '../exchange.ts'
import { native } from '../native.ts'
import { Instant, type Moment, type Version, nativeMoment } from '../time.ts'

/** The longest delay that a timer takes. */
const DELAY_MAX_MS = 2 ** 31 - 1

interface Waiter {
  readonly version: number
  readonly resolve: () => void
  readonly reject: (error: KaryonError) => void
}

/** Keeps the process alive while somebody awaits something that only the native side will settle. */
class KeepAlive {
  #count = 0
  #timer: NodeJS.Timeout | undefined

  add(): void {
    if (this.#count++ === 0) this.#timer = setInterval(() => {}, DELAY_MAX_MS)
  }

  release(): void {
    if (--this.#count === 0) clearInterval(this.#timer)
  }

  async during<T>(promise: Promise<T>): Promise<T> {
    this.add()
    try {
      return await promise
    } finally {
      this.release()
    }
  }
}

/** A store, as this isolate sees it. */
export class Connection {
  readonly handle: number
  readonly #memory: boolean
  readonly #keepAlive = new KeepAlive()
  readonly #names: string[] = []
  /** Ascending by version but for those that wait for a version not yet committed. */
  #waiters: Waiter[] = []
  #historyWaiters: (() => void)[] = []
  #visible: number
  #advancing = false
  #failure: KaryonError | undefined
  #closed = false
  /** Set while the function given to `write` runs. */
  writing = false

  constructor(handle: number, memory: boolean) {
    this.handle = handle
    this.#memory = memory
    this.#visible = checked(native.advance(handle))
    if (!memory) checked(native.watchStore(handle, () => this.#advance()))
  }

  /** The newest version that reads answer for. */
  get visible(): number {
    return this.#visible
  }

  get closed(): boolean {
    return this.#closed
  }

  /** A name of the store's dictionary. */
  name(id: number, session: number): string {
    const known = this.#names[id]
    if (known !== undefined) return known
    const names = answer(checked(native.readNames(session, this.#names.length)))
    for (let left = names.varint(); left > 0; left--) this.#names.push(names.text())
    return this.#names[id] ?? ''
  }

  /** How many names are known here. */
  get nameCount(): number {
    return this.#names.length
  }

  /** Resolves when a version is visible; rejects when the store has failed before. */
  visibleAt(version: number): Promise<void> {
    if (version <= this.#visible) return Promise.resolve()
    if (this.#failure) return Promise.reject(this.#failure)
    if (this.#closed) return Promise.reject(closedError())
    // A memory store is durable at once: what is left is to let this run of JavaScript end.
    if (this.#memory && !this.#advancing) {
      this.#advancing = true
      queueMicrotask(() => this.#advance())
    }
    this.#keepAlive.add()
    return new Promise<void>((resolve, reject) => this.#waiters.push({ version, resolve, reject }))
  }

  #advance(): void {
    this.#advancing = false
    if (this.#closed) return
    const durable = native.advance(this.handle)
    if (durable < 0) this.#fail(takeFailure())
    else this.#settle(durable)
    if (this.#historyWaiters.length > 0 && native.historyReady(this.handle) > 0) {
      for (const resolve of this.#historyWaiters.splice(0)) resolve()
    }
  }

  #settle(durable: number): void {
    this.#visible = durable
    const settled = this.#waiters
    let ahead = 0
    while (ahead < settled.length && (settled[ahead] as Waiter).version <= durable) ahead++
    this.#waiters = settled.splice(ahead)
    // Waiters for versions to come may stand in front of others.
    const behind = this.#waiters.filter((waiter) => waiter.version <= durable)
    if (behind.length > 0) this.#waiters = this.#waiters.filter((waiter) => waiter.version > durable)
    for (const waiter of settled.concat(behind)) {
      this.#keepAlive.release()
      waiter.resolve()
    }
  }

  #fail(error: KaryonError): void {
    this.#failure = error
    for (const waiter of this.#waiters.splice(0)) {
      this.#keepAlive.release()
      waiter.reject(error)
    }
  }

  /** A moment's version; throws when it is not settled. */
  resolve(moment: Moment): number {
    this.checkOpen()
    const { isTime, value } = nativeMoment(moment)
    return checked(native.resolveMoment(this.handle, isTime, value))
  }

  /** Resolves when a moment's answer is final. */
  async settled(moment: Moment): Promise<void> {
    const { isTime, value } = nativeMoment(moment)
    for (;;) {
      this.checkOpen()
      const version = native.settlesWith(this.handle, isTime, value)
      if (version >= 0) return this.visibleAt(version)
      if (version === -1) throw takeFailure()
      if (!isTime) return this.visibleAt(value)
      const aheadMs = Math.max(1, Math.ceil(value / 1000 - Date.now()))
      await new Promise<void>((resolve) => {
        setTimeout(resolve, Math.min(aheadMs, DELAY_MAX_MS))
      })
    }
  }

  /** Resolves when the index of the past is whole. */
  historyReady(): Promise<void> {
    this.checkOpen()
    if (native.historyReady(this.handle) > 0) return Promise.resolve()
    const failure = takeFailure()
    if (failure.code !== 'ERR_KARYON_HISTORY_BUILDING') return Promise.reject(failure)
    return this.#keepAlive.during(new Promise<void>((resolve) => this.#historyWaiters.push(resolve)))
  }

  now(): Instant {
    this.checkOpen()
    return Instant.fromMicros(BigInt(checked(native.storeNow(this.handle))))
  }

  timeOf(version: number): Instant {
    return Instant.fromMicros(BigInt(checked(native.timeOfVersion(this.handle, version))))
  }

  /** Awaits a native task and takes its outcome; negative for a failure that the caller takes. */
  async background(task: Promise<number> | null): Promise<number> {
    if (!task) return -1
    return native.takeOutcome(await this.#keepAlive.during(task))
  }

  /** Keeps the process alive until a promise settles. */
  alive<T>(promise: Promise<T>): Promise<T> {
    return this.#keepAlive.during(promise)
  }

  /** Throws when the store is closed, or when the function given to `write` uses the graph instead of its transaction. */
  checkOpen(): void {
    if (this.#closed) throw closedError()
    if (this.writing) {
      throw new KaryonError(
        'ERR_KARYON_WRITE_OUTSIDE',
        'inside the function given to write, use its transaction, not the graph: its reads are part of the commit',
      )
    }
  }

  /** Writes what waits, seals the log and frees the directory. Whoever waits is settled first. */
  async close(): Promise<void> {
    if (this.#closed) return
    let failure: unknown
    try {
      checked(await this.background(native.closeStore(this.handle)))
    } catch (error) {
      failure = error
    }
    this.#advance()
    this.#closed = true
    this.#fail(closedError())
    for (const resolve of this.#historyWaiters.splice(0)) resolve()
    native.releaseStore(this.handle)
    if (failure) throw failure
  }
}

function closedError(): KaryonError {
  return new KaryonError('ERR_KARYON_CLOSED', 'the kernel is closed; open it again')
}

/** A version as users see it. */
export function asVersion(version: number): Version {
  return BigInt(version)
}
