// Turns that use more CPU time than they may: found while the loop stands still, and told when it turns again.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { cell, message } from '../../ts/cells/index.ts'
import { onOverrun, watchedEnvironment, type Overrun } from '../../ts/cells/watchdog.ts'
import { KaryonError } from '../../ts/errors.ts'
import { Kernel } from '../../ts/index.ts'
import { native } from '../../ts/native.ts'
import { World } from './fake.ts'
import { program } from './fixtures/program.ts'

/** However slow the machine is, by then a test is stuck; in milliseconds. */
const STUCK_MS = 60_000

/** Runs without a pause until there is an overrun after `after`; what it is. */
function spinUntilFound(after: number, is: (overrun: Overrun) => boolean): Overrun {
  const until = performance.now() + STUCK_MS
  for (;;) {
    const found = native.overruns(after).find(is)
    if (found !== undefined) return found
    if (performance.now() > until) throw new Error('nothing was found')
  }
}

function lastOverrun(): number {
  return native.overruns(0).at(-1)?.number ?? 0
}

const greedy = cell({
  name: 'greedy',
  messages: {
    spin: message<number, number>(),
    sleep: message<number>(),
    later: message<number, number>(),
    ping: message<void, string>(),
  },
  on: {
    spin: (ctx, after) => spinUntilFound(after, ({ path }) => path === ctx.self.path).cpuMs,
    sleep: (_ctx, ms) => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
    },
    later: async (_ctx, after) => {
      await Promise.resolve()
      return spinUntilFound(after, ({ environment, path }) => {
        return environment === watchedEnvironment() && path === undefined
      }).cpuMs
    },
    ping: () => 'pong',
  },
  limits: { turnCpuMs: 20 },
})

test.serial('a turn past its limit is found while it runs, and told when the loop turns again', async (t) => {
  const world = new World({ now: () => performance.now() })
  const ref = world.cells.spawn(greedy)
  t.true((await ref.ask('spin', lastOverrun())) >= 20)
  await world.heard('cell.stalled')
  const [stalled, ...others] = world.of('cell.stalled')
  t.is(stalled?.path, 'root/greedy')
  t.true((stalled?.cpuMs ?? 0) >= 20)
  t.deepEqual(others, [])
  // Reported, and no more: it came to its end.
  t.is(world.cells.stats.failed, 0)
  await world.cells.stop()
})

test.serial('`init` and invariants are watched as turns are', async (t) => {
  const world = new World({ now: () => performance.now() })
  const spin = (path: string): boolean =>
    spinUntilFound(lastOverrun(), (overrun) => overrun.path === path) !== undefined
  const slow = cell({
    name: 'slow',
    messages: { ping: message<void, string>() },
    init: (ctx) => ({ whole: spin(ctx.self.path) }),
    on: { ping: () => 'pong' },
    invariant: () => spin('root/slow'),
    limits: { turnCpuMs: 5 },
  })
  t.is(await world.cells.spawn(slow).ask('ping'), 'pong')
  await world.heard('cell.stalled', 2)
  t.deepEqual(
    world.of('cell.stalled').map(({ path }) => path),
    ['root/slow', 'root/slow'],
  )
  await world.cells.stop()
})

test.serial('a turn that sleeps is not past its limit, however long it does', async (t) => {
  const world = new World({ now: () => performance.now() })
  const ref = world.cells.spawn(greedy, { name: 'sleeper' })
  const before = lastOverrun()
  ref.send('sleep', 200)
  await ref.ask('ping')
  t.deepEqual(
    native.overruns(before).filter(({ path }) => path === 'root/sleeper'),
    [],
  )
  await world.cells.stop()
})

test.serial('a turn without a limit is never past it', async (t) => {
  const world = new World({ now: () => performance.now() })
  const free = cell({
    name: 'free',
    messages: { spin: message<number>() },
    on: {
      spin: (_ctx, ms) => {
        const { user } = process.cpuUsage()
        while (process.cpuUsage().user - user < ms * 1_000);
      },
    },
    limits: { turnCpuMs: 0 },
  })
  const before = lastOverrun()
  await world.cells.spawn(free).ask('spin', 50)
  await world.cells.spawn(greedy).ask('spin', before)
  t.deepEqual(
    native.overruns(before).map(({ path }) => path),
    ['root/greedy'],
  )
  await world.cells.stop()
})

test.serial('a continuation that does not pause is found as well, and is no cell’s', async (t) => {
  const world = new World({ now: () => performance.now() })
  const ref = world.cells.spawn(greedy)
  t.true((await ref.ask('later', lastOverrun(), { timeoutMs: STUCK_MS })) >= 1_000)
  await world.heard('isolate.stalled')
  t.true(world.of('isolate.stalled').some(({ cpuMs }) => cpuMs >= 1_000))
  t.deepEqual(world.of('cell.stalled'), [])
  await world.cells.stop()
})

test.serial('two kernels hear of their own cells', async (t) => {
  const [one, other] = [0, 1].map(() => new World({ now: () => performance.now() })) as [World, World]
  await one.cells.spawn(greedy).ask('spin', lastOverrun())
  await one.heard('cell.stalled')
  t.is(one.of('cell.stalled').length, 1)
  t.is(other.of('cell.stalled').length, 0)
  await Promise.all([one.cells.stop(), other.cells.stop()])
})

test.serial('the main isolate hears of a worker that loops, in a turn or outside of any', async (t) => {
  const world = new World()
  for (const where of ['turn', 'continuation', 'guarded'] as const) {
    const found: Overrun[] = []
    const heard = new Promise<void>((resolve) => {
      const end = onOverrun((overrun) => {
        if (overrun.environment === watchedEnvironment()) return
        found.push(overrun)
        end()
        resolve()
      })
    })
    const program = new URL('./fixtures/loops.ts', import.meta.url)
    const worker = new Worker(program, { argv: [where], stdout: true, stderr: true })
    await heard
    t.is(found[0]?.path, where === 'continuation' ? undefined : 'root/looping')
    // That it can be ended shows that nothing of the watchdog's holds it, nor calls its end off.
    await worker.terminate()
  }
  await world.cells.stop()
})

test('stderr says which cell, while the loop stands still', async (t) => {
  const { child, said, ended } = program('loops', 'turn')
  while (!said.errors.includes('\n')) await once(child.stderr, 'data')
  t.regex(said.errors, /^karyon: root\/looping keeps event loop 0 busy: \d+ ms of CPU time without a pause\n/)
  child.kill('SIGKILL')
  await ended
})

test('a program that forgot to close ends by itself, watched or not', async (t) => {
  const { said, ended } = program('loops', 'no')
  t.deepEqual([(await ended)[0], said], [0, { output: 'opened\n', errors: '' }])
})

test('limits are whole and within their bounds', (t) => {
  const made = (limits: object) => () => cell({ name: 'any', messages: {}, on: {}, limits })
  for (const turnCpuMs of [-1, 0.5, 2 ** 31, Number.NaN, '5'])
    t.throws(made({ turnCpuMs }), { instanceOf: KaryonError, code: 'ERR_KARYON_ARGUMENT' })
  t.throws(made({ stopInPlace: 1 }), { code: 'ERR_KARYON_ARGUMENT' })
  t.throws(made({ stopInPlace: true, turnCpuMs: 0 }), { code: 'ERR_KARYON_ARGUMENT' })
  t.notThrows(made({ stopInPlace: true }))
})

test('a kernel says whether it can stop turns', async (t) => {
  const kernel = Kernel.memory()
  t.true(kernel.stats().cells.stopInPlace)
  await kernel.close()
})
