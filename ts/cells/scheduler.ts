// One native scheduler: writes records to it, crosses, and says what came back.
import { checked, takeFailure } from '../errors.ts'
import { native } from '../native.ts'
import { shield } from '../shield.ts'
import type { Cell } from './cell.ts'
import { CLOSED, Header, INDEX_MASK, Op, RECORD_WORDS } from './protocol.ts'
import type { CellRuntime } from './runtime.ts'
import type { Slot } from './slots.ts'
import { Standing } from './stage.ts'

const BOUNDS = [
  'mailboxDefault',
  'mailboxMax',
  'timersMax',
  'delayMaxMs',
  'outboxMax',
  'intensityMax',
  'nameBytesMax',
  'turnCpuDefaultMs',
  'shutdownDefaultMs',
] as const

/** The bounds that the scheduler has. Times are in milliseconds. */
export const LIMITS: Readonly<Record<(typeof BOUNDS)[number], number>> = bounds()
function bounds(): Record<(typeof BOUNDS)[number], number> {
  const told = native.cellLimits()
  return Object.fromEntries(BOUNDS.map((name, at) => [name, told[at]])) as Record<
    (typeof BOUNDS)[number],
    number
  >
}

/** What a runtime has its cells' order from: a native scheduler, or the one of another isolate. */
export interface CellScheduler {
  /** Cells to which deliveries of this side are under way elsewhere, and how many: nobody overtakes them. */
  readonly delivering?: ReadonlyMap<number, number>
  readonly memory: NonNullable<ReturnType<typeof native.openCells>>
  readonly closed: boolean
  readonly waits: boolean
  ran: number
  ended: number
  cross(now: number): void
  begin(turn: number, cell: number): void
  pause(): void
  answer(place: number): number
  send(cell: Cell, slot: number, room: number): void
  take(cell: Cell, room: number): void
  takeIdle(): number
  adopt(cell: number, slot: number): number
  /** Tells another isolate whether work goes on here, which keeps the program alive. */
  keepAlive?(works: boolean): void
  /** Tells an answer at once, where the ask is another isolate's, which releases it when that version is durable: this one may be lost by then. */
  replyAt?(slot: Slot, version: number): void
  write(
    operation: number,
    first: number,
    second?: number,
    third?: number,
    fourth?: number,
    fifth?: number,
  ): void
  start(parent: number, name: string, terms: readonly number[]): number
  share(): void
  counts(): readonly number[]
  close(): void
}

/** A native scheduler and the memory it shares. */
export class Scheduler implements CellScheduler {
  /** Its handle, the memory it shares, and the way across. */
  readonly memory: NonNullable<ReturnType<typeof native.openCells>>
  readonly #runtime: CellRuntime
  readonly #shield = shield
  /** What the watchdog sees of the turn that runs. */
  readonly #turn: Uint32Array
  #records = 0
  /** Records before this one were run here: see `takeIdle`. */
  #first = 0
  /** All records that wait are messages to cells that were idle when they were sent. */
  #plain = true
  /** A cell was started since the last crossing, which may bring its `init`. */
  #started = false
  #counts: readonly number[] = []
  /** Other threads take credits too. */
  #shared = false
  /** Nothing is taken any more. */
  closed = false
  /** Messages of the batch that were run, those adopted among them. */
  ran = 0
  /** Messages that `takeIdle` gave out and that simply ended, since the last crossing. */
  ended = 0

  constructor(runtime: CellRuntime) {
    this.#runtime = runtime
    const opened = native.openCells(runtime.seed, runtime.driver !== undefined)
    if (opened === null) throw takeFailure()
    this.memory = opened
    const { buffer, byteOffset, BYTES_PER_ELEMENT } = opened.header
    this.#turn = new Uint32Array(buffer, byteOffset + Header.turn * BYTES_PER_ELEMENT, 2)
  }

  /** Whether records wait for a crossing. */
  get waits(): boolean {
    return this.#started || this.#records > this.#first
  }

  /**
   * Crosses: all records are taken, and what was run of the last batch counts as run. Messages to idle cells stay, unless others wait on the
   * other side, behind which they must not starve.
   */
  cross(now: number): void {
    this.#runtime.threads?.read()
    const stay = this.#plain && this.answer(Header.more) === 0
    this.#hand(now, stay)
    this.memory.header[Header.ran] = this.ran
    this.ran = 0
    this.#started = false
    // Each runtime has a function of its own: code that was compiled for one of them would die with it.
    checked(Reflect.apply(this.memory.cross, undefined, []))
    // A simulation has the scheduler say what runs next, always; and a cell that was idle may have ended or been barred just now.
    this.#plain = this.#runtime.driver === undefined && !(stay && this.answer(Header.effects) > 0)
  }

  /** A turn of a cell begins, which the watchdog sees from here on; also that of nobody, between two others. */
  begin(turn: number, cell: number): void {
    this.#turn[0] = cell
    this.#turn[1] = turn
  }

  /** No turn follows for now. */
  pause(): void {
    this.#turn[0] = 0
    this.#turn[1] = 0
  }

  /** A word of the header, as the last crossing left it. */
  answer(place: number): number {
    return this.memory.header[place] as number
  }

  /** A message to a cell that has this much room. */
  send(cell: Cell, slot: number, room: number): void {
    const { incarnation, definition } = cell
    const idle = incarnation.standing === Standing.issued && incarnation.turn === undefined
    if (!idle || room !== definition?.limits.mailbox) this.#plain = false
    this.take(cell, room)
    this.#append(Op.send, cell.id, slot, 0, 0, 0)
  }

  /** Takes a credit of a cell that has this much room. */
  take(cell: Cell, room: number): void {
    const { credits } = this.memory
    if (this.#shared) takeShared(credits, placeOf(cell.id))
    else credits[placeOf(cell.id)] = room - 1
  }

  /** From here on other threads take credits too. */
  share(): void {
    this.#shared = true
  }

  /**
   * The place in the outbox of a message that may run at once, or -1: while all that was written are messages to idle cells, one
   * each, their order is the one in which they would be issued. Only when no batch is out.
   */
  takeIdle(): number {
    if (!this.#plain || !this.waits) return -1
    const at = this.#first++ * RECORD_WORDS
    if (!this.waits) this.#first = this.#records = 0
    const place = placeOf(this.memory.outbox[at + 1] as number)
    if (this.#shared) takeBack(this.memory.credits, place)
    else this.memory.credits[place] = (this.memory.credits[place] as number) + 1
    return at
  }

  /** A message that `takeIdle` gave out came out other than ended: its place in the batch, at the end. */
  adopt(cell: number, slot: number): number {
    this.write(Op.adopt, cell, slot)
    return this.ran++
  }

  /** Writes a record; its words are those of `record.rs`. */
  write(operation: number, first: number, second = 0, third = 0, fourth = 0, fifth = 0): void {
    this.#plain = false
    if (this.#shield.running === 0) this.#append(operation, first, second, third, fourth, fifth)
    else this.#shield.during(() => this.#append(operation, first, second, third, fourth, fifth))
  }

  /**
   * Starts a cell or supervisor on terms that `exchange.rs` lists; its handle. No message runs before the next crossing, which may bring its
   * `init`.
   */
  start(parent: number, name: string, terms: readonly number[]): number {
    this.#plain = false
    this.#started = true
    this.memory.header.set(terms, Header.terms)
    return checked(native.spawnCell(this.memory.handle, parent, name))
  }

  /** Counts since the start, in the order of `cell_counts`; once closed the last there were. */
  counts(): readonly number[] {
    if (!this.closed) this.#counts = native.cellCounts(this.memory.handle) ?? this.#counts
    return this.#counts
  }

  close(): void {
    this.counts()
    this.closed = true
    native.closeCells(this.memory.handle)
  }

  #append(
    operation: number,
    first: number,
    second: number,
    third: number,
    fourth: number,
    fifth: number,
  ): void {
    if (this.#records === LIMITS.outboxMax) this.#makeRoom()
    const at = this.#records * RECORD_WORDS
    const outbox = this.memory.outbox
    outbox[at] = operation
    outbox[at + 1] = first
    outbox[at + 2] = second
    outbox[at + 3] = third
    outbox[at + 4] = fourth
    outbox[at + 5] = fifth
    if (this.#records++ === 0) this.#runtime.pump.schedule()
  }

  /** Hands over all records, or none; and what has ended, in any case. */
  #hand(now: number, none: boolean): void {
    const header = this.memory.header
    header[Header.now] = now
    header[Header.records] = none ? this.#first : this.#records
    header[Header.first] = this.#first
    header[Header.ended] = this.ended
    this.ended = 0
    if (!none) this.#records = this.#first = 0
  }

  #makeRoom(): void {
    if (this.#plain && this.#first >= LIMITS.outboxMax / 2) {
      this.memory.outbox.copyWithin(0, this.#first * RECORD_WORDS, this.#records * RECORD_WORDS)
      this.#records -= this.#first
      this.#first = 0
      return
    }
    this.#hand(this.#runtime.now(), false)
    this.#plain = false
    if (!this.closed) checked(native.absorbCells(this.memory.handle))
  }
}

/** Takes a credit that other threads may take too; it may be one too many then. False of a cell that takes no messages: it takes none. */
export function takeShared(credits: Int32Array, place: number): boolean {
  return change(credits, place, -1)
}

/** Gives back a credit of a message that never came. */
export function takeBack(credits: Int32Array, place: number): void {
  change(credits, place, 1)
}

function change(credits: Int32Array, place: number, by: number): boolean {
  for (let room = Atomics.load(credits, place); room !== CLOSED;) {
    const was = Atomics.compareExchange(credits, place, room, room + by)
    if (was === room) return true
    room = was
  }
  return false
}

/** Where a cell's handle stands in tables. */
export function placeOf(cell: number): number {
  return cell & INDEX_MASK
}
