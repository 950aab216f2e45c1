import type { DeathReason, KernelEvent } from '../../../ts/events.ts'

/** Why cells began anew, by path. */
export function restarts(events: readonly KernelEvent[]): Readonly<Record<string, readonly DeathReason[]>> {
  const reasons: Record<string, DeathReason[]> = {}
  for (const event of events)
    if (event.type === 'cell.restarted') (reasons[event.path] ??= []).push(event.reason)
  return reasons
}
