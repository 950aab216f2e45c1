// Payloads by number: a message stays a JavaScript value here while the scheduler moves its slot.
import type { AskFacts } from './ask.ts'
import type { Once } from './durable.ts'

/** An ask that waits for its answer. */
export interface PendingAsk extends AskFacts {
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: unknown) => void
  onAbort?: () => void
  cycle?: readonly string[]
  value?: unknown
  error?: unknown
  /** Of one that another isolate answers, or has made: its number, and its slot there. */
  token?: number
  there?: number
}

/** A delivery that waits for room. */
export interface PendingDelivery {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** One message, from its sending to its outcome and the answer to its ask. */
export interface Slot {
  readonly number: number
  code: number
  payload: unknown
  ask: PendingAsk | undefined
  delivery: PendingDelivery | undefined
  /** What tells it from others of its source, of which a durable cell consumes it once. */
  once: Once | undefined
  /** Where it comes from, for whoever traces. */
  trace: string | undefined
  /** It has no outcome yet. */
  open: boolean
}

/** Slots that are kept for the next burst, however few are in use. */
const KEPT = 16_384

/** The slots. One is free again once its message has its outcome and its ask, if any, is settled. */
export class Slots {
  readonly #all: Slot[] = []
  #free: Slot[] = []

  constructor() {
    // One that never goes away: see the runtime's shapes.
    this.outcome(this.take(0, undefined))
  }

  at(number: number): Slot {
    return this.#all[number] as Slot
  }

  /** The ask of a message, if it still waits: of one that does not, the slot may have been given back. */
  askAt(number: number): PendingAsk | undefined {
    return this.#all[number]?.ask
  }

  take(code: number, payload: unknown): Slot {
    let slot = this.#free.pop()
    if (slot === undefined) {
      const number = this.#all.length
      slot = {
        number,
        code,
        payload,
        ask: undefined,
        delivery: undefined,
        once: undefined,
        trace: undefined,
        open: true,
      }
      this.#all.push(slot)
    } else {
      slot.code = code
      slot.payload = payload
      slot.open = true
    }
    return slot
  }

  /** The message has its outcome. */
  outcome(slot: Slot): void {
    slot.payload = undefined
    slot.delivery = undefined
    slot.once = undefined
    slot.trace = undefined
    slot.open = false
    if (slot.ask === undefined) this.#free.push(slot)
  }

  /** Gives back half of what a burst has left, if none is in use: for when there is nothing else to do. */
  trim(): void {
    const all = this.#all
    if (all.length <= KEPT || this.#free.length < all.length) return
    all.length = Math.max(KEPT, all.length >> 1)
    this.#free = all.toReversed()
  }

  /** The ask is settled. */
  settled(slot: Slot): void {
    slot.ask = undefined
    if (!slot.open) this.#free.push(slot)
  }
}
