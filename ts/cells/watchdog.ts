// What the watchdog's thread finds, and turns that it may stop.
import { AsyncResource, executionAsyncId } from 'node:async_hooks'
import { checked, type KaryonError } from '../errors.ts'
import { native } from '../native.ts'
import { shield } from '../shield.ts'
import type { Handler } from './definition.ts'
import { failure } from './failures.ts'
import { Header } from './protocol.ts'
import type { Turn } from './turn.ts'

/** A synchronous stretch that went past its limit. */
export type Overrun = ReturnType<typeof native.overruns>[number]

const listeners = new Set<(overrun: Overrun) => void>()
const sleepers = new Set<() => void>()
let environment: number | undefined
let seen = 0

/** The number of this isolate's environment, which is watched from the first call on while it has cells. */
export function watchedEnvironment(): number {
  environment ??= checked(native.watch(woken))
  return environment
}

/** Has overruns told, those of other isolates too, until what it returns is called. Those of this one come when its loop turns again. */
export function onOverrun(listener: (overrun: Overrun) => void): () => void {
  watchedEnvironment()
  // What was before is not for those who come later: numbers of schedulers are used again.
  tell()
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Has `wake` called when another isolate wakes this one, until what it returns is called. */
export function onWake(wake: () => void): () => void {
  watchedEnvironment()
  sleepers.add(wake)
  return () => void sleepers.delete(wake)
}

function woken(): void {
  for (const wake of sleepers) wake()
  tell()
}

function tell(): void {
  for (const overrun of native.overruns(seen)) {
    seen = overrun.number
    for (const listener of listeners) listener(overrun)
  }
}

/** The state of a turn's word while it runs: `RUNNING` in `guard.rs`. */
const RUNNING = 1

/** A handler that is called so that the watchdog can stop it, where it can. */
export function stoppable(handler: Handler): Handler {
  return (context, payload) => {
    const turn = context as Turn
    const { cell } = turn.incarnation
    const { runtime, definition } = cell
    const { guard, turn: word, header } = runtime.scheduler.memory
    if (!guard || runtime.driver !== undefined) return handler(turn, payload)
    // Whatever store or scope the handler leaves open is this resource's, and goes with it.
    const scope = new AsyncResource('KARYON_TURN')
    return scope.runInAsyncScope(() => {
      shield.enterTurn(word, (turn.number << 3) | RUNNING)
      let answer: unknown
      try {
        answer = guard(handler, turn, payload, turn.number)
      } finally {
        shield.leaveTurn(header[Header.stopped] !== 0)
      }
      if (header[Header.stopped] === 0) return answer
      header[Header.stopped] = 0
      const { path } = cell
      const limitMs = definition?.limits.turnCpuMs
      const message = `the turn of ${path} was stopped: it used more than its ${limitMs} ms of CPU time`
      const error = failure('ERR_KARYON_TURN_CPU', message, { path, limitMs })
      runtime.pump.stopped = error
      if (executionAsyncId() !== scope.asyncId()) {
        leaveScopes(error)
        runtime.emit({ type: 'isolate.tainted', path })
        runtime.tainted(error)
      }
      throw error
    })
  }
}

/**
 * Node would end the process when it finds a scope open inside of the one that it closes. Where the program has a say in errors that nobody
 * caught, by a callback of that kind or by domains, it hears of this one.
 */
function leaveScopes(error: KaryonError): void {
  let handled = process.hasUncaughtExceptionCaptureCallback()
  try {
    if (!handled) process.setUncaughtExceptionCaptureCallback(() => {})
  } catch {
    handled = true
  }
  try {
    native.leaveAsyncScopes(error)
  } finally {
    if (!handled) process.setUncaughtExceptionCaptureCallback(null)
  }
}
