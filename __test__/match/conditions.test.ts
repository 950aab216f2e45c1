import test from 'ava'
import { Instant, Kernel, match, type Condition, type Node, type Value } from '../../ts/index.ts'
import { type Random, chooseSeed, pick, randomText, randomValue, seededRandom } from '../values/random.ts'

const TIME = 1_700_000_000_123

/** Values that are equal, nearly so, or of kinds that are easily taken for each other. */
const VALUES: readonly Value[] = [
  null,
  false,
  true,
  0,
  -0,
  1,
  1n,
  1.5,
  -1,
  Number.NaN,
  Infinity,
  -Infinity,
  2 ** 53 - 1,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 63n),
  2n ** 63n - 1n,
  new Date(TIME),
  new Date(-1),
  Instant.fromMicros(BigInt(TIME) * 1_000n + 1n),
  '',
  '1',
  'a',
  'ab',
  '\ue000',
  '\u{10ffff}',
  Uint8Array.of(),
  Uint8Array.of(97),
  Uint8Array.of(97, 98),
  Buffer.from('ab'),
  [],
  [1],
  [1n],
  [-0],
  [0],
  [Number.NaN],
  ['a', { b: [Uint8Array.of(1)], c: new Date(TIME) }],
  ['a', { c: new Date(TIME), b: [Uint8Array.of(1)] }],
  {},
  { a: 1 },
  { a: 1, b: null },
  { b: null, a: 1 },
  Float32Array.of(),
  Float32Array.of(1),
  Float32Array.of(Number.NaN, -0),
  Float32Array.of(Number.NaN, 0),
]

/** What a graph says of the nodes it looks for, and what a pattern says of those that it comes to. */
async function compared(values: readonly Value[], conditions: readonly object[]): Promise<string[]> {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('hub')
    for (const [at, value] of values.entries()) {
      tx.put(`n${at}`, { props: { value } })
      tx.link('hub', 'HAS', `n${at}`)
    }
    tx.put('none')
    tx.link('hub', 'HAS', 'none')
  })
  const answers = (find: () => Iterable<Node>): string => {
    try {
      return Array.from(find(), ({ key }) => key)
        .toSorted()
        .join()
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  return conditions.flatMap((operators, at) => {
    const where = { property: 'value', ...operators } as Condition
    const asked = answers(() => graph.nodes({ where }))
    const looked = answers(() => {
      const rows = match(graph).node('hub', { key: 'hub' }).out('HAS', 'node', { where }).rows()
      return Array.from(rows, ({ node }) => node)
    })
    return asked === looked ? [] : [`condition ${at}: the graph finds ${asked}, the pattern ${looked}`]
  })
}

test('a pattern takes conditions as the graph does, whatever the values are', async (t) => {
  const pairs = VALUES.flatMap((from) => VALUES.map((to) => ({ from, to })))
  const conditions = VALUES.flatMap((value) => [
    { equals: value },
    { from: value },
    { to: value },
    { prefix: value },
  ])
  t.deepEqual(await compared(VALUES, [...conditions, ...pairs]), [])
})

test('a pattern takes random conditions as the graph does', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const value = (random: Random): Value => pick(random, [randomValue(random, 2), randomText(random, 3)])
  const values = Array.from({ length: 200 }, () => value(random))
  const one = (): Value => (random() < 0.5 ? pick(random, values) : value(random))
  const conditions = Array.from({ length: 300 }, () =>
    pick(random, [
      { equals: one() },
      { from: one() },
      { to: one() },
      { prefix: one() },
      { from: one(), to: one() },
    ]),
  )
  t.deepEqual(await compared(values, conditions), [], `KARYON_SEED=${seed}`)
})
