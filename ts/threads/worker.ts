// A worker: runs cells of its kernel's, on a store that it shares with it.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import type { Cell, Incarnation } from '../cells/cell.ts'
import { CellRuntime } from '../cells/runtime.ts'
import type { Turn } from '../cells/turn.ts'
import { onWake, watchedEnvironment } from '../cells/watchdog.ts'
import { checked, takeFailure } from '../errors.ts'
import { accessRefused, type KernelEvent } from '../events.ts'
import { Connection } from '../graph/connection.ts'
import { NativeSession, type Grants } from '../graph/session.ts'
import { native } from '../native.ts'
import { sayThrown } from './errors.ts'
import { Line, NOTHING } from './line.ts'
import { Outside } from './outside.ts'
import { RemoteSlots, type LocalSeat } from './local.ts'
import { RemoteScheduler } from './remote.ts'
import { Place, Up, partsOf, type WorkerSeed } from './wire.ts'

/** A runtime whose cells are main's: that has to know who sends what. */
class CellRuntimeHere extends CellRuntime {
  /** A turn learns of its end in no other way while it runs. */
  override assertGoesOn(incarnation: Incarnation): void {
    if ((this.scheduler as RemoteScheduler).isDead(incarnation)) throw incarnation.deadError()
  }

  override send(cell: Cell, name: string, payload: unknown, turn?: Turn): boolean {
    const scheduler = this.scheduler as RemoteScheduler
    const by = turn ?? this.pump.current
    if (turn !== undefined) this.assertGoesOn(turn.incarnation)
    const before = scheduler.speaker
    scheduler.speaker = (by?.incarnation.seat as LocalSeat | undefined)?.number ?? 0
    try {
      return super.send(cell, name, payload, turn)
    } finally {
      scheduler.speaker = before
    }
  }
}

function serve(port: MessagePort, seed: WorkerSeed): void {
  const { memory, bell, parcels, answers, store, credits, durability, root, environment } = seed
  const connection = new Connection(checked(native.adoptStore(store)), durability)
  connection.listen()
  const words = native.adoptCredits(credits)
  if (words === null) throw takeFailure()
  const outside = new Outside(answers)
  const mainBell = { words: new Int32Array(bell), at: 0 }
  const line = new Line(partsOf(memory), false, parcels, outside, mainBell, () =>
    native.wakeEnvironment(environment),
  )
  const tell = (event: KernelEvent): void => {
    const scheduler = runtime.scheduler as RemoteScheduler
    if ('error' in event) sayThrown(event.error, (error) => scheduler.tell(Up.event, { ...event, error }))
    else scheduler.tell(Up.event, event)
  }
  const slots = new RemoteSlots()
  const runtime: CellRuntime = new CellRuntimeHere({
    sessions: {
      session: (principal: string, incarnation: number, grants: Grants, of: Incarnation) =>
        new NativeSession(
          connection,
          principal,
          incarnation,
          grants,
          (refusal) => tell(accessRefused(refusal)),
          () => native.adoptSession(connection.handle, (of.seat as LocalSeat).session),
        ),
    },
    emit: tell,
    tainted: (error) => (runtime.scheduler as RemoteScheduler).taint(error),
    time: () => connection.now(),
    seed: seed.seed,
    sendableCheck: seed.check,
    slots,
    scheduler: (own) => new RemoteScheduler(own, slots, line, words, root, () => connection.refresh()),
    outside,
  })
  outside.connect(line, runtime)
  const { pump } = runtime
  onWake(() => pump.wake())
  // Whoever ends it from outside has it exit without this.
  process.once('exit', () => (line.control[Place.exits] = 1))
  // Nothing comes this way: it keeps the worker up.
  port.on('message', () => {})
  Atomics.store(line.control, Place.environment, watchedEnvironment())
  line.say(Up.ready, NOTHING)
  line.ring()
  pump.schedule()
}

if (parentPort !== null) serve(parentPort, workerData as WorkerSeed)
