// Simulated time and order: the same seed, the same trace.
import test from 'ava'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Kernel,
  cell,
  message,
  supervisor,
  type CellRef,
  type Graph,
  type KaryonError,
  type Simulation,
} from '../../ts/index.ts'
import { threadCounter } from './threads/cells.ts'

const peer = cell({
  name: 'peer',
  grants: { read: '*', write: '*' },
  messages: { go: message<number>(), look: message<void, number>() },
  init: (ctx) => {
    ctx.every(7, 'go', Math.floor(ctx.random() * 10))
    return { sum: 0 }
  },
  on: {
    go: async (ctx, n) => {
      ctx.state.sum += n
      if (ctx.random() < 0.1) throw new Error(`broken at ${ctx.now().toISOString()}`)
      await ctx.graph.write((tx) => tx.put(`last of ${ctx.self.path}`, { props: { n } }))
      ctx.tx.increment('sum', 'n', n)
    },
    look: (ctx) => ctx.state.sum,
  },
})
const asker = cell({
  name: 'asker',
  messages: { ask: message() },
  init: (ctx, args: { readonly peers: readonly CellRef<(typeof peer)['messages']>[] }) => {
    ctx.every(5, 'ask')
    return args
  },
  on: {
    ask: async (ctx) => {
      const sums = await Promise.all(ctx.state.peers.map((each) => ctx.ask(each, 'look').catch(() => 0)))
      for (const each of ctx.state.peers) ctx.send(each, 'go', sums.length)
    },
  },
})

async function city(seed: number): Promise<Simulation> {
  const simulation = Kernel.simulate({ seed })
  const { kernel } = simulation
  await kernel.graph.write((tx) => tx.put('sum', { props: { n: 0 } }))
  const crew = kernel.spawn(
    supervisor({
      name: 'crew',
      strategy: 'one_for_all',
      restart: { intensity: 1_000, periodMs: 1_000, backoff: { initialMs: 3 } },
      children: ['a', 'b', 'c'].map((name) => ({ name, cell: peer })),
    }),
  )
  const peers = ['a', 'b', 'c'].map(
    (name) => crew.child(name) as unknown as CellRef<(typeof peer)['messages']>,
  )
  kernel.spawn(asker, { args: { peers } })
  await simulation.pass(500)
  return simulation
}

test('the same seed gives the same trace and the same digest, another one another order', async (t) => {
  const seen: { hash: string; digest: string; lines: number }[] = []
  for (const seed of [1, 1, 2]) {
    const simulation = await city(seed)
    const digest = simulation.kernel.graph.digest()
    seen.push({ hash: simulation.hash, digest: String(digest), lines: simulation.trace.length })
    await simulation.close()
  }
  const [first, again, other] = seen
  t.true((first?.lines ?? 0) > 500)
  t.deepEqual(again, first)
  t.not(other?.hash, first?.hash)
})

test('time passes only when it is told to, and deadlines fall due in their order', async (t) => {
  const simulation = Kernel.simulate({ seed: 1, start: new Date('2030-01-01T00:00:00Z') })
  const log: string[] = []
  const clock = cell({
    name: 'clock',
    messages: { tick: message<string>() },
    init: (ctx) => {
      ctx.sendAfter(3_600_000, 'tick', 'hour')
      ctx.sendAfter(60_000, 'tick', 'minute')
    },
    on: { tick: (ctx, what) => void log.push(`${what} ${ctx.now().toISOString()}`) },
  })
  simulation.kernel.spawn(clock)
  await simulation.pass(59_999)
  t.deepEqual(log, [])
  await simulation.pass(3_600_000)
  t.deepEqual(log, ['minute 2030-01-01T00:01:00.000Z', 'hour 2030-01-01T01:00:00.000Z'])
  const { time } = await simulation.kernel.graph.write((tx) => tx.put('a'))
  t.is(time.toISOString().slice(0, 16), '2030-01-01T01:00')
  await simulation.close()
})

const foreign: Record<string, () => unknown> = {
  'a timer': () => sleep(1),
  'a file': () => readFile('package.json'),
  'an immediate': () => new Promise((resolve) => setImmediate(resolve)),
  'a promise that nobody settles': () => new Promise(() => {}),
}
for (const [what, wait] of Object.entries(foreign)) {
  test(`a turn that waits for ${what} fails with a typed error, at once or after a promise`, async (t) => {
    const simulation = Kernel.simulate({ seed: 1 })
    const waiter = cell({
      name: 'waiter',
      messages: { first: message(), later: message(), fine: message<void, number>() },
      on: {
        first: async () => {
          await wait()
        },
        later: async () => {
          await Promise.resolve()
          await wait()
        },
        fine: async (ctx) => {
          await Promise.resolve()
          await ctx.graph.write((tx) => tx.get('a'))
          return 1
        },
      },
      grants: { read: '*' },
    })
    const ref = simulation.kernel.spawn(waiter)
    for (const name of ['first', 'later'] as const) {
      const asked = ref.ask(name).catch((error: KaryonError) => error)
      await simulation.rest()
      const error = (await asked) as KaryonError
      t.is((error.cause as KaryonError)?.code, 'ERR_KARYON_FOREIGN_AWAIT', name)
    }
    const fine = ref.ask('fine')
    await simulation.rest()
    t.is(await fine, 1)
    await simulation.close()
  })
}

test('the first to write or to make a fork may be a turn', async (t) => {
  const first: Record<string, (graph: Graph) => Promise<unknown>> = {
    write: (graph) => graph.write((tx) => tx.put('a')),
    fork: (graph) => graph.fork('idea'),
  }
  for (const [name, act] of Object.entries(first)) {
    const simulation = Kernel.simulate({ seed: 1 })
    const writer = cell({
      name: 'writer',
      grants: { read: '*', write: '*' },
      messages: { go: message<void, string>() },
      on: {
        go: async (ctx) => {
          await act(ctx.graph)
          return 'done'
        },
      },
    })
    const asked = simulation.kernel.spawn(writer).ask('go')
    await simulation.rest()
    t.is(await asked, 'done', name)
    await simulation.close()
  }
})

test('a turn may wait for another cell as long as that takes in simulated time', async (t) => {
  const simulation = Kernel.simulate({ seed: 1 })
  const slow = cell({
    name: 'slow',
    messages: { work: message<void, string>(), done: message() },
    init: () => ({ turns: 0 }),
    on: {
      work: (ctx) => {
        if (ctx.state.turns++ > 0) return 'done'
        ctx.sendAfter(4_000, 'done')
        ctx.defer()
        return ''
      },
      done: (ctx) => ctx.become({}),
    },
  })
  const ref = simulation.kernel.spawn(slow)
  const eager = cell({
    name: 'eager',
    messages: { go: message<void, string>() },
    on: { go: async (ctx) => ctx.ask(ref, 'work') },
  })
  const asked = simulation.kernel.spawn(eager).ask('go')
  await simulation.pass(3_999)
  t.is(simulation.kernel.stats().cells.asks, 2)
  await simulation.pass(1)
  t.is(await asked, 'done')
  await simulation.close()
})

test('cells that keep each other busy for ever are found', async (t) => {
  const simulation = Kernel.simulate({ seed: 1 })
  const busy = cell({
    name: 'busy',
    messages: { go: message() },
    on: { go: (ctx) => void ctx.self.send('go') },
  })
  simulation.kernel.spawn(busy).send('go')
  await t.throwsAsync(simulation.rest(), { code: 'ERR_KARYON_BUSY' })
})

test('a simulation without a seed, which nobody could repeat, is refused', (t) => {
  for (const options of [{}, { seed: undefined }, { seed: 1.5 }])
    t.throws(() => Kernel.simulate(options as never), { code: 'ERR_KARYON_ARGUMENT' })
})

test('a cell that runs in a worker is refused by a simulation, which has none', async (t) => {
  const simulation = Kernel.simulate({ seed: 1 })
  const refused = { code: 'ERR_KARYON_ARGUMENT', message: /simulation/ } as const
  t.throws(() => simulation.kernel.spawn(threadCounter), refused)
  const crew = supervisor({ name: 'crew', children: [threadCounter] })
  t.throws(() => simulation.kernel.spawn(crew), refused)
  await simulation.close()
})

test('whatever a handler throws, a simulation goes on, and the same each time', async (t) => {
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const rude = {
    toString() {
      throw new Error('no text')
    },
  }
  const unsaid = Object.defineProperty(new Error('x'), 'message', {
    get() {
      throw new Error('no message')
    },
  })
  const things = [Object.create(null), revoked.proxy, rude, unsaid, Symbol('x'), undefined, null] as unknown[]
  const run = async (): Promise<string> => {
    const simulation = Kernel.simulate({ seed: 3 })
    const { kernel } = simulation
    const thrower = cell({
      name: 'thrower',
      messages: { fail: message<number>(), look: message<void, string>() },
      on: {
        fail: (_ctx, at) => {
          throw things[at]
        },
        look: () => 'alive',
      },
    })
    const refs = things.map((_, at) => kernel.spawn(thrower, { name: `thrower${at}` }))
    refs.forEach((ref, at) => ref.send('fail', at))
    await simulation.pass(10)
    const looks = refs.map((ref) => ref.ask('look'))
    await simulation.rest()
    for (const look of looks) t.is(await look, 'alive')
    t.is(kernel.stats().cells.restarts, things.length)
    await simulation.close()
    return simulation.hash
  }
  t.is(await run(), await run())
})
