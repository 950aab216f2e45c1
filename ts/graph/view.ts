// The graph as of one version.
import { KaryonError } from '../errors.ts'
import type { Instant, Version } from '../time.ts'
import { digestAt } from './past.ts'
import { BaseReader } from './reader.ts'
import type { NativeSession } from './session.ts'
import type { View } from './types.ts'

/** A view. It pins nothing: the past is kept anyway. */
export class StoreView extends BaseReader implements View {
  readonly #version: number
  #closed = false

  constructor(session: NativeSession, version: number) {
    super(session)
    this.#version = version
  }

  get version(): Version {
    return BigInt(this.#version)
  }

  get time(): Instant {
    return this.session.connection.timeOf(this.source())
  }

  protected override source(): number {
    this.session.connection.checkOpen()
    if (this.#closed) throw new KaryonError('ERR_KARYON_CLOSED', 'the view is closed; take another')
    return this.#version
  }

  digest(): string {
    return digestAt(this.session, this.source())
  }

  close(): void {
    this.#closed = true
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
