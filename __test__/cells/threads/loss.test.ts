// What becomes of cells whose worker is lost, given up, or killed.
import { KaryonError, supervisor } from '../../../ts/index.ts'
import { Reference } from '../../../ts/cells/ref.ts'
import { failure } from '../../../ts/cells/failures.ts'
import { native } from '../../../ts/native.ts'
import { PATIENT, threaded, threadOf, threadsOf } from './both.ts'
import { hiddenOne, inlineCounter, recorder, rogue, spinner, threadCounter, burnt } from './cells.ts'
import { one as twiceOne } from '../fixtures/twice.ts'

const one = { count: 1, spare: false }
const warm = { count: 1, spare: true }

/** Waits, on this side, until somebody on the other has set the flag. */
async function raised(flag: SharedArrayBuffer): Promise<void> {
  const word = new Int32Array(flag)
  while (Atomics.load(word, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** What a watchdog does about a cell that does not end its turn. */
function giveUp(ref: { readonly path: string }): void {
  const { incarnation } = Reference.cellOf(ref as Reference)
  const error = failure('ERR_KARYON_TURN_CPU', 'it does not end its turn')
  threadsOf(ref).replace(threadOf(ref), incarnation, error)
}

threaded(
  'an endless loop costs its worker; the neighbours begin anew, uncounted, with all their messages',
  one,
  async (t, { kernel, counter, event }) => {
    const [bad, neighbour] = [kernel.spawn(rogue), kernel.spawn(counter, { args: 1 })]
    t.is(threadOf(bad), threadOf(neighbour) ?? threadOf(bad))
    await neighbour.ask('total', undefined, PATIENT)
    const flag = new SharedArrayBuffer(4)
    const lost = bad.ask('spin', flag, PATIENT)
    await raised(flag)
    for (let at = 0; at < 100; at++) t.true(neighbour.send('add', 1))
    const total = neighbour.ask('total', undefined, PATIENT)
    giveUp(bad)
    const error = await t.throwsAsync(lost, { instanceOf: KaryonError })
    t.is((error as KaryonError).code, 'ERR_KARYON_CELL_DEAD')
    t.is(await total, 101)
    t.is(await bad.ask('ping', undefined, PATIENT), 1)
    t.is((await event('cell.restarted', ({ path }) => path === neighbour.path)).reason, 'collateral')
    t.is((await event('cell.restarted', ({ path }) => path === bad.path)).reason, 'error')
    t.like(await event('worker.lost'), { reason: 'replaced', path: bad.path })
  },
)

threaded('a look at a cell whose worker was just lost is answered', one, async (t, { kernel, counter }) => {
  const ref = kernel.spawn(counter)
  await ref.ask('total', undefined, PATIENT)
  giveUp(ref)
  t.is((await ref.inspect()).path, ref.path)
})

threaded('a regular expression that does not end is given up like any loop', one, async (t, { kernel }) => {
  const bad = kernel.spawn(rogue)
  await bad.ask('ping', undefined, PATIENT)
  const lost = bad.ask('regexp', undefined, PATIENT)
  await new Promise((resolve) => setTimeout(resolve, 20))
  giveUp(bad)
  await t.throwsAsync(lost, { code: 'ERR_KARYON_CELL_DEAD' })
  t.is(await bad.ask('ping', undefined, PATIENT), 1)
})

threaded(
  'process.exit ends the worker alone, and is the failure of the cell that called it',
  one,
  async (t, { kernel, counter, event }) => {
    const [bad, neighbour] = [kernel.spawn(rogue), kernel.spawn(counter)]
    await neighbour.ask('total', undefined, PATIENT)
    await t.throwsAsync(bad.ask('exit', undefined, PATIENT), { code: 'ERR_KARYON_CELL_DEAD' })
    t.is(await bad.ask('ping', undefined, PATIENT), 1)
    t.is(await neighbour.ask('total', undefined, PATIENT), 0)
    t.is((await event('cell.restarted', ({ path }) => path === bad.path)).reason, 'error')
    t.is((await event('cell.restarted', ({ path }) => path === neighbour.path)).reason, 'collateral')
    const { reason, error } = await event('worker.lost')
    t.is(reason, 'exit')
    t.is(error.details['code'], 7)
  },
)

threaded('an error that nobody catches ends the worker alone', one, async (t, { kernel, event }) => {
  const bad = kernel.spawn(rogue)
  await bad.ask('ping', undefined, PATIENT)
  await t.throwsAsync(bad.ask('uncaught', undefined, PATIENT), { code: 'ERR_KARYON_CELL_DEAD' })
  t.is(await bad.ask('ping', undefined, PATIENT), 1)
  const { reason, error } = await event('worker.lost')
  t.is(reason, 'error')
  t.is((error.cause as Error).message, 'nobody catches this')
})

threaded('a worker that is killed from outside is replaced', one, async (t, { kernel, counter, event }) => {
  const ref = kernel.spawn(counter, { args: 3 })
  t.is(await ref.ask('total', undefined, PATIENT), 3)
  // Its answer may be here before the worker has put the turn behind it, and who runs is to blame.
  while (threadOf(ref).running !== undefined) await new Promise(setImmediate)
  await threadOf(ref).worker.terminate()
  t.is(await ref.ask('total', undefined, PATIENT), 3)
  t.is((await event('cell.restarted')).reason, 'collateral')
})

threaded(
  'a cell that takes its worker with it again and again gives up; its neighbour does not',
  one,
  async (t, { kernel, counter, event }) => {
    const [bad, neighbour] = [kernel.spawn(rogue), kernel.spawn(counter, { args: 3 })]
    for (let at = 0; at < 6; at++)
      await t.throwsAsync(bad.ask('exit', undefined, PATIENT), { code: 'ERR_KARYON_CELL_DEAD' })
    await event('cell.gave-up', ({ path }) => path === bad.path)
    t.is(await neighbour.ask('total', undefined, PATIENT), 3)
    t.true(neighbour.incarnation > 5)
  },
)

threaded(
  'a spare is kept, has the modules of the cells loaded, and takes over',
  warm,
  async (t, { kernel, event }) => {
    const ref = kernel.spawn(rogue)
    const before = await ref.ask('where', undefined, PATIENT)
    await new Promise((resolve) => setTimeout(resolve, 80))
    await threadsOf(ref).warm()
    const flag = new SharedArrayBuffer(4)
    ref.ask('spin', flag, PATIENT).catch(() => {})
    await raised(flag)
    giveUp(ref)
    const begun = performance.now()
    t.is(await ref.ask('ping', undefined, PATIENT), 1)
    t.log(`answered after ${(performance.now() - begun).toFixed(2)} ms`)
    t.not(await ref.ask('where', undefined, PATIENT), before)
    await event('worker.started', ({ worker }) => worker === threadOf(ref).number)
  },
)

threaded(
  'whatever worker is lost and when, no message is lost, doubled or overtaken',
  warm,
  async (t, { kernel, events }) => {
    const ref = kernel.spawn(recorder)
    await ref.ask('noted', undefined, PATIENT)
    const count = 20_000
    let sent = 0
    for (let round = 0; sent < count; round++) {
      for (let at = 0; at < 1_000; at++) t.true(ref.send('note', sent++))
      await new Promise((resolve) => setTimeout(resolve, round % 4))
      if (round % 3 === 0) void threadOf(ref)?.worker.terminate()
    }
    await ref.ask('noted', undefined, PATIENT)
    const { ended, deadLetters, sent: all } = kernel.stats().cells
    let committed = 0
    let twice = 0
    for (let number = 0; number < count; number++) {
      const times = kernel.graph.get(`number-${number}`)?.props['times']
      if (times !== undefined) committed++
      if (times !== undefined && times !== 1) twice++
    }
    t.is(twice, 0)
    const lost = events.filter(({ type }) => type === 'message.dead-letter').length
    t.is(deadLetters, lost)
    t.is(ended + deadLetters, all)
    t.true(lost <= 10, `${lost} were cut short`)
    t.true(committed >= count - lost)
    const noted = (await ref.ask('noted', undefined, PATIENT)) as readonly number[]
    t.deepEqual(
      noted,
      [...noted].toSorted((a, b) => a - b),
    )
  },
)

threaded('nothing that a lost worker still does is committed', one, async (t, { kernel }) => {
  const ref = kernel.spawn(recorder)
  await ref.ask('noted', undefined, PATIENT)
  const { incarnation } = Reference.cellOf(ref as unknown as Reference)
  giveUp(ref)
  await ref.ask('noted', undefined, PATIENT)
  t.throws(() => incarnation.session?.begin(), { code: 'ERR_KARYON_CELL_DEAD' })
})

threaded(
  'a definition that its module does not export is told, and never runs',
  one,
  async (t, { kernel, event }) => {
    const ref = kernel.spawn(hiddenOne.cell as typeof inlineCounter)
    const { error } = await event('cell.gave-up')
    t.is((error as KaryonError).code, 'ERR_KARYON_ARGUMENT')
    t.regex((error as Error).message, /exports no cell of the name hidden/)
    t.false(ref.alive)
  },
)

threaded(
  'the watchdog gives up the worker of a turn that goes past its CPU time',
  one,
  async (t, { kernel, counter, event }) => {
    const [bad, neighbour] = [kernel.spawn(spinner), kernel.spawn(counter, { args: 2 })]
    t.is(await bad.ask('ping', undefined, PATIENT), 1)
    t.is(await neighbour.ask('total', undefined, PATIENT), 2)
    const error = await t.throwsAsync(bad.ask('spin', undefined, PATIENT), { instanceOf: KaryonError })
    t.is((error as KaryonError).code, 'ERR_KARYON_CELL_DEAD')
    t.is(await bad.ask('ping', undefined, PATIENT), 1)
    t.is(await neighbour.ask('total', undefined, PATIENT), 2)
    t.is((await event('cell.restarted', ({ path }) => path === bad.path)).reason, 'cpu')
    t.is((await event('cell.restarted', ({ path }) => path === neighbour.path)).reason, 'collateral')
    await event('cell.stalled', ({ path }) => path === bad.path)
    // On stderr it is called by what it is made of.
    t.true(native.overruns(0).some(({ path }) => /^root\/spinner-\d+-100$/.test(path ?? '')))
  },
)

threaded(
  'a temporary cell whose worker is lost begins anew as others do',
  one,
  async (t, { kernel, events }) => {
    const crew = kernel.spawn(
      supervisor({
        name: 'crew',
        autoShutdown: 'any_significant',
        children: [{ name: 'job', cell: threadCounter, restart: 'temporary', significant: true }],
      }),
    )
    const [job, bad] = [crew.child('job'), kernel.spawn(rogue)]
    await job.ask('total', undefined, PATIENT)
    const lost = bad.ask('exit', undefined, PATIENT)
    await t.throwsAsync(lost, { code: 'ERR_KARYON_CELL_DEAD' })
    t.is(await job.ask('total', undefined, PATIENT), 0)
    t.is(job.incarnation, 2)
    t.true(events.some((event) => event.type === 'cell.restarted' && event.reason === 'collateral'))
  },
)

threaded(
  'a turn that went past its limit and is over costs nobody the worker, however late main hears of it',
  one,
  async (t, { kernel, events, event }) => {
    const ref = kernel.spawn(burnt)
    await ref.ask('burn', 1, PATIENT)
    const asked = [
      ref.ask('burn', 150, PATIENT),
      ...Array.from({ length: 30 }, () => ref.ask('burn', 15, PATIENT)),
    ]
    await new Promise((resolve) => setTimeout(resolve, 2))
    // Main hears nothing until all of them are over.
    let ranAt = performance.now() + 600
    while (performance.now() < ranAt + 200) if (threadOf(ref).running !== undefined) ranAt = performance.now()
    t.deepEqual(
      await Promise.all(asked),
      asked.map(() => 1),
    )
    t.is((await event('cell.stalled')).path, ref.path)
    t.false(events.some(({ type }) => type === 'worker.lost'))
  },
)

threaded('of two definitions of one name nobody takes the wrong one', one, async (t, { kernel, event }) => {
  kernel.spawn(twiceOne)
  const { error } = await event('cell.gave-up')
  t.regex((error as Error).message, /exports 2 definitions of a cell of the name twice/)
})

for (const how of ['exits', 'rejects']) {
  for (const options of [one, warm]) {
    threaded(
      `a module that ${how} as it is loaded is not loaded again, and ${options.spare ? 'with' : 'without'} a spare costs no neighbour its life`,
      options,
      async (t, { kernel, counter, events, event }) => {
        const { ends } = (await import(`../fixtures/ends.ts?${how}`)) as typeof import('../fixtures/ends.ts')
        const neighbours = Array.from({ length: 3 }, (_, at) => kernel.spawn(counter, { args: at }))
        for (const each of neighbours) await each.ask('total', undefined, PATIENT)
        for (let at = 0; at < 3; at++) {
          const { path } = kernel.spawn(ends, { name: `ends${at}` })
          const { error } = await event('cell.gave-up', (event) => event.path === path)
          t.is((error as KaryonError).code, 'ERR_KARYON_CELL_DEAD')
          t.regex((error as Error).message, /ends\.ts\?\w+ ended its worker with code 1 as it was loaded/)
        }
        for (const [at, each] of neighbours.entries()) t.is(await each.ask('total', undefined, PATIENT), at)
        const restarts = events.filter((event) => event.type === 'cell.restarted')
        t.deepEqual(
          [...new Set(restarts.map(({ path, reason }) => `${path.slice(0, 9)} ${reason}`))].toSorted(),
          ['root/coun collateral', 'root/ends error', 'root/ends init'],
        )
        // Once for a cell, and once more if the spare took over while it loaded it ahead.
        t.true(events.filter(({ type }) => type === 'worker.lost').length <= 2)
      },
    )
  }
}

threaded(
  'a module that ends spares alone is left to its cells, which it costs nobody else; the next spare does without',
  warm,
  async (t, { kernel, counter, events, event }) => {
    const neighbour = kernel.spawn(counter, { args: 3 })
    await neighbour.ask('total', undefined, PATIENT)
    await new Promise((resolve) => setTimeout(resolve, 80))
    const threads = threadsOf(neighbour)
    await threads.warm()
    const { worker } = threadOf(neighbour)
    const module = (await import(
      `../fixtures/ends.ts?above=${worker.threadId}`
    )) as typeof import('../fixtures/ends.ts')
    const ref = kernel.spawn(module.ends)
    t.is(await ref.ask('ping', undefined, PATIENT), 'pong')
    const isAhead = (): boolean => [...threads.modules.values()].at(-1)?.ahead ?? true
    while (isAhead()) await new Promise((resolve) => setTimeout(resolve, 1))
    t.false(events.some(({ type }) => type === 'worker.lost'))
    await worker.terminate()
    const { error } = await event('cell.gave-up')
    t.regex((error as Error).message, /ends\.ts\?above=\d+ ended its worker with code 1 as it was loaded/)
    t.false(ref.alive)
    t.is(await neighbour.ask('total', undefined, PATIENT), 3)
    const own = events.filter((each) => each.type === 'cell.restarted' && each.path === neighbour.path)
    t.true(own.every((each) => 'reason' in each && each.reason === 'collateral'))
  },
)

threaded(
  'where workers are lost again and again by nobody, cells of a module that the error names count it, and no others',
  one,
  async (t, { kernel, counter, event, events }) => {
    const { ends } = (await import('../fixtures/ends.ts')) as typeof import('../fixtures/ends.ts')
    const [ref, neighbour] = [kernel.spawn(ends), kernel.spawn(counter, { args: 3 })]
    const error = new Error('thrown later')
    error.stack = `Error: thrown later\n    at Timeout._onTimeout (${new URL('../fixtures/ends.ts', import.meta.url).href}:12:3)`
    while (ref.alive) {
      await neighbour.ask('total', undefined, PATIENT)
      if (threadOf(neighbour) !== undefined) threadsOf(neighbour).exited(threadOf(neighbour), error, 1)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await event('cell.gave-up', ({ path }) => path === ref.path)
    t.is(await neighbour.ask('total', undefined, PATIENT), 3)
    const own = events.filter((each) => each.type === 'cell.restarted' && each.path === neighbour.path)
    t.true(own.every((each) => 'reason' in each && each.reason === 'collateral'))
  },
)
