import test from 'ava'
import { Kernel, match, type Pattern } from '../../ts/index.ts'
import { refused } from '../kernel/refused.ts'

/** As a program without types would have it. */
type Untyped = Record<'node' | 'out' | 'filter' | 'optional', (...args: unknown[]) => Untyped> & {
  rows(): Iterable<unknown>
}

function begin(): Untyped {
  return match(Kernel.memory().graph) as unknown as Untyped
}

const WRONG: Readonly<Record<string, (pattern: Untyped) => unknown>> = {
  'a name that is no string': (pattern) => pattern.node(5),
  'no name': (pattern) => pattern.node(),
  'a node that is a string': (pattern) => pattern.node('a', 'Person'),
  'a slip of the pen': (pattern) => pattern.node('a', { labels: ['Person'] }),
  'a label that is none': (pattern) => pattern.node('a', { label: 5 }),
  'a key that is none': (pattern) => pattern.node('a', { key: 5 }),
  'an edge before any node': (pattern) => pattern.out('T', 'b'),
  'no node at all': (pattern) => pattern.rows(),
  'an edge that is neither type nor object': (pattern) => pattern.node('a').out(undefined, 'b'),
  'an edge with what edges do not have': (pattern) => pattern.node('a').out({ typ: 'T' }, 'b'),
  'an edge without the node it leads to': (pattern) => pattern.node('a').out('T'),
  'an edge named like a node': (pattern) => pattern.node('a').out({ as: 'a' }, 'b'),
  'a node named like its edge': (pattern) => pattern.node('a').out({ as: 'b' }, 'b'),
  'an edge mentioned twice': (pattern) => pattern.node('a').out({ as: 'e' }, 'b').out({ as: 'e' }, 'c'),
  'a node named like an edge': (pattern) => pattern.node('a').out({ as: 'e' }, 'b').node('e'),
  'hops that are a number': (pattern) => pattern.node('a').out({ hops: 3 }, 'b'),
  'hops that are none': (pattern) => pattern.node('a').out({ hops: [0, 0] }, 'b'),
  'hops that go back': (pattern) => pattern.node('a').out({ hops: [3, 1] }, 'b'),
  'hops of halves': (pattern) => pattern.node('a').out({ hops: [0.5, 1] }, 'b'),
  'more hops than are allowed': (pattern) => pattern.node('a').out({ hops: [1, 17] }, 'b'),
  'a filter that is none': (pattern) => pattern.node('a').filter({ a: 1 }),
  'an optional part that is none': (pattern) => pattern.node('a').optional({}),
  'an optional part that gives nothing back': (pattern) => pattern.node('a').optional(() => {}),
  'an optional part of another pattern': (pattern) => pattern.node('a').optional(() => begin().node('a')),
  'an optional name gone on from outside': (pattern) =>
    pattern
      .node('a')
      .optional((part: unknown) => (part as Untyped).out('T', 'b'))
      .node('b'),
  'a condition that says nothing': (pattern) => pattern.node('a', { where: { property: 'age' } }),
  'a condition that says too much': (pattern) =>
    pattern.node('a', { where: { property: 'age', equals: 1, from: 2 } }),
  'a condition with a slip of the pen': (pattern) =>
    pattern.node('a').out({ where: { property: 'age', equal: 1 } }, 'b'),
}

for (const [what, act] of Object.entries(WRONG)) {
  test(`${what} is refused where it is written`, async (t) => {
    await refused(t, 'ERR_KARYON_ARGUMENT', () => act(begin()))
  })
}

test('values and names that nothing can have are refused as everywhere', async (t) => {
  const where = (condition: object) => (): unknown =>
    begin().node('a', { where: { property: 'age', ...condition } })
  await refused(t, 'ERR_KARYON_VALUE_TYPE', where({ from: 1, to: 'b' }))
  await refused(t, 'ERR_KARYON_VALUE_TYPE', where({ from: [1] }))
  await refused(t, 'ERR_KARYON_VALUE_TYPE', where({ prefix: 5 }))
  await refused(t, 'ERR_KARYON_VALUE_TYPE', where({ equals: () => 1 }))
  await refused(t, 'ERR_KARYON_KEY_SIZE', () => begin().node(''))
  await refused(t, 'ERR_KARYON_KEY_SIZE', () => begin().node('a', { label: '' }))
  await refused(t, 'ERR_KARYON_KEY_SIZE', () => begin().node('a').out('', 'b'))
  await refused(t, 'ERR_KARYON_NAME_RESERVED', () => begin().node('__proto__'))
})

test('a pattern has a bound, and says so', async (t) => {
  let pattern = begin().node('a')
  for (let n = 1; n < 64; n++) pattern = pattern.out('T', `n${n}`)
  const error = await refused(t, 'ERR_KARYON_ARGUMENT', () => pattern.out('T', 'z'))
  t.deepEqual(error.details, { limit: 64 })
  await refused(t, 'ERR_KARYON_ARGUMENT', () =>
    pattern.optional((part: unknown) => (part as Untyped).node('a')),
  )
  t.is((pattern as unknown as Pattern<object>).count(), 0)
})

test('what is no reader cannot be matched', async (t) => {
  for (const wrong of [undefined, null, 'graph', {}, Kernel.memory()]) {
    await refused(t, 'ERR_KARYON_ARGUMENT', () => match(wrong as never))
  }
})

test('a pattern does not change when what it was made of does', (t) => {
  const { graph } = Kernel.memory()
  const said = { label: 'A', where: { property: 'n', equals: 1 } }
  const short = match(graph).node('a', said)
  said.label = 5 as unknown as string
  said.where.property = ''
  short.out('T', 'b')
  t.is(short.count(), 0)
})
