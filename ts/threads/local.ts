// Places in a worker, and what is known of the messages that were issued to them, as the worker sees it.
import type { Incarnation } from '../cells/cell.ts'
import { NO_SLOT } from '../cells/protocol.ts'
import { Slots, type Slot } from '../cells/slots.ts'
import type { RemoteScheduler } from './remote.ts'
import { Seated } from './wire.ts'

/** A place in this worker, for one incarnation. */
export class LocalSeat {
  readonly number: number
  incarnation: Incarnation
  /** The token of its session. */
  readonly session: number
  /** What the watchdog knows it by. */
  watched = 0
  readonly #remote: RemoteScheduler
  /** Slots of messages that were issued to it, from `first` on. */
  queue: number[] = []
  first = 0
  /** Messages of the batch that is out, and how many of them were begun. */
  taken = 0
  begun = 0
  queued = false
  /** The slot of the message that was begun last. */
  running: number = NO_SLOT
  /** What its word says: see `Seated`. */
  word: number = Seated.idle
  /** The last message that has simply ended, by its slot in main and by its handing over, and how many have since main was told. */
  last = 0
  lastHand = 0
  untold = 0
  /** The slot whose turn goes on. */
  open: Slot | undefined
  /** The turn of the message that runs was told of. */
  told = false
  /** No message begins until what is here was taken back. */
  closed = false
  /** It has put messages aside since its behaviour last changed. */
  deferred = false
  /** What it wants to end as, once its turn is over. */
  finish: number | undefined

  constructor(remote: RemoteScheduler, number: number, incarnation: Incarnation, session: number) {
    this.#remote = remote
    this.number = number
    this.incarnation = incarnation
    this.session = session
  }

  get length(): number {
    return this.queue.length - this.first
  }

  get cpuMs(): number {
    return this.#remote.used[this.number] as number
  }

  set cpuMs(cpuMs: number) {
    this.#remote.used[this.number] = cpuMs
  }

  /** Whether a message may begin: main may have closed the seat meanwhile. */
  admits(slot: number): boolean {
    return this.#remote.begins(this, slot)
  }

  /** Nothing of the worker's side needs to be told. */
  retire(): void {}
}

/** Slots here: of messages that were issued from there, and of what is sent from here. */
export class RemoteSlots extends Slots {
  /** Whom the message of a slot was issued to; by slot. */
  readonly seats: (LocalSeat | undefined)[] = []
  /** Its slot there, and the number of its handing over; of a delivery from here, whom it goes to. */
  readonly there: number[] = []
  readonly hands: number[] = []
  /** Told that a message ended. */
  ended: (slot: Slot, seat: LocalSeat) => void = () => {}

  override outcome(slot: Slot): void {
    // The first comes by before this class is there.
    const seat = this.seats?.[slot.number]
    if (seat !== undefined) {
      this.seats[slot.number] = undefined
      this.ended(slot, seat)
    }
    super.outcome(slot)
  }
}
