import test from 'ava'
import { Instant, Kernel, type Graph } from '../../ts/index.ts'
import { chooseSeed, pick, randomValue, seededRandom } from '../values/random.ts'
import { freshKernel } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { Principals } from './principals.ts'

test('history tells every change of a node, newest first', async (t) => {
  const { graph } = await freshKernel(t)
  await graph.write((tx) => tx.put('a', { labels: ['L'], props: { n: 1 } }))
  await graph.write((tx) => tx.patch('a', { props: { n: 2, m: null }, dropLabels: ['L'], labels: ['K'] }))
  await graph.write((tx) => tx.patch('a', { props: { n: undefined } }))
  await graph.write((tx) => tx.remove('a'))
  const changes = [...graph.history('a')]
  t.deepEqual(
    changes.map(({ version }) => version),
    changes.map(({ version }) => version).toSorted((a, b) => Number(b - a)),
  )
  const told = changes.map(({ version, kind, label, property, before, after }) =>
    JSON.stringify([Number(version), kind, label ?? property ?? null, before ?? null, after ?? null]),
  )
  for (const expected of [
    [1, 'created', null, null, null],
    [1, 'labelled', 'L', null, null],
    [1, 'set', 'n', null, 1],
    [2, 'set', 'n', 1, 2],
    [2, 'set', 'm', null, null],
    [2, 'unlabelled', 'L', null, null],
    [2, 'labelled', 'K', null, null],
    [3, 'unset', 'n', 2, null],
    [4, 'removed', null, null, null],
  ]) {
    t.true(told.includes(JSON.stringify(expected)), `${JSON.stringify(expected)} in ${told.join(' ')}`)
  }
  for (const change of changes) {
    t.is(change.principal, 'root')
    t.is(change.incarnation, 0)
    t.true(change.time instanceof Instant)
    t.is(graph.at(change.time).version, change.version)
  }
  t.deepEqual([...graph.history('never')], [])
})

test('history of one property, of an edge, and of a span, which begins after its first version', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('a', { props: { n: 0 } })
    tx.link('a', 'T', 'a', { props: { w: 0 } })
  })
  for (let n = 1; n <= 5; n++) {
    await graph.write((tx) => {
      tx.patch('a', { props: { n } })
      tx.patch({ from: 'a', type: 'T', to: 'a' }, { props: { w: -n } })
    })
  }
  t.deepEqual(
    [...graph.history('a', { property: 'n' })].map(({ after }) => after),
    [5, 4, 3, 2, 1, 0],
  )
  t.deepEqual(
    [...graph.history('a', { property: 'n', from: 2n, to: 4n })].map(({ version }) => version),
    [4n, 3n],
  )
  t.deepEqual([...graph.history('a', { property: 'never' })], [])
  const edge = { from: 'a', type: 'T', to: 'a' }
  t.deepEqual(
    [...graph.history(edge, { property: 'w', from: 4n })].map(({ after }) => after),
    [-5, -4],
  )
  await refused(t, 'ERR_KARYON_TIME', () => graph.history('a', { from: 3n, to: 2n }))
})

test('a history longer than a page is told whole and in order', async (t) => {
  const { graph } = Kernel.memory()
  for (let n = 0; n < 700; n++) await graph.write((tx) => tx.put('a', { props: { n } }))
  const changes = [...graph.history('a', { property: 'n' })]
  t.deepEqual(
    changes.map(({ after }) => after),
    Array.from({ length: 700 }, (_, n) => 699 - n),
  )
})

test('diff tells what differs, in both directions', async (t) => {
  const { graph } = await freshKernel(t)
  await graph.write((tx) => {
    tx.put('stays', { props: { n: 1 } })
    tx.put('changes', { props: { n: 1 } })
    tx.put('goes')
    tx.link('stays', 'T', 'changes')
  })
  await graph.write((tx) => tx.put('comes and goes'))
  await graph.write((tx) => {
    tx.patch('changes', { props: { n: 2 } })
    tx.remove('goes')
    tx.remove('comes and goes')
    tx.put('comes')
    tx.unlink('stays', 'T', 'changes')
  })
  const told = (from: bigint, to: bigint): string[] =>
    [...graph.diff(from, to)]
      .map(({ target, kind, before, after }) =>
        JSON.stringify([target, kind, before?.props ?? null, after?.props ?? null]),
      )
      .toSorted()
  const edge = { from: 'stays', type: 'T', to: 'changes', key: '' }
  t.deepEqual(
    told(1n, 3n),
    [
      ['changes', 'changed', { n: 1 }, { n: 2 }],
      ['comes', 'created', null, {}],
      ['goes', 'removed', {}, null],
      [edge, 'removed', {}, null],
    ]
      .map((each) => JSON.stringify(each))
      .toSorted(),
  )
  t.deepEqual(
    told(3n, 1n),
    [
      ['changes', 'changed', { n: 2 }, { n: 1 }],
      ['comes', 'removed', {}, null],
      ['goes', 'created', null, {}],
      [edge, 'created', null, {}],
    ]
      .map((each) => JSON.stringify(each))
      .toSorted(),
  )
  t.deepEqual(told(2n, 2n), [])
})

test('a diff of more than a page tells each target once', async (t) => {
  const { graph } = Kernel.memory()
  for (let round = 0; round < 3; round++) {
    await graph.write((tx) => {
      for (let n = 0; n < 500; n++) tx.put(`n${n}`, { props: { round } })
    })
  }
  const targets = [...graph.diff(0n, 3n)].map(({ target }) => target)
  t.deepEqual([targets.length, new Set(targets).size], [500, 500])
})

test('a diff whose end comes first is the mirror of the other', async (t) => {
  const { graph } = Kernel.memory()
  for (let round = 0; round < 3; round++) {
    await graph.write((tx) => {
      for (let n = round; n < 900; n += round + 1) {
        const key = `n${n}`
        if (tx.get(key) && n % 5 === 0) tx.remove(key, { detach: true })
        else {
          tx.put(key, { props: { round } })
          tx.link(key, 'T', key, { props: { round } })
        }
      }
    })
  }
  for (const [from, to] of [
    [0n, 3n],
    [1n, 2n],
    [1n, 3n],
  ] as const) {
    const forth = [...graph.diff(from, to)]
    const back = [...graph.diff(to, from)]
    const mirror = { created: 'removed', removed: 'created', changed: 'changed' } as const
    const expected = forth.map(({ kind, before, after, ...rest }) => ({
      ...rest,
      kind: mirror[kind],
      ...(after && { before: after }),
      ...(before && { after: before }),
    }))
    t.true(forth.length > 256)
    t.deepEqual(back as unknown[], expected)
  }
  t.deepEqual([...graph.diff(2n, 2n)], [])
})

test('blame names who gave a property its value and who made the node', async (t) => {
  const principals = new Principals()
  const [alice, bob] = [
    principals.session('root/alice').graph,
    principals.session('root/bob', undefined, 7).graph,
  ]
  await alice.write((tx) => tx.put('a', { props: { n: 1, m: 1 } }))
  await bob.write((tx) => tx.patch('a', { props: { n: 2, m: 1 } }))
  t.like(alice.blame('a', 'n'), { principal: 'root/bob', incarnation: 7, version: 2n })
  t.like(
    alice.blame('a', 'm'),
    { principal: 'root/alice', incarnation: 1, version: 1n },
    'the same value again changes nothing',
  )
  t.is(alice.blame('a')?.principal, 'root/alice')
  t.is(alice.blame('a', 'never'), undefined)
  t.is(alice.blame('never'), undefined)
  t.is(alice.blame({ from: 'a', type: 'T', to: 'a' }), undefined)
})

async function poisoned(): Promise<{ principals: Principals; graph: Graph; clean: string }> {
  const principals = new Principals()
  const [alice, mallory] = [principals.session('root/alice').graph, principals.session('root/mallory').graph]
  await alice.write((tx) => {
    tx.put('sky', { labels: ['Fact'], props: { text: 'blue', sure: true } })
    tx.put('grass', { props: { text: 'green' } })
    tx.link('sky', 'ABOVE', 'grass')
  })
  const clean = alice.digest()
  await mallory.write((tx) => {
    tx.patch('sky', { labels: ['False'], props: { text: 'pink', sure: undefined } })
    tx.unlink('sky', 'ABOVE', 'grass')
    tx.put('moon', { props: { text: 'cheese' } })
    tx.link('moon', 'ABOVE', 'grass')
  })
  await mallory.write((tx) => tx.remove('grass', { detach: true }))
  return { principals, graph: alice, clean }
}

test('revert takes back what one principal wrote, and the digest is the old one', async (t) => {
  const { graph, clean } = await poisoned()
  const dry = await graph.revert({ principal: 'root/mallory', since: 1n, dryRun: true })
  t.is(dry.version, undefined)
  t.not(graph.digest(), clean)
  const report = await graph.revert({ principal: 'root/mallory', since: 1n })
  t.is(graph.digest(), clean)
  t.deepEqual([report.version, report.restored, report.kept], [4n, dry.restored, []])
  t.is(graph.digest(report.version), clean)
  t.like(graph.blame('sky', 'text'), { principal: 'root/alice', version: 4n })
  t.is(graph.at(2n).get('sky')?.props['text'], 'pink', 'the past stays what it was')
})

test('revert leaves what others have changed since, and says so', async (t) => {
  const { graph } = await poisoned()
  await graph.write((tx) => tx.patch('sky', { props: { text: 'grey' } }))
  const report = await graph.revert({ principal: 'root/mallory', since: 1n })
  t.is(graph.get('sky')?.props['text'], 'grey')
  t.is(graph.get('sky')?.props['sure'], true)
  t.deepEqual(
    report.kept.map(({ target, slot }) => [target, slot]),
    [['sky', 'property:text']],
  )
})

test('revert names later commits of others that had read what was taken back', async (t) => {
  const { graph } = await poisoned()
  const { version } = await graph.write((tx) =>
    tx.put('copy', { props: { text: tx.get('sky')?.props['text'] } }),
  )
  const report = await graph.revert({ principal: 'root/mallory', since: 1n, dryRun: true })
  t.deepEqual(report.descendants, [version])
})

test('two who wrote over each other can be reverted in either order', async (t) => {
  for (const order of [
    ['root/one', 'root/two'],
    ['root/two', 'root/one'],
  ]) {
    const principals = new Principals()
    const { graph } = principals.session('root/alice')
    await graph.write((tx) => tx.put('a', { props: { x: 1 } }))
    await principals.session('root/one').graph.write((tx) => tx.patch('a', { props: { x: 5 } }))
    await principals.session('root/two').graph.write((tx) => tx.patch('a', { props: { x: 6 } }))
    for (const principal of order) await graph.revert({ principal, since: 1n })
    t.is(graph.get('a')?.props['x'], 1)
    t.is(graph.digest(), graph.digest(1n))
    const again = await graph.revert({ principal: order[0]!, since: 1n })
    t.deepEqual([again.version, again.restored, again.kept], [undefined, 0, []])
  }
})

test('since is exclusive, and nothing to take back makes no commit', async (t) => {
  const { graph } = await poisoned()
  const before = graph.digest()
  for (const options of [
    { principal: 'root/mallory', since: 3n },
    { principal: 'root/nobody', since: 0n },
  ]) {
    const report = await graph.revert(options)
    t.deepEqual([report.version, report.restored, report.kept.length], [undefined, 0, 0])
  }
  t.is(graph.digest(), before)
  await refused(t, 'ERR_KARYON_ARGUMENT', graph.revert({ principal: 5 as never, since: 0n }))
  await refused(t, 'ERR_KARYON_ARGUMENT', graph.revert(undefined as never))
  for (const dryRun of [null, 0, 1, '', 'false', {}]) {
    const options = { principal: 'root', since: 0n, dryRun } as never
    await refused(t, 'ERR_KARYON_ARGUMENT', graph.revert(options), String(dryRun))
  }
  t.is(graph.digest(), before)
})

test('many questions at once get each its own answer', async (t) => {
  const { graph } = await poisoned()
  const answers = await Promise.all([
    ...Array.from({ length: 10 }, () => graph.verify()),
    ...Array.from({ length: 10 }, () => graph.revert({ principal: 'root/mallory', since: 1n, dryRun: true })),
  ])
  const [first, last] = [answers[0]!, answers[19]!]
  for (const [at, each] of answers.entries()) t.deepEqual<unknown, unknown>(each, at < 10 ? first : last)
  t.true('digest' in first && 'restored' in last)
})

test('the digest depends on what the graph says, not on how it came to say it', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  for (let round = 0; round < 20; round++) {
    const nodes = Array.from({ length: 12 }, (_, n) => ({
      key: `n${n}`,
      labels: ['A', 'B', 'C'].filter(() => random() < 0.5),
      props: Object.fromEntries(['p', 'q', 'r'].map((name) => [name, randomValue(random, 2)])),
    }))
    const edges = Array.from({ length: 20 }, (_, n) => ({
      ends: [pick(random, nodes).key, pick(random, nodes).key] as const,
      key: `${n}`,
      props: { w: randomValue(random, 1) },
    }))
    const straight = Kernel.memory().graph
    await straight.write((tx) => {
      for (const { key, ...node } of nodes) tx.put(key, node)
      for (const { ends, key, props } of edges) tx.link(ends[0], 'T', ends[1], { key, props })
    })
    const crooked = Kernel.memory().graph
    await crooked.write((tx) => tx.put('detour', { labels: ['Z'], props: { unseen: 1 } }))
    for (const { key, labels, props } of nodes.toReversed()) {
      await crooked.write((tx) => tx.put(key, { props: { gone: 1 }, labels: ['Z'] }))
      await crooked.write((tx) => tx.put(key, { labels: labels.toReversed() }))
      for (const [name, value] of Object.entries(props).toReversed()) {
        await crooked.write((tx) => tx.patch(key, { props: { [name]: value } }))
      }
    }
    await crooked.write((tx) => {
      tx.remove('detour')
      for (const { ends, key, props } of edges.toReversed()) {
        tx.link(ends[0], 'T', ends[1], { key })
        tx.link(ends[0], 'T', ends[1], { key, props })
      }
    })
    t.is(straight.digest(), crooked.digest(), `KARYON_SEED=${seed}, round ${round}`)
    t.regex(straight.digest(), /^[0-9a-f]{64}$/)
  }
})

test('every bit of content shows in the digest', async (t) => {
  const digests = await Promise.all(
    [
      { labels: ['L'], props: { a: 1 } },
      { labels: ['K'], props: { a: 1 } },
      { labels: [], props: { a: 1 } },
      { labels: ['L'], props: { a: 1n } },
      { labels: ['L'], props: { a: '1' } },
      { labels: ['L'], props: { a: -0 } },
      { labels: ['L'], props: { a: 0 } },
      { labels: ['L'], props: { b: 1 } },
      { labels: ['L'], props: { a: null } },
      { labels: ['L'] },
    ].map(async (node) => {
      const { graph } = Kernel.memory()
      await graph.write((tx) => tx.put('n', node))
      return graph.digest()
    }),
  )
  t.is(new Set(digests).size, digests.length)
})

test('verify reads the disk again and agrees with the digest', async (t) => {
  const { graph } = await freshKernel(t)
  for (let n = 0; n < 40; n++) await graph.write((tx) => tx.put(`n${n % 5}`, { props: { n } }))
  const report = await graph.verify()
  t.like(report, { version: 40n, nodes: 5, edges: 0, digest: graph.digest() })
  t.true(report.frames > 0)
  t.like(await Kernel.memory().graph.verify(), { version: 0n, frames: 0, nodes: 0 })
})

test('a principal without a grant is refused with its own code, and the refusal is made known', async (t) => {
  const principals = new Principals()
  const root = principals.session('root').graph
  await root.write((tx) => {
    tx.put('fact', { labels: ['Fact'] })
    tx.put('secret', { labels: ['Fact', 'Secret'] })
    tx.put('bare')
    tx.link('fact', 'CITES', 'secret')
  })
  const { graph } = principals.session('root/eve', { read: ['Fact'] })
  t.is(graph.get('fact')?.key, 'fact')
  const refusals: readonly (() => unknown)[] = [
    () => graph.get('secret'),
    () => graph.get('bare'),
    () => graph.getMany(['fact', 'bare']),
    () => [...graph.out('fact', 'CITES')],
    () => graph.edge({ from: 'fact', type: 'CITES', to: 'secret' }),
    () => graph.count({ label: 'Secret' }),
    () => graph.digest(),
    () => graph.blame('secret'),
    () => graph.write((tx) => tx.patch('fact', { props: { n: 1 } })),
    () => graph.write((tx) => tx.put('new', { labels: ['Fact'] })),
    () => graph.revert({ principal: 'root', since: 0n }),
  ]
  for (const [at, act] of refusals.entries()) {
    const error = await refused(t, 'ERR_KARYON_ACCESS', act, String(act))
    t.is(error.details['principal'], 'root/eve')
    t.is(principals.refusals.length, at + 1, String(act))
  }
  t.deepEqual(
    [...graph.nodes()].map(({ key }) => key),
    ['fact'],
  )
  t.deepEqual([...graph.out('fact')], [])
  t.is(graph.count(), 1)
  t.deepEqual(
    [...graph.diff(0n, 1n)].map(({ target }) => target),
    ['fact'],
  )
  t.is(root.get('fact')?.props['n'], undefined)
})

test('of an ended session nothing is read or committed any more, also by what it had open', async (t) => {
  const principals = new Principals()
  const session = principals.session('root/a')
  const { graph } = session
  await graph.write((tx) => tx.put('a'))
  const [long, turn, view, scan] = [graph.begin(), session.begin(), graph.snapshot(), graph.nodes()]
  long.put('b')
  turn.put('c')
  session.kill()
  session.kill()
  // Its number on the native side goes to the next one, which must not be mistaken for it.
  principals.session('root/next')
  for (const act of [
    () => graph.get('a'),
    () => graph.write((tx) => tx.put('d')),
    () => graph.write((tx) => tx.count()),
    () => graph.begin(),
    () => graph.history('a').next(),
    () => graph.blame('a'),
    () => graph.digest(),
    () => graph.verify().then(() => graph.get('a')),
    () => graph.revert({ principal: 'root/a', since: 0n }),
    () => long.commit(),
    () => turn.submit(),
    () => view.get('a'),
    () => scan.next(),
    () => session.begin(),
  ]) {
    const error = await refused(t, 'ERR_KARYON_CELL_DEAD', act, String(act))
    t.is(error.details['principal'], 'root/a')
  }
  t.deepEqual(
    [...principals.session('root').graph.nodes()].map(({ key }) => key),
    ['a'],
  )
})

test('both sides of a difference say which commit last changed them', async (t) => {
  const { graph } = await freshKernel(t)
  await graph.write((tx) => tx.put('a', { labels: ['A'], props: { n: 1, gone: true } }))
  await graph.write((tx) => tx.patch('a', { labels: ['B'] }))
  await graph.write((tx) => tx.patch('a', { props: { gone: undefined } }))
  await graph.write((tx) => tx.patch('a', { dropLabels: ['A'] }))
  for (const [from, to] of [
    [1n, 2n],
    [2n, 3n],
    [3n, 4n],
    [4n, 1n],
  ] as const) {
    const [difference] = graph.diff(from, to)
    t.deepEqual(difference?.before, graph.at(from).get('a'))
    t.deepEqual(difference?.after, graph.at(to).get('a'))
    if (difference?.entity === 'node') t.is(difference.target, difference.after?.key as string)
  }
})
