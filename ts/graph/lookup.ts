// Numbers of nodes by key, in constant time.
import { isBigUint64Array, isUint32Array } from 'node:util/types'
import { badArgument } from '../errors.ts'
import { answerBytes, putBytes, putKey, putWritten } from '../exchange.ts'
import { native } from '../native.ts'
import { checkKey } from '../values/keys.ts'
import { listOf } from './arguments.ts'
import { question } from './ask.ts'
import type { NativeSession } from './session.ts'
import type { Lookup } from './types.ts'

/** What becomes of a lookup that nobody closed. */
const forgotten = new FinalizationRegistry<number>((handle) => native.releaseHandle(handle))

/** A lookup of a session: what follows the commits is shared by all of them, and lives in Rust. */
export class NumberLookup implements Lookup {
  readonly property: string
  readonly #session: NativeSession
  readonly #handle: number
  readonly #strict: boolean
  #closed = false

  constructor(session: NativeSession, property: string, strict: boolean, handle: number) {
    this.#session = session
    this.property = property
    this.#handle = handle
    this.#strict = strict
    forgotten.register(this, handle, this)
  }

  get(key: string): number | undefined {
    checkKey(key)
    const number = native.lookUp(this.#source(), this.#handle, this.#strict, putKey(key))
    if (number === null) this.#session.checked(-1)
    return Number.isNaN(number) ? undefined : (number as number)
  }

  tags(keys: readonly string[]): BigUint64Array {
    const wanted = listOf(keys, 'keys are an array of strings')
    wanted.forEach(checkKey)
    this.#source()
    const asked = question()
    asked.texts(wanted)
    return new BigUint64Array(answerBytes(this.#session.checked(native.tags(putWritten(asked)))))
  }

  getMany(wanted: BigUint64Array | Uint32Array): Float64Array {
    const tagged = isBigUint64Array(wanted)
    if (!tagged && !isUint32Array(wanted))
      throw badArgument('getMany takes tags, as tags() gives them, or handles')
    if (tagged && wanted.length % 2 !== 0) throw badArgument('a tag is two numbers, as tags() gives them')
    const source = this.#source()
    const length = native.lookUpMany(source, this.#handle, tagged, putBytes(wanted))
    return new Float64Array(answerBytes(this.#session.checked(length)))
  }

  #source(): number {
    this.#session.connection.checkOpen()
    if (this.#closed) throw badArgument('the lookup is closed; make another one')
    return this.#session.handle
  }

  close(): void {
    if (!this.#closed) native.releaseHandle(this.#handle)
    this.#closed = true
    forgotten.unregister(this)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
