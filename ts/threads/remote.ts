// The scheduler as a worker has it: main's, at the other end of the line. Here are only the messages that it issued ahead.
import { KaryonError, takeFailure } from '../errors.ts'
import { native } from '../native.ts'
import { askError } from '../cells/ask.ts'
import { Cell, Incarnation } from '../cells/cell.ts'
import type { CompiledCell } from '../cells/definition.ts'
import { abort } from '../cells/effects.ts'
import { isFailure, peek } from '../cells/foreign.ts'
import {
  AskEnd,
  Class,
  DOWNS,
  Header,
  INIT_TURN,
  NO_CELL,
  NO_SLOT,
  NO_TURN,
  Op,
  Verdict,
} from '../cells/protocol.ts'
import type { CellRuntime } from '../cells/runtime.ts'
import { placeOf, takeShared, type CellScheduler } from '../cells/scheduler.ts'
import type { Slot } from '../cells/slots.ts'
import { Stage } from '../cells/stage.ts'
import type { DownReason } from '../events.ts'
import { shield } from '../shield.ts'
import { notSendable, sayThrown } from './errors.ts'
import { NOTHING, type Line } from './line.ts'
import { Loader } from './loader.ts'
import { LocalSeat, type RemoteSlots } from './local.ts'
import { findDefinition } from './modules.ts'
import { copyOf } from './parcels.ts'
import { takeInto, withExtras } from './extras.ts'
import { Watch } from './watch.ts'
import { Asleep, Down, Place, Seated, Up, type CellStart } from './wire.ts'

/** Messages in one batch, and how many of them may be one cell's. */
const BATCH_MAX = 1_024
const RUN_MAX = 64
/** Messages that simply end, after so many of which main is told. */
const UNTOLD_MAX = 16
/** How long a worker waits for the next message before it leaves that to its event loop, in milliseconds. */
const LINGER_MS = 0.1
/** How long a worker waits for room before it looks again, in milliseconds. */
const ROOM_MS = 50

/** Main's scheduler, for the cells that run here. */
export class RemoteScheduler implements CellScheduler {
  readonly memory: CellScheduler['memory']
  readonly delivering: Map<number, number> = new Map()
  /** By seat: the CPU time of its turns. */
  readonly used: Float64Array
  readonly #runtime: CellRuntime
  readonly #line: Line
  readonly #slots: RemoteSlots
  readonly #refresh: () => void
  readonly #watch: Watch
  readonly #loader: Loader
  readonly #shield = shield
  /** By number; 0 is none. */
  readonly #seats: (LocalSeat | undefined)[] = []
  readonly #ready: LocalSeat[] = []
  /** Something was said since main was last woken. */
  #said = false
  /** What is to be said once the payload is written that has it said. */
  readonly #later: (() => void)[] = []
  /** Batches since this side was idle, and turns that go on. */
  #batches = 0
  #going = 0
  /** Seats of the batch that is out, and the one whose messages run. */
  readonly #out: LocalSeat[] = []
  #current: LocalSeat | undefined
  /** The seat of whoever sends something, from 1: of one whose end main has told nothing comes any more. */
  speaker = 0
  closed = false
  ran = 0
  ended = 0
  constructor(
    runtime: CellRuntime,
    slots: RemoteSlots,
    line: Line,
    credits: Int32Array,
    root: number,
    refresh: () => void,
  ) {
    this.#runtime = runtime
    this.#slots = slots
    this.#line = line
    this.used = line.used
    this.#loader = new Loader(line.control)
    this.#refresh = refresh
    slots.ended = (slot, seat) => this.#ended(slot, seat)
    const opened = native.openCells(0, false)
    if (opened === null) throw takeFailure()
    this.#watch = new Watch(opened)
    this.memory = { ...opened, handle: -1, root, credits }
  }

  get waits(): boolean {
    return this.#said || this.#ready.length > 0
  }

  /** Whoever looks on from outside sees whose code runs. */
  begin(turn: number, cell: number): void {
    const { watched = cell, number = 0 } = this.#seat(cell) ?? {}
    this.#line.control[Place.running] = number
    this.#line.control[Place.turn] = turn
    this.#watch.begin(turn, watched)
  }

  pause(): void {
    this.begin(0, 0)
    this.#leave()
  }

  cross(): void {
    const { control, reader } = this.#line
    this.#watch.beat()
    this.#conclude()
    this.#said = false
    this.#line.ring()
    Atomics.store(control, Place.workerSleeps, 0)
    for (;;) {
      this.#read()
      // Nothing to do: whoever writes from here on must wake this side.
      if (this.#ready.length > 0) break
      if (this.#lingers()) continue
      Atomics.store(control, Place.workerSleeps, Asleep.deep)
      if (!reader.waits) break
      Atomics.store(control, Place.workerSleeps, 0)
    }
    this.memory.header[Header.batch] = this.#fill()
    this.memory.header[Header.nextDue] = Number.POSITIVE_INFINITY
  }

  answer(place: number): number {
    return this.memory.header[place] as number
  }

  /**
   * Waits a moment for the next message where nothing goes on that the event loop would have to serve: to be woken here costs a fraction of
   * what it costs there. Whether there is one.
   */
  #lingers(): boolean {
    const { control, reader } = this.#line
    if (this.#batches === 0 || this.#going > 0) return false
    this.#batches = 0
    const rung = Atomics.load(control, Place.workerBell)
    Atomics.store(control, Place.workerSleeps, Asleep.light)
    if (!reader.waits) Atomics.wait(control, Place.workerBell, rung, LINGER_MS)
    Atomics.store(control, Place.workerSleeps, Asleep.awake)
    return reader.waits
  }

  #read(): void {
    const { control, reader } = this.#line
    if (!reader.waits) return
    this.#refresh()
    while (reader.next()) this.#take(reader.kind)
    reader.release()
    if (
      Atomics.load(control, Place.mainStarves) === 1 &&
      Atomics.exchange(control, Place.mainStarves, 0) === 1
    )
      this.#line.rouse()
  }

  /** What was not begun stays where it was. */
  #conclude(): void {
    this.#leave()
    if (this.#out.length > 0) this.#batches++
    for (const seat of this.#out.splice(0)) {
      seat.first += seat.begun
      seat.taken = seat.begun = 0
      if (seat.first === seat.queue.length) {
        seat.queue = []
        seat.first = 0
      }
      this.#wake(seat)
    }
    this.ran = 0
  }

  #wake(seat: LocalSeat): void {
    const { incarnation, queued, closed, open, length, taken } = seat
    if (queued || closed || open !== undefined || length === 0 || taken > 0) return
    if (incarnation.stage !== Stage.up) return
    seat.queued = true
    this.#ready.push(seat)
    this.#runtime.pump.schedule()
  }

  #fill(): number {
    const { inbox } = this.memory
    let size = 0
    let seats = 0
    while (size < BATCH_MAX && seats < this.#ready.length) {
      const seat = this.#ready[seats++] as LocalSeat
      seat.queued = false
      const count = Math.min(seat.length, RUN_MAX, BATCH_MAX - size)
      const { id } = seat.incarnation.cell
      for (let at = 0; at < count; at++) {
        inbox[2 * size] = id
        inbox[2 * size + 1] = seat.queue[seat.first + at] as number
        size++
      }
      seat.taken = count
      seat.begun = 0
      this.#out.push(seat)
    }
    this.#ready.splice(0, seats)
    return size
  }

  /** Whether a message of a seat may begin; from here on it runs, and nobody can take it back. */
  begins(seat: LocalSeat, slot: number): boolean {
    if (seat !== this.#current) {
      this.#leave()
      this.#current = seat
    }
    if (Atomics.load(this.#line.dead, seat.number) !== 0) seat.closed = true
    if (seat.closed || this.closed) return false
    // It may run for ever: whoever waits for what was said before has to be woken first.
    this.#line.ring()
    const runs = this.#slots.hands[slot] as number
    if (Atomics.compareExchange(this.#line.seats, seat.number, seat.word, runs) !== seat.word) {
      seat.closed = true
      return false
    }
    seat.word = runs
    seat.running = slot
    seat.begun++
    seat.told = false
    return true
  }

  /**
   * A message simply ended. Main need not be told at once: whatever it hears, or reads from the seat's word, of a message says that those before
   * it have ended.
   */
  #ended(slot: Slot, seat: LocalSeat): void {
    const { open, told, finish } = seat
    if (
      seat !== this.#current ||
      open !== undefined ||
      told ||
      finish !== undefined ||
      slot.ask !== undefined
    ) {
      this.#report(seat, slot.number, Verdict.ended, NOTHING)
      return
    }
    seat.last = this.#slots.there[slot.number] as number
    seat.lastHand = this.#slots.hands[slot.number] as number
    if (++seat.untold === UNTOLD_MAX) this.#tell(seat)
  }

  #tell(seat: LocalSeat): void {
    if (seat.untold === 0) return
    seat.untold = 0
    this.#say(Up.out, NOTHING, seat.number, seat.last, Verdict.ended, seat.lastHand)
  }

  /** No message of the current seat runs any more. */
  #leave(): void {
    const seat = this.#current
    // Of a tainted isolate its word is the last that is known.
    if (seat === undefined || this.closed) return
    this.#tell(seat)
    this.#current = undefined
    if (seat.open === undefined) this.#idle(seat)
  }

  #idle(seat: LocalSeat): void {
    // Main may have closed it: then it stays closed, which the next message finds.
    Atomics.compareExchange(this.#line.seats, seat.number, seat.word, Seated.idle)
    seat.word = Seated.idle
  }

  /** Whether main has ended an incarnation. */
  isDead({ seat }: Incarnation): boolean {
    return Atomics.load(this.#line.dead, (seat as LocalSeat).number) !== 0
  }

  /** How a message came out. */
  #report(seat: LocalSeat, slot: number, verdict: number, error: unknown): void {
    // Of a turn that taints the isolate main finds that it runs: its message is lost.
    if (this.closed) return
    const there = this.#slots.there[slot] as number
    this.#slots.seats[slot] = undefined
    if (seat.open !== undefined) this.#going--
    seat.open = undefined
    const became = verdict === Verdict.became || verdict === Verdict.deferredBecame
    seat.deferred ||= verdict === Verdict.deferred || verdict === Verdict.deferredBecame
    // What was put aside comes back before what is here.
    if (became && seat.deferred) {
      seat.closed = true
      seat.deferred = false
    }
    // What is behind a turn that failed is for the next incarnation.
    if (error !== NOTHING) seat.closed = true
    this.#sayThrown(Up.out, error, seat.number, there, verdict, this.#slots.hands[slot])
    this.#idle(seat)
    if (seat.finish !== undefined) {
      this.#say(Up.finish, NOTHING, seat.number, seat.finish)
      seat.finish = undefined
    }
    this.#wake(seat)
  }

  send(cell: Cell, slot: number): void {
    this.#send(cell, slot, Class.user, this.speaker)
  }

  #send(cell: Cell, number: number, kind: number, by = 0): void {
    const slot = this.#slots.at(number)
    const { word, payload } = withExtras(slot)
    this.#slots.outcome(slot)
    // A credit is taken once nothing can fail.
    const take = kind === Class.user ? () => takeShared(this.memory.credits, placeOf(cell.id)) : undefined
    this.#sendable(() => this.#say(Up.send, payload, cell.id, word, kind, by, 0, 0, take))
  }

  take(): void {
    // `write` takes it, when the ask is written.
  }

  takeIdle(): number {
    return -1
  }

  adopt(): number {
    return -1
  }

  start(): number {
    throw new KaryonError('ERR_KARYON_PANIC', 'a worker starts no cells, a defect in Karyon')
  }

  share(): void {}

  counts(): readonly number[] {
    return []
  }

  close(): void {
    this.closed = true
  }

  /** A turn was stopped inside of an async scope, which stays open: nothing runs here any more, and main has another worker take over. */
  taint(error: unknown): void {
    const { control } = this.#line
    this.#sayThrown(Up.tainted, error, control[Place.running])
    this.closed = true
    this.#line.ring()
  }

  write(operation: number, first: number, second = 0, third = 0, fourth = 0, fifth = 0): void {
    const slots = this.#slots
    switch (operation) {
      case Op.send:
        // What a cell is owed here is what its own work has come to.
        return this.#send(
          this.#runtime.cellAt(first),
          second,
          third,
          third === Class.owed ? this.#seat(first)?.number : this.speaker,
        )
      case Op.ask:
        return this.#ask(first, slots.at(second), third, fourth, fifth)
      case Op.deliver: {
        const { word, payload } = withExtras(slots.at(second))
        this.#sendable(() => this.#say(Up.deliver, payload, first, word, second))
        slots.there[second] = first
        this.delivering.set(first, (this.delivering.get(first) ?? 0) + 1)
        return undefined
      }
      case Op.withdraw:
        return this.#say(Up.withdraw, NOTHING, second)
      case Op.abandon:
        return this.#say(Up.abandon, NOTHING, first)
      case Op.reply:
        return this.#reply(slots.at(first))
      case Op.async:
        return this.#goesOn(this.memory.inbox[2 * first + 1] as number, second)
      case Op.result: {
        if (second === Verdict.notRun) return undefined
        const slot = this.memory.inbox[2 * first + 1] as number
        return this.#verdict(slots.at(slot), second)
      }
      case Op.settled: {
        const open = this.#seat(first)?.open
        return open === undefined ? undefined : this.#verdict(open, third)
      }
      case Op.inited: {
        const seat = this.#seat(first)
        if (seat === undefined || seat.incarnation.number !== second) return undefined
        return this.#inited(seat, third, third === Verdict.ended ? undefined : seat.incarnation.cell.failure)
      }
      case Op.fail: {
        const { failure: error } = this.#runtime.cellAt(first)
        return this.#sayThrown(Up.fail, error, this.#seat(first)?.number, third)
      }
      case Op.finish: {
        const seat = this.#seat(first)
        if (seat === undefined) return undefined
        const runs = seat.open !== undefined || Atomics.load(this.#line.seats, seat.number) > 0
        // Main, which does not see a turn that just runs, learns of it after the turn's outcome.
        if (runs) seat.finish = third
        else this.#say(Up.finish, NOTHING, seat.number, third)
        return undefined
      }
      case Op.lease:
        return this.#say(Up.lease, NOTHING, this.#seat(first)?.number, third)
      case Op.stop:
        return this.#say(Up.stop, NOTHING, first, second)
      case Op.pause:
        return this.#say(Up.pause, NOTHING, first, second)
      case Op.timerSet: {
        const { word, payload } = withExtras({ ...this.#runtime.timers.at(first), once: undefined })
        return this.#sendable(() =>
          this.#say(Up.timerSet, payload, this.#seat(second)?.number, first, word, third, fourth, fifth),
        )
      }
      case Op.timerCancel:
        return this.#say(Up.timerCancel, NOTHING, first)
      default:
        throw new KaryonError('ERR_KARYON_PANIC', `a worker cannot say ${operation}, a defect in Karyon`)
    }
  }

  #seat(id: number): LocalSeat | undefined {
    return this.#runtime.cells[placeOf(id)]?.incarnation.seat as LocalSeat | undefined
  }

  #ask(id: number, slot: Slot, asker: number, turn: number, timeoutMs: number): void {
    const { number } = slot
    const { word, payload } = withExtras(slot)
    const seat = asker === NO_CELL ? undefined : this.#seat(asker)
    const runs = seat === undefined ? 0 : Atomics.load(this.#line.seats, seat.number)
    // Its turn may wait for the answer: who asks it meanwhile must be told of the circle.
    if (seat !== undefined && runs > 0 && !seat.told && turn !== INIT_TURN && turn !== NO_TURN) {
      seat.told = true
      this.#say(Up.opened, NOTHING, seat.number, this.#slots.there[seat.running], turn)
    }
    slot.payload = undefined
    try {
      this.#sendable(() =>
        this.#say(Up.ask, payload, id, word, number, seat?.number ?? 0, turn, timeoutMs, () =>
          takeShared(this.memory.credits, placeOf(id)),
        ),
      )
    } catch (error) {
      this.#settle(slot, false, error)
    }
  }

  /** An ask that was made here has its answer. */
  #settle(slot: Slot, fits: boolean, value: unknown): void {
    const { ask } = slot
    if (ask === undefined) return
    const { onAbort } = ask
    if (onAbort !== undefined) peek(() => ask.signal?.removeEventListener('abort', onAbort))
    if (fits) ask.resolve(value)
    // Why it was called off is known here alone.
    else ask.reject(isFailure(value, 'ERR_KARYON_ASK_ABORTED') ? askError(AskEnd.abandoned, ask) : value)
    this.#slots.outcome(slot)
    this.#slots.settled(slot)
  }

  /** The answer to an ask that was issued to a cell here. */
  #reply(slot: Slot, version = 0): void {
    const { ask } = slot
    if (ask === undefined) return
    const { error, value, there = 0, token = 0 } = ask
    this.#slots.settled(slot)
    // In two words of 32 bits.
    const [low, high] = [version, version / 2 ** 32]
    let thrown = error
    if (error === undefined) {
      try {
        return this.#say(Up.reply, value, there, token, 1, low, high)
      } catch (cause) {
        thrown = notSendable(`the reply to ${ask.message} of ${ask.path}`, cause, { path: ask.path })
      }
    }
    this.#sayThrown(Up.reply, thrown, there, token, 0, low, high)
  }

  keepAlive(works: boolean): void {
    this.#say(Up.works, NOTHING, works ? 1 : 0)
  }

  replyAt(slot: Slot, version: number): void {
    this.#reply(slot, version)
  }

  #goesOn(number: number, turn: number): void {
    const seat = this.#slots.seats[number]
    if (seat === undefined) return
    seat.open = this.#slots.at(number)
    this.#going++
    if (seat.told) return
    seat.told = true
    this.#say(Up.opened, NOTHING, seat.number, this.#slots.there[number], turn)
  }

  #verdict(slot: Slot, verdict: number): void {
    const seat = this.#slots.seats[slot.number]
    if (seat === undefined) return
    const ended = verdict === Verdict.ended || verdict === Verdict.became
    const put = verdict === Verdict.deferred || verdict === Verdict.deferredBecame
    const error = ended || put ? NOTHING : (seat.incarnation.cell.failure ?? slot.ask?.error)
    this.#report(seat, slot.number, verdict, error)
    // What main keeps is no longer kept here; of what has ended the pump says so.
    if (put || verdict === Verdict.conflict) {
      slot.ask = undefined
      this.#slots.outcome(slot)
    } else if (!ended) slot.ask = undefined
  }

  #inited(seat: LocalSeat, verdict: number, error: unknown): void {
    this.#sayThrown(Up.inited, error, seat.number, verdict)
  }

  /** Says something with what was thrown, or `NOTHING`. */
  #sayThrown(kind: number, error: unknown, a = 0, b = 0, c = 0, d = 0, e = 0): void {
    sayThrown(error, (what) => this.#say(kind, what, a, b, c, d, e))
  }

  /** Says something, whole or not at all; waits for room if there is none. Main takes things in whatever this side does. */
  #say(kind: number, payload: unknown, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, pay?: () => boolean): void {
    if (this.#shield.running === 0) this.#put(kind, payload, a, b, c, d, e, f, pay)
    else this.#shield.during(() => this.#put(kind, payload, a, b, c, d, e, f, pay))
  }

  #put(
    kind: number,
    payload: unknown,
    a: number,
    b: number,
    c: number,
    d: number,
    e: number,
    f: number,
    pay: (() => boolean) | undefined,
  ): void {
    // What runs on in an isolate that is tainted is nobody's.
    if (this.closed) return
    if (this.#line.busy) {
      const copy = payload === NOTHING ? NOTHING : copyOf(payload, this.#line.passage)
      this.#later.push(() => this.#put(kind, copy, a, b, c, d, e, f, pay))
      return
    }
    const { control } = this.#line
    // In the order in which it came about.
    if (this.#current !== undefined) this.#tell(this.#current)
    // Wakes main once this stretch is over, so that it finds all of it.
    this.#said = true
    this.#runtime.pump.schedule()
    try {
      while (!this.#line.say(kind, payload, a, b, c, d, e, f, pay)) {
        const read = Atomics.load(control, Place.upRead)
        Atomics.store(control, Place.workerStarves, 1)
        this.#line.ring()
        Atomics.wait(control, Place.upRead, read, ROOM_MS)
      }
    } finally {
      if (this.#later.length > 0) for (const say of this.#later.splice(0)) say()
    }
  }

  /** Says something beside what the scheduler is told. */
  tell(kind: number, payload: unknown, a = 0, b = 0): void {
    this.#say(kind, payload, a, b)
  }

  #sendable(say: () => void): void {
    try {
      say()
    } catch (cause) {
      if (cause instanceof KaryonError) throw cause
      throw notSendable('the payload', cause)
    }
  }

  #take(kind: number): void {
    const { reader } = this.#line
    const runtime = this.#runtime
    switch (kind) {
      case Down.message:
        return this.#message(this.#seats[reader.fact(0)])
      case Down.start:
        return this.#start(this.#line.payload() as CellStart)
      case Down.kill:
        return this.#kill(reader.fact(0))
      case Down.abort: {
        const incarnation = this.#seats[reader.fact(0)]?.incarnation
        if (incarnation?.alive) abort(incarnation, reader.fact(1) !== 0)
        return undefined
      }
      case Down.resume:
        return this.#resume(this.#seats[reader.fact(0)], reader.fact(1))
      case Down.gone:
        return this.#gone(reader.word(0), reader.fact(1))
      case Down.renewed: {
        const cell = runtime.cells[placeOf(reader.word(0))]
        if (cell?.id === reader.word(0) && cell.incarnation.seat === undefined)
          cell.incarnation = new Incarnation(cell, reader.fact(1))
        return undefined
      }
      case Down.settled:
        return this.#settle(this.#slots.at(reader.fact(0)), reader.fact(1) !== 0, this.#line.payload())
      case Down.delivered: {
        const slot = this.#slots.at(reader.fact(0))
        const { delivery } = slot
        const error = this.#line.payload()
        this.#delivered(this.#slots.there[slot.number] as number)
        this.#slots.outcome(slot)
        if (reader.fact(1) !== 0) delivery?.resolve()
        else delivery?.reject(error)
        return undefined
      }
      case Down.timerOver:
        return runtime.timers.over(reader.word(0))
      case Down.load: {
        const module = this.#line.payload() as string
        // Whoever needs it is told what is wrong with it.
        const loaded = (): void => this.#say(Up.ready, NOTHING)
        this.#loader.load(module, reader.fact(0)).then(loaded, loaded)
        return undefined
      }
      case Down.look: {
        const state = this.#seats[reader.fact(0)]?.incarnation.state
        const copy = peek(() => structuredClone(state))
        return this.#say(Up.looked, copy, reader.fact(1))
      }
      default:
        return undefined
    }
  }

  #delivered(id: number): void {
    const left = (this.delivering.get(id) ?? 1) - 1
    if (left === 0) this.delivering.delete(id)
    else this.delivering.set(id, left)
  }

  #message(seat: LocalSeat | undefined): void {
    const { reader } = this.#line
    const [there, code, token, hand] = [reader.fact(1), reader.fact(2), reader.fact(3), reader.fact(4)]
    const payload = this.#line.payload()
    if (seat === undefined || !seat.incarnation.alive || seat.closed) return
    const slot = takeInto(this.#slots, code, payload)
    const { number } = slot
    this.#slots.seats[number] = seat
    this.#slots.there[number] = there
    this.#slots.hands[number] = hand
    if (token !== 0) {
      const { path, definition } = seat.incarnation.cell
      const message = definition?.names[slot.code] ?? ''
      slot.ask = { path, message, timeoutMs: 0, resolve: () => {}, reject: () => {}, token, there }
    }
    seat.queue.push(number)
    this.#wake(seat)
  }

  #start(start: CellStart): void {
    const cell = this.#cellFor(start)
    const seat = new LocalSeat(this, start.seat, new Incarnation(cell, start.incarnation), start.session)
    cell.args = start.args
    this.#seats[start.seat] = seat
    if (this.#loader.has(start.module)) this.#begin(seat, start)
    else
      this.#loader.load(start.module, start.loads).then(
        () => this.#begin(seat, start),
        (error: unknown) => this.#inited(seat, Verdict.failed, error),
      )
  }

  #cellFor({ id, path, paused }: CellStart): Cell {
    const { cells } = this.#runtime
    const known = cells[placeOf(id)]
    const cell = known?.id === id ? known : new Cell(this.#runtime, id, path)
    cells[placeOf(id)] = cell
    cell.paused = paused
    return cell
  }

  #begin(seat: LocalSeat, { module, definition }: CellStart): void {
    const { cell, alive, number } = seat.incarnation
    if (!alive) return
    try {
      cell.definition = findDefinition(module, {
        kind: 'cell',
        name: definition,
        isolation: 'thread',
      }) as CompiledCell
    } catch (error) {
      this.#inited(seat, Verdict.failed, error)
      return
    }
    const { name, limits } = cell.definition
    seat.watched = this.#watch.seat(seat.number, name, limits.turnCpuMs)
    // Only now is it known what it is made of.
    const incarnation = new Incarnation(cell, number)
    incarnation.seat = seat
    incarnation.stage = Stage.starting
    seat.incarnation = incarnation
    cell.incarnation = incarnation
    this.#say(Up.opened, NOTHING, seat.number, NO_SLOT, INIT_TURN)
    this.#runtime.pump.startSoon(incarnation)
    this.#runtime.pump.schedule()
  }

  #kill(number: number): void {
    const seat = this.#seats[number]
    this.#seats[number] = undefined
    // One whose arguments could not leave main never came.
    if (seat !== undefined) {
      seat.closed = true
      if (seat.open !== undefined) this.#goneAmid(seat.open)
      seat.open = undefined
      this.#drop(seat)
      seat.incarnation.die(seat.incarnation.cell.failure)
    }
    this.#say(Up.vacated, NOTHING, number)
  }

  /** The turn of this message settles for nobody. */
  #goneAmid(slot: Slot): void {
    this.#going--
    this.#forget(slot)
  }

  #forget(slot: Slot): void {
    this.#slots.seats[slot.number] = undefined
    slot.ask = undefined
    this.#slots.outcome(slot)
  }

  /** What was handed over and not begun is forgotten: main has it. */
  #drop(seat: LocalSeat): void {
    for (const number of seat.queue.slice(seat.first + seat.begun)) this.#forget(this.#slots.at(number))
    seat.queue = []
    seat.first = seat.taken = seat.begun = 0
    // Nothing of it is ready any more: this side would take itself to be at work, and nobody would wake it.
    if (seat.queued) this.#ready.splice(this.#ready.indexOf(seat), 1)
    seat.queued = false
  }

  #resume(seat: LocalSeat | undefined, closed: number): void {
    if (seat === undefined) return
    this.#drop(seat)
    const { open } = seat
    const runs = open === undefined ? Seated.idle : (this.#slots.hands[open.number] as number)
    seat.word = runs
    // Main may have closed it again meanwhile: then it stays closed until that is resumed.
    seat.closed = Atomics.compareExchange(this.#line.seats, seat.number, closed, runs) !== closed
  }

  #gone(id: number, reason: number): void {
    const { cells } = this.#runtime
    const cell = cells[placeOf(id)]
    if (cell?.id === id) {
      cells[placeOf(id)] = undefined
      cell.close()
      cell.tellEnd(DOWNS[reason] as DownReason)
    }
    this.#say(Up.forgot, NOTHING, id)
  }
}
