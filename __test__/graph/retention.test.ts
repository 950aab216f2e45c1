import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type Graph, Kernel } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { Principals } from './principals.ts'

const VERSIONS = 100

/** A node and an edge with a long past: version n holds n. */
async function aged(graph: Graph): Promise<void> {
  for (let n = 1; n <= VERSIONS; n++) {
    await graph.write((tx) => {
      tx.put('a', { labels: ['Fact'], props: { n } })
      tx.put(`b${n}`, { labels: ['Fact'] })
      tx.link('a', 'KNOWS', `b${n}`)
    })
  }
}

const numberAt = (graph: Graph, version: number) => graph.at(BigInt(version)).get('a')?.props['n']

test('what is before the horizon is let go with a typed error, and what is kept is as it was', async (t) => {
  const directory = await freshDirectory(t)
  const kernel = await Kernel.open(directory)
  await aged(kernel.graph)
  using view = kernel.graph.at(40n)
  using pinned = kernel.graph.snapshot()
  await aged(kernel.graph)
  const { since, kept, version } = await kernel.graph.compact({ since: BigInt(VERSIONS + 50) })
  t.deepEqual([since, kept, version], [0n, 0, 200n], 'the log is let go by the segment')
  // It had one segment so far; from here on it can be parted.
  await aged(kernel.graph)
  const done = await kernel.graph.compact({ since: 250n })
  t.deepEqual([done.since, done.kept, done.version], [200n, 1, 301n])
  t.true(done.bytesAfter < done.bytesBefore)
  const check = (graph: Graph) => {
    t.deepEqual(
      [200, 201, 299].map((at) => numberAt(graph, at)),
      [100, 1, 99],
    )
    t.throws(() => numberAt(graph, 40), { code: 'ERR_KARYON_HORIZON' })
    t.throws(() => [...graph.at(40n).nodes({ label: 'Fact' })], { code: 'ERR_KARYON_HORIZON' })
    t.throws(() => [...graph.diff(40n, 250n)], { code: 'ERR_KARYON_HORIZON' })
    t.is(graph.stats().since, 200n)
    t.is(graph.blame('a', 'n')?.version, 300n)
    const told: bigint[] = []
    const error = t.throws(() => {
      for (const change of graph.history('a')) told.push(change.version)
    })
    t.like(error, { code: 'ERR_KARYON_HORIZON' })
    t.deepEqual([told[0], told.includes(201n)], [300n, true], 'what is kept is told first')
  }
  check(kernel.graph)
  t.throws(() => view.get('a'), { code: 'ERR_KARYON_HORIZON' })
  t.is(pinned.get('a')?.props['n'], 100)
  t.is(pinned.count({ label: 'Fact' }), VERSIONS + 1)
  t.is(pinned.degree('a', 'out'), VERSIONS)
  await kernel.graph.verify()
  await kernel.close()

  const again = await Kernel.open(directory)
  check(again.graph)
  t.is(again.graph.at(100n).get('a')?.props['n'], 100, 'a version that was kept once stays')
  const feed = again.graph.changes({ from: 40n })
  await refused(t, 'ERR_KARYON_HORIZON', feed.next())
  await again.close()
  await refused(
    t,
    'ERR_KARYON_HORIZON',
    Kernel.restore(directory, join(directory, '..', 'low'), { at: 100n }),
  )
})

test('the newest versions of each node and one of each span are kept', async (t) => {
  const kernel = Kernel.memory()
  const { graph } = kernel
  await aged(graph)
  const time = graph.at(60n).time
  const { since, kept } = await graph.compact({ since: BigInt(VERSIONS), versions: 20, every: 'week' })
  t.is(since, BigInt(VERSIONS))
  t.true(kept <= 1, 'all of it was of one week, or of two')
  t.deepEqual(
    [81, 90, 100].map((at) => numberAt(graph, at)),
    [81, 90, 100],
  )
  t.is(graph.at(time).version, 60n, 'when a version was is known')
  t.throws(() => numberAt(graph, 20), { code: 'ERR_KARYON_HORIZON' })
  await kernel.close()
})

test('what a retention names is checked', async (t) => {
  const { graph } = Kernel.memory()
  for (const bad of [
    { versions: -1 },
    { versions: 1.5 },
    { every: 'year' },
    { every: -1 },
    { since: 5n },
    { keep: 1 },
  ]) {
    await t.throwsAsync(graph.compact(bad as object), { instanceOf: Error }, JSON.stringify(Object.keys(bad)))
  }
  const nothing = await graph.compact({})
  t.deepEqual([nothing.version, nothing.since], [0n, 0n])
})

test('an erased node is in no file, in no version and in no fork, and that it was erased is told', async (t) => {
  const directory = await freshDirectory(t)
  const kernel = await Kernel.open(directory)
  const { graph } = kernel
  const secret = 'somebody@example.org'
  await graph.index({ label: 'Person', property: 'born' })
  await graph.write((tx) => {
    tx.put(secret, { labels: ['Person'], props: { born: 'a secret of hers', n: 0 } })
    tx.put('plan', { labels: ['Plan'] })
    tx.link(secret, 'OWNS', 'plan', { props: { since: 'a secret of theirs' } })
  })
  const fork = await graph.fork('idea')
  await fork.write((tx) => tx.patch(secret, { props: { born: 'a secret of the fork' } }))
  for (let n = 1; n <= 60; n++) await graph.write((tx) => tx.patch(secret, { props: { n } }))
  const seen = graph.stats().head
  const { version } = await graph.erase(secret)
  t.is(version, seen + 2n)
  const check = (opened: Graph) => {
    for (const at of [2n, 30n, seen]) {
      t.is(opened.at(at).get(secret), undefined)
      t.deepEqual([...opened.at(at).in('plan')], [])
      t.is(opened.at(at).count({ label: 'Person' }), 0)
    }
    t.deepEqual(
      [...opened.openFork('idea').nodes()].map(({ key }) => key),
      ['plan'],
    )
    t.is(opened.get('plan')?.labels[0], 'Plan')
    t.deepEqual(
      [...opened.nodes({ label: 'Person', where: { property: 'born', equals: 'a secret of hers' } })],
      [],
    )
  }
  check(graph)
  await graph.verify()
  await refused(t, 'ERR_KARYON_NODE_MISSING', graph.erase(secret))
  await graph.write((tx) => tx.put(secret, { labels: ['Person'] }))
  t.is([...graph.history(secret)].length, 2, 'a node of that key is another one')
  await graph.erase(secret)
  await kernel.close()
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const bytes = await readFile(join(entry.parentPath, entry.name))
    t.false(bytes.includes(secret) || bytes.includes('a secret of'), entry.name)
  }
  const again = await Kernel.open(directory)
  check(again.graph)
  await again.close()
})

test('only who may write everything lets go of anything', async (t) => {
  const principals = new Principals()
  const all = principals.session('root').graph
  await aged(all)
  const { graph } = principals.session('root/alice', { read: '*', write: ['Fact', 'KNOWS'] })
  await refused(t, 'ERR_KARYON_ACCESS', graph.compact({ since: 50n }))
  await refused(t, 'ERR_KARYON_ACCESS', graph.erase('a'))
  t.is(numberAt(all, 10), 10)
})
