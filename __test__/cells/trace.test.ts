// Trace contexts: they travel with a message, and with all that comes of it, in both tiers.
import test from 'ava'
import { Kernel, type KernelEvent } from '../../ts/index.ts'
import { PATIENT, emptied } from './threads/both.ts'
import { inlineCounter, inlineTracer, threadTracer } from './threads/cells.ts'

for (const [tier, tracer] of [
  ['inline', inlineTracer],
  ['thread', threadTracer],
] as const) {
  test.serial(
    `${tier}: what comes of a message has its trace context, over every way there is`,
    async (t) => {
      let current: string | undefined
      const kernel = Kernel.memory({ workers: { count: 1, spare: false }, trace: () => current })
      const ref = kernel.spawn(tracer, { name: 'one' })
      const other = kernel.spawn(tracer, { name: 'two' })
      await other.ask('seen', undefined, PATIENT)
      const ways = [
        'send',
        'sendLater',
        'ask',
        'askLater',
        'timer',
        'work',
        'publish',
        'reference',
        'own',
      ] as const
      for (const way of ways) {
        current = `from ${way}`
        await ref.ask('by', { way, to: other.address }, PATIENT)
        current = undefined
        let seen: readonly unknown[] = []
        while (seen.length === 0) {
          // Those that are sent to the cell itself, and those that go to the other.
          seen = [
            ...(await ref.ask('seen', undefined, PATIENT)),
            ...(await other.ask('seen', undefined, PATIENT)),
          ]
        }
        t.deepEqual(seen, [way === 'own' ? 'its own' : `from ${way}`], way)
      }
      t.is(await ref.ask('what', undefined, PATIENT), undefined)
      await kernel.close()
    },
  )

  test.serial(`${tier}: a delivery that waits, and a message that is put aside, keep theirs`, async (t) => {
    let current: string | undefined
    const kernel = Kernel.memory({ workers: { count: 1, spare: false }, trace: () => current })
    const ref = kernel.spawn(tracer, { name: 'one' })
    await ref.ask('seen', undefined, PATIENT)
    ref.pause()
    current = 'first'
    while (ref.send('note'));
    current = 'second'
    const delivered = ref.deliver('note')
    current = undefined
    ref.resume()
    await delivered
    // The last one that was taken may fill the mailbox.
    await emptied(ref)
    t.deepEqual(await ref.ask('seen', undefined, PATIENT), [...Array<string>(20).fill('first'), 'second'])
    current = 'third'
    ref.send('later')
    current = undefined
    await ref.ask('now', undefined, PATIENT)
    t.deepEqual(await ref.ask('seen', undefined, PATIENT), ['third'])
    await kernel.close()
  })
}

test('events of lost messages tell theirs', async (t) => {
  const events: KernelEvent[] = []
  const kernel = Kernel.memory({ trace: () => 'lost' })
  const reading = (async () => {
    for await (const event of kernel.events()) events.push(event)
  })()
  const ref = kernel.spawn(inlineCounter)
  ref.pause()
  const asked = ref.ask('total')
  while (ref.send('add', 1));
  await ref.kill()
  ref.send('add', 1)
  await t.throwsAsync(asked)
  await kernel.close()
  await reading
  const told = events.filter(({ type }) => type === 'message.refused' || type === 'message.dead-letter')
  t.true(told.length > 1_000)
  t.true(told.every((event) => 'trace' in event && event.trace === 'lost'))
})

test('what is no trace context is refused where it is said', async (t) => {
  let current: unknown = 7
  const kernel = Kernel.memory({ trace: () => current as string })
  const ref = kernel.spawn(inlineTracer)
  t.throws(() => ref.send('later'), { code: 'ERR_KARYON_ARGUMENT' })
  await t.throwsAsync(ref.ask('what'), { code: 'ERR_KARYON_ARGUMENT' })
  await t.throwsAsync(ref.deliver('later'), { code: 'ERR_KARYON_ARGUMENT' })
  current = 'x'.repeat(1_024)
  t.is(await ref.ask('what'), current)
  current = 'x'.repeat(1_025)
  t.throws(() => ref.send('later'), { code: 'ERR_KARYON_ARGUMENT' })
  await kernel.close()
})
