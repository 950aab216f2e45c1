import test from 'ava'
import { Kernel, type FeedChange, type Graph } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { Principals } from './principals.ts'

/** The next `count` changes, in words. */
async function take(feed: AsyncIterator<FeedChange, undefined>, count: number): Promise<FeedChange[]> {
  const changes: FeedChange[] = []
  while (changes.length < count) {
    const { value } = await feed.next()
    if (!value) break
    changes.push(value)
  }
  return changes
}

function told({ version, target, kind, label, property, before, after }: FeedChange): string {
  const name = typeof target === 'string' ? target : `${target.from}-${target.type}-${target.to}`
  const slot = label ?? property
  const values = property === undefined ? '' : ` ${String(before)} → ${String(after)}`
  return `${version} ${name} ${kind}${slot === undefined ? '' : ` ${slot}`}${values}`
}

async function story(graph: Graph): Promise<void> {
  await graph.write((tx) => {
    tx.put('a', { labels: ['L'], props: { n: 1 } })
    tx.put('b')
    tx.link('a', 'T', 'b')
  })
  await graph.write((tx) => tx.patch('a', { props: { n: 2 } }))
  await graph.write((tx) => tx.remove('a', { detach: true }))
}

const STORY = [
  '1 a created',
  '1 a labelled L',
  '1 a set n undefined → 1',
  '1 b created',
  '1 a-T-b created',
  '2 a set n 1 → 2',
  '3 a removed',
  '3 a unlabelled L',
  '3 a unset n 2 → undefined',
  '3 a-T-b removed',
]

test('a feed tells every change in the order of the log', async (t) => {
  const { graph } = Kernel.memory()
  await story(graph)
  const changes = await take(graph.changes({ from: 0n }), STORY.length)
  t.deepEqual(changes.map(told), STORY)
  t.deepEqual(new Set(changes.map(({ principal }) => principal)), new Set(['root']))
  t.true(changes.every(({ time }) => time instanceof Date))
})

test('a feed goes on after any change that it has given', async (t) => {
  const { graph } = Kernel.memory()
  await story(graph)
  for (let given = 1; given < STORY.length; given++) {
    const last = (await take(graph.changes({ from: 0n }), given)).at(-1)
    const rest = await take(graph.changes({ after: last as FeedChange }), STORY.length - given)
    t.deepEqual(rest.map(told), STORY.slice(given), `after ${given}`)
  }
})

test('a feed waits for what is to come, and begins with now', async (t) => {
  const { graph } = Kernel.memory()
  await story(graph)
  const feed = graph.changes()
  const next = feed.next()
  await graph.write((tx) => tx.put('late'))
  t.is(told((await next).value as FeedChange), '4 late created')
  const [third] = [feed.next(), feed.next(), feed.next()].slice(-1)
  for (const key of ['x', 'y', 'z']) await graph.write((tx) => tx.put(key))
  t.is(told((await third)?.value as FeedChange), '7 z created')
})

test('a long commit comes page by page, and nothing twice', async (t) => {
  const { graph } = Kernel.memory()
  const COUNT = 700
  await graph.write((tx) => {
    for (let at = 0; at < COUNT; at++) tx.put(`n${at}`, { props: { at } })
  })
  const changes = await take(graph.changes({ from: 0n }), COUNT * 2)
  t.is(new Set(changes.map(told)).size, COUNT * 2)
  const after = changes[901] as FeedChange
  const rest = await take(graph.changes({ after: { version: after.version, place: after.place } }), 3)
  t.deepEqual(rest.map(told), changes.slice(902, 905).map(told))
})

test('it ends with its loop, its signal or its kernel', async (t) => {
  const kernel = Kernel.memory()
  const { graph } = kernel
  await story(graph)
  let seen = 0
  for await (const _ of graph.changes({ from: 0n })) if (++seen === 3) break
  t.is(seen, 3)
  const aborted = new AbortController()
  const waiting = graph.changes({ signal: aborted.signal }).next()
  const left = graph.changes()
  const nobody = [left.next(), left.next()]
  const open = graph.changes().next()
  aborted.abort()
  t.deepEqual(await waiting, { done: true, value: undefined })
  await left.return?.()
  for (const next of nobody) t.deepEqual(await next, { done: true, value: undefined })
  await kernel.close()
  t.deepEqual(await open, { done: true, value: undefined })
  await refused(t, 'ERR_KARYON_CLOSED', async () => graph.changes())
})

test('a feed over a store on disk follows what other openings write', async (t) => {
  const directory = freshDirectory(t)
  const [one, two] = [await Kernel.open(directory), await Kernel.open(directory)]
  const next = one.graph.changes().next()
  await two.graph.write((tx) => tx.put('a'))
  t.is(told((await next).value as FeedChange), '1 a created')
  await one.close()
  await two.close()
  const again = await Kernel.open(directory)
  t.is((await take(again.graph.changes({ from: 0n }), 1)).map(told).join(), '1 a created')
  await again.close()
})

test('what may not be seen is left out', async (t) => {
  const principals = new Principals()
  const { graph } = principals.session('root')
  const reader = principals.session('root/reader', { read: ['Open'] }).graph
  await graph.write((tx) => {
    tx.put('secret', { labels: ['Secret'], props: { n: 1 } })
    tx.put('open', { labels: ['Open'] })
    tx.put('later', { labels: ['Secret'] })
  })
  await graph.write((tx) => tx.patch('later', { labels: ['Open'], dropLabels: ['Secret'] }))
  await graph.write((tx) => tx.patch('open', { props: { n: 2 } }))
  const changes = await take(reader.changes({ from: 0n }), 3)
  t.deepEqual(changes.map(told), ['1 open created', '1 open labelled Open', '3 open set n undefined → 2'])
})

test('a feed that is asked for nonsense says so', async (t) => {
  const { graph } = Kernel.memory()
  const wrong: unknown[] = [{ after: 5 }, { after: { version: 1 } }, { since: 0n }, null]
  for (const options of wrong)
    await refused(t, 'ERR_KARYON_ARGUMENT', async () => graph.changes(options as object))
  await refused(t, 'ERR_KARYON_UNSETTLED', async () => graph.changes({ from: 9n }))
})

test('why leads from a value to what it was made from', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('source', { props: { n: 1 } }))
  await graph.write((tx) => tx.put('noise', { props: { n: 1 } }))
  await graph.write((tx) => tx.put('middle', { props: { n: Number(tx.get('source')?.props['n']) + 1 } }))
  await graph.write((tx) => tx.put('end', { props: { n: Number(tx.get('middle')?.props['n']) + 1 } }))
  await graph.write((tx) => tx.patch('end', { props: { other: 1 } }))
  const chain = [...graph.why('end', 'n')]
  t.deepEqual(
    chain.map(({ version, parents, coarse }) => [version, parents, coarse]),
    [
      [4n, [3n], false],
      [3n, [1n], false],
      [1n, [], false],
    ],
  )
  t.deepEqual([...graph.why('nobody')], [])
})
