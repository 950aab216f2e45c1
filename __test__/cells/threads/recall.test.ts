// What was handed over is taken back again and again: nothing is lost, and nobody sleeps for it.
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import test from 'ava'
import { applyEffects } from '../../../ts/cells/effects.ts'
import { CLOSED, Effect, NO_SLOT } from '../../../ts/cells/protocol.ts'
import { takeBack, takeShared } from '../../../ts/cells/scheduler.ts'
import { UNPAID, codeOf, withExtras } from '../../../ts/threads/extras.ts'
import { Seat } from '../../../ts/threads/seat.ts'
import { Seated } from '../../../ts/threads/wire.ts'
import { raised } from '../crashes/matrix.ts'
import { PATIENT, both, threaded } from './both.ts'
import { Overlap, OVERLAP_WORDS, overlapping } from './overlapping.ts'
import { inlineTeller, rogue, threadMirror, threadTeller } from './cells.ts'

both(
  'messages that wait are overtaken by those of control, and none is lost',
  async (t, { kernel }, tier) => {
    const [ref, neighbour] = ['one', 'other'].map((name) =>
      kernel.spawn(tier === 'inline' ? inlineTeller : threadTeller, { name }),
    )
    for (let round = 1; round <= 400; round++) {
      for (let at = 0; at < 20; at++) ref!.send('count')
      ref!.send('urgent')
      await turnOfLoop()
      if (round % 50 === 0) t.is(await neighbour!.ask('total', undefined, PATIENT), 0)
    }
    t.is(await ref!.ask('total', undefined, PATIENT), 400 * 21)
  },
)

both('a cell that is paused and resumed again and again loses nothing', async (t, { kernel }, tier) => {
  const ref = kernel.spawn(tier === 'inline' ? inlineTeller : threadTeller)
  for (let round = 1; round <= 400; round++) {
    for (let at = 0; at < 20; at++) ref.send('count')
    ref.pause()
    if (round % 3 === 0) await turnOfLoop()
    ref.resume()
    if (round % 2 === 0) await turnOfLoop()
  }
  t.is(await ref.ask('total', undefined, PATIENT), 400 * 20)
})

both('a cell that is killed with messages waiting leaves its neighbours be', async (t, { kernel }, tier) => {
  const definition = tier === 'inline' ? inlineTeller : threadTeller
  const neighbour = kernel.spawn(definition, { name: 'neighbour' })
  await neighbour.ask('total', undefined, PATIENT)
  for (let round = 1; round <= 100; round++) {
    const ref = kernel.spawn(definition, { name: 'killed' })
    for (let at = 0; at < 100; at++) ref.send('count')
    if (round % 2 === 0) await turnOfLoop()
    await ref.kill()
    if (round % 10 === 0) t.is(await neighbour.ask('total', undefined, PATIENT), 0)
  }
})

threaded(
  'the failure of a turn that was cut short counts no more, and what its worker says after it is read as it is',
  { count: 1, spare: false },
  async (t, { kernel }) => {
    const [ref, mirror] = [kernel.spawn(rogue), kernel.spawn(threadMirror)]
    await mirror.ask('echo', 1, PATIENT)
    const flag = new SharedArrayBuffer(4)
    const held = t.throwsAsync(ref.ask('held', flag, PATIENT), { code: 'ERR_KARYON_CELL_DEAD' })
    await raised(flag)
    await ref.kill()
    const word = new Int32Array(flag)
    Atomics.store(word, 0, 2)
    Atomics.notify(word, 0)
    for (const value of [{ nested: [1] }, { a: 1, b: 'two' }, { a: 2, b: 'three' }, [{ c: 3 }]])
      t.deepEqual(await mirror.ask('echo', value, PATIENT), value)
    await held
  },
)

test('who has ended is known before a worker is asked for what it was handed: it says more then', (t) => {
  const log: string[] = []
  const incarnation = { die: () => log.push('dies'), tellEnd: () => {}, own: {} }
  const runtime = {
    scheduler: { memory: { effects: [Effect.recall, 1, 0, 0, Effect.died, 2, 1, 1] } },
    cellAt: () => ({ incarnation, runtime: { threads: undefined } }),
    departing: new Map(),
    threads: { recall: () => {}, answerRecalls: () => log.push('is asked') },
  }
  applyEffects(runtime as never, 2)
  t.deepEqual(log, ['dies', 'is asked'])
})

/** A seat, what its worker says of it, who holds which slot, and which messages are over. */
function seated() {
  const words = new Int32Array(new SharedArrayBuffer(8))
  const holders: unknown[] = []
  const over: number[] = []
  const slots = { at: (slot: number) => slot, outcome: (slot: number) => over.push(slot) }
  const runtime = { waits: 0, slots }
  const thread = {
    threads: { runtime, holders },
    line: { seats: words },
    read: () => {},
    say: () => {},
    holds: () => true,
  }
  const seat = new Seat(thread as never, 1, { alive: true } as never, {} as never, 0)
  const hand = (slot: number): number => {
    holders[slot] = seat
    return seat.handed(slot)
  }
  return { seat, words, holders, over, runtime, hand }
}

test('a slot that is free again and comes back is not taken for the message that ran in it before', (t) => {
  const { seat, words, holders, runtime, hand } = seated()
  // The worker has told of the end of what it ran, and not yet changed its word.
  words[1] = hand(5)
  seat.landed(5)
  hand(6)
  hand(5)
  t.is(seat.recall(), NO_SLOT)
  // What does run is found, and what was before it has ended.
  hand(6)
  words[1] = hand(5)
  t.is(seat.recall(), 5)
  t.is(holders[6], undefined)
  t.is(runtime.waits, 1)
})

test('what was found to run is found again, and what was lost meanwhile has its outcome from whoever lost it', (t) => {
  const { seat, words, holders, over, hand } = seated()
  for (const slot of [4, 5, 6]) words[1] = hand(slot)
  holders[5] = undefined
  t.is(seat.recall(), 6)
  t.deepEqual(over, [4])
  t.true(seat.runs)
  t.is(seat.recall(), 6)
  t.deepEqual(over, [4])
  seat.landed(6)
  holders[6] = undefined
  t.is(seat.recall(), NO_SLOT)
  t.false(seat.runs)
})

threaded(
  'of a message that ended before it was taken back it is told once, also where another one has its slot by then',
  { count: 1, spare: false },
  async (t, { kernel }) => {
    const counts = new Int32Array(new SharedArrayBuffer(4 * OVERLAP_WORDS))
    const ref = kernel.spawn(overlapping, { args: counts.buffer })
    await ref.ask('ping', undefined, PATIENT)
    for (let round = 1; round <= 5; round++) {
      ref.send('quick')
      ref.send('long', round)
      while (Atomics.load(counts, Overlap.begun) < round) await turnOfLoop()
      // The one that runs is found: the other has ended, and its slot is free.
      ref.pause()
      ref.resume()
      for (let turn = 0; turn < 5; turn++) await turnOfLoop()
      ref.send('next', round)
      for (let turn = 0; turn < 5; turn++) await turnOfLoop()
      Atomics.store(counts, Overlap.release, round)
      t.deepEqual(await ref.ask('ping', undefined, PATIENT), { long: round, next: round })
    }
    const { sent, ended, asks } = kernel.stats().cells
    t.deepEqual({ asks, open: sent - ended }, { asks: 0, open: 0 })
    await ref.stop()
  },
)

test('a mailbox that is closed gives no credit, and gets none back', (t) => {
  const credits = new Int32Array(new SharedArrayBuffer(8))
  credits.set([1, CLOSED])
  t.deepEqual([takeShared(credits, 0), takeShared(credits, 1)], [true, false])
  takeBack(credits, 1)
  t.deepEqual([...credits], [0, CLOSED])
  t.is(codeOf(withExtras({ code: 7, payload: 1, once: undefined, trace: 'here' }).word | UNPAID), 7)
})

test('a cell that died before the scheduler knew is asked for its messages once another one has its seat, and leaves that be', (t) => {
  const words = new Int32Array(new SharedArrayBuffer(8))
  const runtime = { waits: 0, slots: { at: (slot: number) => slot, outcome: () => {} } }
  const thread = {
    threads: { runtime, holders: [] },
    line: { seats: words },
    read: () => {},
    holds: () => false,
  }
  const gone = new Seat(thread as never, 1, { alive: false } as never, {} as never, 0)
  gone.handed(5)
  t.is(gone.recall(), NO_SLOT)
  t.is(words[1], Seated.idle)
})
