// One end of the line between the main isolate and a worker.
import type { MessagePort } from 'node:worker_threads'
import { RingReader, RingWriter, type RingPlaces } from './ring.ts'
import { ValueReader, ValueWriter, type Passage } from './values.ts'
import { Asleep, Place, type Parts } from './wire.ts'

/** Has no payload, where one could be. */
export const NOTHING: unique symbol = Symbol('nothing')

/** Writes to one ring and reads from the other. */
export class Line {
  readonly control: Int32Array
  readonly seats: Int32Array
  readonly used: Float64Array
  readonly reader: RingReader
  readonly #values: ValueReader
  readonly #writer: RingWriter
  readonly #payloads: ValueWriter
  readonly #peerSleeps: number
  readonly #written: number
  readonly #wake: () => void

  constructor(parts: Parts, isMain: boolean, parcels: MessagePort, passage: Passage, wake: () => void) {
    const { control } = parts
    const down: RingPlaces = {
      words: parts.down,
      control,
      written: Place.downWritten,
      read: Place.downRead,
    }
    const up: RingPlaces = { words: parts.up, control, written: Place.upWritten, read: Place.upRead }
    const [out, back] = isMain ? [down, up] : [up, down]
    this.control = control
    this.seats = parts.seats
    this.used = parts.used
    this.reader = new RingReader(back)
    this.#values = new ValueReader(this.reader, back.words, parcels, passage)
    this.#writer = new RingWriter(out)
    this.#payloads = new ValueWriter(this.#writer, out.words, parcels, passage)
    this.#peerSleeps = isMain ? Place.workerSleeps : Place.mainSleeps
    this.#written = out.written
    this.#wake = wake
  }

  /**
   * Says something; false if there is no room for it now. Throws what the engine refuses to clone. `before` runs once nothing can fail
   * any more, and before the other side sees it.
   */
  say(
    kind: number,
    payload: unknown,
    a = 0,
    b = 0,
    c = 0,
    d = 0,
    e = 0,
    f = 0,
    before?: () => void,
  ): boolean {
    if (!this.#writer.begin(kind, a, b, c, d, e, f)) return false
    if (payload !== NOTHING) this.#payloads.write(payload)
    before?.()
    this.#writer.publish()
    return true
  }

  /** The payload of what the reader stands at. */
  payload(): unknown {
    return this.#values.read()
  }

  /** Wakes the other side if it sleeps. */
  ring(): void {
    const { control } = this
    if (Atomics.load(control, this.#peerSleeps) === Asleep.awake) return
    const slept = Atomics.exchange(control, this.#peerSleeps, Asleep.awake)
    if (slept === Asleep.deep) this.#wake()
    else if (slept === Asleep.light) Atomics.notify(control, this.#written)
  }
}
