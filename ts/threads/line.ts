// One end of the line between the main isolate and a worker.
import type { MessagePort } from 'node:worker_threads'
import { UNPAID } from './extras.ts'
import { RingReader, RingWriter, type RingPlaces } from './ring.ts'
import { ValueReader, ValueWriter, type Passage } from './values.ts'
import { Asleep, Place, type Parts } from './wire.ts'

/** Has no payload, where one could be. */
export const NOTHING: unique symbol = Symbol('nothing')

/** A word on which a side waits that sleeps lightly: it changes, and then whoever waits is notified. */
export interface Bell {
  readonly words: Int32Array
  readonly at: number
}

/** Writes to one ring and reads from the other. */
export class Line {
  readonly control: Int32Array
  readonly seats: Int32Array
  readonly used: Float64Array
  readonly dead: Uint8Array
  readonly reader: RingReader
  readonly passage: Passage
  readonly #values: ValueReader
  readonly #writer: RingWriter
  readonly #payloads: ValueWriter
  readonly #peerSleeps: number
  readonly #bell: Bell
  readonly #wake: () => void
  /** Something was said since the other side was last woken. */
  #said = false
  /** A payload is written, on the way to which code of the program's may run: a getter, say, that sends. Nothing else is written meanwhile. */
  busy = false

  constructor(
    parts: Parts,
    isMain: boolean,
    parcels: MessagePort,
    passage: Passage,
    bell: Bell,
    wake: () => void,
  ) {
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
    this.passage = passage
    this.seats = parts.seats
    this.used = parts.used
    this.dead = parts.dead
    this.reader = new RingReader(back)
    this.#values = new ValueReader(this.reader, back.words, parcels, passage)
    this.#writer = new RingWriter(out)
    this.#payloads = new ValueWriter(this.#writer, out.words, parcels, passage)
    this.#peerSleeps = isMain ? Place.workerSleeps : Place.mainSleeps
    this.#bell = bell
    this.#wake = wake
  }

  /**
   * Says something; false if there is no room for it now, or if this comes out of a payload that is being written. Throws what the engine refuses to clone. `pay` takes the credit of a message,
   * once nothing can fail any more and before the other side sees it: false if there was none to take.
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
    pay?: () => boolean,
  ): boolean {
    if (this.busy || !this.#writer.begin(kind, a, b, c, d, e, f)) return false
    if (payload !== NOTHING) {
      this.busy = true
      try {
        this.#payloads.write(payload)
      } finally {
        this.busy = false
      }
    }
    if (pay !== undefined && !pay()) this.#writer.mark(1, UNPAID)
    this.#writer.publish()
    this.#said = true
    return true
  }

  /** The payload of what the reader stands at. */
  payload(): unknown {
    return this.#values.read()
  }

  /** Wakes the other side if it sleeps and something was said to it. */
  ring(): void {
    if (this.#said) this.rouse()
  }

  /** Wakes the other side if it sleeps. */
  rouse(): void {
    const { control } = this
    this.#said = false
    if (Atomics.load(control, this.#peerSleeps) === Asleep.awake) return
    const slept = Atomics.exchange(control, this.#peerSleeps, Asleep.awake)
    if (slept === Asleep.deep) this.#wake()
    else if (slept === Asleep.light) {
      Atomics.add(this.#bell.words, this.#bell.at, 1)
      Atomics.notify(this.#bell.words, this.#bell.at)
    }
  }
}
