// One native scheduler: writes records to it, crosses, and says what came back.
import { KaryonError, checked } from '../errors.ts'
import { native } from '../native.ts'
import type { SupervisorPolicy } from '../native/binding.cjs'
import { EFFECT_WORDS, Header, INDEX_MASK, Op, RECORD_WORDS } from './protocol.ts'

/** The bounds that the scheduler has. */
export const LIMITS: ReturnType<typeof native.cellLimits> = native.cellLimits()

/** A native scheduler and the memory it shares. */
export class Scheduler {
  readonly #handle: number
  readonly #cross: () => void
  readonly #header: Float64Array
  readonly #outbox: Uint32Array
  readonly #now: () => number
  readonly #wake: () => void
  #records = 0
  #closed = false
  /** The batch: cell and slot of each message. */
  readonly inbox: Uint32Array
  /** Effects of four words. */
  readonly effects: Uint32Array
  /** Room in mailboxes, by place of the cell. */
  readonly credits: Int32Array
  readonly root: number

  /** `wake` is called when something was written that nobody is about to take across. */
  constructor(seed: number, now: () => number, wake: () => void) {
    this.#handle = checked(native.openCells(seed))
    const memory = native.cellMemory(this.#handle)
    const cross = native.cellCrossing(this.#handle)
    if (memory === null || cross === null)
      throw new KaryonError('ERR_KARYON_CLOSED', 'the scheduler is closed')
    this.#header = memory.header
    this.#outbox = memory.outbox
    this.inbox = memory.inbox
    this.effects = memory.effects
    this.credits = memory.credits
    this.#cross = cross
    this.#now = now
    this.#wake = wake
    this.root = checked(native.rootCell(this.#handle))
  }

  /** Records that wait for a crossing. */
  get waiting(): number {
    return this.#records
  }

  /** Crosses: all records are taken, `ran` messages of the last batch count as run. */
  cross(now: number, ran: number): void {
    const header = this.#header
    header[Header.now] = now
    header[Header.records] = this.#records
    header[Header.ran] = ran
    this.#records = 0
    this.#cross()
  }

  /** A word of the header, as the last crossing left it. */
  answer(place: number): number {
    return this.#header[place] as number
  }

  /** A message to a cell with room. */
  send(cell: number, slot: number): void {
    this.#write(Op.send, cell, slot)
  }

  ask(cell: number, slot: number, asker: number, turn: number, timeoutMs: number): void {
    const at = this.#write(Op.ask, cell, slot)
    this.#outbox[at + 3] = asker
    this.#outbox[at + 4] = turn
    this.#outbox[at + 5] = timeoutMs
  }

  deliver(cell: number, slot: number): void {
    this.#write(Op.deliver, cell, slot)
  }

  withdraw(cell: number, slot: number): void {
    this.#write(Op.withdraw, cell, slot)
  }

  abandon(slot: number): void {
    this.#write(Op.abandon, slot, 0)
  }

  reply(slot: number): void {
    this.#write(Op.reply, slot, 0)
  }

  /** A message of the batch returned a promise. */
  async(position: number, turn: number): void {
    this.#write(Op.async, position, turn)
  }

  /** A message of the batch came out other than ended. */
  result(position: number, verdict: number): void {
    this.#write(Op.result, position, verdict)
  }

  /** A turn that returned a promise is over. */
  settled(cell: number, turn: number, verdict: number): void {
    this.#outbox[this.#write(Op.settled, cell, turn) + 3] = verdict
  }

  initAsync(cell: number, turn: number): void {
    this.#write(Op.initAsync, cell, turn)
  }

  inited(cell: number, incarnation: number, verdict: number): void {
    this.#outbox[this.#write(Op.inited, cell, incarnation) + 3] = verdict
  }

  fail(cell: number, incarnation: number): void {
    this.#write(Op.fail, cell, incarnation)
  }

  stop(cell: number): void {
    this.#write(Op.stop, cell, 0)
  }

  stopSelf(cell: number, incarnation: number): void {
    this.#write(Op.stopSelf, cell, incarnation)
  }

  setTimer(timer: number, cell: number, delayMs: number, periodMs: number, referenced: boolean): void {
    const at = this.#write(Op.timerSet, timer, cell)
    this.#outbox[at + 3] = delayMs
    this.#outbox[at + 4] = periodMs
    this.#outbox[at + 5] = referenced ? 1 : 0
  }

  cancelTimer(timer: number): void {
    this.#write(Op.timerCancel, timer, 0)
  }

  /** Starts a cell; its handle. */
  spawn(parent: number, name: string, flags: number, mailbox: number, turnTimeoutMs: number): number {
    return checked(native.spawnCell(this.#handle, parent, name, flags, mailbox, turnTimeoutMs))
  }

  /** Starts a supervisor; its handle. */
  spawnSupervisor(parent: number, name: string, flags: number, policy: SupervisorPolicy): number {
    return checked(native.spawnSupervisor(this.#handle, parent, name, flags, policy))
  }

  /** The name that a living cell got. */
  nameOf(cell: number): string {
    return native.cellName(this.#handle, cell) ?? ''
  }

  /** Counts since the start. */
  counts(): NonNullable<ReturnType<typeof native.cellCounts>> | null {
    return this.#closed ? null : native.cellCounts(this.#handle)
  }

  /** Ends it; nothing is taken any more. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#records = 0
    native.closeCells(this.#handle)
  }

  #write(operation: number, first: number, second: number): number {
    if (this.#records === LIMITS.outboxMax) this.#absorb()
    const at = this.#records * RECORD_WORDS
    const outbox = this.#outbox
    outbox[at] = operation
    outbox[at + 1] = first
    outbox[at + 2] = second
    if (this.#records++ === 0) this.#wake()
    return at
  }

  #absorb(): void {
    this.#header[Header.now] = this.#now()
    this.#header[Header.records] = this.#records
    this.#records = 0
    if (!this.#closed) checked(native.absorbCells(this.#handle))
  }
}

/** Where a cell's handle stands in tables. */
export function placeOf(cell: number): number {
  return cell & INDEX_MASK
}

/** Where an effect stands in the shared memory. */
export function effectAt(place: number): number {
  return place * EFFECT_WORDS
}
