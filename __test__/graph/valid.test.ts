import test, { type ExecutionContext } from 'ava'
import {
  Instant,
  Kernel,
  type KaryonErrorCode,
  match,
  type Graph,
  type Transaction,
  type ValidTime,
} from '../../ts/index.ts'
import { freshDirectory, openFor } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'

const day = (text: string): Date => new Date(`${text}T00:00:00Z`)
const [january, february, march] = ['2026-01-15', '2026-02-15', '2026-03-15'].map(day) as [Date, Date, Date]
const months = [january, february, march]

function held(graph: Pick<Graph, 'validAt'>, key: string, property: string): unknown[] {
  return months.map((instant) => graph.validAt(instant).get(key)?.props[property])
}

test('what is believed about January changes, and what was believed stays', async (t) => {
  const directory = freshDirectory(t)
  const kernel = await openFor(t, directory)
  const { version: monday } = await kernel.graph.write((tx) =>
    tx.put('ann', { labels: ['Person'], props: { salary: 4000 }, valid: { from: '2026-01-01' } }),
  )
  // On Friday it turns out that she has had a raise since February, and was not there yet in early January.
  const { version: friday } = await kernel.graph.write((tx) => {
    tx.patch('ann', { props: { salary: 4500 }, valid: { from: '2026-02-01' } })
    tx.patch('ann', { props: { salary: undefined }, valid: { to: '2026-01-10' } })
  })
  const check = (graph: Graph): void => {
    t.deepEqual(held(graph.at(monday), 'ann', 'salary'), [4000, 4000, 4000])
    t.deepEqual(held(graph.at(friday), 'ann', 'salary'), [4000, 4500, 4500])
    const early = (version: bigint): unknown =>
      graph.at(version).validAt('2026-01-05').get('ann')?.props['salary']
    t.deepEqual([early(monday), early(friday)], [4000, undefined])
    t.is(graph.validAt('2025-12-31').get('ann')?.props['salary'], undefined)

    const node = graph.get('ann')
    t.deepEqual(node?.props, {}, 'it holds no salary always')
    t.deepEqual(node?.intervals, {
      salary: [
        { from: day('2026-01-10'), to: day('2026-02-01'), value: 4000 },
        { from: day('2026-02-01'), value: 4500 },
      ],
    })
    t.is(graph.validAt(march).get('ann')?.intervals, undefined)
    t.is(graph.validAt(march).get('ann')?.version, friday)
    const handles = graph.handles(['ann'])
    const read = [graph, graph.validAt(march), graph.at(monday).validAt(march)]
    t.deepEqual(
      read.map((reader) => reader.number(handles[0] ?? 0, 'salary')),
      [undefined, 4500, 4000],
    )
    t.deepEqual(
      read.map((reader) => reader.numbers(handles, 'salary')[0]),
      [NaN, 4500, 4000],
    )
  }
  check(kernel.graph)
  const digest = kernel.graph.digest()
  await kernel.close()
  const again = await openFor(t, directory)
  check(again.graph)
  t.is(again.graph.digest(), digest)
  t.is((await again.graph.verify()).digest, digest)
})

test('a write takes the place of what it overlaps, and one without valid of everything', async (t) => {
  const { graph } = Kernel.memory()
  const write = (price: number | undefined, valid?: ValidTime): Promise<unknown> =>
    graph.write((tx) => tx.patch('tea', { props: { price }, ...(valid && { valid }) }))
  const prices = (): unknown =>
    graph
      .get('tea')
      ?.intervals?.['price']?.map(({ value, from, to }) => [value, from?.getUTCMonth(), to?.getUTCMonth()])
  await write(1)
  const plain = graph.digest()
  await write(2, { from: '2026-03-01', to: '2026-06-01' })
  t.deepEqual(prices(), [
    [1, undefined, 2],
    [2, 2, 5],
    [1, 5, undefined],
  ])
  await write(undefined, { from: '2026-05-01', to: '2026-07-01' })
  await write(2, { from: '2026-05-01', to: '2026-05-15' })
  t.deepEqual(
    prices(),
    [
      [1, undefined, 2],
      [2, 2, 4],
      [1, 6, undefined],
    ],
    'neighbours that hold the same are one',
  )
  const { version } = graph.snapshot()
  await write(2, { from: '2026-04-01', to: '2026-04-02' })
  t.is(graph.snapshot().version, version, 'what already holds is no change')
  await write(1)
  t.is(prices(), undefined)
  t.is(graph.digest(), plain, 'what holds always is as if it had always been so')
  await write(undefined, {})
  t.deepEqual(graph.get('tea')?.props, {}, 'open at both sides is always')
})

test('put replaces a node in its time, labels at once', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('ann', { labels: ['Pupil'], props: { school: 'A', city: 'Rome' } }))
  await graph.write((tx) =>
    tx.put('ann', { labels: ['Student'], props: { school: 'B' }, valid: { from: '2026-02-01' } }),
  )
  t.deepEqual(graph.validAt(january).get('ann')?.props, { school: 'A', city: 'Rome' })
  t.deepEqual(graph.validAt(february).get('ann')?.props, { school: 'B' })
  t.deepEqual(graph.validAt(january).get('ann')?.labels, ['Student'])
})

test('what expires is held by no view of later instants, and stays where it is', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('session', { props: { token: 'old' } })
    tx.put('other')
  })
  await graph.write((tx) => {
    tx.patch('session', { props: { token: 'long' }, expireAt: '2026-03-01' })
    tx.link('session', 'OF', 'other', { props: { n: 1 }, expireAt: '2026-03-01' })
  })
  t.deepEqual(held(graph, 'session', 'token'), ['long', 'long', undefined])
  // Shorter than before: what it held beyond must not come back.
  await graph.write((tx) => {
    tx.put('session', { props: { token: 'short' }, expireAt: '2026-02-01' })
    tx.link('session', 'OF', 'other', { props: { n: 2 }, expireAt: '2026-02-01' })
  })
  t.deepEqual(held(graph, 'session', 'token'), ['short', undefined, undefined])
  t.deepEqual(
    months.map((instant) => graph.validAt(instant).degree('session', 'out')),
    [1, 0, 0],
  )
  t.is(graph.count(), 2, 'no clock deletes anything')
  const [edge] = graph.out('session')
  t.deepEqual(edge?.valid, [{ to: day('2026-02-01') }])
  t.deepEqual(edge?.intervals, { n: [{ to: day('2026-02-01'), value: 2 }] })
})

test('edges hold in their time, for neighbours, traversals, degrees and patterns', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (const key of ['ann', 'bob', 'cid']) tx.put(key, { labels: ['Person'] })
    tx.link('ann', 'KNOWS', 'bob')
    tx.link('bob', 'KNOWS', 'cid', { props: { how: 'school' }, valid: { from: '2026-02-01' } })
    tx.unlink('ann', 'KNOWS', 'bob', { valid: { from: '2026-03-01' } })
  })
  const reach = (instant: Date): string =>
    graph
      .validAt(instant)
      .within('ann', { hops: 2 })
      .map(({ node }) => node.key)
      .join()
  t.deepEqual(months.map(reach), ['bob', 'bob,cid', ''])
  t.deepEqual(
    months.map((instant) => graph.keys(graph.validAt(instant).neighbours('bob', 'out'))),
    [[], ['cid'], ['cid']],
  )
  t.is(graph.within('ann', { hops: 2 }).length, 2, 'without an instant every edge there is')
  const view = (instant: Date): Pick<Graph, 'path' | 'out' | 'in' | 'edge'> => graph.validAt(instant)
  t.deepEqual(
    months.map((instant) => view(instant).path('ann', 'cid')?.length),
    [undefined, 2, undefined],
  )
  t.deepEqual(
    months.map((instant) => [...view(instant).in('cid')].map(({ props }) => props['how'])),
    [[], ['school'], ['school']],
  )
  t.deepEqual(
    months.map((instant) => [...view(instant).out('ann', 'KNOWS')].length),
    [1, 1, 0],
  )
  const identity = { from: 'ann', type: 'KNOWS', to: 'bob' }
  t.is(view(march).edge(identity), undefined)
  t.deepEqual(graph.edge(identity)?.valid, [{ to: day('2026-03-01') }])
  t.deepEqual(view(january).edge(identity)?.props, {})
  t.is(view(january).edge(identity)?.valid, undefined)
  t.deepEqual(
    months.map((instant) =>
      match(graph.validAt(instant)).node('a', { label: 'Person' }).out('KNOWS', 'b').count(),
    ),
    [1, 2, 1],
  )

  // An edge that was read stands for its identity, also with the time in which it holds.
  const read = graph.edge(identity)
  await graph.write((tx) => read && tx.patch(read, { props: { n: 1 } }))
  t.deepEqual(graph.edge(identity)?.valid, [{ to: day('2026-03-01') }], 'a patch leaves it')
  await graph.write((tx) => tx.link('ann', 'KNOWS', 'bob'))
  t.is(graph.edge(identity)?.valid, undefined, 'a link without valid says always')
  await graph.write((tx) => {
    tx.unlink('ann', 'KNOWS', 'bob', { valid: { to: '2026-02-01' } })
    tx.unlink('ann', 'KNOWS', 'bob', { valid: { from: '2026-02-01' } })
  })
  t.is(graph.edge(identity), undefined, 'what never holds is not there')
  await graph.write((tx) => tx.unlink('ann', 'KNOWS', 'bob', { valid: { to: '2026-02-01' } }))
})

test('conditions are about what holds then, with an index and without', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('ann', { labels: ['Person'], props: { city: 'Rome', mail: 'a' } })
    tx.put('bob', { labels: ['Person'], props: { city: 'Oslo', mail: 'b' } })
  })
  for (const indexed of [false, true]) {
    if (indexed) {
      await graph.index({ label: 'Person', property: 'city', required: true })
      await graph.index({ label: 'Person', property: 'mail', unique: true })
    } else {
      await graph.write((tx) => tx.patch('ann', { props: { city: 'Oslo' }, valid: { from: '2026-02-01' } }))
    }
    const city = (equals: string): readonly string[] =>
      [graph, ...months.map((instant) => graph.validAt(instant))].map((reader) => {
        const query = { label: 'Person', where: { property: 'city', equals } }
        const keys = [...reader.nodes(query)].map(({ key }) => key).toSorted()
        t.is(reader.count(query), keys.length)
        return keys.join()
      })
    t.deepEqual(city('Rome'), ['', 'ann', '', ''], 'it lives there not always')
    t.deepEqual(city('Oslo'), ['bob', 'bob', 'ann,bob', 'ann,bob'])
    const where = { property: 'city', from: 'A' }
    t.is(graph.validAt(march).count({ label: 'Person', where }), 2)
    t.is(graph.count({ label: 'Person', where }), 1)
  }
  // Unique are values that hold always; what is required holds something at every instant.
  await graph.write((tx) => tx.patch('ann', { props: { mail: 'b' }, valid: { to: '2026-01-01' } }))
  const always = graph.write((tx) => tx.patch('ann', { props: { mail: 'b' } }))
  await refused(t, 'ERR_KARYON_UNIQUE', always)
  const gap = graph.write((tx) =>
    tx.patch('ann', { props: { city: undefined }, valid: { to: '2026-01-01' } }),
  )
  await refused(t, 'ERR_KARYON_REQUIRED', gap)
})

test('the past of a property is told by its intervals', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('tea', { props: { price: 1 } }))
  const { version } = await graph.write((tx) =>
    tx.patch('tea', { props: { price: 2 }, valid: { from: Instant.fromMicros(5n) } }),
  )
  await graph.write((tx) => tx.patch('tea', { props: { price: 3 } }))
  const [last, middle] = [...graph.history('tea', { property: 'price' })]
  const intervals = [
    { to: Instant.fromMicros(5n), value: 1 },
    { from: Instant.fromMicros(5n), value: 2 },
  ]
  t.is(middle?.kind, 'set')
  t.deepEqual([middle?.before, middle?.after], [1, undefined])
  t.deepEqual([middle?.intervalsBefore, middle?.intervalsAfter], [undefined, intervals])
  t.deepEqual([last?.intervalsBefore, last?.before, last?.after], [intervals, undefined, 3])
  t.is(graph.at(version).validAt(new Date(0)).get('tea')?.props['price'], 1)
  const differences = [...graph.diff(1n, version)]
  t.is(differences.length, 1)
  t.deepEqual(differences[0]?.after?.intervals, { price: intervals })
  for await (const change of graph.changes({ from: 1n })) {
    t.deepEqual(change.intervalsAfter, intervals)
    break
  }

  await graph.write((tx) => tx.link('tea', 'LIKE', 'tea', { valid: { to: new Date(0) } }))
  const edge = { from: 'tea', type: 'LIKE', to: 'tea' }
  const told = [...graph.history(edge)].find(({ kind }) => kind === 'set')
  t.is(told?.property, undefined)
  t.deepEqual(told?.intervalsAfter, [{ to: new Date(0), value: true }])
})

test('intervals come back whole from a revert and from a fork', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('tea', { props: { price: 1 } })
    tx.patch('tea', { props: { price: 2 }, valid: { from: '2026-02-01' } })
    tx.link('tea', 'LIKE', 'tea', { props: { n: 1 }, valid: { from: '2026-02-01' } })
  })
  const fact = graph.digest()
  const { version: since } = graph.snapshot()
  await graph.write((tx) => {
    tx.patch('tea', { props: { price: 9 }, valid: { from: '2026-03-01' } })
    tx.unlink('tea', 'LIKE', 'tea')
  })
  t.not(graph.digest(), fact)
  await graph.revert({ principal: 'root', since })
  t.is(graph.digest(), fact)

  const idea = await graph.fork('idea')
  await idea.write((tx) => {
    tx.patch('tea', { props: { price: 3 }, valid: { from: '2026-03-01' } })
    tx.link('tea', 'LIKE', 'tea', { props: { n: 2 }, valid: { from: '2026-03-01' } })
  })
  const expected = idea.digest()
  t.deepEqual((await idea.merge()).conflicts, [])
  t.is(graph.digest(), expected)
  const like = { from: 'tea', type: 'LIKE', to: 'tea' }
  await idea.write((tx) => tx.patch(like, { props: { m: 1 } }))
  await idea.merge()
  t.deepEqual(
    graph.edge(like)?.valid,
    [{ from: day('2026-02-01') }],
    'a merge of a property leaves when it holds',
  )
  t.deepEqual(held(graph, 'tea', 'price'), [1, 2, 3])
  await graph.write((tx) => tx.patch('tea', { props: { price: 4 } }))
  await idea.write((tx) => {
    tx.patch('tea', { props: { price: 5 }, valid: { to: '2026-01-01' } })
    tx.unlink('tea', 'LIKE', 'tea', { valid: { to: '2026-03-01' } })
  })
  const { conflicts } = await idea.merge({ prefer: 'fork' })
  t.deepEqual(
    conflicts.map(({ slot }) => slot),
    ['property:price'],
  )
  t.is(graph.digest(), idea.digest())
})

test('verbs that make a value of the one before need one that holds always', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (const [name, value] of [
      ['n', 1],
      ['text', 'a'],
    ] as const) {
      tx.patch('a', { props: { [name]: value }, valid: { to: '2026-01-01' } })
    }
  })
  for (const act of [
    (tx: Transaction): void => tx.increment('a', 'n'),
    (tx: Transaction): void => tx.append('a', 'text', 'b'),
    (tx: Transaction): void => tx.splice('a', 'text', 0, 1, 'b'),
  ]) {
    const error = await refused(t, 'ERR_KARYON_VALUE_TYPE', graph.write(act))
    t.regex(error.message, /valid/)
  }
})

test('a transaction sees intervals that it has written', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('a', { props: { n: 1 }, valid: { from: january } })
    tx.link('a', 'T', 'a', { valid: { to: january } })
    t.deepEqual(tx.get('a')?.intervals, { n: [{ from: january, value: 1 }] })
    t.deepEqual([...tx.out('a')][0]?.valid, [{ to: january }])
  })
  const both = [graph.begin(), graph.begin()]
  both[0]?.patch('a', { props: { n: 2 }, valid: { from: february } })
  both[1]?.patch('a', { props: { n: 3 }, valid: { to: january } })
  await both[0]?.commit()
  await refused(t, 'ERR_KARYON_CONFLICT', both[1]?.commit() ?? Promise.resolve(), 'a property is one slot')
  const links = [graph.begin(), graph.begin()]
  links[0]?.link('a', 'T', 'a', { valid: { from: march } })
  links[1]?.link('a', 'T', 'a')
  await links[0]?.commit()
  await refused(
    t,
    'ERR_KARYON_CONFLICT',
    links[1]?.commit() ?? Promise.resolve(),
    'and so is when an edge holds',
  )
})

test('an instant of valid time is a Date or ISO text, and time does not run backwards', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a'))
  const refuse = async (code: KaryonErrorCode, options: unknown): Promise<void> => {
    using tx = graph.begin()
    await refused(t, code, () => tx.patch('a', { props: { n: 1 }, ...(options as object) }))
    await tx.commit()
  }
  const time = 'ERR_KARYON_TIME'
  for (const instant of [5, 5n, NaN, null, true, {}, 'soon', '2026-02-30', new Date(NaN)]) {
    await refuse(time, { valid: { from: instant } })
    await refuse(time, { valid: { to: instant } })
    await refuse(time, { expireAt: instant })
    await refused(t, time, () => graph.validAt(instant as Date))
    await refused(t, time, () => graph.snapshot().validAt(instant as Date))
  }
  await refuse(time, { valid: { from: march, to: january } })
  await refuse(time, { valid: { from: march, to: march } })
  for (const valid of [null, 5, 'soon', [], new Date(), { from: march, until: march }]) {
    await refuse('ERR_KARYON_ARGUMENT', { valid })
  }
  await refuse('ERR_KARYON_ARGUMENT', { valid: { from: march }, expireAt: march })
  await refuse('ERR_KARYON_ARGUMENT', { valid: {}, expireAt: march })
  t.deepEqual(graph.get('a')?.props, {})
  const view = graph.validAt('2026-01-15T12:00+01:00')
  t.is(view.valid?.toISOString(), '2026-01-15T11:00:00.000000Z')
  t.is(graph.snapshot().valid, undefined)
  t.is(view.validAt(march).valid?.getTime(), march.getTime())
  t.is(view.digest(), graph.digest())
  view.close()
  await refused(t, 'ERR_KARYON_CLOSED', () => view.get('a'))
  await refused(t, 'ERR_KARYON_CLOSED', () => view.validAt(march))
})

test('a property has an end of intervals', async (t: ExecutionContext) => {
  const { graph } = Kernel.memory()
  const minute = (at: number): Date => new Date(at * 60_000)
  await graph.write((tx) => {
    for (let at = 0; at < 4096; at++)
      tx.patch('a', { props: { n: at }, valid: { from: minute(at), to: minute(at + 1) } })
  })
  t.is(graph.get('a')?.intervals?.['n']?.length, 4096)
  t.is(graph.validAt(minute(4000)).get('a')?.props['n'], 4000)
  const more = graph.write((tx) => tx.patch('a', { props: { n: 0 }, valid: { from: minute(5000) } }))
  const error = await refused(t, 'ERR_KARYON_VALUE_SIZE', more)
  t.is(error.details?.['limit'], 4096)
})
