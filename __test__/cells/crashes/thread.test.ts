// The crash matrix, in workers. What a worker does not survive costs its cells one restart, and the others nothing; what the process does not
// survive ends the program, never silently.
import test, { type ExecutionContext } from 'ava'
import type { DeathReason } from '../../../ts/events.ts'
import type { KernelEvent } from '../../../ts/index.ts'
import { PATIENT, threadOf } from '../threads/both.ts'
import { EXITS, LATE_LOOPS, LOOPS } from './cells.ts'
import { exits, spins, throws, waits } from './modules.ts'
import { fails, raised, sameInBothTiers, survives, type Scene } from './matrix.ts'
import { endsProgram, endsWorker } from './program.ts'
import { restarts } from './restarts.ts'

sameInBothTiers('thread')

type Lost = Extract<KernelEvent, { type: 'worker.lost' }>

/** What a turn does costs the worker; its message is lost, and no other. */
async function losesWorker(
  t: ExecutionContext,
  { kernel, victim, neighbour, events }: Scene,
  what: string,
  expected: { readonly reason: Lost['reason']; readonly death: DeathReason },
): Promise<void> {
  t.is(threadOf(victim).number, threadOf(neighbour).number)
  const flag = new SharedArrayBuffer(4)
  const { ended } = kernel.stats().cells
  const asked = fails(victim.ask('commit', { what, flag }, PATIENT))
  await raised(flag)
  for (let at = 0; at < 100; at++) t.true(neighbour.send('count'))
  t.is((await asked).code, 'ERR_KARYON_CELL_DEAD')
  // Its state is a new one, and all that was sent to it is there; but for what it did before the victim's turn began to wait.
  const counted = await neighbour.ask('count', undefined, PATIENT)
  if (what in LATE_LOOPS) t.true(counted >= 1 && counted <= 101)
  else t.is(counted, 101)
  t.is(await victim.ask('incarnation', undefined, PATIENT), 2)
  t.is(kernel.stats().cells.ended - ended, 102, 'each message ended once')
  t.deepEqual(restarts(events), { [victim.path]: [expected.death], [neighbour.path]: ['collateral'] })
  const lost = events.filter((event): event is Lost => event.type === 'worker.lost')
  t.deepEqual(
    lost.map(({ reason, path }) => [reason, path]),
    [[expected.reason, victim.path]],
  )
  const letters = events.filter(({ type }) => type === 'message.dead-letter')
  t.like(letters, [{ path: victim.path, message: 'commit', reason: 'lost-in-turn' }])
}

for (const what of Object.keys({ ...LOOPS, ...LATE_LOOPS })) {
  test.serial(
    `${what}: the worker is replaced, the neighbours begin anew with all their messages, others do not notice`,
    (t) =>
      survives(t, 'thread', (scene) => losesWorker(t, scene, what, { reason: 'replaced', death: 'cpu' })),
  )
}

for (const what of Object.keys(EXITS)) {
  const reason = what.startsWith('`process.exit`') ? 'exit' : 'error'
  test.serial(
    `${what}: it ends the worker alone, the neighbours begin anew with all their messages, others do not notice`,
    (t) => survives(t, 'thread', (scene) => losesWorker(t, scene, what, { reason, death: 'error' })),
  )
}

test.serial(
  'a worker that is killed from outside is replaced; all its cells begin anew, and lose no message',
  (t) =>
    survives(t, 'thread', async ({ victim, neighbour, events }) => {
      neighbour.pause()
      for (let at = 0; at < 100; at++) t.true(neighbour.send('count'))
      await threadOf(victim).worker.terminate()
      neighbour.resume()
      t.is(await neighbour.ask('count', undefined, PATIENT), 101)
      t.is(await victim.ask('incarnation', undefined, PATIENT), 2)
      t.deepEqual(restarts(events), { [victim.path]: ['collateral'], [neighbour.path]: ['collateral'] })
    }),
)

test.serial(
  'a module that loops as it is loaded: the worker is replaced, once; its cell gives up, its neighbours begin anew with all their messages',
  (t) =>
    survives(t, 'thread', async ({ kernel, victim, neighbour, events }) => {
      const loads = kernel.spawn(spins)
      const asked = fails(loads.ask('ping', undefined, PATIENT))
      for (let at = 0; at < 100; at++) t.true(neighbour.send('count'))
      t.is((await asked).code, 'ERR_KARYON_CELL_DEAD')
      await neighbour.ask('count', undefined, PATIENT)
      await victim.ask('incarnation', undefined, PATIENT)
      t.is(kernel.stats().cells.deadLetters, 1, 'the ask of the cell that never came up')
      t.deepEqual(restarts(events), {
        [loads.path]: ['cpu', 'init', 'init', 'init', 'init'],
        [neighbour.path]: ['collateral'],
        [victim.path]: ['collateral'],
      })
      const told = events.filter(({ type }) => type === 'worker.lost' || type === 'cell.gave-up')
      t.like(told, [
        { type: 'worker.lost', reason: 'replaced', path: loads.path },
        { type: 'cell.gave-up', path: loads.path, error: { code: 'ERR_KARYON_TURN_CPU' } },
      ])
    }),
)

test.serial(
  'a module that throws as it is loaded: the cell gives up with what it threw; nobody else notices',
  (t) =>
    survives(t, 'thread', async ({ kernel, neighbour, events }) => {
      const loads = kernel.spawn(throws)
      t.is((await fails(loads.ask('ping', undefined, PATIENT))).code, 'ERR_KARYON_CELL_DEAD')
      t.is(await neighbour.ask('count', undefined, PATIENT), 2)
      t.like(
        events.find(({ type }) => type === 'cell.gave-up'),
        { path: loads.path, error: { message: 'broken' } },
      )
      t.deepEqual(restarts(events), { [loads.path]: ['init', 'init', 'init', 'init', 'init'] })
    }),
)

test.serial(
  'a module that exits as it is loaded ends one worker; the cell gives up; its neighbours do not, and lose no message',
  (t) =>
    survives(t, 'thread', async ({ kernel, victim, neighbour, events }) => {
      const loads = kernel.spawn(exits)
      const asked = fails(loads.ask('ping', undefined, PATIENT))
      for (let at = 0; at < 100; at++) {
        await neighbour.deliver('count')
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      t.is((await asked).code, 'ERR_KARYON_CELL_DEAD')
      await neighbour.ask('count', undefined, PATIENT)
      t.is(kernel.stats().cells.deadLetters, 1, 'the ask of the cell that never came up')
      t.deepEqual(restarts(events)[loads.path], ['error', 'init', 'init', 'init', 'init'])
      t.deepEqual(restarts(events)[neighbour.path], ['collateral'])
      t.deepEqual(restarts(events)[victim.path], ['collateral'])
    }),
)

test.serial(
  'a module that is never loaded to its end: its cell waits until it is killed; nobody else notices',
  (t) =>
    survives(t, 'thread', async ({ kernel, neighbour, events }) => {
      const loads = kernel.spawn(waits)
      await t.throwsAsync(loads.ask('ping', undefined, { timeoutMs: 200 }), {
        code: 'ERR_KARYON_ASK_TIMEOUT',
      })
      t.is(await neighbour.ask('count', undefined, PATIENT), 2)
      await loads.kill()
      t.deepEqual(restarts(events), {})
    }),
)

endsWorker('a heap that fills up little by little')
endsProgram('thread', 'a heap that is exhausted at once', { says: /heap out of memory/ })
endsProgram('thread', 'a native fault', { signal: 'SIGSEGV', says: /^$/ })
endsProgram('thread', 'a native panic', { code: 1, says: /a defect in Karyon: .* please report it/ })
