import test from 'ava'
import { Kernel, type Condition, type Graph } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { Principals } from './principals.ts'

async function people(graph: Graph): Promise<void> {
  await graph.write((tx) => {
    const ages = { ann: 31, bob: 17, cid: 70, dan: 31.5, eve: 31n }
    for (const [name, age] of Object.entries(ages)) {
      tx.put(name, { labels: ['Person'], props: { age, mail: `${name}@example.org` } })
    }
    tx.put('dog', { labels: ['Animal'], props: { age: 31 } })
  })
}

function keys(graph: Pick<Graph, 'nodes'>, where: Condition | readonly Condition[]): string[] {
  return [...graph.nodes({ label: 'Person', where })].map((node) => node.key)
}

for (const indexed of [false, true]) {
  test(`nodes are found by what they hold, ${indexed ? 'with' : 'without'} an index`, async (t) => {
    const { graph } = Kernel.memory()
    await people(graph)
    if (indexed) {
      await graph.index({ label: 'Person', property: 'age' })
      await graph.index({ label: 'Person', property: 'mail', unique: true, required: true })
    }
    const found = (where: Condition | readonly Condition[]): string[] => keys(graph, where).toSorted()
    t.deepEqual(found({ property: 'age', equals: 31 }), ['ann', 'eve'])
    t.deepEqual(found({ property: 'age', from: 31 }), ['ann', 'cid', 'dan', 'eve'])
    t.deepEqual(found({ property: 'age', from: 17, to: 31 }), ['bob'])
    t.deepEqual(found({ property: 'age', to: 31 }), ['bob'])
    t.deepEqual(found({ property: 'mail', prefix: 'b' }), ['bob'])
    const both = [
      { property: 'age', equals: 31 },
      { property: 'mail', prefix: 'e' },
    ]
    t.deepEqual(found(both), ['eve'])
    t.deepEqual(found([]).length, 5)
    t.is(graph.count({ label: 'Person', where: both }), 1)
    t.is(graph.count({ where: { property: 'age', equals: 31 } }), 3, 'of any label')
  })
}

test('an index gives the values in their order, as of the version that is read', async (t) => {
  const { graph } = Kernel.memory()
  await people(graph)
  const { version } = await graph.index({ label: 'Person', property: 'age' })
  const grown = { property: 'age', from: 18 }
  t.deepEqual(keys(graph, grown), ['ann', 'eve', 'dan', 'cid'])
  await graph.write((tx) => tx.patch('bob', { props: { age: 18 } }))
  t.deepEqual(keys(graph, grown), ['bob', 'ann', 'eve', 'dan', 'cid'])
  t.deepEqual(keys(graph.at(version), grown), ['ann', 'eve', 'dan', 'cid'])
  t.deepEqual(keys(graph.at(version - 1n), grown).toSorted(), ['ann', 'cid', 'dan', 'eve'])
})

test('rules are kept from their declaration on, and can be taken back', async (t) => {
  const { graph } = Kernel.memory()
  await people(graph)
  const mail = { label: 'Person', property: 'mail' }
  const declared = await graph.index({ ...mail, unique: true, required: true })
  t.deepEqual(graph.indexes(), [{ ...mail, indexed: true, unique: true, required: true }])
  t.deepEqual(graph.indexes(declared.version - 1n), [])
  const twice = { labels: ['Person'], props: { mail: 'ann@example.org' } }
  const error = await refused(
    t,
    'ERR_KARYON_UNIQUE',
    graph.write((tx) => tx.put('ann2', twice)),
  )
  t.deepEqual(error?.details, mail)
  await refused(
    t,
    'ERR_KARYON_REQUIRED',
    graph.write((tx) => tx.put('nomail', { labels: ['Person'] })),
  )
  t.is(graph.get('nomail'), undefined)
  await graph.dropIndex(mail)
  await graph.write((tx) => tx.put('ann2', twice))
  t.deepEqual(graph.indexes(), [])
  await refused(t, 'ERR_KARYON_UNIQUE', graph.index({ ...mail, unique: true }))
  t.deepEqual(graph.indexes(), [])
})

test('indexes and rules outlive the process', async (t) => {
  const directory = freshDirectory(t)
  const mail = { label: 'Person', property: 'mail' }
  for (const round of [1, 2]) {
    const kernel = await Kernel.open(directory)
    const { graph } = kernel
    if (round === 1) {
      await people(graph)
      await graph.index({ ...mail, unique: true })
    }
    t.deepEqual(keys(graph, { property: 'mail', prefix: 'd' }), ['dan'])
    const again = { labels: ['Person'], props: { mail: 'dan@example.org' } }
    await refused(
      t,
      'ERR_KARYON_UNIQUE',
      graph.write((tx) => tx.put('dan2', again)),
    )
    await graph.verify()
    await kernel.close()
  }
})

test('two who take the same name at once do not both get it', async (t) => {
  const { graph } = Kernel.memory()
  await graph.index({ label: 'User', property: 'name', unique: true })
  const [one, two] = [graph.begin(), graph.begin()]
  for (const [at, tx] of [one, two].entries()) {
    const taken = tx.count({ label: 'User', where: { property: 'name', equals: 'neo' } })
    if (taken === 0) tx.put(`user${at}`, { labels: ['User'], props: { name: 'neo' } })
  }
  await one.commit()
  await refused(t, 'ERR_KARYON_CONFLICT', two.commit())
})

test('cells find what they may see, and declare nothing', async (t) => {
  const principals = new Principals()
  const { graph } = principals.session('root')
  await people(graph)
  await graph.write((tx) => tx.patch('ann', { labels: ['Secret'] }))
  await graph.index({ label: 'Person', property: 'age' })
  const reader = principals.session('root/reader', { read: ['Person'], write: ['Person'] }).graph
  t.deepEqual(keys(reader, { property: 'age', equals: 31 }), ['eve'])
  await refused(t, 'ERR_KARYON_ACCESS', reader.index({ label: 'Person', property: 'mail' }))
  await refused(t, 'ERR_KARYON_ACCESS', async () => reader.indexes())
  await refused(t, 'ERR_KARYON_ACCESS', async () =>
    reader.count({ where: { property: 'age', equals: 31 }, label: 'Animal' }),
  )
})

test('conditions that say nothing, or too much, are refused', async (t) => {
  const { graph } = Kernel.memory()
  const wrong: unknown[] = [
    { property: 'age' },
    { property: 'age', equals: 1, from: 2 },
    { property: 'age', prefix: 'a', to: 'b' },
    { property: 'age', equal: 1 },
    { equals: 1 },
    null,
    'age',
  ]
  for (const where of wrong) {
    await refused(t, 'ERR_KARYON_ARGUMENT', async () =>
      graph.nodes({ label: 'Person', where: where as Condition }),
    )
  }
  const mixed: Condition[] = [
    { property: 'age', from: 1, to: 'b' },
    { property: 'age', from: [1] },
    { property: 'age', prefix: 5 as unknown as string },
  ]
  for (const where of mixed) {
    await refused(t, 'ERR_KARYON_VALUE_TYPE', async () => [...graph.nodes({ label: 'Person', where })])
  }
  await refused(
    t,
    'ERR_KARYON_ARGUMENT',
    graph.index({ label: 'P', property: 'p', unique: 1 as unknown as boolean }),
  )
  await refused(
    t,
    'ERR_KARYON_ARGUMENT',
    graph.dropIndex({ label: 'P', property: 'p', unique: true } as never),
  )
  await refused(t, 'ERR_KARYON_KEY_SIZE', graph.index({ label: '', property: 'p' }))
})

test('an index that is dropped meanwhile hides nobody', async (t) => {
  const { graph } = Kernel.memory()
  await graph.index({ label: 'User', property: 'name' })
  const tx = graph.begin()
  const taken = tx.count({ label: 'User', where: { property: 'name', equals: 'neo' } })
  tx.put('mine', { props: { taken } })
  await graph.dropIndex({ label: 'User', property: 'name' })
  await graph.write((other) => other.put('neo', { labels: ['User'], props: { name: 'neo' } }))
  await refused(t, 'ERR_KARYON_CONFLICT', tx.commit())
})

test('who becomes visible meanwhile is noticed, and not named', async (t) => {
  const principals = new Principals()
  const root = principals.session('root').graph
  await root.write((tx) => tx.put('agent', { labels: ['Person', 'Secret'] }))
  const reader = principals.session('root/reader', { read: ['Person'], write: ['Person'] }).graph
  const tx = reader.begin()
  const seen = tx.count({ label: 'Person' })
  tx.put('report', { labels: ['Person'], props: { seen } })
  await root.write((other) => other.patch('agent', { dropLabels: ['Secret'] }))
  const error = await refused(t, 'ERR_KARYON_CONFLICT', tx.commit())
  t.false(error?.message.includes('agent'))
})
