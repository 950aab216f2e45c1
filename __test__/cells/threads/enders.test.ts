// Who learns of the end of a cell, and when.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import test from 'ava'
import { Kernel, cell, message, supervisor, type KernelEvent, type OwnedRef } from '../../../ts/index.ts'
import { gate } from '../fake.ts'
import { PATIENT, both, emptied, threadOf, threaded } from './both.ts'
import {
  inlineEnder,
  inlineNarrow,
  inlineRoomy,
  threadEnder,
  threadLeased,
  threadLimited,
  type Ender,
} from './enders.ts'

const enders = { inline: inlineEnder, thread: threadEnder }

/** More than the scheduler tells of in one crossing. */
const MANY = 3_000

both('what a cell has sent before it ended comes before word of its end', async (t, { kernel }, tier) => {
  const [boss, worker] = [kernel.spawn(enders[tier]), kernel.spawn(enders[tier])]
  await boss.ask('watch', [worker], PATIENT)
  // It takes both together.
  boss.send('hold')
  worker.send('answer', boss.address)
  while (worker.alive) await new Promise(setImmediate)
  t.deepEqual(await boss.ask('told', undefined, PATIENT), ['result: 42', 'down: ended'])
})

both('work whose turn is over closes no circle of turns', async (t, { kernel }, tier) => {
  const [one, two] = [kernel.spawn(enders[tier]), kernel.spawn(enders[tier])]
  await one.ask('work', two.address, PATIENT)
  t.is(await two.ask('relay', one.address, PATIENT), 1)
  let told: readonly string[] = []
  while (told.length === 0) told = await one.ask('told', undefined, PATIENT)
  t.deepEqual(told, ['result: 2'])
  t.is(one.incarnation, 1)
})

both(
  'a delivery that had room is over, also where its message is lost later',
  async (t, { kernel, event }, tier) => {
    const [sink, sender] = [kernel.spawn(inlineNarrow), kernel.spawn(enders[tier])]
    // One runs, one waits; the delivery has room when that runs.
    sink.send('hold')
    await new Promise(setImmediate)
    sink.send('hold')
    await sender.ask('pass', sink.address, PATIENT)
    // What the delivery was known by where it came from is another message's by now.
    const answers = [1, 2, 3].map(() => sender.ask('ping', undefined, PATIENT))
    await sink.kill()
    await event('message.dead-letter', ({ message }) => message === 'result')
    t.deepEqual(await Promise.all(answers), [1, 1, 1])
  },
)

for (const how of ['kill', 'stop'] as const) {
  threaded(
    `a ${how} ends a turn that does not let its worker turn, and that worker`,
    { count: 1, spare: false },
    async (t, { kernel, event }) => {
      const crew = kernel.spawn(
        supervisor({ name: 'crew', children: [{ name: 'one', cell: threadEnder, shutdownMs: 50 }] }),
      )
      const [ref, neighbour] = [crew.child('one', threadEnder), kernel.spawn(threadEnder)]
      await Promise.all([ref, neighbour].map((each) => each.ask('told', undefined, PATIENT)))
      const thread = threadOf(neighbour)
      // The turns that have answered are over there as well.
      while (thread.running !== undefined) await new Promise(setImmediate)
      ref.send('block')
      while (thread.running === undefined) await new Promise(setImmediate)
      await (how === 'kill' ? ref.kill() : crew.stop())
      t.is(await neighbour.ask('ping', undefined, PATIENT), 1)
      t.is((await event('cell.restarted', ({ path }) => path === neighbour.path)).reason, 'collateral')
      t.not(threadOf(neighbour), thread)
    },
  )
}

for (const how of ['kill', 'lease'] as const) {
  threaded(
    `what a cell says while its turn runs on comes before word of its end, or never: ${how}`,
    { count: 1, spare: false },
    async (t, { kernel, event }) => {
      const boss = kernel.spawn(inlineEnder)
      const talker = kernel.spawn(how === 'lease' ? threadLeased : threadEnder)
      await talker.ask('told', undefined, PATIENT)
      await boss.ask(how === 'kill' ? 'watch' : 'follow', [talker])
      talker.send(how === 'kill' ? 'chatter' : 'murmur', boss.address)
      while ((await boss.ask('told')).length === 0) await new Promise(setImmediate)
      if (how === 'kill') void talker.kill()
      await event(how === 'kill' ? 'cell.stopped' : 'cell.restarted', ({ path }) => path === talker.path)
      // Whoever were to say something still would have by then.
      await new Promise((resolve) => setTimeout(resolve, 50))
      const told = await boss.ask('told', undefined, PATIENT)
      t.is(told.filter((each) => each.startsWith('down')).length, 1)
      t.regex(told.at(-1) ?? '', /^down/)
    },
  )
}

threaded(
  'what a cell has sent is not lost when it ends, however late main reads it',
  { count: 1, spare: false },
  async (t, { kernel, event }) => {
    const [sink, partner, talker] = [inlineRoomy, inlineEnder, threadEnder].map((each) => kernel.spawn(each))
    if (!sink || !partner || !talker) return t.fail()
    await talker.ask('bind', partner, PATIENT)
    talker.send('burst', { to: sink.address, count: 6_000 })
    await new Promise(setImmediate)
    const until = performance.now() + 300
    while (performance.now() < until);
    void partner.kill()
    await event('cell.restarted', ({ path }) => path === talker.path)
    await emptied(sink)
    // But for the turn itself, and what was being said right then.
    t.true(kernel.stats().cells.deadLetters <= 2, `${kernel.stats().cells.deadLetters} are lost`)
    t.true((await sink.ask('told')).length > 0)
  },
)

threaded(
  'a turn past its time limit that does not let its worker turn is ended with that',
  { count: 1, spare: false },
  async (t, { kernel, event }) => {
    const [ref, neighbour] = [kernel.spawn(threadLimited), kernel.spawn(threadEnder)]
    await neighbour.ask('told', undefined, PATIENT)
    await t.throwsAsync(ref.ask('block', undefined, PATIENT), { code: 'ERR_KARYON_TURN_TIMEOUT' })
    t.is((await event('cell.restarted', ({ path }) => path === ref.path)).reason, 'timeout')
    t.is((await event('cell.restarted', ({ path }) => path === neighbour.path)).reason, 'collateral')
    t.deepEqual(await ref.ask('told', undefined, PATIENT), [])
  },
)

for (const first of ['watcher', 'watched'] as const) {
  both(
    `cells that watch thousands, and all of these, stop together, the ${first} first`,
    async (t, world, tier) => {
      const { kernel } = world
      const definition = enders[tier]
      const spawned: OwnedRef<Ender>[] = []
      const spawn = (count: number): void => {
        for (let more = count; more > 0; more--) spawned.push(kernel.spawn(definition))
      }
      spawn(first === 'watcher' ? MANY : 0)
      const watchers = [1, 2].map(() => kernel.spawn(definition))
      spawn(first === 'watcher' ? 0 : MANY)
      for (const watcher of watchers) await watcher.ask('watch', spawned, PATIENT)
      await t.notThrowsAsync(kernel.close())
    },
  )
}

test('whose end is told is who has ended, though its place is wanted at once', async (t) => {
  const kernel = Kernel.memory()
  const replaced: OwnedRef<Ender>[] = []
  const replace = (event: unknown): void => {
    if ((event as KernelEvent).type === 'cell.stopped' && replaced.length < 8)
      replaced.push(kernel.spawn(inlineEnder))
  }
  const first = Array.from({ length: 8 }, () => kernel.spawn(inlineEnder))
  await Promise.all(first.map((ref) => ref.ask('told')))
  subscribe('karyon', replace)
  await Promise.all(first.map((ref) => ref.stop()))
  unsubscribe('karyon', replace)
  t.is(replaced.length, 8)
  for (const ref of replaced) t.deepEqual(await ref.ask('told'), [])
  t.deepEqual([kernel.stats().cells.cells, first.filter((ref) => ref.alive)], [8, []])
  await kernel.close()
})

test('a group takes its places again in the step in which a neighbour ends', async (t) => {
  const kernel = Kernel.memory()
  const door = gate()
  const part = cell({
    name: 'part',
    messages: { fail: message(), leave: message(), ping: message<void, number>() },
    on: {
      fail: async () => {
        await door.promise
        throw new Error('failed')
      },
      leave: (ctx) => ctx.stop(),
      ping: () => 1,
    },
  })
  const children = ['one', 'two'].map((name) => ({ name, cell: part }))
  const crew = kernel.spawn(supervisor({ name: 'crew', strategy: 'rest_for_one', children }))
  const [one, two] = [crew.child('one', part), crew.child('two', part)]
  const neighbour = kernel.spawn(part, { name: 'neighbour' })
  t.deepEqual(await Promise.all([one, two, neighbour].map((ref) => ref.ask('ping'))), [1, 1, 1])
  // Its place is vacant: it is taken again when the one before it fails.
  two.send('leave')
  while (two.alive) await new Promise(setImmediate)
  one.send('fail')
  await new Promise(setImmediate)
  door.open()
  await door.promise
  for (let turn = 0; turn < 20; turn++) await undefined
  await neighbour.stop()
  t.false(neighbour.alive)
  t.is(await crew.child('two', part).ask('ping'), 1)
  t.is(kernel.find('root/neighbour'), undefined)
  await kernel.close()
})
