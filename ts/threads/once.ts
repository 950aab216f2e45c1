// Messages that a durable cell consumes once: what tells one from the others of its source travels with it.
import type { Once } from '../cells/durable.ts'
import type { Slot, Slots } from '../cells/slots.ts'

/** Beside a message's code: its payload is one of these. */
const WITH_ONCE = 0x4000_0000

interface Told {
  readonly once: Once
  readonly payload: unknown
}

/** What is written of a slot's message. */
export function withOnce({ code, payload, once }: Slot): {
  readonly word: number
  readonly payload: unknown
} {
  if (once === undefined) return { word: code, payload }
  return { word: code | WITH_ONCE, payload: { once, payload } satisfies Told }
}

/** The code in such a word. */
export function codeOf(word: number): number {
  return word & ~WITH_ONCE
}

/** A slot with what was read. */
export function takeInto(slots: Slots, word: number, payload: unknown): Slot {
  if ((word & WITH_ONCE) === 0) return slots.take(word, payload)
  const { once, payload: own } = payload as Told
  const slot = slots.take(codeOf(word), own)
  slot.once = once
  return slot
}
