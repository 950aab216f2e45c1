// Monitors and links: who learns of the end of a cell or of one of its incarnations, and who shares it.
import { badArgument } from '../errors.ts'
import { checkedOptions } from '../graph/arguments.ts'
import { shielded } from '../shield.ts'
import type { EndReason, Incarnation, Mortal } from './cell.ts'
import type { Down, Monitor, MonitorOptions } from './context.ts'
import { failure, goneError } from './failures.ts'
import { Death } from './protocol.ts'
import { OwnedRef, Reference, SupervisorRef, type AnyRef } from './ref.ts'

/** Told that a watch is over, whoever ended it; perhaps more than once. */
type Over = (() => void) | undefined

/** Tells a cell, by the named message and exactly once, of the end of another one. The watch ends with the incarnation that set it. */
export function monitor(
  incarnation: Incarnation,
  ref: AnyRef,
  name: string,
  options: MonitorOptions = {},
  over?: Over,
): Monitor {
  const watched = Reference.cellOf(ref)
  const { of = 'cell' } = checkedOptions(options, 'of')
  if (of !== 'cell' && of !== 'incarnation') throw badArgument("a monitor is of 'cell' or 'incarnation'")
  const { cell } = incarnation
  const { runtime } = cell
  const code = runtime.codeOf(cell, name)
  const { number } = watched.incarnation
  return watch(incarnation, of === 'cell' ? watched : watched.incarnation, over, (reason) => {
    const notice: Down = {
      path: watched.path,
      incarnation: of === 'cell' ? watched.incarnation.number : number,
      reason,
    }
    runtime.owe(cell, code, notice)
  })
}

/** Binds two incarnations: whichever ends, but by itself, takes the other with it, if that is a cell. */
export function link(incarnation: Incarnation, ref: AnyRef, over?: Over): Monitor {
  if (!(ref instanceof OwnedRef || ref instanceof SupervisorRef)) {
    throw badArgument(
      'link takes what spawn returned: only who may end a cell may bind it; monitor takes any reference',
    )
  }
  const { incarnation: other, gone, path, failure: cause } = Reference.cellOf(ref)
  if (gone !== undefined) throw goneError(path, cause)
  if (other === incarnation) throw badArgument('a cell is not linked to itself')
  const there = watch(incarnation, other, over, (reason) => {
    back.cancel()
    share(other, incarnation, reason)
  })
  const back = watch(other, incarnation, undefined, (reason) => {
    there.cancel()
    share(incarnation, other, reason)
  })
  return {
    cancel: () => {
      back.cancel()
      return there.cancel()
    },
  }
}

/** The end of one incarnation becomes that of another. A supervisor traps exits, as that of Erlang/OTP does. */
function share(from: Incarnation, to: Incarnation, reason: EndReason): void {
  if (reason === 'ended' || !to.alive || to.cell.children !== undefined) return
  const { path } = from.cell
  const details = { path, incarnation: from.number, reason }
  const error = failure(
    'ERR_KARYON_CELL_DEAD',
    `${path}, to which it is linked, has ended: ${reason}`,
    details,
  )
  to.cell.runtime.pump.failBetweenTurns(to, error, Death.linked)
}

/** Has `tell` called once when what is watched ends, unless the watcher does first. */
function watch(
  watcher: Incarnation,
  watched: Mortal,
  over: Over,
  tell: (reason: EndReason) => void,
): Monitor {
  const end = (): boolean => {
    over?.()
    watched.rare?.onEnd?.delete(ended)
    return watcher.rare?.watches?.delete(end) ?? false
  }
  const ended = (reason: EndReason): void => {
    if (end()) tell(reason)
  }
  shielded(() => {
    watcher.watch(end)
    watched.whenEnded(ended)
    const over = watched.endReason
    if (over !== undefined) ended(over)
  })
  return { cancel: end }
}
