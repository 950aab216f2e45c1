// What others can do to a graft who may write into its fork: nothing that a detachment, a promotion or a list would take for the graft's.
import test from 'ava'
import { graftEngram } from '../../ts/engrams/grafts/graft.ts'
import { listGrafts, openGraft } from '../../ts/engrams/grafts/opened.ts'
import type { Engram, Graft } from '../../ts/engrams/types.ts'
import { cell, Kernel, match, message, openRecall, type Graph, type Transaction } from '../../ts/index.ts'
import { refused } from '../kernel/refused.ts'
import { fakeEngram } from './fake-engram.ts'

const fact = (key: string, text: string) => (tx: Transaction) =>
  tx.put(key, { labels: ['Fact'], props: { text } })

async function grafted(): Promise<{ readonly kernel: Kernel; readonly graph: Graph; readonly graft: Graft }> {
  const kernel = Kernel.memory()
  const { graph } = kernel
  await graph.write(fact('sky', 'blue'))
  const engram = await fakeEngram((tx) => {
    fact('sky', 'grey')(tx)
    fact('rain', 'wet')(tx)
    tx.link('rain', 'FROM', 'sky', { props: { far: 1 } })
  })
  return { kernel, graph, graft: await graftEngram(kernel, engram, { policies: { '*': 'take-package' } }) }
}

/** Has a cell with grants of its own write somewhere. */
async function writeAs(
  kernel: Kernel,
  name: string,
  write: readonly string[],
  fork: string | undefined,
  verbs: (tx: Transaction) => void,
): Promise<void> {
  const definition = cell({
    name,
    grants: { read: write, write },
    messages: { act: message() },
    on: {
      act: async ({ graph }) => void (await (fork === undefined ? graph : graph.openFork(fork)).write(verbs)),
    },
  })
  const worker = kernel.spawn(definition, { name })
  await worker.ask('act')
  await worker.stop()
}

test('a record that somebody else has changed, or that says what no graft would, is refused, and costs nobody his work', async (t) => {
  const { kernel, graph, graft } = await grafted()
  const record = `engram:${graft.root}`
  await writeAs(kernel, 'alice', ['Diary'], undefined, (tx) => tx.put('diary', { labels: ['Diary'] }))
  const digest = graph.digest()
  const fork = graph.openFork(graft.view.name)
  const garbage: readonly object[] = [
    { principal: 'root/alice', promoted: true },
    { principal: 5 },
    { policies: 5 },
    { policies: [{ '*': 'mine' }] },
    { clashes: undefined },
    { added: -1 },
    { promoted: undefined },
    { name: 'acme/other' },
    { version: 'two' },
  ]
  const [whole] = await listGrafts(kernel)
  for (const props of garbage) {
    const was = fork.get(record)!
    await fork.write((tx) => tx.patch(record, { props: props as { name: string } }))
    const { details } = await refused(t, 'ERR_KARYON_GRAFT', () => openGraft(kernel, graft.name))
    t.deepEqual(details, { name: graft.name, fork: fork.name })
    for (const act of [() => graft.promote(), () => graft.detach()])
      await refused(t, 'ERR_KARYON_GRAFT', act, JSON.stringify(props))
    t.deepEqual(await listGrafts(kernel), [])
    await fork.write((tx) => tx.put(record, { labels: was.labels, props: was.props }))
    t.deepEqual(await listGrafts(kernel), [whole!], 'the program has mended it')
  }
  await writeAs(kernel, 'mallory', ['Engram'], fork.name, (tx) =>
    tx.patch(record, { props: { promoted: true } }),
  )
  const { message: says } = await refused(t, 'ERR_KARYON_GRAFT', graft.detach())
  t.true(says.includes('promoted is of root/mallory'), says)
  await refused(t, 'ERR_KARYON_GRAFT', graftEngram(kernel, await fakeEngram(() => {}), { name: graft.name }))
  t.is(graph.digest(), digest)
  await fork.drop()
  t.deepEqual([await listGrafts(kernel), graph.digest()], [[], digest])
})

test('a graft whose record was removed is not taken for one that was never finished', async (t) => {
  const { kernel, graph, graft } = await grafted()
  await writeAs(kernel, 'mallory', ['Engram'], graft.view.name, (tx) => tx.remove(`engram:${graft.root}`))
  await refused(t, 'ERR_KARYON_GRAFT', graft.detach())
  t.deepEqual([await listGrafts(kernel), graph.forks().length], [[], 1])
})

test('a graft into whose fork somebody else writes while it is made is refused, and leaves nothing', async (t) => {
  const kernel = Kernel.memory()
  const { graph } = kernel
  await graph.write(fact('host', 'blue'))
  const engram = await fakeEngram((tx) => {
    for (let n = 0; n < 25_000; n++) fact(`n${n}`, 'wet')(tx)
    tx.put('host', { labels: ['Fact'], props: { far: 1 } })
  })
  let written: Promise<void> | undefined
  const meanwhile = Object.assign(Object.create(engram) as Engram, {
    *nodes() {
      for (const [n, node] of [...engram.nodes()].entries()) {
        if (n === 11_000)
          written = writeAs(kernel, 'mallory', ['Fact'], graph.forks()[0]!.name, fact('lie', 'false'))
        yield node
      }
    },
  })
  const digest = graph.digest()
  const { details } = await refused(t, 'ERR_KARYON_GRAFT', graftEngram(kernel, meanwhile))
  await written
  t.deepEqual([details, graph.forks(), graph.digest()], [{ target: 'lie' }, [], digest])
  await graph.write(fact('host', 'green'))
  await graftEngram(kernel, engram)
})

test('the view of a graft only reads, and its fork is not merged', async (t) => {
  const { graph, graft } = await grafted()
  const { view } = graft
  const digest = graph.digest()
  for (const verb of [
    'write',
    'begin',
    'merge',
    'drop',
    'revert',
    'fork',
    'openFork',
    'erase',
    'compact',
    'session',
  ])
    t.false(verb in view, verb)
  const fork = graph.openFork(view.name)
  const other = await graph.fork('other')
  await refused(t, 'ERR_KARYON_ARGUMENT', fork.merge())
  await refused(t, 'ERR_KARYON_ARGUMENT', other.merge({ into: view.name }))
  t.is(graph.digest(), digest)

  t.deepEqual([view.digest(), view.from, view.created], [fork.digest(), fork.from, fork.created])
  t.is(match(view).node('a', { label: 'Fact' }).out('FROM', 'b').count(), 1)
  t.is((await openRecall(view, { label: 'Fact', text: 'text' })).find('wet')[0]?.key, 'rain')
  t.is(view.at(view.from).get('rain'), undefined)
  t.is([...view.diff()].length, 4)
  graft.close()
  await refused(t, 'ERR_KARYON_CLOSED', () => view.get('rain'))
})

test('what others have written into the fork is not promoted, and told', async (t) => {
  const { kernel, graph, graft } = await grafted()
  const edge = { from: 'rain', type: 'FROM', to: 'sky', key: '' }
  await writeAs(kernel, 'mallory', ['Fact', 'Lie', 'FROM'], graft.view.name, (tx) => {
    fact('lie', 'false')(tx)
    tx.patch('sky', { labels: ['Lie'], props: { text: 'black', high: true } })
    tx.patch('rain', { props: { taste: 'sour' }, valid: { from: '2026-01-01' } })
    tx.unlink('rain', 'FROM', 'sky', { valid: { to: '2026-01-01' } })
    tx.link('lie', 'FROM', 'sky')
  })
  const { nodes, edges, foreign } = await graft.promote()
  t.deepEqual([nodes, edges], [1, 1])
  const told = foreign.facts.map(({ target, slot, principal }) => {
    t.is(principal, 'root/mallory')
    return `${typeof target === 'string' ? target : `${target.from} to ${target.to}`} ${slot}`
  })
  const whole = ['lie existence', 'lie label:Fact', 'lie property:text', 'lie to sky existence']
  const some = ['sky label:Lie', 'sky property:high', 'sky property:text', 'rain property:taste']
  const expected = [...whole, ...some, 'rain to sky valid']
  t.deepEqual(told.toSorted(), expected.toSorted())
  t.is(foreign.count, expected.length)
  t.like(graph.get('sky'), { labels: ['Fact'], props: { text: 'blue' } })
  t.deepEqual(graph.get('rain')?.props, { text: 'wet' })
  t.deepEqual([graph.get('rain')?.intervals, graph.edge(edge)?.valid], [undefined, undefined])
  t.is(graph.get('lie'), undefined)
  t.deepEqual((await graft.promote({ nodes: ({ labels }) => labels.includes('Lie') })).nodes, 0)
  for (const target of ['rain', edge]) t.is(graph.blame(target)?.principal, graft.principal)
})
