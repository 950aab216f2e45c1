// The crash matrix, inline: what happens to a cell that fails in every way, and what survives.
// What a cell cannot survive in a shared isolate (an endless loop, an exhausted heap) ends the program, never silently.
import test, { type ExecutionContext } from 'ava'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Kernel, cell, message, supervisor, type KaryonError, type OwnedRef } from '../../../ts/index.ts'

const victim = cell({
  name: 'victim',
  grants: { read: ['Fact'], write: ['Fact'] },
  limits: { turnTimeoutMs: 20 },
  messages: {
    throw: message(),
    reject: message(),
    overflow: message(),
    hang: message(),
    spawns: message(),
    write: message<string>(),
    incarnation: message<void, number>(),
  },
  on: {
    throw: (ctx) => {
      ctx.tx.put('lost', { labels: ['Fact'] })
      throw new Error('broken')
    },
    reject: async (ctx) => {
      ctx.tx.put('lost', { labels: ['Fact'] })
      await Promise.reject(new Error('broken'))
    },
    overflow: (ctx) => {
      ctx.tx.put('lost', { labels: ['Fact'] })
      const deeper = (n: number): number => deeper(n + 1) + 1
      return deeper(0)
    },
    hang: async (ctx) => {
      ctx.tx.put('lost', { labels: ['Fact'] })
      await new Promise(() => {})
    },
    spawns: (ctx) => {
      // Each child spawns the next one, for as long as anybody lets it.
      ctx.spawn(nested, { name: 'deeper' })
    },
    write: (ctx, key) => ctx.tx.put(key, { labels: ['Fact'] }),
    incarnation: (ctx) => ctx.self.incarnation,
  },
})
const nested = cell({
  name: 'nested',
  messages: {},
  restart: 'temporary',
  init: (ctx) => void ctx.spawn(nested as never, { name: 'deeper' }),
  on: {},
})
const neighbour = cell({
  name: 'neighbour',
  messages: { count: message<void, number>() },
  init: () => ({ count: 0 }),
  on: { count: (ctx) => ++ctx.state.count },
})

type Victim = OwnedRef<(typeof victim)['messages']>

/** After whatever has happened: the neighbour has its state, the cell works again, nothing uncommitted is there, nothing is open. */
async function survives(
  t: ExecutionContext,
  act: (victim: Victim, kernel: Kernel) => Promise<void>,
): Promise<void> {
  const kernel = Kernel.memory()
  const [hurt, beside] = [kernel.spawn(victim), kernel.spawn(neighbour)]
  await hurt.ask('write', 'before')
  await beside.ask('count')
  await act(hurt, kernel)
  await hurt.ask('write', 'after')
  t.is(await beside.ask('count'), 2)
  t.truthy(kernel.graph.get('before'))
  t.truthy(kernel.graph.get('after'))
  t.is(kernel.graph.get('lost'), undefined)
  const { sent, ended, failed, refused, deadLetters, conflicts, asks } = kernel.stats().cells
  t.is(sent, ended + failed + refused + deadLetters + conflicts, 'every message has its outcome')
  t.is(asks, 0)
  await kernel.close()
}

const fails = async (ask: Promise<unknown>): Promise<KaryonError> =>
  ask.then(
    () => undefined as never,
    (error) => error,
  )

for (const name of ['throw', 'reject', 'overflow'] as const) {
  test(`${name}: the asker is told, the cell starts anew, its neighbours keep their state`, (t) =>
    survives(t, async (ref) => {
      const error = await fails(ref.ask(name))
      t.is(error.code, 'ERR_KARYON_CELL_FAILED')
      t.true(error.cause instanceof (name === 'overflow' ? RangeError : Error))
      t.is(await ref.ask('incarnation'), 2)
    }))
}

test('a promise that never settles: its time limit ends the turn, and the cell starts anew', (t) =>
  survives(t, async (ref) => {
    t.is((await fails(ref.ask('hang'))).code, 'ERR_KARYON_TURN_TIMEOUT')
    t.is(await ref.ask('incarnation'), 2)
  }))

test('a recursion of spawns ends at the depth of a path, and takes nobody with it', (t) =>
  survives(t, async (ref, kernel) => {
    const events = kernel.events()
    ref.send('spawns')
    for await (const event of events) {
      if (event.type !== 'cell.stopped' || event.error === undefined) continue
      t.like(event.error, { code: 'ERR_KARYON_ARGUMENT' }, 'the one too deep')
      break
    }
    await ref.ask('incarnation')
  }))

test('a message to a dead cell is a dead letter, and its asker is told', (t) =>
  survives(t, async (_ref, kernel) => {
    const gone = kernel.spawn(victim, { name: 'gone' })
    await gone.kill()
    t.false(gone.send('write', 'lost'))
    t.is((await fails(gone.ask('incarnation'))).code, 'ERR_KARYON_CELL_DEAD')
    t.is((await fails(gone.deliver('write', 'lost'))).code, 'ERR_KARYON_CELL_DEAD')
    t.is(kernel.stats().cells.deadLetters, 3)
  }))

test('a million messages to one mailbox: its limit is kept, the rest is refused and counted', (t) =>
  survives(t, async (ref, kernel) => {
    let taken = 0
    for (let n = 0; n < 1_000_000; n++) if (ref.send('incarnation')) taken++
    t.is(taken, 1_000)
    await ref.deliver('incarnation')
    t.is(kernel.stats().cells.refused, 999_000)
  }))

test('a supervisor that is killed takes its own with it and nobody else', (t) =>
  survives(t, async (_ref, kernel) => {
    const crew = kernel.spawn(supervisor({ name: 'crew', children: [victim, neighbour] }))
    const [child, other] = [crew.child('victim'), crew.child('neighbour')]
    await other.ask('count')
    child.send('hang')
    await other.ask('count')
    await crew.kill()
    t.deepEqual([child.alive, other.alive, kernel.find('root/crew')], [false, false, undefined])
  }))

const program = fileURLToPath(new URL('./programs.ts', import.meta.url))

function run(
  name: string,
): Promise<{ code: number | null; signal: string | null; output: string; errors: string }> {
  return new Promise((resolve, reject) => {
    const loader = '--import=@oxc-node/core/register'
    const child = spawn(process.execPath, ['--max-old-space-size=64', loader, program, name], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [output, errors] = ['', '']
    child.stdout.on('data', (part: Buffer) => (output += part.toString()))
    child.stderr.on('data', (part: Buffer) => (errors += part.toString()))
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, output, errors }))
  })
}

test('an exhausted heap ends the program, and says so', async (t) => {
  const { code, signal, output, errors } = await run('heap')
  t.true(code !== 0 || signal !== null)
  t.is(output, 'begun\n')
  t.regex(errors, /heap out of memory/)
})

test('process.exit ends the program with its code, and nothing acknowledged is lost', async (t) => {
  const { code, output } = await run('exit')
  t.deepEqual([code, output], [7, 'begun\nacknowledged\n'])
})
