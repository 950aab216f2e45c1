import test from 'ava'
import { Kernel, type Graph } from '../../ts/index.ts'
import { freshKernel } from '../kernel/directory.ts'

const MANY = 1_100

async function crowd(graph: Graph): Promise<void> {
  await graph.write((tx) => {
    tx.put('hub', { labels: ['Hub'] })
    for (let n = 0; n < MANY; n++) {
      tx.put(`n${n}`, { labels: ['L'], props: { n } })
      tx.link('hub', n % 2 ? 'ODD' : 'EVEN', `n${n}`, { props: { n } })
      tx.link(`n${n}`, 'BACK', 'hub')
    }
  })
}

test('every scan gives each item once, however many pages it takes', async (t) => {
  const { graph } = await freshKernel(t)
  await crowd(graph)
  t.is(new Set([...graph.nodes()].map(({ key }) => key)).size, MANY + 1)
  t.is([...graph.nodes()].length, MANY + 1)
  t.is([...graph.nodes({ label: 'L' })].length, MANY)
  t.is([...graph.nodes({ label: 'None' })].length, 0)
  t.is(new Set([...graph.out('hub')].map(({ to }) => to)).size, MANY)
  t.is([...graph.out('hub', 'ODD')].length, MANY / 2)
  t.is([...graph.in('hub', 'BACK')].length, MANY)
  t.is([...graph.in('hub', 'ODD')].length, 0)
  t.is([...graph.out('nobody')].length, 0)
  for (const { to, props } of graph.out('hub')) t.is(to, `n${Number(props['n'])}`)
})

test('a scan shows the version at which it began, whatever is written between its pages', async (t) => {
  for (const { graph } of [await freshKernel(t), Kernel.memory()]) {
    await crowd(graph)
    const scans = [graph.nodes({ label: 'L' }), graph.out('hub'), graph.in('hub')]
    const counts = [0, 0, 0]
    await graph.write((tx) => {
      tx.remove('n7', { detach: true })
      tx.put('late', { labels: ['L'] })
    })
    for (;;) {
      const items = scans.map((scan) => scan.next())
      if (items.every(({ done }) => done)) break
      for (const [at, { done }] of items.entries()) if (!done) counts[at]!++
      const seen = counts[0] as number
      if (seen % 200 === 0) {
        await graph.write((tx) => {
          tx.remove(`n${MANY - seen / 200}`, { detach: true })
          tx.put(`late${seen}`, { labels: ['L'] })
          tx.link('hub', 'LATE', `late${seen}`)
        })
      }
    }
    t.deepEqual(counts, [MANY, MANY, MANY])
  }
})

test('scans may be interleaved with each other and with other reads', async (t) => {
  const { graph } = Kernel.memory()
  await crowd(graph)
  const nodes = graph.nodes({ label: 'L' })
  let count = 0
  for (const edge of graph.out('hub')) {
    const node = nodes.next().value
    t.is(graph.get(edge.to)?.props['n'], edge.props['n'])
    t.is(typeof node?.key, 'string')
    if (count++ % 100 === 0) t.is([...graph.in('hub')].length, MANY)
  }
  t.is(count, MANY)
  t.true(nodes.next().done)
})

test('names that are first seen in the middle of a page are read right', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (let n = 0; n < 400; n++) tx.put(`n${n}`, { labels: [`Label${n}`], props: { [`name${n}`]: { n } } })
  })
  for (const { key, labels, props } of graph.nodes()) {
    const n = Number(key.slice(1))
    t.deepEqual([labels, props], [[`Label${n}`], { [`name${n}`]: { n } }])
  }
})

test('a scan that is left early ends', async (t) => {
  const { graph } = Kernel.memory()
  await crowd(graph)
  const scan = graph.nodes()
  for (const node of scan) if (node.key === 'n3') break
  t.true(scan.next().done)
  const never = graph.out('hub')
  never.return?.()
  t.true(never.next().done)
})

test('a transaction may change what it scans and meets every item once, as it was', async (t) => {
  const { graph } = Kernel.memory()
  await crowd(graph)
  await graph.write((tx) => {
    for (const node of tx.nodes({ label: 'L' })) {
      t.is(node.props['visits'], undefined, node.key)
      tx.increment(node.key, 'visits')
    }
    for (const edge of tx.out('hub')) {
      tx.patch(edge, { props: { seen: true } })
      tx.increment(edge, 'visits')
    }
  })
  for (const { props } of graph.nodes({ label: 'L' })) t.is(props['visits'], 1)
  for (const { props } of graph.out('hub')) t.is(props['visits'], 1)
})

test('a transaction may remove and add while it scans', async (t) => {
  const { graph } = Kernel.memory()
  await crowd(graph)
  await graph.write((tx) => {
    let seen = 0
    for (const { key } of tx.nodes({ label: 'L' })) {
      tx.remove(key, { detach: true })
      tx.put(`${key}’s successor`, { labels: ['L'] })
      seen++
    }
    t.is(seen, MANY)
    t.is(tx.count({ label: 'L' }), MANY)
  })
  t.is([...graph.nodes({ label: 'L' })].filter(({ key }) => key.endsWith('successor')).length, MANY)
})

test('a transaction’s scan shows the writes that came before it', async (t) => {
  const { graph } = Kernel.memory()
  await crowd(graph)
  using tx = graph.begin()
  for (let n = 0; n < 600; n++) tx.put(`own${n}`, { labels: ['L'] })
  for (let n = 0; n < 50; n++) tx.remove(`n${n}`, { detach: true })
  const keys = [...tx.nodes({ label: 'L' })].map(({ key }) => key)
  t.deepEqual(
    [keys.length, new Set(keys).size, tx.count({ label: 'L' })],
    [MANY + 550, MANY + 550, MANY + 550],
  )
})

test('getMany answers in the order of the keys, with gaps and repetitions', async (t) => {
  const { graph } = Kernel.memory()
  await crowd(graph)
  const keys = Array.from({ length: 2_000 }, (_, n) => (n % 3 ? `n${n % MANY}` : `gap${n}`))
  t.deepEqual(
    graph.getMany(keys).map((node) => node?.key),
    keys.map((key) => (key.startsWith('gap') ? undefined : key)),
  )
  t.deepEqual(graph.getMany([]), [])
})

test('scans, counts and degrees of the past are those of then', async (t) => {
  const { graph } = await freshKernel(t)
  const versions: bigint[] = []
  for (let n = 0; n < 30; n++) {
    const { version } = await graph.write((tx) => {
      tx.put(`n${n}`, { labels: n % 2 ? ['Odd'] : ['Even'] })
      if (n > 0) tx.link(`n${n}`, 'NEXT', 'n0')
      if (n >= 20) tx.remove(`n${n - 19}`, { detach: true })
    })
    versions.push(version)
  }
  await graph.write((tx) => {
    for (const { key } of tx.nodes()) tx.remove(key, { detach: true })
  })
  for (const [n, version] of versions.entries()) {
    const gone = Math.max(0, n - 19)
    using view = graph.at(version)
    const alive = Array.from({ length: n + 1 }, (_, at) => at).filter((at) => at === 0 || at > gone)
    const odd = alive.filter((at) => at % 2).length
    t.is(view.count(), alive.length, `count at ${version}`)
    t.deepEqual(
      [...view.nodes()].map(({ key }) => key),
      alive.map((at) => `n${at}`),
    )
    t.is(view.count({ label: 'Odd' }), odd)
    t.is([...view.nodes({ label: 'Odd' })].length, odd)
    t.is(view.degree('n0', 'in', 'NEXT'), alive.length - 1)
    t.is([...view.in('n0')].length, alive.length - 1)
  }
  t.is(graph.count(), 0)
})

test('an edge that comes with an answer too long for the exchange is read whole', async (t) => {
  const { graph } = Kernel.memory()
  const long = 'x'.repeat(300_000)
  await graph.write((tx) => {
    tx.put('a', { props: { long } })
    tx.link('a', 'T', 'a', { props: { long } })
  })
  t.true(graph.get('a')?.props['long'] === long)
  t.true([...graph.out('a')][0]?.props['long'] === long)
  t.is(graph.get('b'), undefined)
  t.is(graph.get('a')?.key, 'a')
})
