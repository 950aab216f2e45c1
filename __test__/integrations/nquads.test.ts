import test from 'ava'
import { Instant, Kernel, type Transaction, type Value } from '../../ts/index.ts'
import {
  exportNQuads,
  importNQuads,
  parseNQuads,
  type ImportNQuadsOptions,
  type Literal,
  type Quad,
} from '../../ts/integrations/index.ts'
import { LINE_BYTES_MAX } from '../../ts/integrations/limits.ts'
import { toJson } from '../../ts/integrations/json/tagged.ts'
import { valueOf } from '../../ts/integrations/quads/literals.ts'
import { lineOf } from '../../ts/integrations/quads/syntax.ts'
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

const XSD = 'http://www.w3.org/2001/XMLSchema#'
const RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#'
const BASE = 'https://example.org/'

/** Literals whose form is the one form of their value, and some that are not. */
const FORMS: readonly (readonly [string, Value])[] = [
  ['"text"', 'text'],
  [`"text"^^<${XSD}string>`, 'text'],
  [`"true"^^<${XSD}boolean>`, true],
  [`"1"^^<${XSD}boolean>`, { '@value': '1', '@type': `${XSD}boolean` }],
  [`"-12"^^<${XSD}integer>`, -12],
  [`"9007199254740991"^^<${XSD}integer>`, Number.MAX_SAFE_INTEGER],
  [`"9007199254740992"^^<${XSD}integer>`, { '@value': '9007199254740992', '@type': `${XSD}integer` }],
  [`"007"^^<${XSD}integer>`, { '@value': '007', '@type': `${XSD}integer` }],
  [`"-0"^^<${XSD}integer>`, { '@value': '-0', '@type': `${XSD}integer` }],
  [`"-9223372036854775808"^^<${XSD}long>`, -(2n ** 63n)],
  [`"9223372036854775808"^^<${XSD}long>`, { '@value': '9223372036854775808', '@type': `${XSD}long` }],
  [`"5.0E-1"^^<${XSD}double>`, 0.5],
  [`"1.2345E3"^^<${XSD}double>`, 1234.5],
  [`"-0.0E0"^^<${XSD}double>`, -0],
  [`"-INF"^^<${XSD}double>`, -Infinity],
  [`"NaN"^^<${XSD}double>`, Number.NaN],
  [`"4.9E-324"^^<${XSD}double>`, { '@value': '4.9E-324', '@type': `${XSD}double` }],
  [`"5.0E-324"^^<${XSD}double>`, Number.MIN_VALUE],
  [`"1.0E0"^^<${XSD}double>`, { '@value': '1.0E0', '@type': `${XSD}double` }],
  [`"0.5"^^<${XSD}double>`, { '@value': '0.5', '@type': `${XSD}double` }],
  [`"1.50"^^<${XSD}decimal>`, { '@value': '1.50', '@type': `${XSD}decimal` }],
  [`"2026-01-02T03:04:05Z"^^<${XSD}dateTime>`, new Date('2026-01-02T03:04:05Z')],
  [`"2026-01-02T03:04:05.12Z"^^<${XSD}dateTime>`, new Date('2026-01-02T03:04:05.120Z')],
  [`"1969-12-31T23:59:59.999999Z"^^<${XSD}dateTime>`, Instant.fromMicros(-1n)],
  [`"12026-01-02T03:04:05Z"^^<${XSD}dateTime>`, new Date('+012026-01-02T03:04:05Z')],
  [`"-0001-01-02T03:04:05Z"^^<${XSD}dateTime>`, new Date('-000001-01-02T03:04:05Z')],
  [`"2026-01-02T03:04:05"^^<${XSD}dateTime>`, { '@value': '2026-01-02T03:04:05', '@type': `${XSD}dateTime` }],
  [
    `"2026-01-02T03:04:05+01:00"^^<${XSD}dateTime>`,
    { '@value': '2026-01-02T03:04:05+01:00', '@type': `${XSD}dateTime` },
  ],
  [`"AP8="^^<${XSD}base64Binary>`, Uint8Array.of(0, 255)],
  [`"AP9="^^<${XSD}base64Binary>`, { '@value': 'AP9=', '@type': `${XSD}base64Binary` }],
  [`"null"^^<${RDF}JSON>`, null],
  [`"{\\"a\\":[1,{\\"$bigint\\":\\"2\\"}]}"^^<${RDF}JSON>`, { a: [1, 2n] }],
  [`"[1]"^^<${RDF}JSON>`, [[1]]],
  [`"1"^^<${RDF}JSON>`, { '@value': '1', '@type': `${RDF}JSON` }],
  [`"{\\"b\\":1,\\"a\\":2}"^^<${RDF}JSON>`, { '@value': '{"b":1,"a":2}', '@type': `${RDF}JSON` }],
  [`"{\\"a\\": 1}"^^<${RDF}JSON>`, { '@value': '{"a": 1}', '@type': `${RDF}JSON` }],
  [`"\\"\\\\ud800\\""^^<${RDF}JSON>`, { '@value': '"\\ud800"', '@type': `${RDF}JSON` }],
  [
    `"{\\"a\\":9007199254740992}"^^<${RDF}JSON>`,
    { '@value': '{"a":9007199254740992}', '@type': `${RDF}JSON` },
  ],
  [
    `"{\\"a\\":{\\"$bigint\\":\\"9223372036854775808\\"}}"^^<${RDF}JSON>`,
    { '@value': '{"a":{"$bigint":"9223372036854775808"}}', '@type': `${RDF}JSON` },
  ],
  [`"{\\"__proto__\\":1}"^^<${RDF}JSON>`, { '@value': '{"__proto__":1}', '@type': `${RDF}JSON` }],
  [
    `"{\\"@value\\":\\"a\\",\\"@language\\":\\"en\\"}"^^<${RDF}JSON>`,
    { '@value': '{"@value":"a","@language":"en"}', '@type': `${RDF}JSON` },
  ],
  [
    `"{\\"@language\\":\\"en\\",\\"@value\\":\\"a\\"}"^^<${RDF}JSON>`,
    { '@value': '{"@language":"en","@value":"a"}', '@type': `${RDF}JSON` },
  ],
  ['"chat"@fr', { '@value': 'chat', '@language': 'fr' }],
  ['"chat"@FR', { '@value': 'chat', '@language': 'FR' }],
  ['"a" <g:g>', { '@value': 'a', '@graph': 'g:g' }],
  ['"a"@en _:g', { '@value': 'a', '@language': 'en', '@graph': '_:g' }],
  [`"1"^^<${XSD}integer> <g:g>`, { '@value': '1', '@type': `${XSD}integer`, '@graph': 'g:g' }],
]

for (const [text, value] of FORMS) {
  test(`a literal, both ways: ${text}`, async (t) => {
    const { graph } = Kernel.memory()
    await importNQuads(graph, lines(`<a:s> <a:p> ${text} .`))
    t.deepEqual(graph.get('a:s')?.props, { 'a:p': value })
    t.is(await whole(exportNQuads(graph)), `<a:s> <a:p> ${text.replace(`^^<${XSD}string>`, '')} .\n`)
  })
}

test('what quads become: nodes, edges by graph, lists of literals', async (t) => {
  const { graph } = Kernel.memory()
  const imported = await importNQuads(
    graph,
    lines(
      '<a:s> <a:knows> <a:o> .',
      '<a:s> <a:knows> <a:o> <g:1> .',
      '# the same again',
      '<a:s> <a:knows> <a:o> <g:1> .',
      '_:b <a:knows> _:b _:g .',
      '<a:s> <a:name> "one" .',
      '<a:s> <a:name> "two"@en .',
      '<a:s> <a:name> "one" .',
      `<a:s> <${RDF}type> <a:C> .`,
    ),
  )
  t.like(imported, { lines: 9, quads: 8, commits: 1, version: 1n })
  t.deepEqual([...graph.nodes()].map(({ key }) => key).toSorted(), ['_:b', 'a:C', 'a:o', 'a:s'])
  t.deepEqual(graph.get('a:s')?.props, { 'a:name': ['one', { '@value': 'two', '@language': 'en' }] })
  t.deepEqual([...graph.out('a:s', 'a:knows')].map(({ to, key }) => [to, key]).toSorted(), [
    ['a:o', ''],
    ['a:o', 'g:1'],
  ])
  t.is(graph.edge({ from: '_:b', type: 'a:knows', to: '_:b', key: '_:g' })?.to, '_:b')
  t.is(graph.degree('a:s', 'out', `${RDF}type`), 1)
})

test('rdf:type becomes a label where that is asked for, in the default graph and of IRIs', async (t) => {
  const { graph } = Kernel.memory()
  const text = [`<a:s> <${RDF}type> <a:C> .`, `<a:s> <${RDF}type> <a:C> <g:1> .`, `<a:s> <${RDF}type> _:c .`]
  await importNQuads(graph, lines(...text), { labels: true })
  t.deepEqual(graph.get('a:s')?.labels, ['a:C'])
  t.is(graph.degree('a:s', 'out', `${RDF}type`), 2)
  t.deepEqual((await whole(exportNQuads(graph))).trimEnd().split('\n').toSorted(), text.toSorted())
})

test('literals are added to what a property holds, whichever transaction says them', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) =>
    tx.put('a:s', { props: { 'a:p': 1, 'a:l': [1, 2], 'a:q': 'kept', 'a:one': ['x'] } }),
  )
  const text = lines(
    `<a:s> <a:p> "2"^^<${XSD}integer> .`,
    `<a:s> <a:l> "2"^^<${XSD}integer> .`,
    `<a:s> <a:p> "1"^^<${XSD}integer> .`,
    '<a:s> <a:p> "1" .',
    '<a:s> <a:one> "x" .',
  )
  for (const factsPerCommit of [1, 2, 10]) {
    await importNQuads(graph, text, { factsPerCommit })
    t.deepEqual(graph.get('a:s')?.props, { 'a:p': [1, 2, '1'], 'a:l': [1, 2], 'a:q': 'kept', 'a:one': ['x'] })
  }
})

test('a property that holds values at some times only is not added to', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a:s', { props: { 'a:p': 1 }, valid: { from: '2026-01-01' } }))
  const error = await refused(t, 'ERR_KARYON_ARGUMENT', importNQuads(graph, lines('', '<a:s> <a:p> "1" .')))
  t.like(error.details, { line: 2, committedLines: 0 })
})

test('names that are no IRIs have one with a base, and are themselves again with it', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('ann & bob/1', { labels: ['Pérson'], props: { 'full name': 'x', 'urn:p': 1 } })
    tx.put('_:no blank', { props: { p: 1 } })
    tx.put('https://example.org/a:b', { props: { p: 1 } })
    tx.put('%41', { props: { p: 1 } })
    tx.link('ann & bob/1', 'KNOWS', '_:no blank', { key: '1' })
  })
  const text = await whole(exportNQuads(graph, { base: BASE }))
  t.true(text.includes('<https://example.org/ann%20%26%20bob%2F1> <https://example.org/full%20name> "x" .'))
  t.true(
    text.includes(
      '<https://example.org/ann%20%26%20bob%2F1> <https://example.org/KNOWS> <https://example.org/_%3Ano%20blank> <https://example.org/1> .',
    ),
  )
  const other = Kernel.memory().graph
  await importNQuads(other, [text], { base: BASE, labels: true })
  const back = await whole(exportNQuads(other, { base: BASE }))
  t.deepEqual(sorted(back.split('\n')), sorted(text.split('\n')))
  t.deepEqual(other.get('ann & bob/1'), { ...graph.get('ann & bob/1')!, version: 1n })
  t.truthy(other.get('_:no blank'))
  t.truthy(other.get('https://example.org/a:b'))
  t.truthy(other.get('%41'))
  for (const [what, act] of [
    ['a name without a base', () => whole(exportNQuads(graph))],
    ['a base that is relative', () => whole(exportNQuads(graph, { base: 'example' }))],
    ['a base that is none', () => importNQuads(graph, [], { base: 'a: b' })],
    ['an option that is none', () => whole(exportNQuads(graph, { bas: BASE } as never))],
    ['a prefix that is none', () => importNQuads(graph, [], { blankPrefix: 'a.' })],
    ['labels that are no truth', () => importNQuads(graph, [], { labels: 1 as never })],
  ] as const) {
    await refused(t, 'ERR_KARYON_ARGUMENT', act, what)
  }
})

test('what would come back as another name is refused where there is a base', async (t) => {
  const writes: readonly (readonly [string, (tx: Transaction) => void])[] = [
    ['a key', (tx) => tx.put(`${BASE}ann`, { props: { p: 1 } })],
    ['a key that is encoded otherwise', (tx) => tx.put(`${BASE}a%62`, { labels: ['L'] })],
    ['a label', (tx) => tx.put('ann', { labels: [`${BASE}Person`] })],
    ['a property', (tx) => tx.put('ann', { props: { [`${BASE}p`]: 1 } })],
    ['a property like a blank node', (tx) => tx.put('ann', { props: { '_:p': 1 } })],
    ['a type', (tx) => tx.link('ann', `${BASE}T`, 'ann')],
    ['an end of an edge', (tx) => tx.link('ann', 'T', `${BASE}bob`)],
    ['the key of an edge', (tx) => tx.link('ann', 'T', 'ann', { key: `${BASE}1` })],
  ]
  for (const [what, write] of writes) {
    const { graph } = Kernel.memory()
    await graph.write((tx) => {
      tx.put('ann')
      tx.put(`${BASE}bob`)
    })
    await graph.write(write)
    const text = whole(exportNQuads(graph, { base: BASE }))
    if (what === 'a key that is encoded otherwise') {
      const other = Kernel.memory().graph
      await importNQuads(other, [await text], { base: BASE, labels: true })
      t.deepEqual(other.get(`${BASE}a%62`)?.labels, ['L'], what)
    } else {
      const error = await refused(t, 'ERR_KARYON_ARGUMENT', text, what)
      t.regex(error.message, /with this base is/, what)
    }
    const free = 'urn:other:'
    const other = Kernel.memory().graph
    const apart = exportNQuads(graph, { base: free })
    if (what === 'a property like a blank node') continue
    await importNQuads(other, [await whole(apart)], { base: free, labels: true })
    const again = await whole(exportNQuads(other, { base: free }))
    t.is(again, await whole(exportNQuads(graph, { base: free })), what)
  }
})

test('a literal whose line could not be read again is not written', async (t) => {
  const { graph } = Kernel.memory()
  // Six bytes each, and 17 around them.
  const escaped = '\u0001'.repeat(5_000_000)
  const room = LINE_BYTES_MAX - 30_000_000 - 17
  await graph.write((tx) => tx.put('a:s', { props: { 'a:p': escaped + 'x'.repeat(room + 1) } }))
  await refused(t, 'ERR_KARYON_VALUE_SIZE', () => whole(exportNQuads(graph)))
  await graph.write((tx) => tx.put('a:s', { props: { 'a:p': escaped + 'x'.repeat(room) } }))
  const other = Kernel.memory().graph
  await importNQuads(other, [await whole(exportNQuads(graph))])
  t.is(other.digest(), graph.digest())
})

test('blank nodes of two files can be kept apart', async (t) => {
  const { graph } = Kernel.memory()
  const text = lines('_:b <a:p> _:c _:g .', '_:b <a:n> "x" _:g .')
  await importNQuads(graph, text, { blankPrefix: '1-' })
  await importNQuads(graph, text, { blankPrefix: '2-' })
  t.deepEqual([...graph.nodes()].map(({ key }) => key).toSorted(), ['_:1-b', '_:1-c', '_:2-b', '_:2-c'])
  t.deepEqual(graph.get('_:2-b')?.props, { 'a:n': { '@value': 'x', '@graph': '_:2-g' } })
  t.is(graph.edge({ from: '_:1-b', type: 'a:p', to: '_:1-c', key: '_:1-g' })?.key, '_:1-g')
})

test('what RDF cannot say is refused, or left out where that is asked for', async (t) => {
  const writes = [
    (graph: ReturnType<typeof Kernel.memory>['graph']) =>
      graph.write((tx) => tx.link('a:s', 'a:e', 'a:o', { props: { n: 1 } })),
    (graph: ReturnType<typeof Kernel.memory>['graph']) =>
      graph.write((tx) => tx.link('a:s', 'a:never', 'a:o', { valid: { from: '2026-01-01' } })),
    (graph: ReturnType<typeof Kernel.memory>['graph']) =>
      graph.write((tx) => tx.patch('a:s', { props: { 'a:x': 1 }, valid: { to: '2026-01-01' } })),
  ]
  const said = ['<a:s> <a:e> <a:o> .\n', '', '']
  const valid = ['<a:s> <a:e> <a:o> .\n', '<a:s> <a:never> <a:o> .\n', '']
  for (const [n, write] of writes.entries()) {
    const { graph } = Kernel.memory()
    await graph.write((tx) => {
      tx.put('a:s', { props: { 'a:p': 'kept' } })
      tx.put('a:o')
    })
    await write(graph)
    const error = await refused(t, 'ERR_KARYON_ARGUMENT', () => whole(exportNQuads(graph)))
    t.regex(error.message, /lossy/)
    const kept = '<a:s> <a:p> "kept" .\n'
    t.is(await whole(exportNQuads(graph, { lossy: true })), kept + said[n]!)
    const view = graph.validAt('2026-06-01')
    t.is(await whole(exportNQuads(view, { lossy: n === 0 })), kept + valid[n]!)
  }
})

test('a list is a set to RDF, and a node without content is in no quad', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('a:s', { props: { 'a:l': [2, 1], 'a:none': [], 'a:one': ['x'], 'a:in': [[1, 1], []] } })
    tx.put('alone')
  })
  t.deepEqual((await whole(exportNQuads(graph))).split('\n'), [
    `<a:s> <a:in> "[1,1]"^^<${RDF}JSON> .`,
    `<a:s> <a:in> "[]"^^<${RDF}JSON> .`,
    `<a:s> <a:l> "2"^^<${XSD}integer> .`,
    `<a:s> <a:l> "1"^^<${XSD}integer> .`,
    '<a:s> <a:one> "x" .',
    '',
  ])
})

test('a failed import says how many lines are in the graph, and can be taken up there', async (t) => {
  const { graph } = Kernel.memory()
  const all = Array.from({ length: 20 }, (_, n) => `<a:s${n}> <a:p> <a:o> .`)
  const error = await refused(
    t,
    'ERR_KARYON_ARGUMENT',
    importNQuads(graph, lines(...all.with(13, '<a:s> <a:p> .')), { factsPerCommit: 5 }),
  )
  t.like(error.details, { line: 14, column: 13, committedLines: 10 })
  t.is(graph.degree('a:o', 'in'), 10)
  const imported = await importNQuads(graph, lines(...all), { skip: 10 })
  t.like(imported, { lines: 20, quads: 10 })
  t.is(graph.degree('a:o', 'in'), 20)
})

test('a name that is too long is refused with its line, and nothing of its transaction is kept', async (t) => {
  const { graph } = Kernel.memory()
  const long = `a:${'x'.repeat(1_100)}`
  for (const text of [`<${long}> <a:p> "o" .`, `<a:s> <${long}> "o" .`, `<a:s> <a:p> <a:o> <${long}> .`]) {
    const error = await refused(
      t,
      'ERR_KARYON_KEY_SIZE',
      importNQuads(graph, lines('<a:a> <a:b> <a:c> .', text)),
    )
    t.like(error.details, { line: 2, committedLines: 0 })
  }
  t.is(graph.count(), 0)
})

test('any set of quads comes back from a graph as it was', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  for (let round = 0; round < 120; round++) {
    const message = `KARYON_SEED=${seed}, round ${round}`
    const quads = Array.from({ length: below(random, 40) }, () => randomQuad(random))
    const text = quads.map(lineOf)
    const { graph } = Kernel.memory()
    const options: ImportNQuadsOptions = {
      factsPerCommit: below(random, 12) + 1,
      labels: random() < 0.5,
      ...(random() < 0.5 ? { base: BASE } : {}),
    }
    await importNQuads(graph, cutAnywhere(random, Buffer.from(text.join('')), 300), options)
    const exported = exportNQuads(graph, options.base === undefined ? {} : { base: options.base })
    const back = (await whole(exported)).split(/(?<=\n)/).filter(Boolean)
    t.deepEqual(sorted(back), sorted([...new Set(text)]), message)
    t.is(back.length, new Set(back).size, message)
  }
})

test('any value of a property is a literal, and itself again', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  for (let round = 0; round < 100; round++) {
    const value = randomValue(random, 3)
    // Of a list RDF keeps neither doubles nor that it has one item.
    if (Array.isArray(value)) continue
    const { graph } = Kernel.memory()
    await graph.write((tx) => tx.put('a:s', { props: { 'a:p': value } }))
    const text = await whole(exportNQuads(graph))
    const other = Kernel.memory().graph
    await importNQuads(other, [text])
    t.is(other.digest(), graph.digest(), `KARYON_SEED=${seed}, round ${round}: ${text}`)
  }
})

test('no two literals become the same value', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const literalOf = new Map<string, string>()
  for (let round = 0; round < 3_000; round++) {
    const literal = randomLiteral(random)
    const graph = pick(random, ['', '', 'g:1', '_:g'])
    const line = lineOf({ subject: 'a:s', predicate: 'a:p', object: literal, graph })
    const value = JSON.stringify(toJson(valueOf({ literal, graph })))
    t.is(literalOf.get(value) ?? line, line, `KARYON_SEED=${seed}: ${value}`)
    literalOf.set(value, line)
  }
})

test('quads are read without a graph, too', async (t) => {
  const quads: Quad[] = []
  for await (const quad of parseNQuads(lines('_:a <a:p> "x"@en <a:g> .', '', '<a:s> <a:p> <a:o> .')))
    quads.push(quad)
  t.deepEqual(quads, [
    { subject: '_:a', predicate: 'a:p', object: { value: 'x', language: 'en' }, graph: 'a:g' },
    { subject: 'a:s', predicate: 'a:p', object: 'a:o', graph: '' },
  ])
})

const LEXICAL = [
  '',
  '0',
  '1',
  '-1',
  '01',
  '1.0',
  '1.5E0',
  '-0.0E0',
  'INF',
  'true',
  'false',
  'null',
  '[]',
  '{}',
  'AA==',
  'x y',
]
const DATATYPES = ['boolean', 'integer', 'long', 'double', 'decimal', 'dateTime', 'base64Binary', 'token']

function randomLiteral(random: Random): Literal {
  const json = JSON.stringify(pick(random, [{ a: 1 }, [1], [[]], { '@value': 'x' }, { $map: {} }]))
  const times = [
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.10Z',
    '2026-02-30T00:00:00Z',
    '0000-01-01T00:00:00Z',
  ]
  const value = pick(random, [...LEXICAL, json, pick(random, times), randomText(random)])
  const datatype = pick(random, [...DATATYPES.map((name) => XSD + name), `${RDF}JSON`, 'a:type'])
  return {
    value,
    ...pick(random, [{}, { datatype }, { datatype }, { language: pick(random, ['en', 'de-CH']) }]),
  }
}

function randomQuad(random: Random): Quad {
  const nodes = [
    'a:s',
    'a:o',
    '_:b',
    '_:c.1',
    'urn:é',
    BASE,
    `${BASE}ann`,
    `${BASE}a%20b`,
    `${BASE}a%2`,
    `${BASE}_%3Ab`,
  ]
  const predicates = ['a:p', 'a:q', `${RDF}type`, `${BASE}p`, `${BASE}__proto`]
  return {
    subject: pick(random, nodes),
    predicate: pick(random, predicates),
    object: random() < 0.6 ? randomLiteral(random) : pick(random, nodes),
    graph: pick(random, ['', '', 'g:1', '_:g', `${BASE}g`]),
  }
}

function sorted(texts: readonly string[]): readonly string[] {
  return texts.toSorted()
}
