// What travels beside the payload of few messages: what tells it from others of its source, and a trace context.
import type { Once } from '../cells/durable.ts'
import type { Slot, Slots } from '../cells/slots.ts'

/** Beside a message's code: its payload is one of these. */
const WITH_EXTRAS = 0x4000_0000
/** Beside it too: its sender found the mailbox closed, and took no credit. */
export const UNPAID = 0x2000_0000

interface Told {
  readonly once: Once | undefined
  readonly trace: string | undefined
  readonly payload: unknown
}

/** What is written of a slot's message. */
export function withExtras({
  code,
  payload,
  once,
  trace,
}: Pick<Slot, 'code' | 'payload' | 'once' | 'trace'>): { readonly word: number; readonly payload: unknown } {
  if (once === undefined && trace === undefined) return { word: code, payload }
  return { word: code | WITH_EXTRAS, payload: { once, trace, payload } satisfies Told }
}

/** The code in such a word. */
export function codeOf(word: number): number {
  return word & ~(WITH_EXTRAS | UNPAID)
}

/** What was read. */
export function told(word: number, payload: unknown): Told {
  return (word & WITH_EXTRAS) === 0 ? { once: undefined, trace: undefined, payload } : (payload as Told)
}

/** A slot with what was read. */
export function takeInto(slots: Slots, word: number, payload: unknown): Slot {
  if ((word & WITH_EXTRAS) === 0) return slots.take(codeOf(word), payload)
  const { once, trace, payload: own } = payload as Told
  const slot = slots.take(codeOf(word), own)
  slot.once = once
  slot.trace = trace
  return slot
}
