import test from 'ava'
import {
  cell,
  message,
  supervisor,
  type OwnedRef,
  type ChildSpec,
  type SupervisorDefinition,
  type SupervisorRef,
} from '../../ts/cells/index.ts'
import { Kernel } from '../../ts/index.ts'
import type { SupervisorSpec, UntypedMessages } from '../../ts/cells/definition.ts'
import { World, gate } from './fake.ts'
import { refused } from '../kernel/refused.ts'

/** Says in `log` when it starts and when it ends. */
const worker = (log: string[]) =>
  cell({
    name: 'worker',
    messages: {
      fail: message(),
      leave: message(),
      work: message<Promise<void>>(),
      ping: message<void, number>(),
    },
    init: (ctx, args: { id: string } | undefined) => {
      const id = args?.id ?? ctx.self.path.split('/').at(-1)
      log.push(`+${id}`)
      ctx.signal.addEventListener('abort', () => log.push(`-${id}`))
      return { pings: 0 }
    },
    on: {
      fail: () => {
        throw new Error('failed')
      },
      leave: (ctx) => ctx.stop(),
      work: (_ctx, until) => until,
      ping: (ctx) => ++ctx.state.pings,
    },
  })

/** A world without the check of payloads, with a crew of a, b and c. */
async function crewOf(
  log: string[],
  rest: Partial<SupervisorSpec> = {},
  each: Partial<ChildSpec> = {},
): Promise<[World, SupervisorRef]> {
  const world = new World({ sendableCheck: false })
  const children = ['a', 'b', 'c'].map((name) => ({ name, cell: worker(log), ...each }))
  const restart = { intensity: 3, periodMs: 1_000 }
  const spec = { name: 'crew', restart, children, ...rest }
  const crew = world.cells.spawn(supervisor(spec as never) as SupervisorDefinition)
  await world.rest()
  return [world, crew]
}

const said = (log: string[]): string => log.splice(0).join(' ')
const names = (crew: SupervisorRef): string =>
  crew
    .children()
    .map(({ name, ref }) => (ref === undefined ? `(${name})` : name))
    .join(' ')

test('one_for_all restarts all, from the last down and from the first up', async (t) => {
  const log: string[] = []
  const [world, crew] = await crewOf(log, { strategy: 'one_for_all' })
  t.is(said(log), '+a +b +c')
  crew.child('b').send('fail')
  await world.rest()
  t.is(said(log), '-b -c -a +a +b +c')
  t.deepEqual(
    world.of('cell.restarted').map(({ path, reason }) => `${path} ${reason}`),
    ['root/crew/b error', 'root/crew/a supervisor', 'root/crew/c supervisor'],
  )
})

test('rest_for_one restarts those that were started later', async (t) => {
  const log: string[] = []
  const [world, crew] = await crewOf(log, { strategy: 'rest_for_one' })
  said(log)
  crew.child('b').send('fail')
  await world.rest()
  t.is(said(log), '-b -c +b +c')
})

test('a child whose start takes time holds up those behind it', async (t) => {
  const world = new World()
  const log: string[] = []
  const door = gate()
  const slow = cell({ name: 'slow', messages: {}, init: () => door.promise, on: {} })
  world.cells.spawn(supervisor({ name: 'crew', children: [slow, worker(log)] }))
  await world.rest()
  t.is(said(log), '')
  door.open()
  await world.rest()
  t.is(said(log), '+worker')
})

test('messages wait for a child that is restarted with its group', async (t) => {
  const log: string[] = []
  const [world, crew] = await crewOf(log, { strategy: 'one_for_all' })
  const door = gate()
  crew.child('a').send('work', door.promise)
  await world.rest()
  crew.child('b').send('fail')
  await world.rest()
  let answered = false
  const answer = crew
    .child('c')
    .ask('ping')
    .finally(() => (answered = true))
  await world.rest()
  t.false(answered)
  door.open()
  t.is(await answer, 1)
})

test('each child has its own time to end', async (t) => {
  const log: string[] = []
  const [world, crew] = await crewOf(log, {}, { shutdownMs: 200 })
  const doors = ['b', 'c'].map((name) => {
    const door = gate()
    crew.child(name).send('work', door.promise)
    return door
  })
  await world.rest()
  said(log)
  const stopped = crew.stop()
  await world.rest()
  t.is(said(log), '-c')
  await world.pass(199)
  t.is(said(log), '')
  await world.pass(1)
  t.is(said(log), '-b')
  doors[0]?.open()
  await stopped
  t.is(said(log), '-a')
})

test('shutdownMs 0 cuts a turn short, Infinity waits for it', async (t) => {
  for (const [shutdownMs, waits] of [
    [0, false],
    [Infinity, true],
  ] as const) {
    const log: string[] = []
    const [world, crew] = await crewOf(log, {}, { shutdownMs })
    const door = gate()
    crew.child('c').send('work', door.promise)
    await world.rest()
    const stopped = crew.stop()
    await world.rest()
    await world.pass(60_000)
    t.is(crew.child('a').alive && waits, waits)
    t.is(world.of('cell.stopped').length > 0, !waits)
    door.open()
    await stopped
  }
})

test('a supervisor stops when its significant children have ended by themselves', async (t) => {
  for (const [autoShutdown, after] of [
    ['any_significant', 1],
    ['all_significant', 3],
  ] as const) {
    const [world, crew] = await crewOf([], { autoShutdown }, { significant: true })
    let ended = 0
    for (const name of ['a', 'b', 'c']) {
      if (!crew.alive) break
      crew.child(name).send('leave')
      await world.rest()
      ended++
    }
    t.is(ended, after, autoShutdown)
    t.like(world.of('cell.stopped').at(-1), { path: 'root/crew', reason: 'ended' })
  }
})

test('children are terminated, restarted in their old place, and deleted', async (t) => {
  const log: string[] = []
  const [world, crew] = await crewOf(log, { strategy: 'rest_for_one' })
  said(log)
  const old = crew.child('b')
  await refused(t, 'ERR_KARYON_CELL_NAME', async () => crew.restartChild('b'), 'it is alive')
  await refused(t, 'ERR_KARYON_CELL_NAME', async () => crew.deleteChild('b'))
  await crew.terminateChild('b')
  t.is(names(crew), 'a (b) c')
  t.is(said(log), '-b')
  await refused(t, 'ERR_KARYON_CELL_NAME', async () => crew.startChild({ name: 'b', cell: worker(log) }))
  const b = cell({ name: 'b', messages: {}, on: {} })
  await refused(
    t,
    'ERR_KARYON_CELL_NAME',
    async () => crew.startChild(b),
    'it would take the place of one that is kept',
  )
  const again = crew.restartChild('b') as OwnedRef<never>
  await world.rest()
  t.is(names(crew), 'a b c')
  t.deepEqual([old.alive, again.alive, await again.ask('ping')], [false, true, 1])
  t.is(crew.child('b'), again)
  said(log)
  crew.child('a').send('fail')
  await world.rest()
  t.is(said(log), '-a -c -b +a +b +c', 'b stands between')
  await crew.terminateChild('b')
  crew.deleteChild('b')
  t.is(names(crew), 'a c')
  for (const ask of [crew.child, crew.restartChild, crew.deleteChild, crew.terminateChild, crew.supervisor]) {
    await refused(t, 'ERR_KARYON_ARGUMENT', async () => ask.call(crew, 'b'))
  }
})

test('what was terminated or has ended comes back with its group, in its place, and what was deleted does not', async (t) => {
  const log: string[] = []
  const [world, crew] = await crewOf(log, { strategy: 'one_for_all' })
  crew.startChild({ name: 'x', cell: worker(log) })
  crew.startChild({ name: 'y', cell: worker(log), restart: 'temporary' })
  await world.rest()
  const old = crew.child('b')
  await crew.terminateChild('b')
  for (const name of ['x', 'y', 'c']) crew.child(name).send('leave')
  await world.rest()
  t.is(names(crew), 'a (b) (c) (x)')
  crew.deleteChild('c')
  said(log)
  crew.child('a').send('fail')
  await world.rest()
  t.is(said(log), '-a +a +b +x')
  t.is(names(crew), 'a b x')
  t.deepEqual([old.alive, await crew.child('b').ask('ping')], [false, 1])
  await crew.terminateChild('x')
  crew.deleteChild('x')
  crew.child('a').send('fail')
  await world.rest()
  t.is(names(crew), 'a b')
})

test('what ended before the one that failed stays so where the rest is restarted', async (t) => {
  const log: string[] = []
  const [world, crew] = await crewOf(log, { strategy: 'rest_for_one' })
  for (const name of ['a', 'c']) await crew.terminateChild(name)
  said(log)
  crew.child('b').send('fail')
  await world.rest()
  t.is(said(log), '-b +b +c')
  t.is(names(crew), '(a) b c')
})

test('a child that waits for its restart holds up none that is started or restarted meanwhile', async (t) => {
  const log: string[] = []
  const restart = { intensity: 3, periodMs: 1_000, backoff: { initialMs: 100, jitter: 0 } }
  const [world, crew] = await crewOf(log, { restart })
  await crew.terminateChild('c')
  said(log)
  crew.child('a').send('fail')
  await world.rest()
  crew.restartChild('c')
  crew.startChild({ name: 'x', cell: worker(log) })
  await world.rest()
  t.is(said(log), '-a +c +x')
  await world.pass(100)
  t.is(said(log), '+a')
})

test('a supervisor that is restarted starts its children in their order, whoever had ended', async (t) => {
  const log: string[] = []
  const door = gate()
  const first = cell({
    name: 'first',
    messages: { leave: message() },
    init: () => door.promise,
    on: { leave: (ctx) => ctx.stop() },
  })
  const inner = supervisor({
    name: 'inner',
    restart: { intensity: 0, periodMs: 1_000 },
    children: [first, worker(log), { name: 'last', cell: worker(log) }],
  })
  const [world, crew] = await crewOf(log, { children: [inner] })
  const team = crew.supervisor('inner')
  door.open()
  await world.rest()
  team.child('first').send('leave')
  await world.rest()
  t.is(said(log), '+worker +last')
  Object.assign(door, gate())
  team.child('worker').send('fail')
  await world.rest()
  t.is(said(log), '-worker -last', 'they wait for the first')
  door.open()
  await world.rest()
  t.is(said(log), '+worker +last')
})

test('a transient child that ended by itself can be restarted, a temporary one is forgotten', async (t) => {
  const children = (['transient', 'temporary'] as const).map((restart) => ({
    name: restart,
    cell: worker([]),
    restart,
  }))
  const [world, crew] = await crewOf([], { children })
  for (const { name } of children) crew.child(name).send('leave')
  await world.rest()
  t.is(names(crew), '(transient)')
  crew.restartChild('transient')
  t.is(names(crew), 'transient')
})

test('children of one kind come and go', async (t) => {
  const log: string[] = []
  const kind = { name: 'any', cell: worker(log), restart: 'transient', args: { id: 'one' } } as const
  const [world, crew] = await crewOf(log, { strategy: 'simple_one_for_one', children: [kind] })
  t.deepEqual(crew.children(), [], 'none by itself')
  const [one, two] = [crew.startChild({}), crew.startChild({ name: 'two', args: { id: 'two' } })]
  await world.rest()
  t.is(said(log), '+one +two')
  t.deepEqual([one.path, two.path, names(crew)], ['root/crew/worker', 'root/crew/two', 'worker two'])
  crew.child('two').send('fail')
  await world.rest()
  t.is(said(log), '-two +two')
  await crew.terminateChild('two')
  t.is(names(crew), 'worker', 'nothing is kept of it')
  for (const more of [
    kind.cell,
    worker(log),
    { cell: kind.cell },
    { cell: undefined },
    { restart: 'permanent' },
    5,
    undefined,
  ])
    await refused(t, 'ERR_KARYON_ARGUMENT', () => crew.startChild(more as never), 'it takes args only')
  t.is(names(crew), 'worker')
})

test('a supervisor takes no args, neither as a child nor alone', async (t) => {
  const [world, crew] = await crewOf([])
  const inner = supervisor({ name: 'inner', children: [] })
  const spec = { cell: inner, args: { path: '.' } }
  await refused(t, 'ERR_KARYON_ARGUMENT', () => supervisor({ name: 's', children: [spec] } as never))
  await refused(t, 'ERR_KARYON_ARGUMENT', () => crew.startChild(spec as never))
  await refused(t, 'ERR_KARYON_ARGUMENT', () => world.cells.spawn(inner, { args: {} } as never))
  t.is(names(crew), 'a b c')
  t.is(crew.startChild({ cell: inner, args: undefined, shutdownMs: undefined }).path, 'root/crew/inner')
})

test('a child that is asked for with a definition is one of that definition, or refused', async (t) => {
  const world = new World()
  const [one, other] = [worker([]), worker([])]
  const inner = supervisor({ name: 'inner', children: [] })
  const crew = world.cells.spawn(supervisor({ name: 'crew', children: [one, inner] }))
  t.is(crew.child('worker', one), crew.child('worker'))
  t.is(await crew.child('worker', one).ask('ping'), 1)
  await refused(t, 'ERR_KARYON_ARGUMENT', () => crew.child('worker', other))
  await refused(t, 'ERR_KARYON_ARGUMENT', () => crew.child('inner', one))
  await refused(t, 'ERR_KARYON_ARGUMENT', () => crew.child('nobody', one))
  await crew.terminateChild('worker')
  t.false(crew.child('worker', one).alive)
})

test('a child is named by text', async (t) => {
  const [, crew] = await crewOf([])
  for (const name of [Symbol('a'), 5, undefined, null, { toString: () => 'a' }] as never[])
    for (const ask of [crew.child, crew.restartChild, crew.deleteChild, crew.terminateChild, crew.supervisor])
      await refused(t, 'ERR_KARYON_ARGUMENT', async () => ask.call(crew, name))
})

test('children of one kind stop all at once, and so does what no supervisor has ordered', async (t) => {
  const log: string[] = []
  const kind = { name: 'any', cell: worker(log), shutdownMs: 200 }
  const [world, crew] = await crewOf(log, { strategy: 'simple_one_for_one', children: [kind] })
  const plain = worker(log)
  const all = [1, 2].flatMap((id) => [
    crew.startChild({ args: { id: `kind${id}` } }),
    world.cells.spawn(plain, { args: { id: `plain${id}` } }),
  ])
  for (const ref of all) (ref as OwnedRef<UntypedMessages>).send('work', gate().promise)
  await world.rest()
  said(log)
  const closed = world.cells.stop()
  await world.rest()
  t.is(said(log), '-plain2 -plain1 -kind2 -kind1')
  await world.pass(200)
  t.deepEqual(crew.children(), [])
  await world.pass(5_000)
  await closed
})

test('a supervisor that is restarted has what its definition says', async (t) => {
  const log: string[] = []
  const inner = supervisor({
    name: 'inner',
    restart: { intensity: 0, periodMs: 1_000 },
    children: ['a', 'b', 'c'].map((name) => ({ name, cell: worker(log) })),
  })
  const [world, crew] = await crewOf(log, { children: [inner] })
  const team = crew.supervisor('inner')
  team.startChild({ name: 'x', cell: worker(log) })
  await team.terminateChild('b')
  team.child('c').send('leave')
  await world.rest()
  t.is(names(team), 'a (b) (c) x')
  said(log)
  team.child('a').send('fail')
  await world.rest()
  t.is(said(log), '-a -x +a +b +c')
  t.is(names(team), 'a b c')
  t.like(world.of('supervisor.gave-up')[0], { path: 'root/crew/inner' })
  t.like(world.of('supervisor.restarted')[0], { path: 'root/crew/inner', incarnation: 2, reason: 'gave-up' })
  t.is(await team.child('b').ask('ping'), 1)
})

test('a supervisor that ends by itself is restarted where it is permanent, and only there', async (t) => {
  for (const restart of ['permanent', 'transient', 'temporary'] as const) {
    const leaving = { name: 'a', cell: worker([]), significant: true }
    const inner = supervisor({ name: 'inner', autoShutdown: 'any_significant', children: [leaving] })
    const [world, crew] = await crewOf([], { children: [{ cell: inner, restart }] })
    crew.supervisor('inner').child('a').send('leave')
    await world.rest()
    t.is(names(crew), restart === 'permanent' ? 'inner' : restart === 'transient' ? '(inner)' : '')
  }
})

test('what no child can be is refused', async (t) => {
  const log: string[] = []
  const [world, crew] = await crewOf(log)
  const make = (child: object, rest: object = {}) =>
    supervisor({ name: 's', children: [{ cell: worker(log), ...child }], ...rest } as never)
  const cases = [
    () => make({ restart: 'always' }),
    () => make({ significant: 1 }),
    () => make({ significant: true }),
    () => make({ significant: true, restart: 'permanent' }, { autoShutdown: 'any_significant' }),
    () => make({ shutdownMs: -1 }),
    () => make({ shutdownMs: Number.NaN }),
    () => make({ cell: make({}), shutdownMs: 5 }),
    () => make({}, { strategy: 'one_for_two' }),
    () => make({}, { autoShutdown: 'sometimes' }),
    () => supervisor({ name: 's', strategy: 'simple_one_for_one', children: [] } as never),
    () => crew.startChild({ name: 'd' } as ChildSpec),
    () => crew.startChild({ cell: worker(log), significant: true }),
  ]
  for (const ask of cases) await refused(t, 'ERR_KARYON_ARGUMENT', async () => ask())
  await refused(t, 'ERR_KARYON_CELL_NAME', async () => crew.startChild({ name: 'a', cell: worker(log) }))
  t.is(names(crew), 'a b c')
  await crew.stop()
  await world.rest()
  await refused(t, 'ERR_KARYON_CELL_DEAD', async () => crew.startChild(worker(log)))
})

test('a child that is told to stop in the round in which its supervisor is restarted ends nobody else', async (t) => {
  const log: string[] = []
  let kick = (): void => {}
  const kicker = cell({ name: 'kicker', messages: { kick: message() }, on: { kick: () => kick() } })
  const inner = supervisor({
    name: 'inner',
    restart: { intensity: 0, periodMs: 1_000 },
    children: ['a', 'b'].map((name) => ({ name, cell: worker(log) })),
  })
  const [world, crew] = await crewOf(log, { children: [inner] })
  const other = world.cells.spawn(kicker)
  const team = crew.supervisor('inner')
  kick = () => void team.terminateChild('a')
  team.child('b').send('fail')
  other.send('kick')
  await world.rest()
  t.true(team.alive)
  t.is(names(team), '(a) b')
  t.is(await team.child('b').ask('ping'), 1)
})

test('a supervisor that a cell has spawned takes that cell with it when it gives up, and nobody else', async (t) => {
  const kernel = Kernel.memory()
  const part = cell({
    name: 'part',
    messages: { fail: message() },
    on: {
      fail: () => {
        throw new Error('broken')
      },
    },
  })
  const crew = supervisor({ name: 'crew', restart: { intensity: 0 }, children: [part] })
  const owner = cell({
    name: 'owner',
    messages: { begin: message(), ping: message<void, number>() },
    on: {
      begin: (ctx) => void ctx.spawn(crew).child('part', part).send('fail'),
      ping: (ctx) => ctx.self.incarnation,
    },
  })
  const events = kernel.events()
  const [one, neighbour] = [kernel.spawn(owner, { name: 'one' }), kernel.spawn(owner, { name: 'neighbour' })]
  one.send('begin')
  for await (const event of events) {
    if (event.type !== 'cell.restarted') continue
    t.like(event, { path: 'root/one', reason: 'linked', error: { code: 'ERR_KARYON_RESTART_INTENSITY' } })
    break
  }
  t.deepEqual([await one.ask('ping'), await neighbour.ask('ping')], [2, 1])
  t.is(kernel.find('root/one/crew'), undefined)
  await kernel.close()
})

test('a child that waits for its turn to start has not started, and one that comes down is not forgotten', async (t) => {
  const kernel = Kernel.memory()
  const [up, down] = [gate(), gate()]
  const slow = cell({ name: 'slow', messages: {}, on: {}, init: () => up.promise })
  const plain = cell({
    name: 'plain',
    messages: { hold: message(), ping: message<void, number>() },
    on: { hold: () => down.promise, ping: () => 1 },
  })
  const started: string[] = []
  const events = kernel.events()
  const crew = kernel.spawn(supervisor({ name: 'crew', children: [slow, plain] }))
  const child = crew.child('plain', plain)
  await new Promise(setImmediate)
  t.is((await child.inspect()).status, 'starting')
  up.open()
  t.is(await child.ask('ping'), 1)
  t.is((await child.inspect()).status, 'live')
  child.send('hold')
  await new Promise(setImmediate)
  const ended = crew.terminateChild('plain')
  t.throws(() => crew.deleteChild('plain'), { code: 'ERR_KARYON_CELL_NAME' })
  down.open()
  await ended
  crew.deleteChild('plain')
  await t.throwsAsync(crew.terminateChild('plain'), { code: 'ERR_KARYON_ARGUMENT' })
  const stopped = crew.stop()
  t.throws(() => crew.startChild(plain), { code: 'ERR_KARYON_CELL_DEAD' })
  await stopped
  await kernel.close()
  for await (const event of events) if (event.type === 'cell.started') started.push(event.path)
  t.deepEqual(started, ['root/crew/slow', 'root/crew/plain'])
})
