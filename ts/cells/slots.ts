// Payloads by number: a message stays a JavaScript value here while the scheduler moves its slot.

/** An ask that waits for its answer. */
export interface PendingAsk {
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: unknown) => void
  readonly path: string
  readonly message: string
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly onAbort: (() => void) | undefined
  settled: boolean
  value: unknown
  error: unknown
}

/** A delivery that waits for room. */
export interface PendingDelivery {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** The slots. One is free again once its message has its outcome and its ask, if any, is settled. */
export class Slots {
  readonly #free: number[] = []
  readonly payloads: unknown[] = []
  readonly codes: number[] = []
  readonly asks: (PendingAsk | undefined)[] = []
  readonly deliveries: Map<number, PendingDelivery> = new Map()
  readonly #holders: number[] = []

  take(code: number, payload: unknown, ask?: PendingAsk): number {
    const slot = this.#free.length > 0 ? (this.#free.pop() as number) : this.payloads.length
    this.payloads[slot] = payload
    this.codes[slot] = code
    this.asks[slot] = ask
    this.#holders[slot] = ask === undefined ? 1 : 2
    return slot
  }

  /** The message has its outcome. */
  outcome(slot: number): void {
    this.payloads[slot] = undefined
    this.#release(slot)
  }

  /** The ask is settled. */
  settled(slot: number): void {
    this.asks[slot] = undefined
    this.#release(slot)
  }

  #release(slot: number): void {
    const holders = (this.#holders[slot] as number) - 1
    this.#holders[slot] = holders
    if (holders === 0) this.#free.push(slot)
  }
}
