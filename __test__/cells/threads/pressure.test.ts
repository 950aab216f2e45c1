// More than there is room for on the line, in either direction.
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { PATIENT, threaded, threadOf } from './both.ts'
import { inlineCounter, inlineSink, threadCaller, threadSink } from './cells.ts'

const TEXT = 'x'.repeat(1_000)
const COUNT = 20_000

threaded(
  'what a worker is sent waits for room on the way, in order',
  { count: 1, spare: false },
  async (t, { kernel }) => {
    const ref = kernel.spawn(threadSink)
    for (let at = 0; at < COUNT; at++) t.true(ref.send('text', TEXT))
    t.is(await ref.ask('length', undefined, { timeoutMs: 60_000 }), COUNT * TEXT.length)
    t.is(kernel.stats().cells.ended, COUNT + 2)
  },
)

threaded(
  'a worker that sends more than there is room for waits for this side',
  { count: 1, spare: false },
  async (t, { kernel }) => {
    const [source, sink] = [kernel.spawn(threadSink), kernel.spawn(inlineSink)]
    await source.ask('length', undefined, PATIENT)
    const order = { to: sink.address, count: COUNT, text: TEXT }
    t.is(await source.ask('pour', order, { timeoutMs: 60_000 }), COUNT)
    t.is(await sink.ask('length', undefined, PATIENT), COUNT * TEXT.length)
  },
)

threaded('room is counted exactly, whoever takes it', { count: 1, spare: false }, async (t, { kernel }) => {
  const caller = kernel.spawn(threadCaller)
  const target = kernel.spawn(inlineCounter)
  for (let round = 0; round < 20; round++) {
    const taken = (await caller.ask('flood', { to: target.address, count: 2_000 })) as number
    t.true(taken > 0)
    while ((await target.inspect()).mailbox?.waiting !== 0) await turnOfLoop()
  }
  t.like(await target.inspect(), { mailbox: { waiting: 0, limit: 1_000 } })
  t.true(target.send('add', 1))
})

threaded(
  'cells are spread over the workers that there may be',
  { count: 2, spare: false },
  async (t, { kernel }) => {
    const refs = Array.from({ length: 4 }, () => kernel.spawn(threadSink))
    for (const ref of refs) await ref.ask('length', undefined, PATIENT)
    const used = new Set(refs.map((ref) => threadOf(ref).number))
    t.is(used.size, 2)
    t.deepEqual(
      [...used].map((number) => refs.filter((ref) => threadOf(ref).number === number).length),
      [2, 2],
    )
    t.is(await refs[0]?.ask('pour', { to: refs[1]!.address, count: 100, text: 'ab' }), 100)
    t.is(await refs[1]?.ask('length', undefined, PATIENT), 200)
  },
)
