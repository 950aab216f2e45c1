// Slots: what a burst took is given back.
import test from 'ava'
import { Slots, type Slot } from '../../ts/cells/slots.ts'

const BURST = 100_000
/** How many are kept for the next burst. */
const KEPT = 16_384

/** How many slots there are. */
function countOf(slots: Slots): number {
  let count = 0
  while (slots.at(count) !== undefined) count++
  return count
}

function burst(slots: Slots, count: number): Slot[] {
  return Array.from({ length: count }, (_, n) => slots.take(1, n))
}

test('a pool that was large and is little used gives back half at a time', (t) => {
  const slots = new Slots()
  const taken = burst(slots, BURST)
  slots.trim()
  t.is(countOf(slots), BURST, 'what is in use stays')
  for (const slot of taken) slots.outcome(slot)
  slots.trim()
  t.is(countOf(slots), BURST / 2)
  for (let round = 0; round < 5; round++) slots.trim()
  t.is(countOf(slots), KEPT)
  const again = burst(slots, BURST)
  t.is(new Set(again.map(({ number }) => number)).size, BURST, 'each is somebody’s alone')
  t.true(again.every(({ number, payload }) => slots.at(number).payload === payload))
})

test('nothing is given back while a slot is in use: by a message, or by an ask that waits for its answer', (t) => {
  const slots = new Slots()
  const taken = burst(slots, BURST)
  const last = taken.at(-1) as Slot
  last.ask = { path: '', message: '', timeoutMs: 0, resolve: () => {}, reject: () => {} }
  for (const slot of taken) slots.outcome(slot)
  slots.trim()
  t.is(countOf(slots), BURST)
  t.is(slots.at(last.number), last)
  t.is(slots.askAt(last.number), last.ask)
  slots.settled(last)
  slots.trim()
  t.is(countOf(slots), BURST / 2)
  t.is(slots.askAt(last.number), undefined, 'an answer that comes too late finds none')
})
