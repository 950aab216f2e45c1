// One worker, as the main isolate sees it: what is handed to it, and what it reports.
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import type { Cell, Incarnation } from '../cells/cell.ts'
import type { CompiledCell } from '../cells/definition.ts'
import { goneError, failure } from '../cells/failures.ts'
import { Class, CLOSED, Death, NO_CELL, NO_SLOT, Op, Verdict, type DeathWord } from '../cells/protocol.ts'
import { watchedEnvironment } from '../cells/watchdog.ts'
import { OwnedRef } from '../cells/ref.ts'
import { placeOf } from '../cells/scheduler.ts'
import type { Slot } from '../cells/slots.ts'
import { Stage } from '../cells/stage.ts'
import type { ArmedTimer } from '../cells/timers.ts'
import { KaryonError, checked } from '../errors.ts'
import type { KernelEvent } from '../events.ts'
import { native } from '../native.ts'
import { Acquaintances } from './acquaintances.ts'
import { answerCall, type Call, type CallAnswer } from './calls.ts'
import { notSendable, sayThrown } from './errors.ts'
import { Line, NOTHING } from './line.ts'
import { pack, unpack } from './parcels.ts'
import { Seat } from './seat.ts'
import { UNPAID, codeOf, takeInto, told, withExtras } from './extras.ts'
import type { ModuleFacts, Threads } from './threads.ts'
import {
  Asleep,
  Down,
  Place,
  SEATS_MAX,
  Seated,
  Up,
  partsOf,
  shareMemory,
  type CellStart,
  type WorkerSeed,
} from './wire.ts'

const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)

/** How long the turn of a dead incarnation may run on, in milliseconds. */
const OUTLIVES_MS = 100
/** Who looks so much later than he wanted to looks once more, in milliseconds. */
const LATE_MS = 20
/** … so often at most. */
const LOOKS_MAX = 100
/** How long a worker may stand beside turns before it takes in that an incarnation is dead, in milliseconds. */
const STANDS_MS = 1_000
/** The same, where somebody who lives may be at work there. */
const STANDS_AMONG_OTHERS_MS = 10_000

/** In place of an ask's number: its answer is here. */
const ANSWERED = 0

let workers = 0
/** Asks and looks so far, of all workers: an answer that comes late is nobody else's. */
let asks = 0

/** A worker. */
export class Thread {
  /** Unique in the process. */
  readonly number: number = ++workers
  readonly threads: Threads
  readonly worker: Worker
  readonly line: Line
  readonly #known: Acquaintances
  readonly #answers: MessagePort
  readonly #parcels: MessagePort
  /** By number; 0 is none. */
  readonly #seats: (Seat | undefined)[] = [undefined]
  readonly #free: number[] = []
  /** By seat, of the cell that had it last. */
  readonly #paths: string[] = []
  /** Asks and deliveries that were made there: slots there, and what is known of them here. */
  readonly #open = new Map<number, { readonly slot: number; readonly cell: Cell }>()
  readonly #timers = new Map<number, ArmedTimer>()
  /** Asks whose turn is over there and whose answer is not yet durable. */
  readonly #owed = new Map<number, number>()
  /** What waits for room in the ring. */
  readonly #waiting: (() => boolean)[] = []
  readonly #looks = new Map<number, (state: unknown) => void>()
  #works = false
  /** Calls that it waits for. */
  #calls = 0
  /** Looks whether it takes in who is dead. */
  #burial: NodeJS.Timeout | undefined
  #reading = false
  /** It has said what cannot be read: nothing of it is read any more. */
  #garbled = false
  /** Nobody reads there any more. */
  #left = false
  /** Who waits until it is up and has loaded what it was told to; and how much of that is to come. */
  readonly #warming: (() => void)[] = []
  #cold = 1
  #error: unknown
  #exited = false
  /** It says nothing any more: whose turn was stopped there, and with what. */
  #taint: [Incarnation | undefined, KaryonError] | undefined

  constructor(threads: Threads) {
    this.threads = threads
    const { runtime, tokens, needs } = threads
    this.#known = new Acquaintances(runtime)
    const memory = shareMemory()
    const [parcels, answers] = [new MessageChannel(), new MessageChannel()]
    this.#parcels = parcels.port1
    this.#answers = answers.port1
    const seed: WorkerSeed = {
      memory,
      bell: threads.bell.buffer,
      parcels: parcels.port2,
      answers: answers.port2,
      ...tokens,
      environment: watchedEnvironment(),
      durability: needs.durability,
      root: runtime.root.id,
      seed: runtime.seed,
      check: runtime.check,
    }
    // Who is told of what kind text is runs nothing else. Which of the program's flags could be left out the engine does not say.
    const { execArgv, env } = process
    const isText = [...execArgv, env['NODE_OPTIONS']].some((flag) => flag?.includes('--input-type'))
    this.worker = new Worker(isText ? `import(${JSON.stringify(ENTRY.href)})` : ENTRY, {
      eval: isText,
      workerData: seed,
      transferList: [parcels.port2, answers.port2],
      name: 'karyon',
    })
    const parts = partsOf(memory)
    const workerBell = { words: parts.control, at: Place.workerBell }
    this.line = new Line(parts, true, this.#parcels, this.#known, workerBell, () =>
      native.wakeEnvironment(this.environment),
    )
    Atomics.store(this.line.control, Place.mainSleeps, Asleep.deep)
    Atomics.store(this.line.control, Place.environment, -1)
    // The host has kept what it says, but not its class.
    this.worker.on('error', (error) => (this.#error = unpack(pack(error, this.#known), this.#known)))
    this.worker.on('exit', (code) => {
      this.#exited = true
      this.#cold = 0
      this.#warmed()
      this.threads.exited(this, this.#error, code)
      this.#parcels.close()
      this.#answers.close()
    })
    // What keeps a program alive are messages, turns and timers, and the scheduler knows of those.
    this.worker.unref()
    this.#parcels.unref()
    this.#answers.unref()
  }

  /** Resolves once it runs, and has loaded what it was told to by then. */
  warm(): Promise<void> {
    return this.#cold === 0 ? Promise.resolve() : new Promise((resolve) => this.#warming.push(resolve))
  }

  #warmed(): void {
    if (this.#cold === 0) for (const tell of this.#warming.splice(0)) tell()
  }

  /** What the watchdog knows it by, once it is up; before that it is -1. */
  get environment(): number {
    return Atomics.load(this.line.control, Place.environment)
  }

  /** Cells that run there. */
  get occupied(): number {
    return this.#seats.length - 1 - this.#free.length
  }

  /** Has an incarnation run there; nothing if there is no room. */
  seat(incarnation: Incarnation, module: ModuleFacts): Seat | undefined {
    const number = this.#free.pop() ?? this.#seats.length
    if (number >= SEATS_MAX) return undefined
    const { cell } = incarnation
    const { threads } = this
    const session = threads.needs.session(incarnation)
    const token = checked(native.shareHandle(session))
    const seat = new Seat(this, number, incarnation, module, token)
    this.#seats[number] = seat
    this.#paths[number] = cell.path
    this.#known.add(cell)
    Atomics.store(this.line.seats, number, Seated.idle)
    this.line.used[number] = 0
    Atomics.store(this.line.dead, number, 0)
    const start: CellStart = {
      seat: number,
      id: cell.id,
      path: cell.path,
      incarnation: incarnation.number,
      paused: cell.paused,
      session: token,
      module: module.url,
      loads: module.number,
      definition: (cell.definition as CompiledCell).name,
      args: cell.args,
    }
    this.#put(() => {
      try {
        return this.line.say(Down.start, start)
      } catch (cause) {
        cell.failure = notSendable(`args of ${cell.path}`, cause, { path: cell.path })
        threads.runtime.scheduler.write(Op.inited, cell.id, incarnation.number, Verdict.failed)
        return true
      }
    })
    return seat
  }

  /** Seats whose incarnation lives. */
  living(): readonly Seat[] {
    return this.#seats.filter((seat): seat is Seat => seat !== undefined && seat.incarnation.alive)
  }

  /** The cell that had a seat last. */
  pathOf(seat: number): string | undefined {
    return this.#paths[seat]
  }

  /** The incarnation in a seat, if that turn of it runs right now. */
  runningIn(seat: number, turn: number | undefined): Incarnation | undefined {
    const at = this.#seats[seat]
    return at !== undefined && turn !== undefined && this.turnIn(at) === turn ? at.incarnation : undefined
  }

  /** The incarnation whose code runs right now. */
  get running(): Incarnation | undefined {
    return this.#seats[Atomics.load(this.line.control, Place.running)]?.incarnation
  }

  /** The module that is being loaded. */
  get loading(): ModuleFacts | undefined {
    return [...this.threads.modules.values()][Atomics.load(this.line.control, Place.loading) - 1]
  }

  /** Seats that come up once the module is loaded that is being loaded. */
  waiting(): readonly Seat[] {
    const { loading } = this
    return this.living().filter(({ begun, module }) => !begun && module === loading)
  }

  /** Seats that wait in a turn or in `init`. */
  going(): readonly Seat[] {
    return this.living().filter(
      ({ begun, incarnation, runs }) => begun && (incarnation.stage === Stage.starting || runs),
    )
  }

  /** Seats whose code may run where no turn does. */
  suspects(): readonly Seat[] {
    return [...this.waiting(), ...this.going()]
  }

  /** The number of the turn that runs in a seat right now. */
  turnIn({ number }: Seat): number | undefined {
    const { control } = this.line
    const runs = !this.#left && Atomics.load(control, Place.running) === number
    return runs ? Atomics.load(control, Place.turn) >>> 0 : undefined
  }

  /** Whether it is the seat that has its number now. */
  holds(seat: Seat): boolean {
    return this.#seats[seat.number] === seat
  }

  /** An incarnation is dead. What of it does not let the worker turn runs on, and nobody there can end it: then the worker is given up. */
  bury(seat: Seat, goesOn: boolean): void {
    this.say(Down.kill, seat.number)
    if (goesOn) this.lookIfRuns(seat)
    if ((goesOn || this.#works) && this.#burial === undefined) this.#burial = this.#lookIfStands(0)
  }

  /** Looks a while later whether a turn of it that runs by now still does: gives the worker up then. */
  lookIfRuns(seat: Seat, turn: number | undefined = this.turnIn(seat), times: number = LOOKS_MAX): void {
    const dueAt = performance.now() + OUTLIVES_MS
    const look = (): void => {
      const runs = this.turnIn(seat)
      if (!this.holds(seat) || runs === undefined) return
      // It may have waited for this side, which had no time.
      const waited = this.#hears() || performance.now() > dueAt + LATE_MS
      if (runs !== turn || (waited && times > 0)) this.lookIfRuns(seat, runs, times - 1)
      else this.#giveUp(seat)
    }
    setTimeout(look, OUTLIVES_MS)
  }

  /** Looks a while later whether it stands where it stands now, beside turns, and has not taken in who is dead. */
  #lookIfStands(stoodMs: number): NodeJS.Timeout {
    const place = this.#place()
    const look = (): void => {
      this.#burial = undefined
      const dead = this.#seats.find((seat) => seat?.incarnation.alive === false)
      if (dead === undefined || this.#left) return
      const stands =
        !this.#hears() && place !== undefined && place === this.#place() ? stoodMs + STANDS_MS : 0
      // It may be what somebody else does, who lives and may take his time.
      if (stands >= (this.isAmbiguous ? STANDS_AMONG_OTHERS_MS : STANDS_MS)) this.#giveUp(dead)
      else this.#burial = this.#lookIfStands(stands)
    }
    return setTimeout(look, STANDS_MS).unref()
  }

  /** Somebody who lives there may be at work beside turns. */
  get isAmbiguous(): boolean {
    return this.#works || this.going().length > 0
  }

  /** Somebody may be at work there beside turns of whom it is not known. */
  get hasOthers(): boolean {
    return this.#works || this.#seats.some((seat) => seat?.incarnation.alive === false)
  }

  /** Takes in what it has said; whether that was anything, or it is owed an answer: it may have waited for this side. */
  #hears(): boolean {
    if (!this.line.reader.waits) return this.#calls > 0
    this.read()
    this.threads.runtime.wake()
    return true
  }

  /** What it has read; nothing while it starts, loads a module or runs a turn, for which there are other limits. */
  #place(): number | undefined {
    const { control } = this.line
    const load = (place: number): number => Atomics.load(control, place)
    const isBusy = this.environment < 0 || load(Place.loading) !== 0 || load(Place.running) !== 0
    return isBusy ? undefined : load(Place.downRead)
  }

  #giveUp({ incarnation }: Seat): void {
    const { path } = incarnation.cell
    const message = `${path} is dead and runs on; its worker is replaced`
    this.threads.replace(this, incarnation, failure('ERR_KARYON_CELL_DEAD', message, { path }))
  }

  /** Has a module loaded that will be needed. */
  load({ url, number }: ModuleFacts): void {
    this.#cold++
    this.tell(Down.load, url, number)
  }

  /** Says something without a payload, as soon as there is room. */
  say(kind: number, a = 0, b = 0, c = 0): void {
    this.#put(() => this.line.say(kind, NOTHING, a, b, c))
  }

  /** Says something with a payload. */
  tell(kind: number, payload: unknown, a = 0, b = 0, c = 0, d = 0): void {
    this.#put(() => this.line.say(kind, payload, a, b, c, d))
  }

  #put(say: () => boolean): void {
    if (this.#left) return
    if (this.#waiting.length === 0 && say()) {
      this.#goOn()
      return
    }
    this.#waiting.push(say)
    if (this.#waiting.length === 1) this.#goOn()
  }

  /** What was said is on its way, and so is what had to wait, or came out of a payload of it. */
  #goOn(): void {
    if (this.line.busy) return
    if (this.#waiting.length > 0) this.#flush()
    else this.line.ring()
  }

  /** Hands a message over, as soon as there is room. */
  hand(seat: Seat, number: number): void {
    const { runtime, holders, hands } = this.threads
    const slot = runtime.slots.at(number)
    const { ask } = slot
    if (ask !== undefined) {
      ask.token = ++asks
      this.threads.asked = true
    }
    holders[number] = seat
    const hand = seat.handed(number)
    hands[number] = hand
    if (this.#left) return
    if (this.#waiting.length === 0 && this.#hand(seat, slot, hand)) {
      this.#goOn()
      return
    }
    const { epoch } = seat
    // What was taken back, or lost, before there was room is not handed over.
    this.#put(() => seat.epoch !== epoch || holders[number] !== seat || this.#hand(seat, slot, hand))
  }

  #hand(seat: Seat, slot: Slot, hand: number): boolean {
    const { runtime, holders } = this.threads
    const { number, code, ask, once, trace } = slot
    try {
      if (once !== undefined || trace !== undefined) {
        const { payload, word } = withExtras(slot)
        return this.line.say(Down.message, payload, seat.number, number, word, ask?.token ?? 0, hand)
      }
      return this.line.say(Down.message, slot.payload, seat.number, number, code, ask?.token ?? 0, hand)
    } catch (error) {
      holders[number] = undefined
      seat.withdrawn(number)
      const { id, path, definition } = seat.incarnation.cell
      ask?.reject(notSendable(`${definition?.names[code]} of ${path}`, error, { path }))
      runtime.scheduler.write(Op.out, id, number, Verdict.notRun)
      return true
    }
  }

  #flush(): void {
    // First: whoever makes room from here on sees it.
    Atomics.store(this.line.control, Place.mainStarves, 1)
    let said = 0
    while (said < this.#waiting.length && this.#waiting[said]?.()) said++
    this.#waiting.splice(0, said)
    if (this.#waiting.length === 0) Atomics.store(this.line.control, Place.mainStarves, 0)
    this.line.ring()
  }

  /** Says how fast this side sleeps from here on; false if it must not, for something waits. */
  rest(asleep: (typeof Asleep)[keyof typeof Asleep]): boolean {
    if (this.#exited || this.#garbled) return true
    Atomics.store(this.line.control, Place.mainSleeps, asleep)
    return (
      !this.line.reader.waits &&
      (this.#waiting.length === 0 || Atomics.load(this.line.control, Place.mainStarves) === 1)
    )
  }

  /** A cell is gone. */
  gone(cell: Cell, reason: number): void {
    if (this.#known.has(cell.id)) this.say(Down.gone, cell.id, reason)
  }

  /** A cell has a new incarnation. */
  renewed({ id, incarnation }: Cell): void {
    if (this.#known.has(id)) this.say(Down.renewed, id, incarnation.number)
  }

  /** A copy of a cell's state. */
  look(seat: Seat): Promise<unknown> {
    // Nobody there answers any more: what it looked like is gone with it.
    if (this.#left || !this.holds(seat)) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const number = ++asks
      const { runtime } = this.threads
      // Somebody waits: the pump sees to it that the program stays alive.
      runtime.waits++
      runtime.wake()
      this.#looks.set(number, (state) => {
        runtime.waits--
        resolve(state)
      })
      this.say(Down.look, seat.number, number)
    })
  }

  /** It is given up: nothing is said to it any more, and it ends. Whoever looks at a cell there gets what is given. */
  leave(looked: () => unknown = () => undefined): Promise<void> {
    this.#left = true
    this.#hold(false)
    for (const resolve of this.#looks.values()) resolve(looked())
    this.#looks.clear()
    this.threads.runtime.pump.schedule()
    for (const timer of this.#timers.values()) timer.onOver = undefined
    return this.terminate()
  }

  /** Asks whose turn is over and whose answer will not come. */
  settleOwed(error: () => KaryonError): void {
    for (const [number, token] of this.#owed) {
      const ask = this.threads.runtime.slots.askAt(number)
      if (ask?.token !== token) continue
      ask.error = error()
      this.threads.runtime.scheduler.write(Op.reply, number)
    }
    this.#owed.clear()
  }

  async terminate(): Promise<void> {
    this.#left = true
    if (!this.#exited) await this.worker.terminate()
  }

  /** Takes in what it has said, or so much of it: at most what the ring holds. */
  read(records: number = Number.POSITIVE_INFINITY): void {
    if (this.#reading || this.#garbled) return
    const { reader, control } = this.line
    if (!reader.waits && this.#waiting.length === 0) return
    Atomics.store(control, Place.mainSleeps, 0)
    this.#reading = true
    let broken: KaryonError | undefined
    try {
      if (reader.waits) this.threads.needs.refresh()
      for (let count = 0; count < records && reader.next(); count++) this.#take(reader.kind)
      reader.release()
    } catch (cause) {
      const message =
        'a worker has said what cannot be read here: send plain data, not too deep; it is replaced'
      broken = failure('ERR_KARYON_NOT_SENDABLE', message, { worker: this.number }, cause)
    } finally {
      this.#reading = false
    }
    this.#garbled = broken !== undefined
    if (broken !== undefined) this.threads.replace(this, undefined, broken)
    if (Atomics.exchange(control, Place.workerStarves, 0) === 1) Atomics.notify(control, Place.upRead)
    if (this.#waiting.length > 0 && !this.#left) this.#flush()
    if (this.#taint === undefined) return
    const [culprit, error] = this.#taint
    this.#taint = undefined
    this.threads.replace(this, culprit, error, Death.cpu)
  }

  #take(kind: number): void {
    const { reader } = this.line
    const { runtime } = this.threads
    const { scheduler } = runtime
    switch (kind) {
      case Up.out:
        return this.#out(this.#seats[reader.fact(0)], reader.fact(1), reader.fact(2), reader.fact(3))
      case Up.opened: {
        const [seat, slot] = [this.#seats[reader.fact(0)], reader.word(1)]
        if (slot === NO_SLOT && seat !== undefined) seat.begun = seat.module.came = true
        const counts = slot === NO_SLOT ? seat?.incarnation.alive : this.threads.holders[slot] === seat
        if (seat === undefined || !counts) return undefined
        if (slot === NO_SLOT) seat.limitTurns()
        else seat.endedBefore(slot)
        scheduler.write(Op.opened, seat.incarnation.cell.id, slot, reader.word(2))
        return undefined
      }
      case Up.reply:
        return this.#reply(reader.fact(0), reader.fact(1), reader.fact(2) !== 0)
      case Up.send:
        return this.#send(reader.word(0), reader.fact(1), reader.fact(2), this.#seats[reader.fact(3)])
      case Up.ask:
        return this.#ask(reader.word(0), reader.fact(1), reader.fact(2), this.#seats[reader.fact(3)])
      case Up.deliver:
        return this.#deliver(reader.word(0), reader.fact(1), reader.fact(2))
      case Up.withdraw: {
        const open = this.#open.get(reader.fact(0))
        if (open !== undefined) scheduler.write(Op.withdraw, open.cell.id, open.slot)
        return undefined
      }
      case Up.abandon: {
        const open = this.#open.get(reader.fact(0))
        if (open !== undefined) scheduler.write(Op.abandon, open.slot)
        return undefined
      }
      case Up.inited:
        return this.#inited(this.#seats[reader.fact(0)], reader.fact(1))
      case Up.fail:
        return this.#fail(this.#seats[reader.fact(0)], reader.fact(1) as DeathWord)
      case Up.finish:
        return this.#living(reader.fact(0), (incarnation) => {
          const { cell, number } = incarnation
          if (reader.fact(1) === Death.budget) incarnation.bar()
          scheduler.write(Op.finish, cell.id, number, reader.fact(1))
        })
      case Up.lease:
        return this.#living(reader.fact(0), ({ cell, number, gauge }) => {
          gauge?.renewed()
          scheduler.write(Op.lease, cell.id, number, reader.word(1))
        })
      case Up.stop:
        return this.#withCell(reader.word(0), (cell) => void runtime.stopCell(cell, reader.fact(1) !== 0))
      case Up.pause:
        return this.#withCell(reader.word(0), (cell) => {
          const ref = new OwnedRef<never>(cell)
          if (reader.fact(1) !== 0) ref.pause()
          else ref.resume()
        })
      case Up.timerSet:
        return this.#timerSet(this.#seats[reader.fact(0)], reader.word(1))
      case Up.timerCancel: {
        const timer = this.#timers.get(reader.word(0))
        if (timer !== undefined) runtime.timers.cancel(timer)
        return undefined
      }
      case Up.event:
        return this.#event(this.line.payload() as KernelEvent)
      case Up.vacated: {
        const number = reader.fact(0)
        this.#seats[number] = undefined
        this.#free.push(number)
        return undefined
      }
      case Up.call:
        return void this.#call(reader.fact(0), this.line.payload() as Call)
      case Up.forgot: {
        return this.#known.forget(reader.word(0))
      }
      case Up.inspect: {
        const there = reader.fact(0)
        const ref = this.line.payload() as OwnedRef<never>
        ref.inspect().then(
          (info) => this.#settle(there, true, info),
          (error: unknown) => this.#settle(there, false, error),
        )
        return undefined
      }
      case Up.tainted: {
        this.#taint = [this.#seats[reader.fact(0)]?.incarnation, this.line.payload() as KaryonError]
        return undefined
      }
      case Up.looked: {
        const number = reader.fact(0)
        this.#looks.get(number)?.(this.line.payload())
        this.#looks.delete(number)
        return undefined
      }
      case Up.works:
        return this.#hold(reader.fact(0) !== 0)
      case Up.ready:
        this.#cold--
        return this.#warmed()
      default:
        throw new KaryonError('ERR_KARYON_PANIC', `a worker says ${kind}, a defect in Karyon`)
    }
  }

  /** Work goes on there, or none does any more. */
  #hold(works: boolean): void {
    const holds = works && !this.#left
    if (holds === this.#works) return
    this.#works = holds
    this.threads.runtime.waits += holds ? 1 : -1
    this.threads.runtime.pump.schedule()
  }

  #living(number: number, act: (incarnation: Incarnation) => void): void {
    const incarnation = this.#seats[number]?.incarnation
    if (incarnation?.alive) act(incarnation)
  }

  #withCell(id: number, act: (cell: Cell) => void): void {
    const cell = this.#known.at(id)
    if (cell !== undefined && cell.gone === undefined) act(cell)
  }

  /** A message came out. */
  #out(seat: Seat | undefined, number: number, verdict: number, hand: number): void {
    const { holders, hands, runtime } = this.threads
    const failed = verdict === Verdict.failed || verdict === Verdict.invariant || verdict === Verdict.stopped
    const fails = failed || verdict === Verdict.conflict
    // Also where it does not count any more: else whoever reads next would find this.
    const error = fails ? this.line.payload() : undefined
    // Its slot may be free since main looked itself, and another one's that was handed to the same seat.
    if (seat === undefined || holders[number] !== seat || hands[number] !== hand) return
    const { cell } = seat.incarnation
    const slot = runtime.slots.at(number)
    seat.landed(number)
    holders[number] = undefined
    if (fails) {
      if (slot.ask !== undefined) slot.ask.error = error
      cell.failure = error
    }
    runtime.scheduler.write(Op.out, cell.id, number, verdict)
    if (verdict === Verdict.conflict || verdict === Verdict.deferred || verdict === Verdict.deferredBecame)
      return
    const { token = ANSWERED } = slot.ask ?? {}
    if (!failed && token !== ANSWERED) this.#owed.set(number, token)
    runtime.slots.outcome(slot)
  }

  #reply(number: number, token: number, fits: boolean): void {
    const { reader } = this.line
    const version = reader.word(3) + reader.word(4) * 2 ** 32
    const value = this.line.payload()
    if (this.#owed.get(number) === token) this.#owed.delete(number)
    const { slots, scheduler } = this.threads.runtime
    const ask = slots.askAt(number)
    if (ask === undefined || ask.token !== token) return
    ask.token = ANSWERED
    ask.value = value
    const reply = (error?: unknown): void => {
      ask.error = error
      if (slots.askAt(number) === ask) scheduler.write(Op.reply, number)
    }
    const said = fits ? undefined : value
    const durable = this.threads.needs.durable(version)
    if (durable === undefined) reply(said)
    else durable.then(() => reply(said), reply)
  }

  /**
   * The cell of a message. Where that is gone the credit that its sender took may have been another's, and is given back; so it is where the sender's
   * incarnation was dead when it was said: its end is told by then.
   */
  #receiver(id: number, word: number, by?: Seat): Cell | undefined {
    const { cells, scheduler } = this.threads.runtime
    const present = cells[placeOf(id)]
    if (present?.id === id && by?.lived(this.line.reader.place) !== false) return present
    if ((word & UNPAID) === 0 && present !== undefined) scheduler.write(Op.refund, present.id)
    return undefined
  }

  #send(id: number, code: number, kind: number, by: Seat | undefined): void {
    const { runtime } = this.threads
    const payload = this.line.payload()
    const cell = this.#receiver(id, kind === Class.user ? code : UNPAID, by)
    if (cell === undefined) this.#deadLetter(id, code, payload)
    else runtime.scheduler.write(Op.send, id, takeInto(runtime.slots, code, payload).number, kind)
  }

  #deadLetter(id: number, code: number, payload: unknown): void {
    const cell = this.#known.at(id)
    if (cell === undefined) return
    this.threads.runtime.turnAway(cell, codeOf(code), CLOSED, told(code, payload).trace)
  }

  #goneError(id: number): KaryonError {
    const { path = '', failure: cause } = this.#known.at(id) ?? {}
    return goneError(path, cause)
  }

  #ask(id: number, code: number, there: number, asker: Seat | undefined): void {
    const { runtime } = this.threads
    const { reader } = this.line
    const [turn, timeoutMs] = [reader.word(4), reader.word(5)]
    const payload = this.line.payload()
    const cell = this.#receiver(id, code, asker)
    const settled = (fits: boolean, value: unknown): void => {
      this.#open.delete(there)
      this.#settle(there, fits, value)
    }
    if (cell === undefined) {
      this.#deadLetter(id, code, payload)
      settled(false, this.#goneError(id))
      return
    }
    const { path, definition } = cell
    const slot = takeInto(runtime.slots, code, payload)
    slot.ask = {
      path,
      message: definition?.names[codeOf(code)] ?? '',
      timeoutMs,
      resolve: (value) => settled(true, value),
      reject: (error) => settled(false, error),
    }
    this.#open.set(there, { slot: slot.number, cell })
    const by = asker?.incarnation.cell.id ?? NO_CELL
    runtime.scheduler.write(Op.ask, id, slot.number, by, turn, timeoutMs)
  }

  /** Something that was asked there has its answer. */
  #settle(there: number, fits: boolean, value: unknown): void {
    // All of it once there is room: only then does it show whether the value can leave.
    this.#put(() => {
      let thrown = value
      try {
        if (fits) return this.line.say(Down.settled, value, there, 1)
      } catch (cause) {
        thrown = notSendable('the reply', cause)
      }
      return sayThrown(thrown, (what) => this.line.say(Down.settled, what, there, 0))
    })
  }

  #deliver(id: number, code: number, there: number): void {
    const { runtime } = this.threads
    const payload = this.line.payload()
    const cell = this.#receiver(id, UNPAID)
    if (cell === undefined) {
      this.#deadLetter(id, code, payload)
      this.tell(Down.delivered, this.#goneError(id), there, 0)
      return
    }
    const slot = takeInto(runtime.slots, code, payload)
    const over = (error: unknown, admitted: boolean): void => {
      this.#open.delete(there)
      this.tell(Down.delivered, error, there, admitted ? 1 : 0)
    }
    slot.delivery = { resolve: () => over(undefined, true), reject: (error) => over(error, false) }
    this.#open.set(there, { slot: slot.number, cell })
    runtime.scheduler.write(Op.deliver, id, slot.number)
  }

  #inited(seat: Seat | undefined, verdict: number): void {
    const error = this.line.payload()
    seat?.cameUp()
    if (seat === undefined || !seat.incarnation.alive) return
    const { cell, number } = seat.incarnation
    if (verdict === Verdict.ended) seat.incarnation.start()
    else cell.failure = error
    this.threads.runtime.scheduler.write(Op.inited, cell.id, number, verdict)
  }

  #fail(seat: Seat | undefined, death: DeathWord): void {
    this.#failed(seat, this.line.payload(), death)
  }

  #failed(seat: Seat | undefined, error: unknown, death: DeathWord): void {
    if (seat === undefined || !seat.incarnation.alive) return
    const { cell, number } = seat.incarnation
    cell.failure = error
    this.threads.runtime.scheduler.write(Op.fail, cell.id, number, death)
  }

  #timerSet(seat: Seat | undefined, there: number): void {
    const { reader } = this.line
    const [word, delayMs, periodMs, ref] = [reader.fact(2), reader.word(3), reader.word(4), reader.fact(5)]
    const { payload, trace } = told(word, this.line.payload())
    // It is armed nowhere, and its number is free there.
    if (seat === undefined || !seat.incarnation.alive) return this.say(Down.timerOver, there)
    const { timers } = this.threads.runtime
    try {
      const timer = timers.set(
        seat.incarnation.cell,
        codeOf(word),
        payload,
        delayMs,
        periodMs,
        ref !== 0,
        trace,
      )
      timer.onOver = () => {
        this.#timers.delete(there)
        this.say(Down.timerOver, there)
      }
      this.#timers.set(there, timer)
    } catch (error) {
      // As many as possible are armed. Elsewhere the turn would have failed with it.
      this.say(Down.timerOver, there)
      this.#failed(seat, error, Death.error)
    }
  }

  #event(event: KernelEvent): void {
    const { runtime } = this.threads
    if (event.type === 'turn.late-settlement') runtime.pump.late++
    if (event.type === 'message.refused' || event.type === 'message.dead-letter')
      runtime.countTurnedAway(event.type)
    runtime.emit(event)
  }

  async #call(number: number, call: Call): Promise<void> {
    this.#calls++
    const answer = await answerCall(this.threads.runtime, (seat) => this.#seats[seat]?.incarnation, call)
    this.#calls--
    if (this.#left) return
    try {
      this.#post(answer)
    } catch (cause) {
      sayThrown('error' in answer ? answer.error : notSendable(`what ${call.what} gives`, cause), (error) =>
        this.#post({ error }),
      )
    }
    Atomics.store(this.line.control, Place.answered, number)
    Atomics.notify(this.line.control, Place.answered)
  }

  #post(answer: CallAnswer): void {
    this.#answers.postMessage(pack(answer, this.#known))
  }
}
