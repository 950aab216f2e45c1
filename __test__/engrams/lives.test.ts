import test from 'ava'
import { graftEngram } from '../../ts/engrams/grafts/graft.ts'
import { Grafting } from '../../ts/engrams/grafts/grafting.ts'
import { listGrafts, openGraft } from '../../ts/engrams/grafts/opened.ts'
import { planGraft } from '../../ts/engrams/grafts/plan.ts'
import { Policies } from '../../ts/engrams/grafts/policies.ts'
import { writePromoted } from '../../ts/engrams/grafts/record.ts'
import type { Engram } from '../../ts/engrams/types.ts'
import { cell, Kernel, message, type Graph, type Transaction } from '../../ts/index.ts'
import { freshDirectory, openFor } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { fakeEngram } from './fake-engram.ts'

/** A package of so many nodes, each with an edge to the next. */
function chain(nodes: number, name = 'acme/chain', version = '1.0.0'): Promise<Engram> {
  const fill = (tx: Transaction): void => {
    for (let n = 0; n < nodes; n++) tx.put(`${name} ${n}`, { labels: ['Link'], props: { n } })
    for (let n = 0; n < nodes; n++) tx.link(`${name} ${n}`, 'NEXT', `${name} ${(n + 1) % nodes}`)
  }
  return fakeEngram(fill, { name, version })
}

async function some(graph: Graph): Promise<string> {
  await graph.write((tx) => tx.put('host', { labels: ['Host'], props: { n: 1 } }))
  return graph.digest()
}

test('a graft outlives the process, promoted or not', async (t) => {
  const directory = freshDirectory(t)
  let kernel = await Kernel.open(directory)
  const digest = await some(kernel.graph)
  const one = await graftEngram(kernel, await chain(20), { policies: { n: 'keep-both' }, clashes: 'skip' })
  const two = await graftEngram(kernel, await chain(5, 'other'), { name: 'second' })
  await two.promote()
  const [views, infos] = [[one.view.digest(), two.view.digest()], await listGrafts(kernel)]
  await kernel.close()

  kernel = await openFor(t, directory)
  const { graph } = kernel
  t.deepEqual(await listGrafts(kernel), infos)
  t.deepEqual(
    infos.map(({ name, promoted }) => [name, promoted]),
    [
      ['acme/chain@1.0.0', false],
      ['second', true],
    ],
  )
  const opened = infos.map(({ name }) => openGraft(kernel, name))
  t.deepEqual(
    opened.map(({ view }) => view.digest()),
    views,
  )
  t.like(await opened[0]!.promote(), { nodes: 20, edges: 20 })
  for (const graft of opened) t.deepEqual((await graft.detach()).kept, [])
  t.deepEqual([graph.digest(), graph.forks()], [digest, []])
  await graph.verify()
})

/** Writes a part of a package as a graft does, and then no more. */
async function halfAGraft(kernel: Kernel, engram: Engram, name: string): Promise<void> {
  const { graph } = kernel
  const fork = await graph.fork(`engram:${engram.root}:${name}`)
  const grafting = new Grafting(graph, fork, { engram, policies: new Policies(), clashes: 'refuse' })
  for (let n = 0; n < 2; n++)
    if (!(await grafting.next())) throw new Error('the package is too small for a crash in the middle')
  await grafting.end()
  if (fork.count() < 10_000) throw new Error('nothing was written')
}

test('what a crash leaves in the middle is no graft, and is dropped when grafts are next made or listed', async (t) => {
  const directory = freshDirectory(t)
  let kernel = await Kernel.open(directory)
  const digest = await some(kernel.graph)
  const engram = await chain(25_000)
  for (const name of ['a', 'b']) await halfAGraft(kernel, await chain(25_000, name), name)
  await refused(t, 'ERR_KARYON_GRAFT', async () => openGraft(kernel, 'a'))
  // In the process that made it, somebody may be at it still.
  t.deepEqual([await listGrafts(kernel), kernel.graph.forks().length], [[], 2])
  await refused(t, 'ERR_KARYON_GRAFT', graftEngram(kernel, engram, { name: 'a' }))
  await kernel.close()

  kernel = await Kernel.open(directory)
  t.is(kernel.graph.forks().length, 2)
  const graft = await graftEngram(kernel, engram, { name: 'a' })
  t.deepEqual(
    kernel.graph.forks().map(({ name }) => name),
    [`engram:${engram.root}:a`],
  )
  t.is(graft.view.count(), 25_002)
  await graft.detach()
  await halfAGraft(kernel, engram, 'c')
  await kernel.close()

  kernel = await openFor(t, directory)
  t.deepEqual([await listGrafts(kernel), kernel.graph.forks()], [[], []])
  t.is(kernel.graph.digest(), digest)
})

test('what a crash leaves in the middle is known for that also behind an archive', async (t) => {
  const directory = freshDirectory(t)
  let kernel = await Kernel.open(directory)
  await some(kernel.graph)
  await halfAGraft(kernel, await chain(25_000), 'a')
  await kernel.graph.write((tx) => tx.put('later'))
  await kernel.graph.compact({ since: kernel.now() })
  await kernel.close()
  kernel = await openFor(t, directory)
  t.deepEqual([await listGrafts(kernel), kernel.graph.forks()], [[], []])
})

test('a crash between the word of a promotion and the promotion leaves nothing to revert', async (t) => {
  const kernel = Kernel.memory()
  const digest = await some(kernel.graph)
  const graft = await graftEngram(kernel, await chain(3))
  await writePromoted(kernel.graph.openFork(graft.view.name), graft.root)
  t.true(graft.info.promoted)
  t.deepEqual(await graft.detach(), { restored: 0, kept: [] })
  t.is(kernel.graph.digest(), digest)
})

test('two grafts at once are both whole, and of one package one', async (t) => {
  const kernel = Kernel.memory()
  const { graph } = kernel
  const digest = await some(graph)
  const [one, two] = [await chain(12_000, 'one'), await chain(12_000, 'two')]
  const grafts = await Promise.all([one, two].map((engram) => graftEngram(kernel, engram)))
  t.deepEqual(
    grafts.map(({ view }) => view.count()),
    [12_002, 12_002],
  )
  await Promise.all(grafts.map((graft) => graft.promote()))
  t.is(graph.count(), 24_001)
  await Promise.all(grafts.map((graft) => graft.detach()))
  t.is(graph.digest(), digest)

  const settled = await Promise.allSettled([
    graftEngram(kernel, one),
    graftEngram(kernel, one, { name: 'x' }),
  ])
  t.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  const names = await Promise.allSettled(
    [one, two].map((engram) => graftEngram(kernel, engram, { name: 'y' })),
  )
  t.is(names.filter(({ status }) => status === 'fulfilled').length, 1, 'of one name one')
  t.is((await listGrafts(kernel)).length, 2)
  t.is(graph.forks().length, 2)
})

test('two kernels of one store make one graft of one package', async (t) => {
  const directory = freshDirectory(t)
  const kernels = [await openFor(t, directory), await openFor(t, directory)]
  const engram = await chain(12_000)
  const settled = await Promise.allSettled(kernels.map((kernel) => graftEngram(kernel, engram)))
  t.is(settled.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const kernel of kernels) t.is((await listGrafts(kernel)).length, 1)
})

test('what another kernel of the store is grafting is nothing left behind, also once it was archived that far', async (t) => {
  const directory = freshDirectory(t)
  const before = await Kernel.open(directory)
  for (let n = 0; n < 20; n++) await before.graph.write((tx) => tx.put('n', { props: { n } }))
  await before.close()
  const [one, other] = [await openFor(t, directory), await openFor(t, directory)]
  for (let n = 0; n < 5; n++) await one.graph.write((tx) => tx.put('n', { props: { n } }))
  await other.graph.compact({ since: other.now() })
  t.true(
    other.graph.stats().archived + BigInt(other.recovery.replayed) > 26n,
    'enough to be taken for younger',
  )
  let listed: Promise<unknown> | undefined
  const engram = midway(await chain(25_000), () => (listed = listGrafts(other)))
  const graft = await graftEngram(one, engram)
  t.deepEqual([await listed, graft.view.count()], [[], 25_002])
  t.is((await listGrafts(other)).length, 1)
})

test('of two versions that are grafted at once, the older one does not come after the newer one', async (t) => {
  const kernel = Kernel.memory()
  const [newer, older] = [await chain(10, 'acme/chain', '2.0.0'), await chain(25_000, 'acme/chain', '1.0.0')]
  const settled = await Promise.allSettled([graftEngram(kernel, older), graftEngram(kernel, newer)])
  t.deepEqual(
    settled.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  )
  t.like(settled[0], { reason: { code: 'ERR_KARYON_GRAFT' } })
  t.deepEqual([(await listGrafts(kernel)).length, kernel.graph.forks().length], [1, 1])
  await graftEngram(kernel, older, { older: true })
})

test('promotions and detachments of one graft at once come one after the other', async (t) => {
  const kernel = Kernel.memory()
  const digest = await some(kernel.graph)
  const graft = await graftEngram(kernel, await chain(100))
  const other = openGraft(kernel, graft.name)
  const done = await Promise.all([graft.promote(), other.promote(), other.detach()])
  t.deepEqual([done[0].nodes, done[1].nodes, done[2].kept], [100, 0, []])
  t.is(kernel.graph.digest(), digest)
})

test('a graft shows the graph as of when it began, whoever writes beside it, and others have their turn', async (t) => {
  const kernel = Kernel.memory()
  const { graph } = kernel
  await some(graph)
  const engram = await chain(30_000)
  let writes = 0
  const writer = cell({
    name: 'writer',
    grants: { write: ['Host'], read: ['Host'] },
    messages: { write: message() },
    on: {
      write: (ctx) => {
        ctx.tx.patch('host', { labels: ['Host'], props: { n: ++writes + 1 } })
        ctx.send(ctx.self, 'write')
      },
    },
  })
  const beside = kernel.spawn(writer)
  beside.send('write')
  const graft = await graftEngram(kernel, engram)
  const during = writes
  await beside.stop()
  t.true(during > 10, `${during} turns of another cell`)
  const from = graph.at(graft.info.from)
  t.is(graft.view.get('host')?.props['n'], from.get('host')?.props['n'])
  t.is(graft.view.count(), from.count() + 30_001)
  t.is(graph.get('host')?.props['n'], writes + 1)
  const digest = graph.digest()
  await graft.promote()
  await graft.detach()
  t.is(graph.digest(), digest)
})

test('a plan is of one version, whoever writes meanwhile', async (t) => {
  const kernel = Kernel.memory()
  const { graph } = kernel
  await some(graph)
  const engram = await chain(25_000)
  const planning = planGraft(kernel, engram)
  await graph.write((tx) => {
    for (let n = 0; n < 25_000; n++) tx.put(`acme/chain ${n}`, { labels: ['Link'], props: { n } })
  })
  const { counts, host } = await planning
  t.deepEqual([counts, host], [{ added: 100_000, same: 0, conflicting: 0 }, 1n])
  t.deepEqual((await planGraft(kernel, engram)).counts, { added: 25_000, same: 75_000, conflicting: 0 })
})

/** The same package, of which something happens when half of its edges have been read. */
function midway(engram: Engram, happen: () => void): Engram {
  return Object.assign(Object.create(engram) as Engram, {
    *edges() {
      const edges = [...engram.edges()]
      for (const [n, edge] of edges.entries()) {
        if (n === edges.length >> 1) happen()
        yield edge
      }
    },
  })
}

test('a graft whose kernel closes in the middle fails, and leaves none', async (t) => {
  const directory = freshDirectory(t)
  const kernel = await Kernel.open(directory)
  const digest = await some(kernel.graph)
  const engram = await chain(25_000)
  let closing: Promise<void> | undefined
  const closes = midway(engram, () => (closing = kernel.close()))
  const failed = await t.throwsAsync<Error & { code?: string }>(graftEngram(kernel, closes))
  t.regex(String(failed?.code), /^ERR_KARYON_(?:CELL_DEAD|CLOSED)$/)
  await closing
  const again = await openFor(t, directory)
  t.deepEqual([await listGrafts(again), again.graph.forks()], [[], []])
  t.is(again.graph.digest(), digest)
})

test('a cell that is killed in the middle of a graft takes the graft with it, and its fork', async (t) => {
  const kernel = Kernel.memory()
  const digest = await some(kernel.graph)
  const engram = await chain(25_000)
  const path = `root/engram acme:chain 1.0.0 ${engram.root.slice(0, 12)}`
  let killed: Promise<void> | undefined
  const odd = midway(engram, () => {
    const found = kernel.find(path)
    t.true(found !== undefined && 'send' in found && found.send('act'))
  })
  await (await graftEngram(kernel, odd)).detach()
  const dies = midway(engram, () => (killed = kernel.find(path)!.kill()))
  await refused(t, 'ERR_KARYON_CELL_DEAD', graftEngram(kernel, dies))
  await killed
  t.deepEqual([kernel.graph.digest(), kernel.graph.forks()], [digest, []])
  await graftEngram(kernel, engram)
})

test('a cell that has the name already is not disturbed', async (t) => {
  const kernel = Kernel.memory()
  const engram = await chain(3)
  const name = `engram acme:chain 1.0.0 ${engram.root.slice(0, 12)}`
  const idle = cell({ name, messages: { ping: message<void, string>() }, on: { ping: () => 'pong' } })
  const other = kernel.spawn(idle, { name })
  const { details } = await refused(t, 'ERR_KARYON_GRAFT', graftEngram(kernel, engram))
  t.is(details['principal'], `root/${name}`)
  t.is(await other.ask('ping'), 'pong')
  await other.stop()
  await graftEngram(kernel, engram)
})

test('a package that fails while it is read leaves no graft', async (t) => {
  const kernel = Kernel.memory()
  const engram = await chain(25_000)
  const fail = (): never => {
    throw new Error('a block that is damaged')
  }
  const broken = midway(engram, fail)
  await t.throwsAsync(graftEngram(kernel, broken), { message: 'a block that is damaged' })
  await t.throwsAsync(planGraft(kernel, broken), { message: 'a block that is damaged' })
  t.deepEqual(kernel.graph.forks(), [])
  await graftEngram(kernel, engram)
})

test('an edge without its end is refused with the whole package', async (t) => {
  const kernel = Kernel.memory()
  const engram = await chain(3)
  const edge = { from: 'nowhere', type: 'NEXT', to: 'acme/chain 0', key: '', props: {}, version: 1n }
  const broken = Object.assign(Object.create(engram) as Engram, { edges: () => [edge].values() })
  await refused(t, 'ERR_KARYON_NODE_MISSING', graftEngram(kernel, broken))
  t.deepEqual(kernel.graph.forks(), [])
})
