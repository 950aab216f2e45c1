import test from 'ava'
import { KaryonError, Kernel, type Graph, type ValidTime, type View } from '../../ts/index.ts'
import { exportJsonLines, importJsonLines } from '../../ts/integrations/index.ts'
import { EDGES_HELD_MAX, LINE_BYTES_MAX, WAITING_EDGES_MAX } from '../../ts/integrations/limits.ts'
import { edgesInOrder, keysInOrder } from '../../ts/integrations/order.ts'
import { refused } from '../kernel/refused.ts'
import {
  below,
  chooseSeed,
  pick,
  randomText,
  randomValue,
  seededRandom,
  type Random,
} from '../values/random.ts'
import { cutAnywhere, lines, whole } from './texts.ts'

function randomTime(random: Random): ValidTime {
  const [from, to] = [below(random, 20), below(random, 20)].toSorted((a, b) => a - b) as [number, number]
  const at = (month: number): Date => new Date(Date.UTC(2026, month, 1))
  if (from === to) return random() < 0.5 ? { from: at(from) } : { to: at(to) }
  return { from: at(from), to: at(to) }
}

/** Writes anything that a graph can hold, in any order. */
async function fillAtRandom(graph: Graph, random: Random): Promise<void> {
  const keys = Array.from({ length: below(random, 12) + 1 }, (_, n) => `${randomText(random)}${n}`)
  const name = (): string => pick(random, ['p', 'q', '1', '$x'])
  const props = () => Object.fromEntries(keys.slice(0, 3).map(() => [name(), randomValue(random, 2)]))
  await graph.write((tx) => {
    for (const key of keys) tx.put(key, { labels: ['B', 'A'].filter(() => random() < 0.5), props: props() })
    for (let n = 0; n < 20; n++) {
      const key = pick(random, keys)
      if (random() < 0.3)
        tx.patch(key, { props: { [name()]: randomValue(random, 1) }, valid: randomTime(random) })
      const edge = {
        from: key,
        type: pick(random, ['T', 'U']),
        to: pick(random, keys),
        key: pick(random, ['', '1']),
      }
      const { from, type, to } = edge
      if (random() < 0.6) tx.link(from, type, to, { key: edge.key, props: props() })
      else tx.link(from, type, to, { key: edge.key, props: props(), valid: randomTime(random) })
    }
  })
}

test('a graph comes back from its lines as it was, however they are cut and portioned', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  for (let round = 0; round < 50; round++) {
    const message = `KARYON_SEED=${seed}, round ${round}`
    const { graph } = Kernel.memory()
    await fillAtRandom(graph, random)
    const text = await whole(exportJsonLines(graph))
    const other = Kernel.memory().graph
    const pieces = cutAnywhere(random, Buffer.from(text), 200)
    const imported = await importJsonLines(other, pieces, { factsPerCommit: below(random, 9) + 1 })
    t.is(other.digest(), graph.digest(), message)
    t.is(imported.lines, text.split('\n').length - 1, message)
    t.is(imported.nodes, graph.count(), message)
    t.is(imported.version, other.stats().head, message)
    // Graphs that say the same give the same bytes, whatever the order was in which they were written.
    const crooked = Kernel.memory().graph
    const shuffled = text.split(/(?<=\n)/).map((line) => ({ line, at: random() }))
    const inAnyOrder = shuffled.toSorted((a, b) => a.at - b.at).map(({ line }) => line)
    await importJsonLines(crooked, inAnyOrder, { factsPerCommit: below(random, 9) + 1 })
    t.is(crooked.digest(), graph.digest(), message)
    t.is(await whole(exportJsonLines(crooked)), text, message)
    // And a file can be imported again.
    await importJsonLines(crooked, [text])
    t.is(crooked.digest(), graph.digest(), message)
  }
})

test('the form of the lines', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('b', { labels: ['Z', 'A'], props: { z: 1, a: 2n } })
    tx.put('a')
    tx.patch('a', { props: { salary: 4_000 }, valid: { from: '2026-01-01' } })
    tx.link('b', 'T', 'a', { key: '2', valid: { from: '2026-01-01', to: '2026-02-01' } })
    tx.link('b', 'T', 'a', { props: { since: 2020 } })
  })
  t.deepEqual((await whole(exportJsonLines(graph))).split('\n'), [
    '{"node":"a","intervals":{"salary":[{"from":"2026-01-01T00:00:00.000Z","value":4000}]}}',
    '{"node":"b","labels":["A","Z"],"props":{"a":{"$bigint":"2"},"z":1}}',
    '{"edge":["b","T","a"],"props":{"since":2020}}',
    '{"edge":["b","T","a"],"key":"2","valid":[{"from":"2026-01-01T00:00:00.000Z","to":"2026-02-01T00:00:00.000Z"}]}',
    '',
  ])
  t.deepEqual((await whole(exportJsonLines(graph.validAt('2026-03-01')))).split('\n').slice(0, 1), [
    '{"node":"a","props":{"salary":4000}}',
  ])
})

test('what is exported is one version, that of the view or the newest when it begins', async (t) => {
  const { graph } = Kernel.memory()
  const { version } = await graph.write((tx) => {
    for (let n = 0; n < 3_000; n++) tx.put(`n${n}`, { props: { n, text: 'x'.repeat(50) } })
  })
  const text = await whole(exportJsonLines(graph))
  const chunks = exportJsonLines(graph)
  const first = await chunks.next()
  await graph.write((tx) => {
    for (let n = 0; n < 3_000; n++) tx.put(`n${n}`)
    tx.put('new')
  })
  t.is((first.value as string) + (await whole(chunks)), text)
  using view = graph.at(version)
  t.is(await whole(exportJsonLines(view)), text)
  t.is(view.get('n1')?.props['n'], 1)
})

test('an export that is left lets go of its version', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a'))
  // More than may be open at once.
  for (let n = 0; n < 1_100; n++) {
    const chunks = exportJsonLines(graph)
    await chunks.next()
    await chunks.return?.()
  }
  t.is(await whole(exportJsonLines(graph)), '{"node":"a"}\n')
})

test('an export reads no further than it is asked to', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (let n = 0; n < 20_000; n++) tx.put(`n${n}`, { props: { text: 'x'.repeat(100) } })
  })
  using view = graph.snapshot()
  let reads = 0
  const counting: View = new Proxy(view, {
    get(target, name) {
      if (name === 'get') reads++
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
  const chunks = exportJsonLines(counting)
  await chunks.next()
  t.true(reads > 0 && reads < 1_000, `${reads} nodes were read for the first chunk`)
  await chunks.return?.()
})

test('an import asks for no more than it has room for', async (t) => {
  const { graph } = Kernel.memory()
  let ahead = 0
  async function* source(): AsyncGenerator<string> {
    for (let n = 0; n < 1_000; n++) {
      ahead = Math.max(ahead, n - graph.count())
      yield `{"node":"n${n}"}\n`
    }
  }
  t.like(await importJsonLines(graph, source(), { factsPerCommit: 10 }), { lines: 1_000, commits: 100 })
  t.is(ahead, 9)
})

test('a transaction is committed, too, when its lines have become long', async (t) => {
  const { graph } = Kernel.memory()
  const props = { text: 'x'.repeat(3 * 1024 * 1024) }
  const source = Array.from({ length: 7 }, (_, n) => `${JSON.stringify({ node: `n${n}`, props })}\n`)
  t.like(await importJsonLines(graph, source), { nodes: 7, commits: 3 })
})

test('keys come in order, a few at a time, and so do the edges of a node that has many', async (t) => {
  const { graph } = Kernel.memory()
  const keys = Array.from({ length: 1_000 }, (_, n) => `k${(n * 7_919) % 1_000}`)
  await graph.write((tx) => {
    for (const key of keys) tx.put(key)
    for (const [n, key] of keys.entries()) {
      for (const type of ['T', 'S', 'U']) tx.link('k0', type, key, { props: { n } })
    }
  })
  using view = graph.snapshot()
  const blocks: (readonly string[])[] = []
  for await (const block of keysInOrder(view, 64)) blocks.push(block)
  t.deepEqual(blocks.flat(), keys.toSorted())
  t.true(blocks.every(({ length }) => length <= 64))
  const edges = [...edgesInOrder(view, 'k0')]
  t.true(edges.length > 2 * EDGES_HELD_MAX)
  t.deepEqual(
    edges.map(({ type, to, props }) => [type, to, props['n']]),
    ['S', 'T', 'U'].flatMap((type) => keys.toSorted().map((key) => [type, key, keys.indexOf(key)])),
  )
})

test('an edge may come before its nodes, in an earlier transaction too, and waits for both', async (t) => {
  const { graph } = Kernel.memory()
  const source = lines(
    '{"edge":["a","T","b"],"props":{"n":1}}',
    '{"edge":["b","T","b"]}',
    '{"node":"a"}',
    '',
    '  ',
    '{"node":"c"}',
    '{"node":"b"}',
  )
  const imported = await importJsonLines(graph, source, { factsPerCommit: 1 })
  t.like(imported, { lines: 7, nodes: 3, edges: 2, commits: 5 })
  t.is(graph.edge({ from: 'a', type: 'T', to: 'b' })?.props['n'], 1)
  t.is(graph.degree('b', 'in'), 2)
})

test('an edge whose node never comes is refused at the end, by its line', async (t) => {
  const { graph } = Kernel.memory()
  const source = lines('{"node":"a"}', '{"edge":["a","T","gone"]}', '{"edge":["a","T","a"]}')
  const error = await refused(t, 'ERR_KARYON_NODE_MISSING', importJsonLines(graph, source))
  t.like(error.details, { line: 2, key: 'gone', waiting: 1, committedLines: 1 })
  t.is(graph.degree('a', 'out'), 1)
})

test('an edge is written at the end where somebody else has written its node meanwhile', async (t) => {
  const { graph } = Kernel.memory()
  async function* source(): AsyncGenerator<string> {
    yield '{"edge":["a","T","b"]}\n{"node":"a"}\n{"edge":["a","T","gone"]}\n'
    await graph.write((tx) => tx.put('b'))
    yield '{"node":"c"}\n'
  }
  const each = { factsPerCommit: 1 }
  const error = await refused(t, 'ERR_KARYON_NODE_MISSING', importJsonLines(graph, source(), each))
  t.like(error.details, { line: 3, key: 'gone', waiting: 1, committedLines: 2 })
  t.is(graph.degree('b', 'in'), 1)
  await graph.write((tx) => tx.remove('b', { detach: true }))
  const others = Array.from({ length: 3 }, (_, n) => `{"node":"n${n}"}`)
  async function* whole(): AsyncGenerator<string> {
    yield lines('{"edge":["a","T","b"]}', ...others)[0]!
    await graph.write((tx) => tx.put('b'))
  }
  const imported = await importJsonLines(graph, whole(), each)
  t.like(imported, { lines: 4, nodes: 3, edges: 1, commits: 5 })
  t.is(graph.edge({ from: 'a', type: 'T', to: 'b' })?.version, imported.version)
  t.is(graph.degree('b', 'in'), 1)
})

test('what others have written is asked for before too many edges wait, too', async (t) => {
  const { graph } = Kernel.memory()
  async function* source(): AsyncGenerator<string> {
    yield '{"node":"a"}\n'
    for (let n = 0; n <= WAITING_EDGES_MAX; n++) {
      if (n === WAITING_EDGES_MAX) await graph.write((tx) => tx.put('b'))
      yield `{"edge":["a","T","b"],"key":"${n}"}\n`
    }
  }
  t.is((await importJsonLines(graph, source())).edges, WAITING_EDGES_MAX + 1)
  t.is(graph.degree('b', 'in'), WAITING_EDGES_MAX + 1)
})

test('an edge that is refused once its node is there is named', async (t) => {
  const { graph } = Kernel.memory()
  async function* source(): AsyncGenerator<string> {
    yield '{"node":"a"}\n{"edge":["a","T","b"],"intervals":{"p":[{"from":"2026-02-01","to":"2026-01-01","value":1}]}}\n'
    await graph.write((tx) => tx.put('b'))
  }
  const error = await t.throwsAsync(importJsonLines(graph, source(), { factsPerCommit: 2 }), {
    instanceOf: KaryonError,
  })
  t.like(error?.details, { line: 2, committedLines: 1 })
  t.is(graph.count(), 2)
})

test('no more edges wait than may, and the line that waits longest is named', async (t) => {
  const { graph } = Kernel.memory()
  function* source(): Generator<string> {
    yield '{"node":"a"}\n'
    for (let n = 0; n <= WAITING_EDGES_MAX; n++) yield `{"edge":["a","T","b${n}"]}\n`
  }
  const error = await refused(t, 'ERR_KARYON_NODE_MISSING', importJsonLines(graph, source()))
  t.like(error.details, { line: 2, committedLines: 1, key: 'b0' })
  const long = 'x'.repeat(1024 * 1024)
  const few = Array.from(
    { length: 9 },
    (_, n) => `${JSON.stringify({ edge: ['a', 'T', `b${n}`], props: { long } })}\n`,
  )
  const heavy = await refused(t, 'ERR_KARYON_NODE_MISSING', importJsonLines(graph, few))
  t.like(heavy.details, { line: 1, committedLines: 0 })
})

test('a failed import says how many lines are in the graph, and can be taken up there', async (t) => {
  const { graph } = Kernel.memory()
  const good = Array.from({ length: 25 }, (_, n) => `{"node":"n${n}","props":{"n":${n}}}\n`)
  const bad = good.with(17, '{"node":"n17","props":{"n":}}\n')
  const error = await refused(t, 'ERR_KARYON_ARGUMENT', importJsonLines(graph, bad, { factsPerCommit: 5 }))
  t.like(error.details, { line: 18, column: 28, committedLines: 15 })
  t.is(graph.count(), 15)
  const imported = await importJsonLines(graph, good, { skip: error.details['committedLines'] as number })
  t.like(imported, { lines: 25, nodes: 10, commits: 1 })
  t.is(graph.count(), 25)
})

test('lines that wait are not told as committed', async (t) => {
  const { graph } = Kernel.memory()
  const source = lines('{"node":"a"}', '{"edge":["a","T","b"]}', '{"node":"c"}', '{"node":"d"}', 'no')
  const error = await refused(t, 'ERR_KARYON_ARGUMENT', importJsonLines(graph, source, { factsPerCommit: 1 }))
  t.like(error.details, { line: 5, column: 2, committedLines: 1 })
  t.is(graph.count(), 3)
})

const REFUSED: readonly (readonly [string, string, string, number])[] = [
  ['no JSON', '{"node":"a"', 'ERR_KARYON_ARGUMENT', 12],
  ['a list', '[]', 'ERR_KARYON_ARGUMENT', 1],
  ['neither a node nor an edge', '{"props":{}}', 'ERR_KARYON_ARGUMENT', 1],
  ['a field that is none', '{"node":"a","label":["A"]}', 'ERR_KARYON_ARGUMENT', 1],
  ['a key that is no string', '{"node":1}', 'ERR_KARYON_ARGUMENT', 1],
  ['labels that are no list', '{"node":"a","labels":"A"}', 'ERR_KARYON_ARGUMENT', 1],
  ['props that are a list', '{"node":"a","props":[1]}', 'ERR_KARYON_ARGUMENT', 1],
  ['an unknown tag', '{"node":"a","props":{"x":{"$y":1}}}', 'ERR_KARYON_ARGUMENT', 1],
  ['an edge of two', '{"edge":["a","T"]}', 'ERR_KARYON_ARGUMENT', 1],
  ['an edge’s key that is no string', '{"edge":["a","T","a"],"key":1}', 'ERR_KARYON_ARGUMENT', 1],
  ['an edge that never holds', '{"edge":["a","T","a"],"valid":[]}', 'ERR_KARYON_ARGUMENT', 1],
  ['a time that is a number', '{"edge":["a","T","a"],"valid":[{"from":1}]}', 'ERR_KARYON_ARGUMENT', 1],
  ['a time that is none', '{"node":"a","intervals":{"p":[{"from":"x","value":1}]}}', 'ERR_KARYON_TIME', 1],
  [
    'an interval without a value',
    '{"node":"a","intervals":{"p":[{"from":"2026-01-01"}]}}',
    'ERR_KARYON_ARGUMENT',
    1,
  ],
  [
    'a number that would be rounded',
    '{"node":"a","props":{"x":9007199254740993}}',
    'ERR_KARYON_INTEGER_RANGE',
    1,
  ],
  [
    'a bigint of more than 64 bits',
    '{"node":"a","props":{"x":{"$bigint":"9223372036854775808"}}}',
    'ERR_KARYON_INTEGER_RANGE',
    1,
  ],
  ['an empty key', '{"node":""}', 'ERR_KARYON_KEY_SIZE', 1],
  ['a name that is reserved', '{"node":"a","props":{"__proto__":1}}', 'ERR_KARYON_NAME_RESERVED', 1],
  [
    'a map with such a name',
    '{"node":"a","props":{"x":{"__proto__":1,"y":2}}}',
    'ERR_KARYON_NAME_RESERVED',
    1,
  ],
  ['half a character', '{"node":"a","props":{"x":"\\ud800"}}', 'ERR_KARYON_STRING_MALFORMED', 1],
]

for (const [what, text, code, column] of REFUSED) {
  test(`refused with its line: ${what}`, async (t) => {
    const { graph } = Kernel.memory()
    const source = lines('{"node":"first"}', '', text, '{"node":"last"}')
    const error = await refused(t, code as 'ERR_KARYON_ARGUMENT', importJsonLines(graph, source))
    t.like(error.details, { line: 3, column, committedLines: 0 })
    t.regex(error.message, /^line 3/)
    t.is(graph.count(), 0)
  })
}

test('a key that is too long is refused with its line, as an end of an edge too', async (t) => {
  const { graph } = Kernel.memory()
  const long = 'x'.repeat(1_025)
  const wrong = [{ node: long }, { edge: ['a', 'T', long] }, { edge: ['a', long, 'a'] }].map((each) =>
    JSON.stringify(each),
  )
  for (const text of wrong) {
    const source = lines('{"node":"a"}', '{"edge":["a","T","a"]}', text, '{"edge":["a","T","a"]}')
    const error = await refused(t, 'ERR_KARYON_KEY_SIZE', importJsonLines(graph, source))
    t.like(error.details, { line: 3, committedLines: 0 })
  }
})

test('a transaction that a rule refuses names its lines', async (t) => {
  const { graph } = Kernel.memory()
  await graph.index({ label: 'P', property: 'mail', unique: true })
  const person = (n: number, mail: string): string =>
    JSON.stringify({ node: `n${n}`, labels: ['P'], props: { mail } })
  const source = lines(person(1, 'a'), person(2, 'b'), person(3, 'c'), person(4, 'a'))
  const error = await refused(t, 'ERR_KARYON_UNIQUE', importJsonLines(graph, source, { factsPerCommit: 2 }))
  t.like(error.details, { lines: { from: 3, to: 4 }, committedLines: 2 })
})

test('a source that fails is told, with how far it came', async (t) => {
  const { graph } = Kernel.memory()
  async function* source(): AsyncGenerator<string> {
    yield* lines('{"node":"a"}', '{"node":"b"}', '{"node":"c"}')
    throw new Error('the line is dead')
  }
  const error = await refused(t, 'ERR_KARYON_IO', importJsonLines(graph, source(), { factsPerCommit: 2 }))
  t.is(error.details['committedLines'], 2)
  t.regex(error.message, /the line is dead/)
})

test('a node whose line could not be read again is not written', async (t) => {
  const { graph } = Kernel.memory()
  const text = 'x'.repeat(LINE_BYTES_MAX / 4)
  await graph.write((tx) => tx.put('fits', { props: { a: text, b: text, c: text } }))
  const lines = await whole(exportJsonLines(graph))
  t.true(lines.length > LINE_BYTES_MAX / 2)
  const other = Kernel.memory().graph
  await importJsonLines(other, [lines])
  t.is(other.digest(), graph.digest())
  await graph.write((tx) => tx.put('too large', { props: { a: text, b: text, c: text, d: text } }))
  const error = await refused(t, 'ERR_KARYON_VALUE_SIZE', () => whole(exportJsonLines(graph)))
  t.is(error.details['limit'], LINE_BYTES_MAX)
  t.regex(error.message, /too large/)
})

test('a fork is exported and imported into as any graph', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('below'))
  using fork = await graph.fork('idea')
  await importJsonLines(fork, lines('{"edge":["below","T","above"]}', '{"node":"above"}'))
  t.is(
    await whole(exportJsonLines(fork)),
    '{"node":"above"}\n{"node":"below"}\n{"edge":["below","T","above"]}\n',
  )
  t.is(await whole(exportJsonLines(graph)), '{"node":"below"}\n')
})

test('a source is let go of when the import fails', async (t) => {
  const { graph } = Kernel.memory()
  let open = true
  async function* source(): AsyncGenerator<string> {
    try {
      for (;;) yield 'no\n'
    } finally {
      open = false
    }
  }
  await refused(t, 'ERR_KARYON_ARGUMENT', importJsonLines(graph, source()))
  t.false(open)
})

test('bad arguments are refused', async (t) => {
  const { graph } = Kernel.memory()
  const wrong = [
    () => importJsonLines(graph, [], { factsPerCommit: 0 }),
    () => importJsonLines(graph, [], { factsPerCommit: 100_001 }),
    () => importJsonLines(graph, [], { skip: -1 }),
    () => importJsonLines(graph, [], { from: 1 } as never),
    () => importJsonLines(graph, Buffer.from('x') as never),
    () => importJsonLines(graph, undefined as never),
    () => importJsonLines(undefined as never, []),
    () => whole(exportJsonLines(undefined as never)),
  ]
  for (const act of wrong) await refused(t, 'ERR_KARYON_ARGUMENT', act)
})
