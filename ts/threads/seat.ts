// Where one incarnation of a cell runs, as the main isolate sees it.
import type { Incarnation } from '../cells/cell.ts'
import type { CompiledCell } from '../cells/definition.ts'
import { failure } from '../cells/failures.ts'
import { Death, NO_SLOT } from '../cells/protocol.ts'
import { native } from '../native.ts'
import type { Thread } from './thread.ts'
import type { ModuleFacts } from './threads.ts'
import { Down, Place, Seated } from './wire.ts'

/** The CPU time that a module may use without a pause as it is loaded, in milliseconds. */
export const LOADING_CPU_MS = 4_000
/** Handings over of one seat, after which they are counted anew. */
const HANDS_MAX = 0x7fff_ffff

/** A place in a worker, for one incarnation. */
export class Seat {
  readonly thread: Thread
  readonly number: number
  readonly incarnation: Incarnation
  readonly module: ModuleFacts
  /** The token of its session. */
  readonly token: number
  /** Grows when what was handed over is taken back: what was not handed over yet is not, then. */
  epoch = 0
  /**
   * Slots of what was handed over and has no outcome, in order, from `first` on, and which handing over each was. A slot that is free again here
   * may come back while the seat's word still tells of the last time: the handings over are what the word tells.
   */
  #flight: number[] = []
  #hands: number[] = []
  #first = 0
  #handed = 0
  /** How much its worker had said when the incarnation died. */
  #diedAt: number | undefined
  /** Which one was found to run when it was last closed, until that is over; 0 is none. */
  #found = 0
  /** Where turns have a time limit: who looks now and then, and which one ran at the last look. */
  #looks: NodeJS.Timeout | undefined
  #ran: number | undefined
  /** Its module is loaded: its own code runs from here on. */
  begun = false
  /** It comes up: that keeps the program alive. */
  #comesUp = true

  constructor(thread: Thread, number: number, incarnation: Incarnation, module: ModuleFacts, token: number) {
    this.thread = thread
    this.number = number
    this.incarnation = incarnation
    this.module = module
    this.token = token
    thread.threads.runtime.waits++
  }

  /** It is up, or will not be. */
  cameUp(): void {
    if (this.#comesUp) this.thread.threads.runtime.waits--
    this.#comesUp = false
  }

  /** A message was issued: it is handed over, and never runs here. */
  admits(slot: number): boolean {
    this.thread.hand(this, slot)
    return false
  }

  /** A message is handed over: the number of that, which no other has. */
  handed(slot: number): number {
    this.#handed = (this.#handed % HANDS_MAX) + 1
    this.#flight.push(slot)
    this.#hands.push(this.#handed)
    return this.#handed
  }

  /** Has turns looked at that do not let their worker turn, if they have a time limit. */
  limitTurns(): void {
    const { turnTimeoutMs } = (this.incarnation.cell.definition as CompiledCell).limits
    if (turnTimeoutMs > 0) this.#looks = setInterval(() => this.#look(turnTimeoutMs), turnTimeoutMs).unref()
  }

  /** A turn that has run from one look to the next is past its limit, and hears of nothing. */
  #look(limitMs: number): void {
    const ran = this.#ran
    this.#ran = this.thread.turnIn(this)
    if (ran === undefined || ran !== this.#ran) return
    const { path } = this.incarnation.cell
    const message = `the turn of ${path} is past its time limit and does not let its worker turn, which is replaced`
    const error = failure('ERR_KARYON_TURN_TIMEOUT', message, { path, limitMs })
    this.thread.threads.replace(this.thread, this.incarnation, error, Death.timeout)
  }

  /** Something is known of this message: those before it have simply ended, for turns come in the order of the flight. */
  endedBefore(slot: number): void {
    const { holders, runtime } = this.thread.threads
    const place = this.#flight.indexOf(slot, this.#first)
    while (this.#first < place) {
      const ended = this.#flight[this.#first] as number
      this.#pass()
      // One that the scheduler has lost is no longer this one's.
      if (holders[ended] !== this) continue
      holders[ended] = undefined
      runtime.slots.outcome(runtime.slots.at(ended))
    }
  }

  /** This message came out. */
  landed(slot: number): void {
    this.endedBefore(slot)
    if (this.#flight[this.#first] !== slot) return
    this.#pass()
    if (this.#first < this.#flight.length) return
    this.#flight = []
    this.#hands = []
    this.#first = 0
  }

  #pass(): void {
    if (this.#hands[this.#first] === this.#found) this.#found = 0
    this.#first++
  }

  /** This message could not be handed over. */
  withdrawn(slot: number): void {
    const place = this.#flight.indexOf(slot, this.#first)
    if (place < 0) return
    this.#flight.splice(place, 1)
    this.#hands.splice(place, 1)
  }

  /** Closes it for further messages; the slot of the one that runs. */
  recall(): number {
    // Who died before the scheduler knew may have left by now, and another sits here.
    if (!this.thread.holds(this)) return this.#recalled(NO_SLOT, 0)
    const { seats } = this.thread.line
    const closed = Seated.closed - this.epoch++
    const runs = Atomics.exchange(seats, this.number, closed)
    // What was reported before stands before.
    this.thread.read()
    if (this.incarnation.alive) this.thread.say(Down.resume, this.number, closed)
    else if (runs > 0) this.thread.lookIfRuns(this)
    // What it tells of may be over, as was reported; or lost, here.
    // One that was closed before tells of none: then the one that was found, if that is not over.
    const hand = runs > 0 ? runs : this.#found
    const place = hand > 0 ? this.#hands.indexOf(hand, this.#first) : -1
    const found = place < 0 ? NO_SLOT : (this.#flight[place] as number)
    const slot = this.thread.threads.holders[found] === this ? found : NO_SLOT
    if (slot !== NO_SLOT) {
      this.endedBefore(slot)
      this.#found = hand
    } else this.#found = 0
    return this.#recalled(slot, hand)
  }

  #recalled(slot: number, runs: number): number {
    this.#flight = slot === NO_SLOT ? [] : [slot]
    this.#hands = slot === NO_SLOT ? [] : [runs]
    this.#first = 0
    return slot
  }

  /** Whether what stands there in the worker's ring was said while the incarnation lived. */
  lived(place: number): boolean {
    return this.#diedAt === undefined || ((place - this.#diedAt) | 0) < 0
  }

  /** A message of it runs, or its turn goes on. */
  get runs(): boolean {
    return Atomics.load(this.thread.line.seats, this.number) > 0 || this.#found !== 0
  }

  /** How much CPU time its cell may use without a pause outside of its turns, in milliseconds. */
  get allowedMs(): number {
    const { turnCpuMs } = (this.incarnation.cell.definition as CompiledCell).limits
    const limitMs = turnCpuMs === 0 ? Number.POSITIVE_INFINITY : turnCpuMs
    return this.begun ? limitMs : Math.max(LOADING_CPU_MS, limitMs)
  }

  get cpuMs(): number {
    return this.thread.holds(this) ? (this.thread.line.used[this.number] as number) : 0
  }

  abort(stop: boolean): void {
    this.thread.say(Down.abort, this.number, stop ? 1 : 0)
  }

  /** The incarnation is dead. A turn of it that does not let its worker turn runs on: nobody there can end it. */
  retire(): void {
    const { control, dead } = this.thread.line
    const goesOn = this.runs || (this.begun && this.#comesUp)
    this.cameUp()
    clearInterval(this.#looks)
    native.unshare(this.token)
    Atomics.store(dead, this.number, 1)
    this.#diedAt = Atomics.load(control, Place.upWritten)
    this.thread.bury(this, goesOn)
  }
}
