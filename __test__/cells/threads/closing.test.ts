// No promise outlives a kernel unsettled: what is durable is answered, all else is rejected with what happened.
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import test from 'ava'
import { Kernel, supervisor, type KaryonError, type OwnedRef } from '../../../ts/index.ts'
import { freshDirectory } from '../../kernel/directory.ts'
import { World } from '../fake.ts'
import { PATIENT, emptied } from './both.ts'
import { inlineWriter, threadWriter } from './writers.ts'

const TIERS = { inline: inlineWriter, thread: threadWriter }
const workers = { count: 1, spare: false }
const FOR_EVER = { timeoutMs: Infinity }

/** What promises have come to so far, by name. */
class Outcomes {
  readonly so: Record<string, unknown> = {}

  add(name: string, promise: Promise<unknown>): void {
    this.so[name] = 'pending'
    promise.then(
      (value) => (this.so[name] = typeof value === 'string' ? value : 'resolved'),
      (error: KaryonError) => (this.so[name] = error.code ?? String(error)),
    )
  }
}

/** Resolves once there is no more of it. */
async function ended(all: AsyncIterable<unknown>): Promise<void> {
  const each = all[Symbol.asyncIterator]()
  while (!(await each.next()).done);
}

/** Resolves once so many versions are there: the thread that makes them must not wait for this one. */
async function published(kernel: Kernel, head: bigint): Promise<void> {
  await turnOfLoop()
  const until = performance.now() + 60_000
  while (kernel.graph.stats().head < head && performance.now() < until);
}

for (const [tier, writer] of Object.entries(TIERS)) {
  test.serial(
    `${tier}: a turn that has committed is answered, though the kernel closes before the disk has it`,
    async (t) => {
      for (let round = 0; round < 8; round++) {
        const directory = freshDirectory(t)
        const kernel = await Kernel.open(directory, { workers })
        const ref = kernel.spawn(writer)
        await ref.ask('put', 'first', PATIENT)
        const { head } = kernel.graph.stats()
        const outcomes = new Outcomes()
        outcomes.add('put', ref.ask('put', 'second', FOR_EVER))
        await published(kernel, head + 1n)
        await kernel.close()
        await turnOfLoop()
        t.deepEqual(outcomes.so, { put: 'second' })
        const again = await Kernel.open(directory)
        t.truthy(again.graph.get('second'))
        await again.close()
      }
    },
  )

  test.serial(`${tier}: whatever waits for something is settled once the kernel is closed`, async (t) => {
    const kernel = await Kernel.open(freshDirectory(t), { workers })
    const { graph } = kernel
    const spawned = (name: string): OwnedRef<(typeof writer)['messages']> => kernel.spawn(writer, { name })
    const [held, asked, asker, worker] = [
      spawned('held'),
      spawned('asked'),
      spawned('asker'),
      spawned('worker'),
    ]
    const [stopped, killed, seen] = [spawned('stopped'), spawned('killed'), spawned('seen')]
    const crew = kernel.spawn(supervisor({ name: 'crew', children: [{ name: 'child', cell: writer }] }))
    await Promise.all(
      [held, asked, asker, worker, stopped, killed, seen].map((ref) => ref.ask('put', ref.path, PATIENT)),
    )
    const outcomes = new Outcomes()
    outcomes.add('turn', held.ask('hold', undefined, FOR_EVER))
    await emptied(held)
    outcomes.add('queued', held.ask('put', 'queued', FOR_EVER))
    outcomes.add(
      'with a signal',
      held.ask('put', 'queued', { ...FOR_EVER, signal: new AbortController().signal }),
    )
    while (held.send('put', 'sent'));
    outcomes.add('delivery', held.deliver('put', 'later'))
    outcomes.add('asks', asker.ask('pass', asked.address, FOR_EVER))
    outcomes.add('work', worker.ask('work', undefined, FOR_EVER))
    await Promise.all([emptied(asker), emptied(worker)])
    // Who is asked by the asker holds what it was asked: that, and the five asks from here.
    while (kernel.stats().cells.asks < 6) await turnOfLoop()
    await emptied(asked)
    outcomes.add('events', ended(kernel.events()))
    outcomes.add('changes', ended(graph.changes()))
    outcomes.add(
      'write',
      graph.write((tx) => tx.put('written')),
    )
    const tx = graph.begin()
    tx.put('begun')
    outcomes.add('commit', tx.commit())
    outcomes.add('settled', graph.settled(new Date(Date.now() + 3_600_000)))
    outcomes.add('history', graph.ready('history'))
    outcomes.add('run', kernel.run())
    outcomes.add('closed', kernel.closed)
    outcomes.add('stop', stopped.stop())
    outcomes.add('kill', killed.kill())
    outcomes.add('child', crew.terminateChild('child'))
    outcomes.add('inspect', seen.inspect())
    const closing = kernel.close()
    outcomes.add('late', seen.ask('put', 'late', FOR_EVER))
    outcomes.add('stop as it closes', seen.stop())
    await closing
    outcomes.add('stop afterwards', seen.stop())
    outcomes.add('ask afterwards', seen.ask('put', 'never', FOR_EVER))
    outcomes.add('deliver afterwards', seen.deliver('put', 'never'))
    outcomes.add('inspect afterwards', seen.inspect())
    for (let turn = 0; turn < 5; turn++) await turnOfLoop()
    const entries = Object.entries(outcomes.so).filter(([, outcome]) => outcome !== 'resolved')
    const dead = 'ERR_KARYON_CELL_DEAD'
    t.deepEqual(Object.fromEntries(entries), {
      turn: 'aborted',
      queued: dead,
      'with a signal': dead,
      delivery: dead,
      asks: 'aborted',
      work: 'aborted',
      settled: 'ERR_KARYON_CLOSED',
      late: dead,
      'ask afterwards': dead,
      'deliver afterwards': dead,
    })
  })

  test.serial(
    `${tier}: of two kernels on one store one closes in the middle of it, and every ask of both is settled`,
    async (t) => {
      const directory = freshDirectory(t)
      const [one, other] = [
        await Kernel.open(directory, { workers }),
        await Kernel.open(directory, { workers }),
      ]
      const refs = [one, other].map((kernel) => kernel.spawn(writer))
      await Promise.all(refs.map((ref, at) => ref.ask('put', `first of ${at}`, PATIENT)))
      const answered: string[] = []
      const asker = new AbortController()
      const ask = async (ref: OwnedRef<(typeof writer)['messages']>, at: number): Promise<string> => {
        for (let n = 0; !asker.signal.aborted; n++) {
          try {
            answered.push(await ref.ask('put', `${at}/${n}`, FOR_EVER))
          } catch (error) {
            return (error as KaryonError).code
          }
        }
        return 'went on'
      }
      const asking = refs.map(ask)
      while (answered.length < 20) await turnOfLoop()
      await one.close()
      t.is(await asking[0], 'ERR_KARYON_CELL_DEAD')
      const before = answered.length
      while (answered.length < before + 20) await turnOfLoop()
      asker.abort()
      t.is(await asking[1], 'went on')
      t.deepEqual(
        answered.filter((key) => !other.graph.get(key)),
        [],
      )
      await other.close()
    },
  )
}

test.serial(
  'a worker that never answers does not keep a kernel from closing, nor whoever waits for it',
  async (t) => {
    const kernel = await Kernel.open(freshDirectory(t), { workers, sendableCheck: false })
    const ref = kernel.spawn(threadWriter)
    await ref.ask('put', 'first', PATIENT)
    const { head } = kernel.graph.stats()
    const outcomes = new Outcomes()
    outcomes.add('block', ref.ask('block', 'second', FOR_EVER))
    await published(kernel, head + 1n)
    outcomes.add('inspect', ref.inspect())
    await kernel.close()
    await turnOfLoop()
    t.is(outcomes.so['block'], 'ERR_KARYON_CELL_DEAD')
    // The worker may be given up before the kernel is closed: then there is nothing to be seen of its cells.
    t.true(['resolved', 'ERR_KARYON_CLOSED'].includes(String(outcomes.so['inspect'])))
  },
)

test('a runtime is over once the answers that wait for the disk are given', async (t) => {
  const world = new World()
  world.graph.held = true
  const ref = world.cells.spawn(inlineWriter)
  const outcomes = new Outcomes()
  outcomes.add('put', ref.ask('put', 'a', FOR_EVER))
  await world.rest()
  const { flush } = world.graph
  outcomes.add('limited', ref.ask('put', 'b', { timeoutMs: 50 }))
  await world.rest()
  outcomes.add('stop', world.cells.stop())
  outcomes.add('stopped cell', ref.stop())
  await world.rest()
  t.deepEqual(outcomes.so, {
    put: 'pending',
    limited: 'pending',
    stop: 'pending',
    'stopped cell': 'resolved',
  })
  t.throws(() => world.cells.spawn(inlineWriter), { code: 'ERR_KARYON_CLOSED' })
  await world.pass(50)
  t.is(outcomes.so['limited'], 'ERR_KARYON_ASK_TIMEOUT', 'time limits count as ever')
  t.is(outcomes.so['stop'], 'pending')
  flush()
  await world.rest()
  t.like(outcomes.so, { put: 'a', stop: 'resolved' })
})
