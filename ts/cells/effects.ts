// What the scheduler decided, carried out on this side.
import type { KaryonError } from '../errors.ts'
import type { DeathReason, DownReason } from '../events.ts'
import { warn } from './apoptosis.ts'
import { askError } from './ask.ts'
import { Incarnation, type Cell, type EndReason, type Mortal } from './cell.ts'
import type { Children } from './children.ts'
import { failure, goneError } from './failures.ts'
import { peek } from './foreign.ts'
import { AskEnd, DEAD_LETTERS, DEATHS, DOWNS, EFFECT_WORDS, Effect, REFUSALS } from './protocol.ts'
import type { CellRuntime } from './runtime.ts'
import { placeOf } from './scheduler.ts'
import type { PendingAsk, Slot } from './slots.ts'
import { withTrace } from './trace.ts'

type Act = (runtime: CellRuntime, first: number, second: number, third: number) => void

const ACTS: Readonly<Record<number, Act>> = {
  [Effect.init]: (runtime, cell) => start(runtime.cellAt(cell).incarnation),
  [Effect.died]: (runtime, cell, _incarnation, death) => died(runtime.cellAt(cell), death),
  [Effect.restarted]: (runtime, cell, incarnation, death) =>
    restarted(runtime.cellAt(cell), incarnation, death),
  [Effect.gone]: (runtime, cell, reason) => gone(runtime.cellAt(cell), DOWNS[reason] as DownReason),
  [Effect.supervisorGaveUp]: (runtime, cell) => gaveUp(runtime.cellAt(cell)),
  [Effect.rootFailed]: (runtime, cell) => {
    const { path, failure: error } = runtime.cellAt(cell)
    runtime.fail((error as KaryonError | undefined) ?? intensityError(path))
  },
  [Effect.lost]: (runtime, cell, slot, why) => lost(runtime, cell, runtime.slots.at(slot), why),
  [Effect.admitted]: (runtime, _cell, slot) => admitted(runtime.slots.at(slot)),
  [Effect.askSettled]: (runtime, slot, end) => askSettled(runtime, runtime.slots.at(slot), end),
  [Effect.askPath]: (runtime, slot, cell) => {
    const ask = runtime.slots.at(slot).ask as PendingAsk
    ask.cycle = [...(ask.cycle ?? []), runtime.cellAt(cell).path]
  },
  [Effect.timer]: (runtime, timer, again) => runtime.timers.due(timer, again !== 0),
  [Effect.timerOver]: (runtime, timer) => runtime.timers.over(timer),
  [Effect.abort]: (runtime, cell, stop) => abort(runtime.cellAt(cell).incarnation, stop !== 0),
  [Effect.warned]: (runtime, cell, quiescent) =>
    warn(runtime.cellAt(cell).incarnation, 'lease', quiescent !== 0),
  [Effect.recall]: (runtime, cell) => runtime.threads?.recall(runtime.cellAt(cell)),
  [Effect.vacant]: (runtime, cell, place) =>
    startChildren(runtime.cellAt(cell), (children) => children.fill(place)),
  [Effect.began]: (runtime, cell) => began(runtime.cellAt(cell).incarnation),
  [Effect.forgotten]: (runtime, cell) => runtime.departed.delete(cell),
}

/** Carries out the effects of a crossing. No handler runs in here. */
export function applyEffects(runtime: CellRuntime, count: number): void {
  const { effects } = runtime.scheduler.memory
  const word = (at: number): number => effects[at] as number
  for (let at = 0; at < count * EFFECT_WORDS; at += EFFECT_WORDS) {
    ACTS[word(at)]?.(runtime, word(at + 1), word(at + 2), word(at + 3))
  }
  rejected = undefined
  runtime.threads?.answerRecalls()
}

function start(incarnation: Incarnation): void {
  // One that has ended since, which the scheduler hears of next.
  if (!incarnation.alive) return
  forgetFailure(incarnation.cell)
  const { definition, runtime } = incarnation.cell
  if (definition?.isolation === 'thread') runtime.threads?.start(incarnation)
  else runtime.pump.startSoon(incarnation)
}

function forgetFailure({ rare }: Cell): void {
  if (rare !== undefined) rare.failureBefore = undefined
}

/** One without an `init` has. */
function began(incarnation: Incarnation): void {
  // As in `start`.
  if (!incarnation.alive) return
  const { cell, number } = incarnation
  forgetFailure(cell)
  incarnation.start()
  cell.runtime.emit({ type: 'cell.started', path: cell.path, incarnation: number })
}

/** An incarnation or its cell has ended; what it has said elsewhere comes first. */
function ended({ runtime, incarnation }: Cell, mortal: Mortal, reason: EndReason): void {
  mortal.own.endReason ??= reason
  if (runtime.threads === undefined) mortal.tellEnd(reason)
  else runtime.threads.ended(incarnation.seat, mortal, reason)
}

function died(cell: Cell, death: number): void {
  const { incarnation, failure, parent } = cell
  incarnation.die(failure)
  // A stop is told with its reason once the cell is gone.
  const reason = DEATHS[death] ?? 'error'
  if (parent?.children !== undefined && reason !== 'stopped' && reason !== 'supervisor')
    parent.own.failedChild = cell
  if (reason !== 'stopped') ended(cell, incarnation, reason)
}

/** The last failure of a child was one too many. */
function gaveUp(supervisor: Cell): void {
  const { path, runtime, parent } = supervisor
  const child = supervisor.own.failedChild
  const error = intensityError(path, child)
  supervisor.failure = error
  if (parent !== undefined) parent.own.failedChild = supervisor
  // A cell that has spawned it fails with it.
  if (parent?.definition !== undefined) parent.failure = error
  runtime.emit({ type: 'supervisor.gave-up', path, ...(child && { child: child.path }), error })
}

function intensityError(path: string, child?: Cell): KaryonError {
  const last = child === undefined ? '' : `, ${child.path} last`
  const message = `supervisor ${path} gave up: its children failed too often${last}`
  return failure('ERR_KARYON_RESTART_INTENSITY', message, { path, child: child?.path }, child?.failure)
}

function lost(runtime: CellRuntime, id: number, slot: Slot, why: number): void {
  const present = runtime.cellAt(id)
  const { path, definition, failure, rare } =
    present?.id === id ? present : (runtime.departed.get(id) as Cell)
  const message = definition?.names[slot.code] ?? ''
  const [refusal, death] = [REFUSALS[why], DEAD_LETTERS[why]]
  const told = { path, message, ...withTrace(slot.trace) }
  if (refusal !== undefined) runtime.emit({ type: 'message.refused', ...told, reason: refusal })
  else if (death !== undefined) runtime.emit({ type: 'message.dead-letter', ...told, reason: death })
  else runtime.emit({ type: 'message.conflict', ...told })
  const facts = { path, message, timeoutMs: 0 }
  slot.delivery?.reject(death === undefined ? askError(AskEnd.refused, facts) : goneError(path, failure))
  if (slot.ask !== undefined && death !== undefined)
    slot.ask.error = failure ?? (death === 'lost-in-turn' ? rare?.failureBefore : undefined)
  runtime.slots.outcome(slot)
  if (definition?.isolation === 'thread') runtime.threads?.lost(slot.number)
}

/** A delivery has room: whatever becomes of its message from here on, it is over. */
function admitted(slot: Slot): void {
  const { delivery } = slot
  slot.delivery = undefined
  delivery?.resolve()
}

function restarted(cell: Cell, incarnation: number, death: number): void {
  const error = cell.failure
  // It may have died by itself while its supervisor brought it down.
  const reason = (cell.incarnation.endReason as DeathReason | undefined) ?? DEATHS[death] ?? 'error'
  cell.failure = undefined
  cell.own.failureBefore = error
  cell.own.lastReason = reason
  ended(cell, cell.incarnation, reason)
  cell.incarnation = new Incarnation(cell, incarnation)
  const { path, runtime, children } = cell
  runtime.threads?.renewed(cell)
  if (children === undefined) {
    runtime.emit({ type: 'cell.restarted', path, incarnation, reason, ...withError(error) })
    return
  }
  runtime.emit({ type: 'supervisor.restarted', path, incarnation, reason })
  startChildren(cell, (restarted) => restarted.startAll())
}

function startChildren(supervisor: Cell, start: (children: Children) => void): void {
  const { children, path, runtime } = supervisor
  try {
    if (children !== undefined) start(children)
  } catch (error) {
    // It stops by now, or as many cells as possible are alive: it cannot be what its definition says.
    runtime.emit({ type: 'supervisor.gave-up', path, error })
    void runtime.stopCell(supervisor)
  }
}

function gone(cell: Cell, reason: DownReason): void {
  const { path, runtime } = cell
  cell.parent?.children?.gone(cell)
  cell.close()
  cell.own.endReason = reason
  cell.incarnation.die()
  if (cell.incarnation.rare !== undefined) ended(cell, cell.incarnation, reason)
  runtime.cells[placeOf(cell.id)] = undefined
  // A message to it may be on its way to the scheduler, which will say that it is lost.
  runtime.departed.set(cell.id, cell)
  const error = withError(cell.failure)
  if (reason === 'gave-up' && cell.definition !== undefined)
    runtime.emit({ type: 'cell.gave-up', path, ...error })
  else runtime.emit({ type: 'cell.stopped', path, reason, ...error })
  if (cell === runtime.root) return runtime.threads?.hurry()
  ended(cell, cell, reason)
  return runtime.threads?.gone(cell, DOWNS.indexOf(reason, 1))
}

function askSettled(runtime: CellRuntime, slot: Slot, end: number): void {
  const ask = slot.ask as PendingAsk
  const { onAbort } = ask
  if (onAbort !== undefined) peek(() => ask.signal?.removeEventListener('abort', onAbort))
  runtime.slots.settled(slot)
  if (end === AskEnd.stopped) ask.reject(stoppedError(ask))
  else if (end !== AskEnd.replied) ask.reject(askError(end, ask))
  else if (ask.error !== undefined) ask.reject(ask.error)
  else ask.resolve(ask.value)
}

/** What an ask was rejected with last in these effects, of a cell that is gone. */
let rejected: { readonly path: string; readonly error: KaryonError } | undefined

/** As `askError`. To take a trace costs more than all else, and those who waited for one cell have the same: it is taken once. */
function stoppedError(ask: PendingAsk): KaryonError {
  const { path } = ask
  const { stackTraceLimit } = Error
  const known = rejected?.path === path && Reflect.set(Error, 'stackTraceLimit', 0)
  const error = askError(AskEnd.stopped, ask)
  if (!known) rejected = { path, error }
  else {
    Error.stackTraceLimit = stackTraceLimit
    error.stack = rejected?.error.stack ?? ''
  }
  return error
}

/** Aborts the signal of an incarnation's turn. */
export function abort(incarnation: Incarnation, stop: boolean): void {
  const { path } = incarnation.cell
  incarnation.seat?.abort?.(stop)
  incarnation.own.late = !stop
  incarnation.abort(
    stop
      ? failure('ERR_KARYON_CELL_DEAD', `${path} is told to stop`, { path })
      : failure('ERR_KARYON_TURN_TIMEOUT', `the turn of ${path} is past its time limit`, { path }),
  )
}

/** For an event: the error, if there was one. */
export function withError(error: unknown): { readonly error?: unknown } {
  return error === undefined ? {} : { error }
}
