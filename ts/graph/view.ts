// The graph as of one version.
import { KaryonError } from '../errors.ts'
import { native } from '../native.ts'
import { Instant, type Version, instantMicros } from '../time.ts'
import { digestAt } from './past.ts'
import { BaseReader } from './reader.ts'
import type { NativeSession } from './session.ts'
import type { View } from './types.ts'

/** A version that is kept, whatever of the past is let go, until this is let go. */
class Pin {
  readonly #session: NativeSession
  readonly #version: number
  #held = true

  constructor(session: NativeSession, version: number) {
    this.#session = session
    this.#version = version
    session.checked(native.pinVersion(session.handle, version, true))
  }

  letGo(): void {
    if (this.#held && this.#session.alive) native.pinVersion(this.#session.handle, this.#version, false)
    this.#held = false
  }
}

/** What became of a view that nobody closed. */
const forgotten = new FinalizationRegistry<Pin>((pin) => pin.letGo())

/** A view. What it reads is in the past, which is kept; it may be pinned, should something be let go. */
export class StoreView extends BaseReader implements View {
  readonly #version: number
  readonly #valid: number | undefined
  readonly #pin: Pin | undefined
  /** What it was made of: a pin is kept as long as any of them is known. */
  readonly of: StoreView | undefined
  #closed = false

  /** With an instant of valid time in µs since 1970, or without one. */
  constructor(session: NativeSession, version: number, valid?: number, pin?: Pin, of?: StoreView) {
    super(session)
    this.#version = version
    this.#valid = valid
    this.#pin = pin
    this.of = of
  }

  /** A view of a version that is kept until the view is closed or forgotten. */
  static pinned(session: NativeSession, version: number): StoreView {
    const pin = new Pin(session, version)
    const view = new StoreView(session, version, undefined, pin)
    forgotten.register(view, pin, pin)
    return view
  }

  get version(): Version {
    return BigInt(this.#version)
  }

  get time(): Instant {
    return this.session.connection.timeOf(this.#checked())
  }

  get valid(): Instant | undefined {
    return this.#valid === undefined ? undefined : Instant.fromMicros(BigInt(this.#valid))
  }

  validAt(instant: Date | string): View {
    return new StoreView(this.session, this.#checked(), instantMicros(instant), undefined, this)
  }

  protected override source(): number {
    const version = this.#checked()
    if (this.#valid === undefined) return version
    native.setValidTime(this.#valid)
    return version + 0.5
  }

  #checked(): number {
    this.session.connection.checkOpen()
    if (this.#closed) throw new KaryonError('ERR_KARYON_CLOSED', 'the view is closed; take another')
    return this.#version
  }

  digest(): string {
    return digestAt(this.session, this.#checked())
  }

  close(): void {
    this.#closed = true
    if (this.#pin) forgotten.unregister(this.#pin)
    this.#pin?.letGo()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
