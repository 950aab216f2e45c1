import test from 'ava'
import { Kernel, type Graph, type Reader } from '../../ts/index.ts'
import { refused } from '../kernel/refused.ts'
import { Principals } from './principals.ts'

const NO_NODE = 2 ** 32 - 1

async function numbers(graph: Graph): Promise<Uint32Array> {
  await graph.write((tx) => {
    tx.put('a', { props: { n: 1, text: 'x' } })
    tx.put('b', { props: { n: -2.5 } })
    tx.put('c', { props: { n: 7n, m: NaN } })
  })
  return graph.handles(['a', 'b', 'c', 'nobody'])
}

test('numbers are read by handle, one or many, NaN where there is none', async (t) => {
  const { graph } = Kernel.memory()
  const handles = await numbers(graph)
  t.is(handles[3], NO_NODE)
  t.deepEqual([...graph.numbers(handles, 'n')], [1, -2.5, NaN, NaN], 'a bigint is no number')
  t.deepEqual(
    [...handles].map((handle) => graph.number(handle, 'n')),
    [1, -2.5, undefined, undefined],
  )
  t.is(graph.number(handles[2] as number, 'm'), undefined)
  t.is(graph.number(handles[0] as number, 'text'), undefined)
  t.is(graph.number(handles[0] as number, 'never'), undefined)
  t.deepEqual([...graph.numbers(handles, 'never')], [NaN, NaN, NaN, NaN])
  t.deepEqual([...graph.numbers(new Uint32Array(), 'n')], [])
})

test('handles last: over versions, forks and removals', async (t) => {
  const { graph } = Kernel.memory()
  const handles = await numbers(graph)
  const [a] = handles as unknown as [number]
  using before = graph.snapshot()
  const fork = await graph.fork('other')
  await fork.write((tx) => tx.patch('a', { props: { n: 100 } }))
  await graph.write((tx) => tx.patch('a', { props: { n: 2 } }))
  t.deepEqual([before.number(a, 'n'), graph.number(a, 'n'), fork.number(a, 'n')], [1, 2, 100])
  await graph.write((tx) => tx.remove('a'))
  t.is(graph.number(a, 'n'), undefined)
  await graph.write((tx) => tx.put('a', { props: { n: 3 } }))
  t.deepEqual([graph.number(a, 'n'), graph.handles(['a'])[0]], [3, a])
})

test('a transaction reads its own writes by handle, and what it reads counts', async (t) => {
  const { graph } = Kernel.memory()
  const handles = await numbers(graph)
  const [a, b] = handles as unknown as [number, number]
  await graph.write((tx) => {
    t.is(tx.number(a, 'n'), 1)
    tx.patch('a', { props: { n: 5, fresh: 6 } })
    t.deepEqual([...tx.numbers(handles, 'n')].slice(0, 2), [5, -2.5])
    t.is(tx.number(a, 'fresh'), 6)
    tx.put('new', { props: { n: 1 } })
    t.deepEqual([...tx.handles(['new', 'b'])], [NO_NODE, b])
  })
  const tx = graph.begin()
  tx.patch('c', { props: { sum: tx.numbers(handles.subarray(0, 2), 'n').reduce((sum, n) => sum + n) } })
  await graph.write((other) => other.patch('b', { props: { n: 0 } }))
  await refused(t, 'ERR_KARYON_CONFLICT', tx.commit())
})

test('neighbours come as handles, one for each edge, as of the version that is read', async (t) => {
  const { graph } = Kernel.memory()
  await numbers(graph)
  await graph.write((tx) => {
    tx.link('a', 'KNOWS', 'b')
    tx.link('a', 'KNOWS', 'b', { key: 'again' })
    tx.link('a', 'LIKES', 'c')
    tx.link('a', 'LIKES', 'a')
  })
  const known = (reader: Reader, key: string, direction: 'out' | 'in', type?: string): string[] =>
    reader
      .keys(reader.neighbours(key, direction, type))
      .map(String)
      .toSorted()
  t.deepEqual(known(graph, 'a', 'out'), ['a', 'b', 'b', 'c'])
  t.deepEqual(known(graph, 'a', 'out', 'KNOWS'), ['b', 'b'])
  t.deepEqual(known(graph, 'a', 'in'), ['a'])
  t.deepEqual(known(graph, 'nobody', 'out'), [])
  t.deepEqual(known(graph, 'a', 'out', 'NEVER'), [])
  using before = graph.snapshot()
  await graph.write((tx) => {
    tx.unlink('a', 'LIKES', 'c')
    tx.put('fresh')
    tx.link('a', 'KNOWS', 'fresh')
    t.deepEqual(known(tx, 'a', 'out'), ['a', 'b', 'b', 'undefined'])
  })
  t.deepEqual(known(before, 'a', 'out'), ['a', 'b', 'b', 'c'])
  t.deepEqual(known(graph, 'a', 'out'), ['a', 'b', 'b', 'fresh'])
  await refused(t, 'ERR_KARYON_ARGUMENT', async () => graph.neighbours('a', 'up' as 'in'))
  await refused(t, 'ERR_KARYON_ARGUMENT', async () => graph.keys([1] as unknown as Uint32Array))
})

test('what may not be read is not read by handle either', async (t) => {
  const principals = new Principals()
  const root = principals.session('root').graph
  await root.write((tx) => tx.put('open', { labels: ['Open'], props: { n: 1 } }))
  await root.write((tx) => tx.put('secret', { labels: ['Secret'], props: { n: 2 } }))
  const [open, secret] = root.handles(['open', 'secret']) as unknown as [number, number]
  const reader = principals.session('root/reader', { read: ['Open'] }).graph
  t.is(reader.number(open, 'n'), 1)
  await refused(t, 'ERR_KARYON_ACCESS', async () => reader.number(secret, 'n'))
  await refused(t, 'ERR_KARYON_ACCESS', async () => reader.numbers(Uint32Array.of(secret), 'n'))
  await refused(t, 'ERR_KARYON_ACCESS', async () => reader.handles(['secret']))
  await refused(t, 'ERR_KARYON_ACCESS', async () => reader.keys(Uint32Array.of(secret)))
})

test('what is no handle is refused', async (t) => {
  const { graph } = Kernel.memory()
  await numbers(graph)
  await refused(t, 'ERR_KARYON_ARGUMENT', async () => graph.numbers([1, 2] as unknown as Uint32Array, 'n'))
  await refused(t, 'ERR_KARYON_ARGUMENT', async () => graph.number('a' as unknown as number, 'n'))
  await refused(t, 'ERR_KARYON_ARGUMENT', async () => graph.number(-1, 'n'))
  await refused(t, 'ERR_KARYON_ARGUMENT', async () => graph.number(1.5, 'n'))
  await refused(t, 'ERR_KARYON_ARGUMENT', async () => graph.handles('a' as unknown as string[]))
})
