import test from 'ava'
import { Kernel, type Graph } from '../../ts/index.ts'
import { refused } from '../kernel/refused.ts'

async function graphWith(text: string): Promise<Graph> {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('a', {
      labels: ['Old', 'Kept'],
      props: { text, n: 1, list: [1, 2, 3], bytes: Uint8Array.of(1, 2, 3) },
    })
    tx.put('b')
    tx.link('a', 'KNOWS', 'b', { props: { since: 1 } })
  })
  return graph
}

test('put replaces a node whole and leaves its edges', async (t) => {
  const graph = await graphWith('x')
  const { version } = await graph.write((tx) => tx.put('a', { labels: ['New'], props: { m: 2 } }))
  t.deepEqual(graph.get('a'), { key: 'a', labels: ['New'], props: { m: 2 }, version })
  t.is(graph.degree('a', 'out'), 1)
})

test('patch merges, unsets what is undefined and moves labels', async (t) => {
  const graph = await graphWith('x')
  await graph.write((tx) =>
    tx.patch('a', {
      labels: ['New'],
      dropLabels: ['Old', 'Never'],
      props: { n: undefined, m: null, absent: undefined },
    }),
  )
  const node = graph.get('a')
  t.deepEqual(node?.labels.toSorted(), ['Kept', 'New'])
  t.deepEqual(Object.keys(node?.props ?? {}).toSorted(), ['bytes', 'list', 'm', 'text'])
  t.is(node?.props['m'], null)
})

test('patch creates a node and no edge', async (t) => {
  const graph = await graphWith('x')
  await graph.write((tx) => tx.patch('new', { labels: ['L'], props: { n: 1 } }))
  t.deepEqual(graph.get('new')?.props, { n: 1 })
  await refused(
    t,
    'ERR_KARYON_EDGE_MISSING',
    graph.write((tx) => tx.patch({ from: 'a', type: 'T', to: 'b' }, { props: {} })),
  )
})

test('an edge has no labels', async (t) => {
  const graph = await graphWith('x')
  const edge = { from: 'a', type: 'KNOWS', to: 'b' }
  await refused(
    t,
    'ERR_KARYON_ARGUMENT',
    graph.write((tx) => tx.patch(edge, { labels: ['L'] })),
  )
})

test('a node with edges is removed with them or not at all', async (t) => {
  const graph = await graphWith('x')
  const error = await refused(
    t,
    'ERR_KARYON_HAS_EDGES',
    graph.write((tx) => tx.remove('a')),
  )
  t.is(error.details['key'], 'a')
  t.truthy(graph.get('a'))
  await graph.write((tx) => tx.remove('b', { detach: true }))
  t.is(graph.get('b'), undefined)
  t.is(graph.degree('a', 'out'), 0)
  t.is(graph.edge({ from: 'a', type: 'KNOWS', to: 'b' }), undefined)
  await graph.write((tx) => tx.remove('a'))
  await graph.write((tx) => tx.remove('never there'))
  t.is(graph.count(), 0)
})

test('a node that comes back comes back empty', async (t) => {
  const graph = await graphWith('x')
  await graph.write((tx) => tx.remove('a', { detach: true }))
  await graph.write((tx) => tx.patch('a', { props: { fresh: true } }))
  t.deepEqual([graph.get('a')?.labels, graph.get('a')?.props], [[], { fresh: true }])
})

test('link creates or merges, parallel edges differ in their key, and both ends must exist', async (t) => {
  const graph = await graphWith('x')
  await graph.write((tx) => {
    tx.link('a', 'KNOWS', 'b', { props: { weight: 2 } })
    tx.link('a', 'KNOWS', 'b', { key: 'second' })
    tx.link('a', 'LIKES', 'a')
  })
  t.deepEqual(
    [...graph.out('a')].map(({ type, to, key, props }) => ({ type, to, key, props })),
    [
      { type: 'KNOWS', to: 'b', key: '', props: { since: 1, weight: 2 } },
      { type: 'KNOWS', to: 'b', key: 'second', props: {} },
      { type: 'LIKES', to: 'a', key: '', props: {} },
    ],
  )
  t.deepEqual(
    [graph.degree('a', 'out'), graph.degree('a', 'in'), graph.degree('b', 'in', 'KNOWS')],
    [3, 1, 2],
  )
  for (const [from, to] of [
    ['a', 'missing'],
    ['missing', 'a'],
  ] as const) {
    const error = await refused(
      t,
      'ERR_KARYON_NODE_MISSING',
      graph.write((tx) => tx.link(from, 'T', to)),
    )
    t.is(error.details['key'], 'missing')
  }
})

test('unlink removes one of parallel edges, and none is no error', async (t) => {
  const graph = await graphWith('x')
  await graph.write((tx) => tx.link('a', 'KNOWS', 'b', { key: 'second' }))
  await graph.write((tx) => {
    tx.unlink('a', 'KNOWS', 'b', { key: 'second' })
    tx.unlink('a', 'KNOWS', 'b', { key: 'third' })
  })
  t.deepEqual(
    [...graph.out('a')].map(({ key }) => key),
    [''],
  )
})

test('increment counts from nothing, by fractions, below zero and in bigints', async (t) => {
  const graph = await graphWith('x')
  await graph.write((tx) => {
    tx.increment('a', 'n')
    tx.increment('a', 'fresh', -5)
    tx.increment('a', 'half', 0.5)
    tx.increment('a', 'half', 0.5)
    tx.increment('a', 'big', 2n ** 62n)
    tx.increment({ from: 'a', type: 'KNOWS', to: 'b' }, 'since', 9)
  })
  const { n, fresh, half, big } = graph.get('a')?.props ?? {}
  t.deepEqual({ n, fresh, half, big }, { n: 2, fresh: -5, half: 1, big: 2n ** 62n })
  t.deepEqual(graph.edge({ from: 'a', type: 'KNOWS', to: 'b' })?.props, { since: 10 })
})

test('increment refuses what is no number, kinds that differ, and sums beyond the range', async (t) => {
  const graph = await graphWith('x')
  await refused(
    t,
    'ERR_KARYON_VALUE_TYPE',
    graph.write((tx) => tx.increment('a', 'text')),
  )
  await refused(
    t,
    'ERR_KARYON_VALUE_TYPE',
    graph.write((tx) => tx.increment('a', 'n', 1n)),
  )
  await graph.write((tx) => tx.patch('a', { props: { n: Number.MAX_SAFE_INTEGER, big: 2n ** 63n - 1n } }))
  await refused(
    t,
    'ERR_KARYON_INTEGER_RANGE',
    graph.write((tx) => tx.increment('a', 'n')),
  )
  await refused(
    t,
    'ERR_KARYON_INTEGER_RANGE',
    graph.write((tx) => tx.increment('a', 'big', 1n)),
  )
  await refused(
    t,
    'ERR_KARYON_NODE_MISSING',
    graph.write((tx) => tx.increment('missing', 'n')),
  )
  t.is(graph.get('a')?.props['n'], Number.MAX_SAFE_INTEGER)
})

test('append lengthens strings, bytes and lists, and sets what is absent', async (t) => {
  const graph = await graphWith('long '.repeat(40))
  await graph.write((tx) => {
    tx.append('a', 'text', 'é𝒳')
    tx.append('a', 'text', '')
    tx.append('a', 'list', [{ four: 4 }, 5])
    tx.append('a', 'bytes', Uint8Array.of(4))
    tx.append('a', 'fresh', 'begun')
  })
  t.deepEqual(graph.get('a')?.props, {
    text: `${'long '.repeat(40)}é𝒳`,
    n: 1,
    list: [1, 2, 3, { four: 4 }, 5],
    bytes: Uint8Array.of(1, 2, 3, 4),
    fresh: 'begun',
  })
  await refused(
    t,
    'ERR_KARYON_VALUE_TYPE',
    graph.write((tx) => tx.append('a', 'n', 'x')),
  )
  await refused(
    t,
    'ERR_KARYON_VALUE_TYPE',
    graph.write((tx) => tx.append('a', 'text', ['x'])),
  )
})

test('a splice counts as JavaScript does, also outside of the basic plane', async (t) => {
  const text = `a𝒳é\u{10ffff}z${'tail'.repeat(30)}`
  for (const [start, remove, insert] of [
    [0, 0, '𝒴'],
    [1, 2, ''],
    [3, 1, 'É𝒵'],
    [4, 2, 'x'],
    [text.length, 0, 'end'],
    [text.length - 4, 4, ''],
    [6, 10_000, ''],
    [0, text.length, '𝒳'],
  ] as const) {
    const graph = await graphWith(text)
    await graph.write((tx) => tx.splice('a', 'text', start, remove, insert))
    const expected = text.slice(0, start) + insert + text.slice(start + remove)
    t.is(graph.get('a')?.props['text'], expected, `${start}, ${remove}, ${insert}`)
  }
})

test('a splice outside of its value or through a character is refused', async (t) => {
  const graph = await graphWith('a𝒳b')
  for (const [start, remove] of [
    [2, 0],
    [1, 1],
    [5, 0],
    [2, 5],
  ] as const) {
    await refused(
      t,
      'ERR_KARYON_SPLICE_RANGE',
      graph.write((tx) => tx.splice('a', 'text', start, remove, 'x')),
      `${start}, ${remove}`,
    )
  }
  await refused(
    t,
    'ERR_KARYON_SPLICE_RANGE',
    graph.write((tx) => tx.splice('a', 'absent', 0, 0, 'x')),
  )
  await refused(
    t,
    'ERR_KARYON_VALUE_TYPE',
    graph.write((tx) => tx.splice('a', 'n', 0, 0, 'x')),
  )
  t.is(graph.get('a')?.props['text'], 'a𝒳b')
})

test('lists and bytes are spliced by items', async (t) => {
  const graph = await graphWith('x')
  await graph.write((tx) => {
    tx.splice('a', 'list', 1, 1, ['two', [2]])
    tx.splice('a', 'bytes', 0, 2, Uint8Array.of(9))
  })
  t.deepEqual(graph.get('a')?.props['list'], [1, 'two', [2], 3])
  t.deepEqual(graph.get('a')?.props['bytes'], Uint8Array.of(9, 3))
})

test('a transaction that fails leaves nothing behind', async (t) => {
  const graph = await graphWith('x')
  const before = graph.digest()
  await refused(
    t,
    'ERR_KARYON_NODE_MISSING',
    graph.write((tx) => {
      tx.put('c', { props: { n: 1 } })
      tx.increment('a', 'n')
      tx.link('a', 'T', 'missing')
    }),
  )
  t.is(graph.digest(), before)
  t.is(graph.stats().head, 1n)
})

test('a transaction whose verb turned out impossible cannot be committed, whatever is made of the error', async (t) => {
  const graph = await graphWith('x')
  using tx = graph.begin()
  tx.put('c')
  tx.link('a', 'T', 'missing')
  await refused(t, 'ERR_KARYON_NODE_MISSING', () => tx.get('c'))
  tx.put('d')
  await refused(t, 'ERR_KARYON_NODE_MISSING', tx.commit())
  t.is(graph.count(), 2)
})
