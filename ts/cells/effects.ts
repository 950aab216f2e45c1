// What the scheduler decided, carried out on this side.
import type { DownReason } from '../events.ts'
import { askError } from './ask.ts'
import { Incarnation, type Cell } from './cell.ts'
import { failure, goneError } from './failures.ts'
import { AskEnd, DEAD_LETTERS, DEATHS, DOWNS, EFFECT_WORDS, Effect, REFUSALS } from './protocol.ts'
import type { CellRuntime } from './runtime.ts'
import type { PendingAsk, Slot } from './slots.ts'

/** Carries out the effects of a crossing. No handler runs in here. */
export function applyEffects(runtime: CellRuntime, count: number): void {
  const { effects } = runtime.scheduler
  for (let at = 0; at < count * EFFECT_WORDS; at += EFFECT_WORDS) {
    const [first, second, third] = [effects[at + 1], effects[at + 2], effects[at + 3]] as [
      number,
      number,
      number,
    ]
    apply(runtime, effects[at] as number, first, second, third)
  }
}

function apply(runtime: CellRuntime, effect: number, first: number, second: number, third: number): void {
  const { emit, timers, pump } = runtime
  switch (effect) {
    case Effect.init:
      pump.startSoon(runtime.cellAt(first).incarnation)
      break
    case Effect.died:
      runtime.cellAt(first).incarnation.die(runtime.cellAt(first).failure)
      break
    case Effect.restarted:
      restarted(runtime.cellAt(first), second, third)
      break
    case Effect.gone:
      gone(runtime.cellAt(first), DOWNS[second] as DownReason)
      break
    case Effect.supervisorGaveUp:
      emit({ type: 'supervisor.gave-up', path: runtime.cellAt(first).path })
      break
    case Effect.rootFailed: {
      const { path } = runtime.cellAt(first)
      const message = `supervisor ${path} gave up: its children failed too often`
      runtime.fail(failure('ERR_KARYON_RESTART_INTENSITY', message, { path }))
      break
    }
    case Effect.refused: {
      const { path, slot, message } = messageAt(runtime, first, second)
      emit({ type: 'message.refused', path, message, reason: REFUSALS[third] ?? 'full' })
      slot.delivery?.reject(askError(AskEnd.refused, { path, message, timeoutMs: 0 }))
      runtime.slots.outcome(slot)
      break
    }
    case Effect.deadLetter: {
      const { path, slot, message } = messageAt(runtime, first, second)
      emit({ type: 'message.dead-letter', path, message, reason: DEAD_LETTERS[third] ?? 'stopped' })
      slot.delivery?.reject(goneError(path))
      runtime.slots.outcome(slot)
      break
    }
    case Effect.conflict: {
      const { path, slot, message } = messageAt(runtime, first, second)
      emit({ type: 'message.conflict', path, message })
      runtime.slots.outcome(slot)
      break
    }
    case Effect.admitted: {
      const slot = runtime.slots.at(second)
      slot.delivery?.resolve()
      slot.delivery = undefined
      break
    }
    case Effect.askSettled:
      askSettled(runtime, runtime.slots.at(first), second)
      break
    case Effect.askPath:
      runtime.slots.at(first).ask?.cycle.push(runtime.cellAt(second).path)
      break
    case Effect.timer:
      timers.due(first, second !== 0)
      break
    case Effect.timerOver:
      timers.over(first)
      break
    case Effect.abort:
      abort(runtime.cellAt(first).incarnation, second !== 0)
      break
  }
}

function messageAt(
  runtime: CellRuntime,
  id: number,
  number: number,
): { readonly path: string; readonly slot: Slot; readonly message: string } {
  const { path, definition } = runtime.cellAt(id)
  const slot = runtime.slots.at(number)
  return { path, slot, message: definition?.names[slot.code] ?? '' }
}

function restarted(cell: Cell, incarnation: number, death: number): void {
  const error = cell.failure
  cell.failure = undefined
  cell.incarnation = new Incarnation(cell, incarnation)
  const { path } = cell
  const reason = DEATHS[death] ?? 'error'
  cell.runtime.emit({ type: 'cell.restarted', path, incarnation, reason, ...withError(error) })
}

function gone(cell: Cell, reason: DownReason): void {
  const { path, runtime } = cell
  cell.live = false
  cell.gone = reason
  cell.incarnation.die()
  runtime.forget(cell)
  const error = withError(cell.failure)
  if (reason === 'gave-up' && cell.definition !== undefined)
    runtime.emit({ type: 'cell.gave-up', path, ...error })
  else runtime.emit({ type: 'cell.stopped', path, reason, ...error })
  for (const tell of cell.onGone ?? []) tell(reason)
  cell.onGone = undefined
  if (cell === runtime.root) runtime.close()
}

function askSettled(runtime: CellRuntime, slot: Slot, end: number): void {
  const ask = slot.ask as PendingAsk
  if (ask.onAbort !== undefined) ask.signal?.removeEventListener('abort', ask.onAbort)
  runtime.slots.settled(slot)
  if (end !== AskEnd.replied) ask.reject(askError(end, ask))
  else if (ask.error !== undefined) ask.reject(ask.error)
  else ask.resolve(ask.value)
}

function abort(incarnation: Incarnation, stop: boolean): void {
  const { path } = incarnation.cell
  incarnation.late = !stop
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
