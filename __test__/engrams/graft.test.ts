import test from 'ava'
import { isDeepStrictEqual } from 'node:util'
import { graftEngram } from '../../ts/engrams/grafts/graft.ts'
import { listGrafts, openGraft } from '../../ts/engrams/grafts/opened.ts'
import { planGraft } from '../../ts/engrams/grafts/plan.ts'
import type { ConflictPolicy, Engram, PlannedConflict } from '../../ts/engrams/types.ts'
import { Kernel, type Graph, type Transaction, type Value } from '../../ts/index.ts'
import { refused } from '../kernel/refused.ts'
import { engramOf, fakeEngram } from './fake-engram.ts'

const text = (key: string, value: Value) => (tx: Transaction) =>
  tx.put(key, { labels: ['Fact'], props: { text: value } })

async function host(): Promise<{ readonly kernel: Kernel; readonly graph: Graph; readonly digest: string }> {
  const kernel = Kernel.memory()
  const { graph } = kernel
  await graph.write((tx) => {
    text('sky', 'blue')(tx)
    text('sea', 'green')(tx)
    tx.link('sky', 'OVER', 'sea', { props: { far: 1 } })
  })
  return { kernel, graph, digest: graph.digest() }
}

function weather(version = '1.0.0'): Promise<Engram> {
  return fakeEngram(
    (tx) => {
      text('sky', 'grey')(tx)
      text('rain', 'wet')(tx)
      tx.put('sea', { labels: ['Water'] })
      tx.patch('sea', { labels: ['Fact'] })
      tx.link('sky', 'OVER', 'sea', { props: { far: 1, since: 7 } })
      tx.link('rain', 'FALLS_ON', 'sea')
    },
    { name: 'acme/weather', version },
  )
}

test('a graft is seen in its view alone, promoted in the name of its principal, and taken out again', async (t) => {
  const { kernel, graph, digest } = await host()
  const plan = await planGraft(kernel, await weather())
  t.deepEqual(plan.counts, { added: 6, same: 6, conflicting: 1 })
  t.deepEqual(plan.conflicts, [
    { target: 'sky', property: 'text', host: 'blue', package: 'grey', outcome: 'blue', policy: 'keep-host' },
  ] satisfies PlannedConflict[])

  const graft = await plan.graft()
  t.is(graft.name, 'acme/weather@1.0.0')
  t.regex(graft.principal, /^root\/engram acme:weather 1\.0\.0 [0-9a-f]{12}$/)
  t.deepEqual([graph.get('rain'), graph.digest()], [undefined, digest])
  t.is(graft.view.get('rain')?.props['text'], 'wet')
  t.is(graft.view.get('sky')?.props['text'], 'blue')
  t.deepEqual(graft.view.edge({ from: 'sky', type: 'OVER', to: 'sea' })?.props, { far: 1, since: 7 })
  t.like(graft.view.get(`engram:${graft.root}`), {
    labels: ['Engram'],
    props: { name: 'acme/weather', version: '1.0.0', root: graft.root, from: 1n, promoted: false },
  })
  t.is(graft.view.blame('rain')?.principal, graft.principal)

  const since = kernel.now()
  const promoted = await graft.promote()
  t.like(promoted, { nodes: 2, edges: 2, conflicting: 0, dangling: { count: 0, edges: [] } })
  t.is(graph.blame('rain')?.principal, graft.principal)
  t.is(graph.blame('rain')?.version, promoted.version)
  t.is(graph.get(`engram:${graft.root}`), undefined)
  t.deepEqual([graft.info.promoted, graft.info.counts], [true, plan.counts])

  const asked = await graph.revert({ principal: graft.principal, since, dryRun: true })
  t.is(asked.restored, 4)
  t.deepEqual(await graft.detach(), { restored: 4, kept: [] })
  t.deepEqual([graph.digest(), graph.forks(), await listGrafts(kernel)], [digest, [], []])
})

test('without quarantine everything is in the graph at once', async (t) => {
  const { kernel, graph, digest } = await host()
  const policies = { '*': 'take-package' } as const
  const graft = await graftEngram(kernel, await weather(), { quarantine: false, policies })
  t.deepEqual([graph.get('sky')?.props['text'], graph.get('rain')?.props['text']], ['grey', 'wet'])
  await graft.detach()
  t.is(graph.digest(), digest)
})

const OUTCOMES: Readonly<Record<Exclude<ConflictPolicy, 'reject'>, Value>> = {
  'keep-host': 'blue',
  'take-package': 'grey',
  'newest-valid': 'grey',
  'keep-both': ['blue', 'grey'],
}

for (const [policy, outcome] of Object.entries(OUTCOMES)) {
  test(`${policy} decides a conflict`, async (t) => {
    const { kernel } = await host()
    const engram = await fakeEngram(text('sky', 'grey'), {
      source: () => ({ principal: 'root/bob', time: new Date(Date.UTC(2100, 0)) }),
    })
    const policies = { text: policy as ConflictPolicy, '*': 'reject' } as const
    const plan = await planGraft(kernel, engram, { policies })
    t.deepEqual(plan.conflicts[0]?.outcome, outcome)
    t.deepEqual((await plan.graft()).view.get('sky')?.props['text'], outcome)
  })
}

test('of what a package does not say when it was written, the host’s is taken for the newer one', async (t) => {
  const { kernel } = await host()
  const policies = { '*': 'newest-valid' } as const
  for (const time of [undefined, new Date(Date.UTC(2020, 0))]) {
    const source = () => time && { principal: 'root/bob', time }
    const plan = await planGraft(kernel, await fakeEngram(text('sky', 'grey'), { source }), { policies })
    t.is(plan.conflicts[0]?.outcome, 'blue')
  }
  const { version } = await kernel.graph.write((tx) => tx.put('new', { props: { text: 1 } }))
  t.is(version, 2n)
})

test('when an edge holds is as new as the last commit that changed it, whenever it was made', async (t) => {
  const kernel = Kernel.memory()
  const edge = { from: 'a', type: 'T', to: 'b', key: '' }
  const made = (from: string) => (tx: Transaction) => {
    for (const key of ['a', 'b']) tx.put(key)
    tx.link('a', 'T', 'b', { valid: { from } })
  }
  await kernel.graph.write(made('2026-02-01'))
  const between = kernel.now()
  const engram = await fakeEngram(made('2026-01-01'), {
    source: () => ({ principal: 'root/bob', time: between }),
  })
  const outcome = async (): Promise<readonly unknown[]> => {
    const { conflicts, host } = await planGraft(kernel, engram, { policies: { '*': 'newest-valid' } })
    const { outcome } = conflicts[0]!.intervals!
    return [host, outcome?.map(({ from }) => from?.toISOString().slice(0, 10))]
  }
  t.deepEqual(await outcome(), [1n, ['2026-01-01']])
  await kernel.graph.write((tx) => tx.patch(edge, { props: { n: 1 } }))
  t.deepEqual(await outcome(), [2n, ['2026-01-01']])
  await kernel.graph.write((tx) => tx.unlink('a', 'T', 'b', { valid: { to: '2026-03-01' } }))
  t.deepEqual(await outcome(), [3n, ['2026-03-01T00:00:00.000Z'.slice(0, 10)]])
})

test('what no property holds together is not kept from both, and the plan says so', async (t) => {
  let deep: Value = 1
  for (let n = 0; n < 32; n++) deep = { deep }
  const large = 'x'.repeat(9 * 1024 * 1024)
  for (const [ours, theirs] of [
    [deep, 1],
    [1, deep],
    [large, `${large}y`],
  ] as const) {
    const kernel = Kernel.memory()
    await kernel.graph.write(text('sky', ours))
    const plan = await planGraft(kernel, await fakeEngram(text('sky', theirs)), {
      policies: { '*': 'keep-both' },
    })
    t.deepEqual([plan.counts.conflicting, plan.bytes], [1, 0])
    const graft = await plan.graft()
    t.true(isDeepStrictEqual(graft.view.get('sky')?.props['text'], ours))
    await graft.promote()
  }
})

test('both are kept in one list, without doubles', async (t) => {
  const cases: readonly (readonly [Value, Value, Value])[] = [
    [1, 2, [1, 2]],
    [[1, 2], 2, [1, 2]],
    [
      [1, 1],
      [2, 1, 3],
      [1, 2, 3],
    ],
    [1, [1, 2], [1, 2]],
    [1, 1n, [1, 1n]],
    [{ a: [1] }, [{ a: [1] }, { a: [2] }], [{ a: [1] }, { a: [2] }]],
    [new Uint8Array([1]), new Uint8Array([1, 2]), [new Uint8Array([1]), new Uint8Array([1, 2])]],
    [null, Number.NaN, [null, Number.NaN]],
  ]
  for (const [ours, theirs, both] of cases) {
    const kernel = Kernel.memory()
    await kernel.graph.write(text('sky', ours))
    const policies = { '*': 'keep-both' } as const
    const plan = await planGraft(kernel, await fakeEngram(text('sky', theirs)), { policies })
    t.deepEqual((await plan.graft()).view.get('sky')?.props['text'], both)
  }
})

test('whoever grafts goes before the package, also with what is said of all properties', async (t) => {
  const { kernel } = await host()
  const engram = await fakeEngram(text('sky', 'grey'), { policies: { text: 'take-package' } })
  const outcome = async (policies?: Record<string, ConflictPolicy>): Promise<unknown> =>
    (await planGraft(kernel, engram, policies && { policies })).conflicts[0]?.outcome
  t.is(await outcome(), 'grey')
  t.is(await outcome({ '*': 'keep-host' }), 'blue')
  t.is(await outcome({ text: 'keep-host', '*': 'take-package' }), 'blue')
  t.is(await outcome({ other: 'keep-host' }), 'grey')
})

test('a conflict that is rejected refuses the graft and the promotion, and tells which', async (t) => {
  const { kernel, graph, digest } = await host()
  const engram = await weather()
  const policies = { text: 'reject' } as const
  const error = await refused(t, 'ERR_KARYON_GRAFT_CONFLICT', graftEngram(kernel, engram, { policies }))
  const conflict = { target: 'sky', property: 'text', host: 'blue', package: 'grey', outcome: 'blue' }
  t.deepEqual(error.details, { count: 1, conflicts: [{ ...conflict, policy: 'reject' }] })
  t.deepEqual([graph.digest(), graph.forks()], [digest, []])

  await graph.write((tx) => tx.remove('sky', { detach: true }))
  const graft = await graftEngram(kernel, engram, { policies })
  await graph.write(text('rain', 'dry'))
  const later = graph.digest()
  const { details } = await refused(t, 'ERR_KARYON_GRAFT_CONFLICT', graft.promote())
  t.is(details['count'], 1)
  t.is(graph.digest(), later)
  await graft.promote({ nodes: ({ key }) => key !== 'rain' })
  t.is(graph.get('sky')?.props['text'], 'grey')
  await graft.detach()
  t.is(graph.digest(), later)
})

test('nodes that are most likely other things are refused, left out with their edges, or taken all the same', async (t) => {
  const { kernel, graph, digest } = await host()
  const engram = await fakeEngram((tx) => {
    tx.put('sky', { labels: ['Song'], props: { text: 'la' } })
    tx.put('singer', { labels: ['Person'] })
    tx.link('singer', 'SINGS', 'sky')
    tx.link('singer', 'KNOWS', 'singer')
  })
  const plan = await planGraft(kernel, engram)
  t.deepEqual(plan.clashes, { count: 1, keys: ['sky'] })
  const { details } = await refused(t, 'ERR_KARYON_GRAFT', plan.graft())
  t.deepEqual(details['clashes'], ['sky'])
  t.deepEqual([graph.digest(), graph.forks()], [digest, []])

  const skipped = await plan.graft({ clashes: 'skip' })
  t.deepEqual(skipped.view.get('sky')?.labels, ['Fact'])
  t.deepEqual([skipped.view.degree('singer', 'out'), skipped.view.degree('sky', 'in')], [1, 0])
  await skipped.detach()
  const merged = await plan.graft({ clashes: 'merge' })
  t.deepEqual(merged.view.get('sky')?.labels, ['Fact', 'Song'])
  t.is(merged.view.degree('sky', 'in'), 1)
})

test('a node that somebody else has made under the same key since is not promoted into', async (t) => {
  const { kernel, graph } = await host()
  const engram = await weather()
  const graft = await graftEngram(kernel, engram)
  await graph.write((tx) => tx.put('rain', { labels: ['Song'] }))
  const { details } = await refused(t, 'ERR_KARYON_GRAFT', graft.promote())
  t.deepEqual(details['clashes'], ['rain'])
  await graft.detach()
  const other = await graftEngram(kernel, engram, { clashes: 'skip' })
  t.is(other.view.get('rain')?.props['text'], undefined, 'it clashes from the beginning now')
  await other.detach()
  await graph.write((tx) => tx.remove('rain'))
  const third = await graftEngram(kernel, engram, { clashes: 'skip' })
  await graph.write((tx) => tx.put('rain', { labels: ['Song'] }))
  const { dangling } = await third.promote()
  t.deepEqual(dangling, { count: 1, edges: [{ from: 'rain', type: 'FALLS_ON', to: 'sea', key: '' }] })
  t.deepEqual(graph.get('rain')?.props, {})
})

test('what is promoted can be chosen, edges without their ends are told, and the rest can follow', async (t) => {
  const { kernel, graph, digest } = await host()
  const graft = await graftEngram(kernel, await weather())
  const first = await graft.promote({
    nodes: ({ key }) => key !== 'rain',
    edges: ({ type }) => type !== 'OVER',
  })
  t.like(first, { nodes: 1, edges: 0 })
  t.deepEqual(first.dangling.edges, [{ from: 'rain', type: 'FALLS_ON', to: 'sea', key: '' }])
  t.like(await graft.promote({ nodes: () => false, edges: () => false }), { nodes: 0, version: undefined })
  t.like(await graft.promote(), { nodes: 1, edges: 2, dangling: { count: 0, edges: [] } })
  const wrong = () => {
    throw new Error('a filter that fails')
  }
  await t.throwsAsync(graft.promote({ nodes: wrong }), { message: 'a filter that fails' })
  await graft.detach()
  t.is(graph.digest(), digest)
})

test('what others have written since a promotion stays, and is listed', async (t) => {
  const { kernel, graph } = await host()
  const graft = await graftEngram(kernel, await weather(), { policies: { '*': 'take-package' } })
  await graft.promote()
  await graph.write((tx) => {
    tx.patch('rain', { props: { text: 'warm' } })
    tx.put('roof')
    tx.link('rain', 'FALLS_ON', 'roof')
    tx.patch('sky', { props: { high: true } })
  })
  const { kept } = await graft.detach()
  t.deepEqual(
    kept.map(({ target, slot }) => [target, slot]),
    [
      ['rain', 'existence'],
      ['rain', 'property:text'],
    ],
  )
  t.deepEqual(graph.get('rain')?.props, { text: 'warm' })
  t.deepEqual(graph.get('sky')?.props, { text: 'blue', high: true })
  t.is(graph.degree('rain', 'out'), 1)
  t.deepEqual(graph.forks(), [])
})

test('a package is grafted once, under a name that is its own', async (t) => {
  const { kernel } = await host()
  const [one, two] = [await weather('1.0.0'), await weather('1.1.0')]
  const graft = await graftEngram(kernel, one, { name: 'mine' })
  const again = await refused(t, 'ERR_KARYON_GRAFT', graftEngram(kernel, one))
  t.deepEqual(again.details, { name: 'mine' })
  const taken = await refused(t, 'ERR_KARYON_GRAFT', graftEngram(kernel, two, { name: 'mine' }))
  t.deepEqual(taken.details, { name: 'mine' })
  await graftEngram(kernel, two)
  t.deepEqual(
    (await listGrafts(kernel)).map(({ name, engramVersion }) => [name, engramVersion]),
    [
      ['mine', '1.0.0'],
      ['acme/weather@1.1.0', '1.1.0'],
    ],
  )
  t.is(openGraft(kernel, 'mine').root, graft.root)
  await refused(t, 'ERR_KARYON_GRAFT', async () => openGraft(kernel, 'min'))
})

test('an older version than one that is grafted is refused, unless it is meant', async (t) => {
  const { kernel } = await host()
  const newest = await graftEngram(kernel, await weather('2.0.0-rc.2'))
  for (const version of ['1.9.9', '2.0.0-rc.1', '2.0.0-beta']) {
    const { details } = await refused(t, 'ERR_KARYON_GRAFT', graftEngram(kernel, await weather(version)))
    t.like(details, { version, grafted: '2.0.0-rc.2' })
  }
  await (await graftEngram(kernel, await weather('1.9.9'), { older: true })).detach()
  await (await graftEngram(kernel, await weather('2.0.0'))).detach()
  await newest.detach()
  await graftEngram(kernel, await weather('1.9.9'))
})

test('a graft that is gone or closed says so', async (t) => {
  const { kernel, graph } = await host()
  const graft = await graftEngram(kernel, await weather())
  const other = openGraft(kernel, graft.name)
  other.close()
  for (const act of [() => other.promote(), () => other.detach(), async () => other.info])
    await refused(t, 'ERR_KARYON_CLOSED', act())
  const third = openGraft(kernel, graft.name)
  const above = await graph.openFork(graft.view.name).fork('idea')
  await refused(t, 'ERR_KARYON_GRAFT', graft.detach())
  await above.drop()
  await graft.detach()
  await refused(t, 'ERR_KARYON_CLOSED', graft.promote())
  for (const act of [() => third.promote(), () => third.detach()]) await refused(t, 'ERR_KARYON_GRAFT', act())
  await refused(t, 'ERR_KARYON_GRAFT', async () => openGraft(kernel, graft.name))
  t.deepEqual(graph.forks(), [])
})

test('what cannot be meant is refused before anything happens', async (t) => {
  const { kernel, graph, digest } = await host()
  const engram = await weather()
  const wrong: readonly (() => Promise<unknown>)[] = [
    () => planGraft(kernel, engram, { samples: 10_001 }),
    () => planGraft(kernel, engram, { policies: { text: 'mine' as 'reject' } }),
    () => planGraft(kernel, engram, { policy: {} } as object),
    () => graftEngram(kernel, engram, { clashes: 'ignore' as 'skip' }),
    () => graftEngram(kernel, engram, { quarantine: 1 as unknown as boolean }),
    () => graftEngram(kernel, engram, { older: 'yes' as unknown as boolean }),
    () => graftEngram(kernel, engram, { name: '' }),
    () => graftEngram(kernel, engram, { name: 'é'.repeat(451) }),
    () => graftEngram(kernel, engram, { name: '\ud800' }),
    async () => graftEngram(kernel, await fakeEngram(() => {}, { version: '1.0' })),
    async () => graftEngram(kernel, await fakeEngram(() => {}, { name: 'a b' })),
    async () => graftEngram(kernel, await fakeEngram(() => {}, { root: 'abc' })),
    () => planGraft(kernel, {} as Engram),
    () => planGraft(kernel, undefined as unknown as Engram),
    () => planGraft(kernel, graph as unknown as Engram),
    () => planGraft(undefined as unknown as Kernel, engram),
    () => graftEngram(kernel, undefined as unknown as Engram),
    () => graftEngram({ graph } as Kernel, engram),
    () => listGrafts(undefined as unknown as Kernel),
    async () => openGraft({} as Kernel, 'mine'),
    async () => (await graftEngram(kernel, engram)).promote({ node: () => true } as object),
    async () => openGraft(kernel, 'acme/weather@1.0.0').promote({ nodes: ['rain'] } as object),
    async () => openGraft(kernel, 'acme/weather@1.0.0').promote({ nodes: async () => false } as object),
    async () => openGraft(kernel, 'acme/weather@1.0.0').promote({ nodes: () => 1, edges: () => 0 } as object),
  ]
  for (const act of wrong) await refused(t, 'ERR_KARYON_ARGUMENT', act())
  t.deepEqual([graph.forks().length, graph.digest()], [1, digest])
  const reserved = JSON.parse('{"__proto__":"keep-host"}') as Record<string, 'keep-host'>
  await refused(t, 'ERR_KARYON_NAME_RESERVED', planGraft(kernel, engram, { policies: reserved }))
})

test('rules of the graph hold for what is grafted', async (t) => {
  const { kernel, graph } = await host()
  await graph.index({ label: 'Fact', property: 'text', unique: true })
  await refused(t, 'ERR_KARYON_UNIQUE', graftEngram(kernel, await fakeEngram(text('pond', 'green'))))
  t.deepEqual(graph.forks(), [])
})

test('hostile names and keys are names and keys', async (t) => {
  const { kernel, graph, digest } = await host()
  const keys = [
    '__proto__',
    'constructor',
    'engram:x',
    '\0',
    '../..',
    'root/alice',
    '["sky","OVER","sea",""]',
  ]
  const engram = await fakeEngram((tx) => {
    for (const key of keys)
      tx.put(key, { labels: ['Engram', 'toString'], props: { constructor: key, hasOwnProperty: 1, '*': 2 } })
    for (const key of keys) tx.link(key, 'valueOf', keys[0]!, { key, props: { constructor: 1 } })
  })
  const name = '../\0:engram:__proto__\n'
  const policies = Object.fromEntries([['constructor', 'take-package' as const]])
  const graft = await graftEngram(kernel, engram, { name, policies })
  t.deepEqual(
    keys.map((key) => graft.view.get(key)?.props['constructor']),
    keys,
  )
  t.deepEqual(
    (await listGrafts(kernel)).map((info) => info.name),
    [name],
  )
  await graft.promote()
  t.is(graph.degree('__proto__', 'in'), keys.length)
  await openGraft(kernel, name).detach()
  t.is(graph.digest(), digest)
})

test('an edge that holds at times keeps what it has where it is to hold at others', async (t) => {
  const kernel = Kernel.memory()
  const edge = { from: 'a', type: 'T', to: 'b', key: '' }
  const ends = (tx: Transaction): void => ['a', 'b'].forEach((key) => tx.put(key))
  await kernel.graph.write((tx) => {
    ends(tx)
    tx.link('a', 'T', 'b', { props: { x: 1 } })
  })
  const [one, two, three, four] = ['2026-01-01', '2026-02-01', '2026-03-01', '2026-04-01'].map(
    (day) => new Date(day),
  )
  // As no store writes it, but another maker of packages may.
  const valid = [{ from: one!, to: two! }, { from: two!, to: three! }, { from: four! }]
  const engram = await fakeEngram(ends)
  const touching = Object.assign(Object.create(engram) as Engram, {
    edges: () => [{ ...edge, props: {}, valid, version: 1n }].values(),
  })
  const plan = await planGraft(kernel, touching, { policies: { '*': 'take-package' } })
  t.deepEqual(plan.conflicts[0]?.intervals, { host: [], package: valid, outcome: valid })
  const graft = await plan.graft()
  const { props, valid: holds = [] } = graft.view.edge(edge)!
  t.deepEqual(
    [props, holds.map(({ from, to }) => [from?.getTime(), to?.getTime()])],
    [
      { x: 1 },
      [
        [one!.getTime(), three!.getTime()],
        [four!.getTime(), undefined],
      ],
    ],
  )
  await graft.promote()
  t.deepEqual(kernel.graph.edge(edge)?.valid, holds)
  await graft.detach()
  t.is(kernel.graph.edge(edge)?.valid, undefined)
})

test('large nodes are written piece by piece, and small portions of everything are enough', async (t) => {
  const kernel = Kernel.memory()
  const large = Object.fromEntries(
    Array.from({ length: 6 }, (_, n) => [`p${n}`, new Uint8Array(12 * 1024 * 1024).fill(n)]),
  )
  const other = Kernel.memory()
  await kernel.graph.index({ label: 'Large', property: 'p5', required: true })
  for (const [name, value] of Object.entries(large))
    await other.graph.write((tx) => tx.patch('large', { props: { [name]: value } }))
  await other.graph.write((tx) => tx.patch('large', { labels: ['Large'] }))
  const graft = await graftEngram(kernel, engramOf(other))
  t.true(isDeepStrictEqual(graft.view.get('large')?.props, large))
  t.deepEqual(graft.view.get('large')?.labels, ['Large'])
  const { details } = await refused(t, 'ERR_KARYON_TRANSACTION_SIZE', graft.promote())
  t.is(details['limit'], 1_000_000)
})

test('what is told of a plan is bounded; all of it is counted', async (t) => {
  const kernel = Kernel.memory()
  const all = (value: Value) => (tx: Transaction) => {
    for (let n = 0; n < 300; n++) tx.put(`n${n}`, { labels: [typeof value], props: { value } })
  }
  await kernel.graph.write(all(1))
  const plan = await planGraft(kernel, await fakeEngram(all('x')), { samples: 7 })
  t.deepEqual([plan.conflicts.length, plan.counts.conflicting], [7, 300])
  t.deepEqual([plan.clashes.keys.length, plan.clashes.count], [7, 300])
  const some = await planGraft(kernel, await fakeEngram(all('x')))
  t.deepEqual([some.conflicts.length, some.clashes.keys.length], [100, 100])
  const long = await planGraft(kernel, await fakeEngram(all('x'.repeat(200_000))), { samples: 300 })
  t.true(long.conflicts.length < 100 && long.counts.conflicting === 300)
})

test('a plan says about how much memory the graft takes', async (t) => {
  const kernel = Kernel.memory()
  const engram = await fakeEngram((tx) => {
    for (let n = 0; n < 3_000; n++)
      tx.put(`node ${n}`, { labels: ['A'], props: { text: 'x'.repeat(n % 200), n } })
    for (let n = 0; n < 9_000; n++)
      tx.link(`node ${n % 3_000}`, 'T', `node ${(n * 7) % 3_000}`, { key: `${n}` })
  })
  const { bytes, graft } = await planGraft(kernel, engram)
  const before = kernel.graph.stats().memoryBytes
  await graft()
  const taken = kernel.graph.stats().memoryBytes - before
  t.true(bytes > taken / 2 && bytes < taken * 2, `${bytes} for ${taken}`)
})
