import test from 'ava'
import { Kernel, cell, match, message, type Graph, type Reader } from '../../ts/index.ts'
import { Principals } from '../graph/principals.ts'
import { refused } from '../kernel/refused.ts'
import { papers } from './people.ts'
import { texts } from './rows.ts'

test('a node is found by its key, its label, what it holds, or all of that', async (t) => {
  const graph = await papers()
  const found = (said: object): string[] => texts(match(graph).node('n', said).rows())
  t.deepEqual(found({ key: 'ann' }), ['n=ann'])
  t.deepEqual(found({ key: 'nobody' }), [])
  t.deepEqual(found({ label: 'Person' }), ['n=ann', 'n=bob', 'n=cid'])
  t.deepEqual(found({ label: 'Person', where: { property: 'age', from: 18 } }), ['n=ann', 'n=cid'])
  t.deepEqual(
    found({
      where: [
        { property: 'age', from: 18 },
        { property: 'name', prefix: 'A' },
      ],
    }),
    ['n=ann'],
  )
  t.deepEqual(found({ key: 'ann', label: 'Document' }), [])
  t.deepEqual(found({ key: 'ann', where: { property: 'age', to: 18 } }), [])
  t.is(found({}).length, 6)
})

test('a row has the whole nodes and edges, and nothing that has no name', async (t) => {
  const graph = await papers()
  const rows = [
    ...match(graph).node('who', { key: 'ann' }).out({ as: 'wrote', type: 'WROTE' }, 'what').rows(),
  ]
  const wrote = graph.edge({ from: 'ann', type: 'WROTE', to: 'p1' })
  t.deepEqual(rows as unknown[], [{ who: graph.get('ann'), wrote, what: graph.get('p1') }])
  const [row] = match(graph).node('who', { key: 'ann' }).out('WROTE', 'what').rows()
  t.deepEqual(Object.keys(row!), ['who', 'what'])
})

test('edges are followed out, in and both ways, of one type or any', async (t) => {
  const graph = await papers()
  const p2 = match(graph).node('n', { key: 'p2' })
  t.deepEqual(texts(p2.out('CITES', 'm').rows()), ['n=p2 m=p1'])
  t.deepEqual(texts(p2.in('WROTE', 'm').rows()), ['n=p2 m=bob'])
  t.deepEqual(texts(p2.in({}, 'm').rows()), ['n=p2 m=bob', 'n=p2 m=p3', 'n=p2 m=p3'])
  t.deepEqual(texts(p2.both('CITES', 'm').rows()), ['n=p2 m=p1', 'n=p2 m=p3', 'n=p2 m=p3'])
  const ann = match(graph).node('n', { key: 'ann' })
  t.deepEqual(texts(ann.both('KNOWS', 'm').rows()), ['n=ann m=ann', 'n=ann m=bob'], 'a loop once')
})

test('edges have conditions and a key too', async (t) => {
  const graph = await papers()
  const wrote = match(graph)
    .node('a')
    .out({ type: 'WROTE', where: { property: 'share', from: 0.5 } }, 'p')
  t.deepEqual(texts(wrote.rows()), ['a=ann p=p1'])
  const cites = match(graph).node('a').out({ as: 'e', type: 'CITES', key: 'twice' }, 'b')
  t.deepEqual(texts(cites.rows()), ['a=p3 e=p3-CITES:twice->p2 b=p2'])
  const between = match(graph).node('a', { key: 'p3' }).out('CITES', 'b', { key: 'p2' }).node('a')
  t.is(between.out({ type: 'CITES', key: 'twice' }, 'b').count(), 1, 'one edge is left for the other')
  t.is(between.in({ type: 'CITES', key: 'twice' }, 'b').count(), 0)
})

test('what is said of the node at the other end is kept as for one that a pattern begins with', async (t) => {
  const graph = await papers()
  const wrote = match(graph).node('p', { key: 'p1' })
  t.deepEqual(texts(wrote.in({}, 'a', { label: 'Person', where: { property: 'age', from: 18 } }).rows()), [
    'p=p1 a=ann',
    'p=p1 a=cid',
  ])
  t.deepEqual(texts(wrote.in({}, 'a', { key: 'bob' }).rows()), ['p=p1 a=bob'])
})

test('a name that is mentioned again is the same node', async (t) => {
  const graph = await papers()
  const both = match(graph).node('a').out('WROTE', 'p').in('WROTE', 'b')
  t.deepEqual(texts(both.rows()), ['a=ann p=p1 b=bob', 'a=bob p=p1 b=ann'])
  const triangle = match(graph).node('a').out('CITES', 'b').out('CITES', 'c').node('a').out('CITES', 'c')
  t.deepEqual(texts(triangle.rows()), ['a=p3 b=p2 c=p1', 'a=p3 b=p2 c=p1'], 'once for each parallel edge')
  t.deepEqual(texts(match(graph).node('a').out('KNOWS', 'a').rows()), ['a=ann'])
  const more = match(graph).node('a', { label: 'Person' }).out('WROTE', 'p').node('a', { label: 'Editor' })
  t.deepEqual(texts(more.rows()), ['a=cid p=p3'])
  t.is(match(graph).node('a', { key: 'ann' }).node('a', { key: 'bob' }).count(), 0)
})

test('nodes may repeat in a row, edges may not', async (t) => {
  const graph = await papers()
  const known = match(graph).node('a', { key: 'ann' }).out('KNOWS', 'b').out('KNOWS', 'c')
  t.deepEqual(texts(known.rows()), ['a=ann b=ann c=bob'])
  const cited = match(graph).node('a', { key: 'p3' }).out('CITES', 'b').in('CITES', 'c')
  t.false(texts(cited.rows()).includes('a=p3 b=p1 c=p3'), 'not back along the edge it came by')
  t.is(texts(cited.rows()).filter((row) => row === 'a=p3 b=p2 c=p3').length, 2, 'but along a parallel one')
})

test('what no edge connects is combined', async (t) => {
  const graph = await papers()
  const pairs = match(graph).node('a', { label: 'Person' }).node('d', { label: 'Document' })
  t.is(pairs.count(), 9)
  const same = pairs.filter(({ a, d }) => a.props['age'] === 31 && d.props['year'] === 2)
  t.deepEqual(texts(same.rows()), ['a=ann d=p2'])
})

test('a path has as many edges as are allowed, each once', async (t) => {
  const graph = await papers()
  const from = match(graph).node('a', { key: 'p3' })
  const path = from.out({ as: 'path', type: 'CITES', hops: [1, 2] }, 'b', { key: 'p1' })
  t.deepEqual(texts(path.rows()), [
    'a=p3 path=[p3-CITES->p1] b=p1',
    'a=p3 path=[p3-CITES->p2, p2-CITES->p1] b=p1',
    'a=p3 path=[p3-CITES:twice->p2, p2-CITES->p1] b=p1',
  ])
  t.is(from.out({ type: 'CITES', hops: [2, 2] }, 'b').count(), 2)
  t.deepEqual(texts(from.out({ as: 'path', hops: [0, 1] }, 'b', { key: 'p3' }).rows()), ['a=p3 path=[] b=p3'])
  const around = match(graph)
    .node('a', { key: 'ann' })
    .out({ as: 'path', type: 'KNOWS', hops: [1, 9] }, 'a')
  t.deepEqual(texts(around.rows()), ['a=ann path=[ann-KNOWS->ann] a=ann'.replace(' a=ann', '')])
  const back = match(graph)
    .node('b')
    .in({ as: 'path', type: 'CITES', hops: [2, 2] }, 'a', { key: 'p3' })
  t.deepEqual(texts(back.rows())[0], 'b=p1 path=[p2-CITES->p1, p3-CITES->p2] a=p3', 'as it was written')
})

test('an optional part is undefined where it is missing, as a whole', async (t) => {
  const graph = await papers()
  const reviewed = match(graph)
    .node('p', { label: 'Document' })
    .optional((part) => part.in('REVIEWED', 'r').out({ as: 'w', type: 'WROTE' }, 'own'))
  t.deepEqual(texts(reviewed.rows()), [
    'p=p1 r=cid w=cid-WROTE->p3 own=p3',
    'p=p2 r=- w=- own=-',
    'p=p3 r=- w=- own=-',
  ])
  const nested = match(graph)
    .node('p', { label: 'Document' })
    .optional((part) => part.in('REVIEWED', 'r').optional((part) => part.out('KNOWS', 'k')))
    .optional((part) => part.out('CITES', 'c').filter(({ c }) => c.key === 'p1'))
    .filter(({ r, c }) => r !== undefined || c !== undefined)
  t.deepEqual(texts(nested.rows()), ['p=p1 r=cid k=- c=-', 'p=p2 r=- k=- c=p1', 'p=p3 r=- k=- c=p1'])
  const also = match(graph)
    .node('p', { label: 'Document' })
    .optional((part) => part.node('p', { key: 'p2' }).in('WROTE', 'a'))
    .in({ as: 'w', type: 'WROTE' }, 'b', { label: 'Editor' })
  t.deepEqual(texts(also.rows()), ['p=p3 a=- w=cid-WROTE->p3 b=cid'])
})

test('a filter is asked with the names that stood before it, as soon as they are found', async (t) => {
  const graph = await papers()
  const seen: string[] = []
  const rows = match(graph)
    .node('a', { key: 'ann' })
    .filter((row) => seen.push(Object.keys(row).join()) > 0)
    .out('WROTE', 'p')
    .filter((row) => seen.push(Object.keys(row).join()) > 0)
    .in('WROTE', 'b')
    .rows()
  t.is([...rows].length, 1)
  t.deepEqual(seen, ['a', 'a,p'])
})

/** A reader that notes what it is asked. */
function watched(reader: Reader, asked: string[]): Reader {
  const noted = (name: string, ...words: unknown[]): void => {
    asked.push([name, ...words.filter((word) => word !== undefined)].join(' '))
  }
  return {
    get: (key) => reader.get(key),
    getMany: (keys) => (noted('getMany', keys.length), reader.getMany(keys)),
    edge: (identity) => (noted('edge'), reader.edge(identity)),
    out: (key, type) => (noted('out', key, type), reader.out(key, type)),
    in: (key, type) => (noted('in', key, type), reader.in(key, type)),
    nodes: (query) => (noted('nodes', JSON.stringify(query)), reader.nodes(query)),
    count: (query) => reader.count(query),
    degree: (key, direction, type) => reader.degree(key, direction, type),
    within: (key, options) => reader.within(key, options),
    path: (from, to, options) => reader.path(from, to, options),
    handles: (keys) => reader.handles(keys),
    keys: (handles) => reader.keys(handles),
    neighbours: (key, direction, type) => reader.neighbours(key, direction, type),
    number: (handle, property) => reader.number(handle, property),
    numbers: (handles, property) => reader.numbers(handles, property),
  }
}

async function crowd(): Promise<Graph> {
  const graph = await papers()
  await graph.write((tx) => {
    tx.put('hub', { labels: ['Hub'] })
    for (let n = 0; n < 1_000; n++) {
      tx.put(`n${n}`, { labels: ['Leaf'], props: { n } })
      tx.link('hub', 'HAS', `n${n}`)
    }
  })
  return graph
}

test('it begins where there is least to look through, and asks for what the graph can find by itself', async (t) => {
  using view = (await crowd()).snapshot()
  const asked: string[] = []
  const reader = watched(view, asked)
  const begins = (rows: Iterable<unknown>): string | undefined => {
    asked.length = 0
    t.not([...rows].length, 0)
    return asked[0]
  }
  const leaves = match(reader).node('leaf', { label: 'Leaf' })
  t.is(begins(leaves.in('HAS', 'hub', { label: 'Hub' }).rows()), 'nodes {"label":"Hub"}')
  t.is(begins(leaves.in('HAS', 'hub', { key: 'hub' }).rows()), 'getMany 1')
  const where = { property: 'n', equals: 5 }
  const one = match(reader).node('hub').out('HAS', 'leaf', { label: 'Leaf', where })
  t.is(begins(one.rows()), `nodes ${JSON.stringify({ label: 'Leaf', where: [where] })}`)
  // Between two nodes that are known it looks from the one with fewer edges.
  const ends = match(reader)
    .node('hub', { key: 'hub' })
    .node('leaf', { key: 'n7' })
    .node('hub')
    .out('HAS', 'leaf')
  t.is(begins(ends.rows()), 'getMany 1')
  t.deepEqual(asked.slice(1), ['getMany 1', 'in n7 HAS'])
})

test('nothing is counted in a transaction, and a hub is looked through once', async (t) => {
  const graph = await crowd()
  await graph.write((tx) => {
    for (let n = 1; n < 4; n++) tx.link('n0', 'LIKES', `n${n}`)
  })
  using tx = graph.begin()
  const asked: string[] = []
  const counted = (): never => t.fail() as never
  const reader = { ...watched(tx, asked), put: () => {}, count: counted, degree: counted }
  const hub = match(reader).node('hub', { key: 'hub' })
  t.is(hub.node('a', { key: 'n0' }).out('LIKES', 'b').in('HAS', 'hub').count(), 3)
  t.deepEqual(
    asked.filter((what) => what.includes('HAS')),
    ['out hub HAS', 'in n2 HAS', 'in n3 HAS'],
  )
})

test('rows are found as they are asked for, and the search ends with whoever asks', async (t) => {
  using view = (await crowd()).snapshot()
  const asked: string[] = []
  const rows = match(watched(view, asked))
    .node('hub', { key: 'hub' })
    .out('HAS', 'leaf')
    .out({}, 'none')
    .rows()
  t.deepEqual(asked, [], 'nothing before the first')
  t.true(rows.next().done)
  const some = match(watched(view, asked)).node('hub', { key: 'hub' }).out('HAS', 'leaf').rows()
  asked.length = 0
  for (let n = 0; n < 3; n++) t.false(some.next().done)
  t.deepEqual(asked, ['getMany 1', 'out hub HAS', 'getMany 4'])
  some.return?.()
  t.true(some.next().done)
  let seen = 0
  for (const _ of match(view).node('a').node('b').node('c').node('d').rows()) if (++seen === 10) break
  t.is(seen, 10, 'of 10^12')
})

test('the rows of the graph are all of the version at which they were asked for', async (t) => {
  const graph = await papers()
  const rows = match(graph).node('a', { label: 'Person' }).out('WROTE', 'p').rows()
  await graph.write((tx) => tx.put('dan', { labels: ['Person'] }))
  await graph.write((tx) => tx.link('dan', 'WROTE', 'p1'))
  const found: object[] = [rows.next().value]
  await graph.write((tx) => tx.remove('p1', { detach: true }))
  found.push(...rows)
  t.deepEqual(texts(found), ['a=ann p=p1', 'a=bob p=p1', 'a=bob p=p2', 'a=cid p=p3'])
})

test('a pattern can be asked of the past, and again of the present', async (t) => {
  const graph = await papers()
  using before = graph.snapshot()
  await graph.write((tx) => tx.unlink('ann', 'WROTE', 'p1'))
  const authors = (reader: Reader): string[] =>
    texts(match(reader).node('p', { key: 'p1' }).in('WROTE', 'a').rows())
  t.deepEqual(authors(before), ['p=p1 a=ann', 'p=p1 a=bob'])
  t.deepEqual(authors(graph), ['p=p1 a=bob'])
  const always = match(graph).node('p', { key: 'p1' }).in('WROTE', 'a')
  t.is(always.count(), 1)
  await graph.write((tx) => tx.link('cid', 'WROTE', 'p1'))
  t.is(always.count(), 2)
})

test('in a transaction it sees what was written there, and what it reads is read by the transaction', async (t) => {
  const graph = await papers()
  await graph.write((tx) => {
    tx.put('dan', { labels: ['Person'] })
    tx.link('dan', 'WROTE', 'p1')
    t.is(match(tx).node('p', { key: 'p1' }).in('WROTE', 'a').count(), 3)
  })
  const tx = graph.begin()
  tx.put('total', { props: { n: match(tx).node('p', { key: 'p2' }).in('WROTE', 'a').count() } })
  await graph.write((tx) => tx.link('ann', 'WROTE', 'p2'))
  await refused(t, 'ERR_KARYON_CONFLICT', tx.commit())
})

test('in a transaction nothing is read but what the pattern asks for', async (t) => {
  const graph = await papers()
  const tx = graph.begin()
  const pattern = match(tx).node('p', { key: 'p2' }).in('WROTE', 'a', { label: 'Person' })
  tx.put('total', { props: { n: pattern.count() } })
  await graph.write((tx) => tx.put('eve', { labels: ['Person'] }))
  await tx.commit()
  t.is(graph.get('total')?.props['n'], 1)
})

test('what a cell may not see is in none of its rows', async (t) => {
  const principals = new Principals()
  const { graph } = principals.session('root')
  await graph.write((tx) => {
    for (const name of ['ann', 'bob', 'cid']) tx.put(name, { labels: ['Person'] })
    tx.patch('bob', { labels: ['Secret'] })
    for (const name of ['bob', 'cid']) tx.link('ann', 'KNOWS', name)
    tx.link('bob', 'KNOWS', 'cid')
  })
  const reader = principals.session('root/reader', { read: ['Person', 'KNOWS'] }).graph
  t.deepEqual(texts(match(reader).node('a', { key: 'ann' }).out('KNOWS', 'b').rows()), ['a=ann b=cid'])
  t.deepEqual(texts(match(reader).node('a', { label: 'Person' }).rows()), ['a=ann', 'a=cid'])
  t.is(match(reader).node('a', { key: 'bob' }).count(), 0)
  t.is(
    match(reader)
      .node('a', { key: 'ann' })
      .out({ hops: [2, 2] }, 'c')
      .count(),
    0,
    'nor on a way',
  )
  await refused(t, 'ERR_KARYON_ACCESS', async () => match(reader).node('a').out('HATES', 'b').count())
})

test('a cell looks for patterns in its turn, and with what it has written there', async (t) => {
  const kernel = Kernel.memory()
  const author = cell({
    name: 'author',
    grants: { read: '*', write: '*' },
    messages: { write: message<string, number>() },
    on: {
      write: (ctx, paper) => {
        ctx.tx.put('me')
        ctx.tx.put(paper)
        ctx.tx.link('me', 'WROTE', paper)
        return match(ctx.tx).node('me', { key: 'me' }).out('WROTE', 'paper').count()
      },
    },
  })
  const ref = kernel.spawn(author, { name: 'author' })
  t.is(await ref.ask('write', 'p1'), 1)
  t.is(await ref.ask('write', 'p2'), 2)
  t.is(match(kernel.graph).node('me', { key: 'me' }).out('WROTE', 'paper').count(), 2)
  await kernel.close()
})

test('joins through a hub are the same from whichever end they are looked for', async (t) => {
  const graph = await crowd()
  await graph.write((tx) => {
    for (let n = 0; n < 1_000; n += 100) tx.link(`n${n}`, 'LIKES', `n${n + 1}`)
    for (let n = 0; n < 300; n++) tx.link('n0', 'LIKES', `n${n}`)
  })
  const likes = match(graph).node('a', { label: 'Leaf' }).out('LIKES', 'b')
  const hub = likes.in('HAS', 'hub').out('HAS', 'a')
  t.is(hub.count(), 308, 'no edge twice: who likes itself is in none')
  t.is(
    likes.node('hub', { label: 'Hub' }).out('HAS', 'a').node('hub').out('HAS', 'b').count(),
    308,
    'no edge twice',
  )
  using tx = graph.begin()
  t.is(match(tx).node('a', { label: 'Leaf' }).out('LIKES', 'b').in('HAS', 'hub').out('HAS', 'a').count(), 308)
})

test('what a filter throws ends the search', async (t) => {
  const graph = await papers()
  const rows = match(graph)
    .node('a')
    .out({}, 'b')
    .filter(() => {
      throw new RangeError('enough')
    })
    .rows()
  t.throws(() => rows.next(), { instanceOf: RangeError, message: 'enough' })
  t.true(rows.next().done)
})

test('inside of a write the graph is not to be matched, nor after the end', async (t) => {
  const graph = await papers()
  await refused(
    t,
    'ERR_KARYON_WRITE_OUTSIDE',
    graph.write(() => match(graph).node('a').count()),
  )
  const tx = graph.begin()
  const rows = match(tx).node('a').rows()
  rows.next()
  tx.rollback()
  const pattern = match(tx).node('a')
  await refused(t, 'ERR_KARYON_TRANSACTION_DONE', async () => pattern.count())
})
