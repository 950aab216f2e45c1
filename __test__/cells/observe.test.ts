// What can be seen of cells, and what a program may do to any of them.
import test from 'ava'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { Kernel, cell, message, supervisor, topic, type CellTree, type KernelEvent } from '../../ts/index.ts'

const worker = cell({
  name: 'worker',
  messages: { hang: message(), fail: message(), note: message<string>(), read: message<void, string>() },
  init: () => ({ note: '' }),
  on: {
    hang: () => new Promise(() => {}),
    fail: () => {
      throw new Error('broken')
    },
    note: (ctx, text) => void (ctx.state.note = text),
    read: (ctx) => ctx.state.note,
  },
})
const crew = supervisor({
  name: 'crew',
  children: [
    { name: 'a', cell: worker },
    { name: 'b', cell: worker },
  ],
})

const below = (tree: CellTree, ...names: string[]): CellTree =>
  names.reduce((at, name) => at.children.find(({ path }) => path === `${at.path}/${name}`) as CellTree, tree)

test('all cells are seen as a tree, with what each is about', async (t) => {
  const kernel = Kernel.memory()
  const ref = kernel.spawn(crew)
  await ref.child('a').ask('read')
  ref.child('a').send('fail')
  ref.child('b').send('hang')
  await ref.child('a').ask('read')
  for (let n = 0; n < 3; n++) ref.child('b').send('note', 'x')
  const tree = kernel.cells()
  t.like(tree, { path: 'root', kind: 'supervisor' })
  t.like(below(tree, 'crew'), { kind: 'supervisor', status: 'live', restarts: 0 })
  const { cpuMs, ...a } = below(tree, 'crew', 'a')
  t.is(typeof cpuMs, 'number')
  t.deepEqual(a, {
    path: 'root/crew/a',
    kind: 'cell',
    status: 'live',
    incarnation: 2,
    restarts: 1,
    lastReason: 'error',
    mailbox: { waiting: 0, limit: 1_000 },
    isolation: 'inline',
    children: [],
  })
  t.deepEqual(below(tree, 'crew', 'b').mailbox, { waiting: 3, limit: 1_000 })
  await ref.kill()
  await kernel.close()
})

test('any cell can be found by its path, looked into, paused, stopped and killed', async (t) => {
  const kernel = Kernel.memory()
  kernel.spawn(crew)
  const found = kernel.find('root/crew/a')
  if (found === undefined || !('inspect' in found)) return t.fail()
  found.send('note', 'seen')
  await found.ask('read')
  t.like(await found.inspect(), { status: 'live', state: { note: 'seen' } })
  found.send('hang')
  await kernel.find('root/crew')?.kill()
  t.deepEqual([kernel.find('root/crew/a'), found.alive, kernel.find('root')], [undefined, false, undefined])
  t.is((await found.inspect()).status, 'gone')
  await kernel.close()
})

test('a cell that is found with its definition has its messages, and one of another definition is refused', async (t) => {
  const kernel = Kernel.memory()
  kernel.spawn(crew)
  const found = kernel.find('root/crew/a', worker)
  found?.send('note', 'typed')
  t.is(await found?.ask('read'), 'typed')
  const other = cell({ name: 'worker', messages: { hang: message() }, on: { hang: () => {} } })
  for (const path of ['root/crew/a', 'root/crew'])
    t.throws(() => kernel.find(path, other), { code: 'ERR_KARYON_ARGUMENT' })
  t.is(kernel.find('root/crew/c', other), undefined)
  for (const path of [5, undefined, null, Symbol('root/crew/a'), ['root/crew/a']])
    t.throws(() => kernel.find(path as never), { code: 'ERR_KARYON_ARGUMENT' })
  await kernel.close()
})

test('a reference is seen in logs by its path', async (t) => {
  const kernel = Kernel.memory()
  const ref = kernel.spawn(worker, { name: 'alice' })
  t.deepEqual(
    [`${ref}`, inspect(ref), inspect([ref.address])],
    ['root/alice', 'OwnedRef root/alice', '[ CellRef root/alice ]'],
  )
  await kernel.close()
})

test('events are let go of where their scope ends', async (t) => {
  const kernel = Kernel.memory()
  const events = kernel.events()
  await events[Symbol.asyncDispose]()
  kernel.spawn(worker)
  t.true((await events.next()).done)
  await kernel.close()
})

test('a cell that waits to be restarted is seen to, whether it has an init or not', async (t) => {
  const plain = cell({
    name: 'plain',
    messages: { fail: message(), ping: message<void, number>() },
    on: {
      fail: () => {
        throw new Error('broken')
      },
      ping: () => 1,
    },
  })
  const kernel = Kernel.memory()
  const backoff = { initialMs: 50, jitter: 0 }
  const children = [plain, worker].map((each) => ({ name: each.name, cell: each }))
  const held = kernel.spawn(supervisor({ name: 'held', restart: { backoff }, children }))
  const [one, other] = [held.child('plain', plain), held.child('worker', worker)]
  const refs = [one, other]
  const statuses = async (): Promise<readonly string[]> =>
    (await Promise.all(refs.map((ref) => ref.inspect()))).map(({ status }) => status)
  await Promise.all([one.ask('ping'), other.ask('read')])
  t.deepEqual(await statuses(), ['live', 'live'])
  one.send('fail')
  other.send('fail')
  while (refs.some(({ incarnation }) => incarnation === 1)) await new Promise(setImmediate)
  t.deepEqual(await statuses(), ['restarting', 'restarting'])
  await Promise.all([one.ask('ping'), other.ask('read')])
  t.deepEqual(await statuses(), ['live', 'live'])
  await kernel.close()
})

test('every event is on the diagnostics channel too', async (t) => {
  const seen: KernelEvent[] = []
  const listen = (event: unknown): void => void seen.push(event as KernelEvent)
  subscribe('karyon', listen)
  const kernel = Kernel.memory()
  const ref = kernel.spawn(worker, { name: 'watched' })
  await ref.ask('fail').catch(() => {})
  await ref.ask('read')
  await kernel.close()
  unsubscribe('karyon', listen)
  const mine = seen.filter((event) => 'path' in event && event.path === 'root/watched')
  t.deepEqual(
    mine.map(({ type }) => type),
    ['cell.started', 'cell.restarted', 'cell.started', 'cell.stopped'],
  )
})

test('counts are told in the text form of Prometheus', async (t) => {
  const kernel = Kernel.memory()
  const ref = kernel.spawn(worker)
  await ref.ask('fail').catch(() => {})
  await ref.ask('read')
  await kernel.graph.write((tx) => tx.put('a'))
  const text = kernel.metrics()
  for (const line of text.trimEnd().split('\n'))
    t.regex(line, /^(# (HELP|TYPE) karyon_\w+ .+|karyon_\w+(\{\w+="[\w-]+"\})? \d+)$/)
  t.true(text.includes('\nkaryon_messages_total{outcome="ended"} 1\n'))
  t.true(text.includes('\nkaryon_messages_total{outcome="failed"} 1\n'))
  t.true(text.includes('\nkaryon_cell_restarts_total 1\n'))
  t.true(text.includes('\nkaryon_graph_nodes 1\n'))
  const names = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name)
  t.is(new Set(names).size, names.length)
  await kernel.close()
})

test('the program publishes to a topic', async (t) => {
  const kernel = Kernel.memory()
  const news = topic<string>('news')
  const reader = cell({
    name: 'reader',
    messages: { read: message<string>(), last: message<void, string>() },
    init: (ctx) => {
      ctx.subscribe(news, 'read')
      return { last: '' }
    },
    on: {
      read: (ctx, text) => void (ctx.state.last = text),
      last: (ctx) => ctx.state.last,
    },
  })
  const ref = kernel.spawn(reader)
  await ref.ask('last')
  t.is(kernel.publish(news, 'today'), 1)
  t.is(await ref.ask('last'), 'today')
  await kernel.close()
})
