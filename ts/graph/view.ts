// The graph as of one version.
import { KaryonError } from '../errors.ts'
import { native } from '../native.ts'
import { Instant, type Version, instantMicros } from '../time.ts'
import { digestAt } from './past.ts'
import { BaseReader } from './reader.ts'
import type { NativeSession } from './session.ts'
import type { View } from './types.ts'

/** A view. It pins nothing: the past is kept anyway. */
export class StoreView extends BaseReader implements View {
  readonly #version: number
  readonly #valid: number | undefined
  #closed = false

  /** With an instant of valid time in µs since 1970, or without one. */
  constructor(session: NativeSession, version: number, valid?: number) {
    super(session)
    this.#version = version
    this.#valid = valid
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
    return new StoreView(this.session, this.#checked(), instantMicros(instant))
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
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
