// Turns that are stopped in place in a worker: its cell begins anew, and the worker stays; unless that cannot be.
import type { ExecutionContext } from 'ava'
import { supervisor, type KernelEvent, type OwnedRef } from '../../../ts/index.ts'
import { raised } from '../crashes/matrix.ts'
import { dallies } from '../crashes/modules.ts'
import { restarts } from '../crashes/restarts.ts'
import { PATIENT, threaded, threadOf, threadsOf, type World } from './both.ts'
import { LIMITS, STOPPED, counting, looping, unsound } from './stopping.ts'

const one = { count: 1, spare: false }

type Looping = OwnedRef<(typeof looping)['messages']>
type Counting = OwnedRef<(typeof counting)['messages']>

/** A cell that loops, under a supervisor that lets it, and one beside it that counts. */
async function scene({ kernel }: World): Promise<{ readonly ref: Looping; readonly beside: Counting }> {
  const crew = kernel.spawn(
    supervisor({
      name: 'crew',
      restart: { intensity: 10_000, periodMs: 1_000 },
      children: [looping, counting],
    }),
  )
  const ref: Looping = crew.child('looping')
  const beside: Counting = crew.child('counting')
  await ref.ask('where', undefined, PATIENT)
  await beside.ask('add', 1, PATIENT)
  return { ref, beside }
}

async function stopped(t: ExecutionContext, asked: Promise<unknown>): Promise<void> {
  const failed = await t.throwsAsync(asked, { code: 'ERR_KARYON_CELL_FAILED' })
  t.like(failed?.cause, { code: 'ERR_KARYON_TURN_CPU', details: { limitMs: LIMITS.turnCpuMs } })
}

const lost = (events: readonly KernelEvent[]): readonly KernelEvent[] =>
  events.filter(({ type }) => type === 'worker.lost')

for (const how of Object.keys(STOPPED)) {
  threaded(
    `${how} is stopped in its worker, which stays, and so do its neighbours`,
    one,
    async (t, world) => {
      const { kernel, events } = world
      const { ref, beside } = await scene(world)
      const there = threadOf(ref).number
      for (let round = 0; round < 3; round++) {
        const asked = ref.ask('loop', { how, to: beside }, PATIENT)
        await stopped(t, asked)
        t.is(await ref.ask('where', undefined, PATIENT), 'undefined 0')
      }
      t.deepEqual(lost(events), [])
      t.is(threadOf(ref).number, there)
      t.is(threadOf(beside).number, there)
      t.deepEqual(restarts(events), { [ref.path]: ['cpu', 'cpu', 'cpu'] })
      t.is(kernel.graph.get('never'), undefined)
      // What it did with others is whole: they have all that they were sent, and nothing is open.
      const total = await beside.ask('total', undefined, PATIENT)
      t.true(total >= 1)
      const quiet = (): boolean => {
        const { sent, ended, failed, refused, deadLetters, conflicts, asks } = kernel.stats().cells
        return asks === 0 && sent === ended + failed + refused + deadLetters + conflicts
      }
      while (!quiet()) await beside.ask('total', undefined, PATIENT)
      t.is(kernel.stats().cells.failed, 3)
      t.is((await beside.inspect()).mailbox?.waiting, 0)
    },
  )
}

threaded(
  'a turn that is stopped inside of an async scope taints its worker, which is replaced; its neighbours begin anew with all their messages',
  one,
  async (t, world) => {
    const { kernel, events } = world
    const { ref, beside } = await scene(world)
    const there = threadOf(ref).number
    const flag = new SharedArrayBuffer(4)
    const asked = ref.ask('taint', flag, PATIENT)
    await raised(flag)
    for (let at = 0; at < 100; at++) t.true(beside.send('add', 1))
    await t.throwsAsync(asked, { code: 'ERR_KARYON_CELL_DEAD' })
    t.is(await ref.ask('where', undefined, PATIENT), 'undefined 0')
    t.is(await beside.ask('total', undefined, PATIENT), 100)
    t.not(threadOf(ref).number, there)
    t.deepEqual(restarts(events), { [ref.path]: ['cpu'], [beside.path]: ['collateral'] })
    t.true(events.some((event) => event.type === 'isolate.tainted' && event.path === ref.path))
    t.like(lost(events), [{ reason: 'replaced', path: ref.path, error: { code: 'ERR_KARYON_TURN_CPU' } }])
    t.is(kernel.graph.get('never'), undefined)
  },
)

threaded(
  'where a turn cannot be stopped (after an await) its worker is replaced, as if it could never be',
  one,
  async (t, world) => {
    const { kernel, events } = world
    const { ref, beside } = await scene(world)
    await t.throwsAsync(ref.ask('later', undefined, PATIENT), { code: 'ERR_KARYON_CELL_DEAD' })
    t.is(await ref.ask('where', undefined, PATIENT), 'undefined 0')
    t.is(await beside.ask('total', undefined, PATIENT), 0)
    t.deepEqual(restarts(events), { [ref.path]: ['cpu'], [beside.path]: ['collateral'] })
    t.is(kernel.graph.get('never'), undefined)
  },
)

threaded(
  'whose turn goes on is known too where what waits behind it was taken back',
  one,
  async (t, world) => {
    const { events } = world
    const { ref, beside } = await scene(world)
    const flag = new SharedArrayBuffer(4)
    const [failed, ...behind] = [ref.ask('later', flag, PATIENT), ref.ask('where', undefined, PATIENT)]
    await Promise.all([
      raised(flag).then(() => ref.pause()),
      t.throwsAsync(failed, { code: 'ERR_KARYON_CELL_DEAD' }),
    ])
    ref.resume()
    t.deepEqual(await Promise.all(behind), ['undefined 0'])
    t.is(await beside.ask('total', undefined, PATIENT), 0)
    t.deepEqual(restarts(events), { [ref.path]: ['cpu'], [beside.path]: ['collateral'] })
  },
)

threaded(
  'what keeps a worker busy while a module is being loaded may be a turn that goes on: nothing is held against the module',
  one,
  async (t, world) => {
    const { kernel, events } = world
    const { ref } = await scene(world)
    const loads = kernel.spawn(dallies)
    await t.throwsAsync(ref.ask('later', undefined, PATIENT), { code: 'ERR_KARYON_CELL_DEAD' })
    t.is(await loads.ask('ping', undefined, PATIENT), 'pong')
    t.deepEqual(restarts(events)[loads.path], ['collateral'])
  },
)

threaded(
  'where a turn cannot be stopped (in its invariant) its worker is replaced once it has used twice its limit',
  one,
  async (t, world) => {
    const { kernel, events } = world
    const { beside } = await scene(world)
    const ref = kernel.spawn(unsound)
    await t.throwsAsync(ref.ask('go', undefined, PATIENT), { code: 'ERR_KARYON_CELL_DEAD' })
    t.is(await beside.ask('total', undefined, PATIENT), 0)
    t.is(restarts(events)[ref.path]?.[0], 'cpu')
    t.like(lost(events), [{ reason: 'replaced', path: ref.path }])
  },
)

threaded(
  'of turns around the limit, in a worker, each is whole or stopped, and nobody else’s is',
  one,
  async (t, world) => {
    const { kernel, events } = world
    const { ref, beside } = await scene(world)
    const outcomes = new Map<string, number>()
    for (let round = 0; round < 20; round++) {
      const asked = ref.ask('spin', LIMITS.turnCpuMs * (0.5 + Math.random()), PATIENT)
      t.true(beside.send('add', 1))
      const outcome = await asked.catch((error: { cause?: { code?: string } }) => `${error.cause?.code}`)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    const { whole = 0, ERR_KARYON_TURN_CPU: struck = 0, ...others } = Object.fromEntries(outcomes)
    t.deepEqual([others, whole + struck], [{}, 20])
    t.true(whole > 0 && struck > 0, `${whole} were whole, ${struck} were stopped`)
    t.is(await beside.ask('total', undefined, PATIENT), 21)
    t.is(kernel.stats().cells.failed, struck)
    t.deepEqual(lost(events), [])
  },
)

threaded(
  'where Node does not export what it takes to stop a turn, its worker is replaced at its limit',
  one,
  async (t, world) => {
    const { ref, beside } = await scene(world)
    Object.assign(threadsOf(ref).runtime.scheduler.memory, { guard: undefined })
    await ref.ask('forget', undefined, PATIENT)
    const asked = ref.ask('loop', { how: 'an endless loop', to: beside }, PATIENT)
    await t.throwsAsync(asked, { code: 'ERR_KARYON_CELL_DEAD' })
    t.is(await ref.ask('where', undefined, PATIENT), 'undefined 0')
    t.deepEqual(restarts(world.events), { [ref.path]: ['cpu'], [beside.path]: ['collateral'] })
  },
)
