import test from 'ava'
import { Kernel, type Graph, type OpenTransaction } from '../../ts/index.ts'
import { Principals } from '../graph/principals.ts'
import { refused } from '../kernel/refused.ts'

/** Two nodes, an edge, and a node without edges. */
async function prepared(): Promise<Graph> {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('a', { labels: ['L'], props: { n: 1, list: [1] } })
    tx.put('b')
    tx.put('alone')
    tx.link('a', 'T', 'b', { props: { w: 1 } })
  })
  return graph
}

function relaxed(graph: Graph): OpenTransaction {
  return graph.begin({ isolation: 'snapshot' })
}

test('an isolation that there is not is refused', async (t) => {
  const { graph } = Kernel.memory()
  for (const isolation of ['', 'Snapshot', 'read committed', null, 0, {}]) {
    const options = { isolation: isolation as 'snapshot' }
    await refused(t, 'ERR_KARYON_ARGUMENT', () => graph.begin(options), String(isolation))
    await refused(
      t,
      'ERR_KARYON_ARGUMENT',
      graph.write(() => t.fail(), options),
      String(isolation),
    )
  }
  for (const isolation of ['serializable', 'snapshot', undefined] as const) {
    const options = isolation ? { isolation } : {}
    graph.begin(options).rollback()
    t.is((await graph.write(() => 'ran', options)).value, 'ran')
  }
})

test('what was read is validated unless snapshot isolation was asked for', async (t) => {
  const reads: readonly ((tx: OpenTransaction) => unknown)[] = [
    (tx) => tx.get('a'),
    (tx) => tx.get('later'),
    (tx) => [...tx.out('alone')],
    (tx) => [...tx.in('b', 'T')],
    (tx) => tx.degree('a', 'out'),
    (tx) => [...tx.nodes({ label: 'L' })],
    (tx) => tx.count({ label: 'never so far' }),
    (tx) => tx.count(),
  ]
  for (const read of reads) {
    for (const isolation of ['serializable', 'snapshot'] as const) {
      const graph = await prepared()
      using tx = graph.begin({ isolation })
      read(tx)
      tx.patch('b', { props: { read: true } })
      await graph.write((other) => {
        other.put('later', { labels: ['L', 'never so far'] })
        other.patch('a', { props: { n: 2 } })
        other.link('alone', 'T', 'b')
        other.link('a', 'U', 'b')
      })
      const commit = tx.commit()
      if (isolation === 'snapshot') await t.notThrowsAsync(commit, String(read))
      else await refused(t, 'ERR_KARYON_CONFLICT', commit, String(read))
    }
  }
})

test('under snapshot isolation two that write one slot conflict, and two that write different ones do not', async (t) => {
  const writes: readonly (readonly [boolean, (tx: OpenTransaction, n: number) => void])[] = [
    [true, (tx, n) => tx.patch('a', { props: { n } })],
    [true, (tx, n) => tx.patch('a', { labels: ['M'], props: { [`own${n}`]: n } })],
    [true, (tx, n) => tx.append('a', 'list', [n])],
    [true, (tx, n) => tx.splice('a', 'list', 0, 1, [n])],
    [true, (tx, n) => tx.put('new', { props: { n } })],
    [true, (tx, n) => tx.patch('new', { props: { [`own${n}`]: n } })],
    [true, (tx) => tx.remove('alone')],
    [true, (tx) => tx.unlink('a', 'T', 'b')],
    [true, (tx, n) => tx.link('a', 'T', 'b', { props: { w: n } })],
    [false, (tx, n) => tx.patch('a', { props: { [`own${n}`]: n } })],
    [false, (tx, n) => tx.link('a', 'T', 'b', { key: `${n}` })],
    [false, (tx, n) => tx.put(`own${n}`, { labels: ['L'] })],
    [false, (tx, n) => tx.increment('a', 'n', n)],
  ]
  for (const [clash, write] of writes) {
    const graph = await prepared()
    const [one, two] = [relaxed(graph), relaxed(graph)]
    write(one, 11)
    write(two, 22)
    await one.commit()
    if (clash) await refused(t, 'ERR_KARYON_CONFLICT', two.commit(), String(write))
    else await t.notThrowsAsync(two.commit(), String(write))
  }
})

test('under snapshot isolation an increment of what was read is no update lost', async (t) => {
  const graph = await prepared()
  const [blind, seeing] = [relaxed(graph), relaxed(graph)]
  for (const tx of [blind, seeing]) tx.increment('a', 'n', 10)
  t.is(seeing.get('a')?.props['n'], 11)
  await blind.commit()
  await refused(t, 'ERR_KARYON_CONFLICT', seeing.commit())
  t.is(graph.get('a')?.props['n'], 11)
})

test('under snapshot isolation no edge dangles, whichever of a link and a removal is the first', async (t) => {
  const link = (tx: OpenTransaction): void => tx.link('a', 'T', 'alone')
  for (const detach of [false, true]) {
    for (const first of ['link', 'remove'] as const) {
      const graph = await prepared()
      const [linking, removing] = [relaxed(graph), relaxed(graph)]
      // Both have looked, and found that it can be done.
      t.truthy(linking.get('alone'))
      t.is(removing.degree('alone', 'in'), 0)
      link(linking)
      removing.remove('alone', { detach })
      const [winner, loser] = first === 'link' ? [linking, removing] : [removing, linking]
      await winner.commit()
      const code = detach ? 'ERR_KARYON_CONFLICT' : 'ERR_KARYON_HAS_EDGES'
      await refused(t, first === 'link' ? code : 'ERR_KARYON_NODE_MISSING', loser.commit())
      t.is(graph.get('alone') !== undefined, graph.degree('a', 'out') === 2)
      await graph.verify()
    }
  }
})

test('under snapshot isolation a node takes no edge along that was changed behind its back', async (t) => {
  const changes: readonly ((tx: OpenTransaction) => void)[] = [
    (tx) => tx.link('a', 'T', 'b', { props: { w: 2 } }),
    (tx) => tx.link('a', 'T', 'b', { key: 'another' }),
    (tx) => tx.link('b', 'T', 'a'),
  ]
  for (const change of changes) {
    const graph = await prepared()
    const [removing, changing] = [relaxed(graph), graph.begin()]
    removing.remove('a', { detach: true })
    change(changing)
    await changing.commit()
    await refused(t, 'ERR_KARYON_CONFLICT', removing.commit(), String(change))
    t.truthy(graph.get('a'))
  }
  const graph = await prepared()
  const [removing, unlinking] = [relaxed(graph), graph.begin()]
  removing.remove('a', { detach: true })
  unlinking.unlink('a', 'T', 'b')
  await unlinking.commit()
  await removing.commit()
  t.is(graph.get('a'), undefined)
})

test('under snapshot isolation a commit has for parents what it read, and not what was written since', async (t) => {
  const principals = new Principals()
  const [alice, mallory, graph] = (['root/alice', 'root/mallory', 'root'] as const).map(
    (name) => principals.session(name).graph,
  ) as [Graph, Graph, Graph]
  const reads: readonly ((tx: OpenTransaction) => unknown)[] = [
    (tx) => tx.get('x'),
    (tx) => tx.edge({ from: 'x', type: 'T', to: 'x' }),
    (tx) => [...tx.out('x', 'T')].length,
    (tx) => tx.degree('x', 'in'),
    (tx) => tx.count({ label: 'X' }),
  ]
  await alice.write((tx) => {
    tx.put('x', { labels: ['X'], props: { n: 1 } })
    tx.link('x', 'T', 'x')
  })
  const open = reads.map((read, n) => {
    const tx = relaxed(graph)
    read(tx)
    tx.put(`read ${n}`)
    return tx
  })
  await mallory.write((tx) => {
    tx.patch('x', { props: { n: 2 } })
    tx.link('x', 'T', 'x', { props: { w: 1 } })
    tx.link('x', 'T', 'x', { key: 'another' })
    tx.put('y', { labels: ['X'] })
  })
  const versions: bigint[] = []
  for (const tx of open) versions.push((await tx.commit()).version)
  const descendants = async (principal: string): Promise<bigint[]> => {
    const report = await graph.revert({ principal: `root/${principal}`, since: 0n, dryRun: true })
    return report.descendants.filter((version) => versions.includes(version))
  }
  t.deepEqual(await descendants('alice'), versions)
  t.deepEqual(await descendants('mallory'), [])
})

test('write runs again under snapshot isolation too when another wrote the same', async (t) => {
  const graph = await prepared()
  const meddler = graph.begin()
  meddler.patch('a', { props: { n: 5 } })
  let runs = 0
  const { value } = await graph.write(
    (tx) => {
      const n = tx.get('a')?.props['n'] as number
      if (runs++ === 0) void meddler.commit()
      tx.patch('a', { props: { n: n + 1 } })
      return n
    },
    { isolation: 'snapshot' },
  )
  t.deepEqual([runs, value, graph.get('a')?.props['n']], [2, 5, 6])
})
