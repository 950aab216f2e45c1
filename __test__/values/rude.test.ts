// Values and arguments that run code while they are read.
import test from 'ava'
import { Kernel, type EdgeIdentity, type Value } from '../../ts/index.ts'
import { refused } from '../kernel/refused.ts'

async function graphOf(): Promise<Kernel['graph']> {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (const key of ['a', 'b', 'c']) tx.put(key, { labels: ['L'], props: { key } })
    tx.link('a', 'T', 'b', { props: { n: 1 } })
  })
  return graph
}

test('what a getter throws comes out as it is, and nothing of the verb is kept', async (t) => {
  const graph = await graphOf()
  using tx = graph.begin()
  const thrown = new Error('mine')
  const rude = {
    get value(): Value {
      throw thrown
    },
  }
  tx.put('before')
  t.is(
    t.throws(() => tx.put('n', { props: { fine: 'x'.repeat(1000), rude } })),
    thrown,
  )
  t.is(tx.get('n'), undefined)
  tx.put('after')
  await tx.commit()
  t.deepEqual([...graph.nodes()].map(({ key }) => key).toSorted(), ['a', 'after', 'b', 'before', 'c'])
})

test('a getter may not use the transaction that stores its value', async (t) => {
  const graph = await graphOf()
  for (const use of [
    (tx: ReturnType<typeof graph.begin>) => tx.put('nested'),
    (tx: ReturnType<typeof graph.begin>) => void tx.get('a'),
    (tx: ReturnType<typeof graph.begin>) => void tx.commit().catch(() => {}),
  ]) {
    using tx = graph.begin()
    const rude = {
      get value(): Value {
        use(tx)
        return 1
      },
    }
    if (use.toString().includes('commit')) {
      tx.put('n', { props: { rude } })
      t.deepEqual(tx.get('n')?.props, { rude: { value: 1 } }, 'the commit inside was refused')
    } else {
      await refused(t, 'ERR_KARYON_ARGUMENT', () => tx.put('n', { props: { rude } }))
      t.is(tx.get('n'), undefined)
    }
    t.is(tx.get('nested'), undefined)
  }
})

test('a getter may read the graph and use another transaction', async (t) => {
  const graph = await graphOf()
  using tx = graph.begin()
  using other = graph.begin()
  const curious = {
    get value(): Value {
      other.put('other', { props: { text: 'y'.repeat(300) } })
      return [...graph.nodes()].length + (other.get('other') ? 1 : 0) + graph.count()
    },
  }
  tx.put('n', { props: { before: 1, curious, z: 'z' } })
  t.deepEqual(tx.get('n')?.props, { before: 1, curious: { value: 7 }, z: 'z' })
})

test('a list that changes while it is stored is stored as long as it was', async (t) => {
  const graph = await graphOf()
  const growing: unknown[] = [1]
  growing.push({
    get grow(): Value {
      growing.push('more')
      return 1
    },
  })
  await graph.write((tx) => tx.put('n', { props: { growing: growing as Value } }))
  t.deepEqual(graph.get('n')?.props, { growing: [1, { grow: 1 }] })
  const shrinking: unknown[] = [
    {
      get shrink(): Value {
        shrinking.length = 1
        return 1
      },
    },
    2,
  ]
  await refused(
    t,
    'ERR_KARYON_VALUE_TYPE',
    graph.write((tx) => tx.put('n', { props: { shrinking: shrinking as Value } })),
  )
})

test('a list that lies about its length is refused', async (t) => {
  const graph = await graphOf()
  for (const length of [-1, 0.5, Number.NaN, '3', 2 ** 60]) {
    const list = new Proxy([1], {
      get: (target, name) => (name === 'length' ? length : Reflect.get(target, name)),
    })
    await refused(
      t,
      'ERR_KARYON_VALUE_TYPE',
      graph.write((tx) => tx.put('n', { props: { list } })),
    )
  }
})

test('arguments with getters that read the graph are asked about as they are', async (t) => {
  const graph = await graphOf()
  const nosy = <T extends object>(plain: T): T => {
    const properties = Object.entries(plain).map(([name, value]) => [
      name,
      {
        enumerable: true,
        get: (): unknown => {
          graph.count()
          graph.count({ label: 'a label much longer than everything else that is asked about here' })
          return value as unknown
        },
      },
    ])
    return Object.defineProperties({}, Object.fromEntries(properties) as PropertyDescriptorMap) as T
  }
  const edge: EdgeIdentity = nosy({ from: 'a', type: 'T', to: 'b' })
  t.deepEqual(graph.edge(edge)?.props, { n: 1 })
  t.is([...graph.history(edge)].length, 2)
  t.is(graph.blame(edge, 'n')?.principal, 'root')
  t.is(graph.count(nosy({ label: 'L' })), 3)
  t.is([...graph.nodes(nosy({ label: 'L' }))].length, 3)
  const keys = new Proxy(['a', 'b'], {
    get(target, name, self): unknown {
      graph.count({ label: 'a label much longer than all' })
      return Reflect.get(target, name, self)
    },
  })
  t.deepEqual(
    graph.getMany(keys).map((node) => node?.key),
    ['a', 'b'],
  )
})

test('a target that changes between two pages is still the one that was asked about', async (t) => {
  const graph = await graphOf()
  const target = { from: 'a', type: 'T', to: 'b' }
  for (let n = 0; n < 300; n++) await graph.write((tx) => tx.patch(target, { props: { n: n + 2 } }))
  const changes = graph.history(target, { property: 'n' })
  changes.next()
  target.to = 'c'
  t.is([...changes].length, 300)
})

test('a value that cannot be told from a promise does not leave the transaction open', async (t) => {
  const graph = await graphOf()
  const odd = {
    get then(): never {
      throw new Error('mine')
    },
  }
  for (let n = 0; n < 1100; n++) {
    await t.throwsAsync(
      graph.write((tx) => {
        tx.count()
        return odd
      }),
      { message: 'mine' },
    )
  }
})
