import test from 'ava'
import { parseNQuads, type Literal, type Quad } from '../../ts/integrations/index.ts'
import { isBlankNode, isIri, lineOf, quadOf } from '../../ts/integrations/quads/syntax.ts'
import { refused } from '../kernel/refused.ts'
import { chooseSeed, pick, randomText, seededRandom, type Random } from '../values/random.ts'

const S = 'http://example/s'
const P = 'http://example/p'
const O = 'http://example/o'
const G = 'http://example/g'
const XSD = 'http://www.w3.org/2001/XMLSchema#'

function quad(object: string | Literal, graph = '', subject = S): Quad {
  return { subject, predicate: P, object, graph }
}

/** What RDF 1.1 N-Quads takes: the cases of its test suite, by what they are about, in our own words. */
const POSITIVE: readonly (readonly [string, string, Quad | undefined])[] = [
  ['an empty line', '', undefined],
  ['blanks', ' \t ', undefined],
  ['a comment', '# nothing', undefined],
  ['a comment behind blanks', '\t # <a> <b> <c> .', undefined],
  ['IRIs', `<${S}> <${P}> <${O}> .`, quad(O)],
  ['an IRI as graph', `<${S}> <${P}> <${O}> <${G}> .`, quad(O, G)],
  ['a blank node as graph', `<${S}> <${P}> <${O}> _:g .`, quad(O, '_:g')],
  ['a blank node as subject, in an IRI graph', `_:s <${P}> <${O}> <${G}> .`, quad(O, G, '_:s')],
  ['a blank node as object, in a blank graph', `<${S}> <${P}> _:o _:g .`, quad('_:o', '_:g')],
  ['a literal in a graph', `<${S}> <${P}> "o" <${G}> .`, quad({ value: 'o' }, G)],
  [
    'a literal with a language in a blank graph',
    `<${S}> <${P}> "o"@en _:g .`,
    quad({ value: 'o', language: 'en' }, '_:g'),
  ],
  [
    'a literal with a datatype in a graph',
    `<${S}> <${P}> "o"^^<${XSD}token> <${G}> .`,
    quad({ value: 'o', datatype: `${XSD}token` }, G),
  ],
  ['a language with a region', `<${S}> <${P}> "o"@en-UK .`, quad({ value: 'o', language: 'en-UK' })],
  ['a language with digits', `<${S}> <${P}> "o"@de-1996-x1 .`, quad({ value: 'o', language: 'de-1996-x1' })],
  ['a datatype', `<${S}> <${P}> "1"^^<${XSD}byte> .`, quad({ value: '1', datatype: `${XSD}byte` })],
  [
    'a string that says so',
    `<${S}> <${P}> "1"^^<${XSD}string> .`,
    quad({ value: '1', datatype: `${XSD}string` }),
  ],
  ['an empty literal', `<${S}> <${P}> "" .`, quad({ value: '' })],
  ['an IRI with a short escape', `<http://example/\\u0053> <${P}> <${O}> .`, quad(O, '', 'http://example/S')],
  [
    'an IRI with a long escape',
    `<http://example/\\U00000053> <${P}> <${O}> .`,
    quad(O, '', 'http://example/S'),
  ],
  [
    'an IRI with a character beyond 16 bits',
    `<http://example/\\U0001D4B3𝒳> <${P}> <${O}> .`,
    quad(O, '', 'http://example/𝒳𝒳'),
  ],
  [
    'every character that an IRI may hold',
    `<scheme:!$%25&'()*+,-./0123456789:/@ABYZ_abyz~?#[]=;> <${P}> <${O}> .`,
    quad(O, '', "scheme:!$%25&'()*+,-./0123456789:/@ABYZ_abyz~?#[]=;"),
  ],
  ['a scheme with all that it may have', `<a1+-.B:> <${P}> <${O}> .`, quad(O, '', 'a1+-.B:')],
  [
    'every short escape of a literal',
    `<${S}> <${P}> "\\t\\b\\n\\r\\f\\"\\'\\\\" .`,
    quad({ value: '\t\b\n\r\f"\'\\' }),
  ],
  [
    'escapes by number',
    `<${S}> <${P}> "a\\u0062\\U00000063\\U0010FFFF\\u00e9\\u0000" .`,
    quad({ value: 'abc\u{10ffff}é\0' }),
  ],
  ['a literal that looks like an escape', `<${S}> <${P}> "\\\\u0061\\\\" .`, quad({ value: '\\u0061\\' })],
  [
    'a literal with what ends other terms',
    `<${S}> <${P}> "<a> . # _:b ' @en" .`,
    quad({ value: "<a> . # _:b ' @en" }),
  ],
  [
    'a literal with raw controls but ends of lines',
    `<${S}> <${P}> "\0\t\u0001\u007f\u0085\u2028" .`,
    quad({ value: '\0\t\u0001\u007f\u0085\u2028' }),
  ],
  ['a blank node that begins with a digit', `_:1a <${P}> <${O}> .`, quad(O, '', '_:1a')],
  ['a blank node that is a digit', `_:0 <${P}> _:9 .`, quad('_:9', '', '_:0')],
  ['a blank node with dots and dashes', `_:a.b-c..d <${P}> <${O}> .`, quad(O, '', '_:a.b-c..d')],
  ['a blank node with letters of the world', `_:été_·‿𐀀 <${P}> <${O}> .`, quad(O, '', '_:été_·‿𐀀')],
  ['no blanks at all', `<${S}><${P}><${O}>.`, quad(O)],
  ['no blanks, with blank nodes', `_:s<${P}>_:o.`, quad('_:o', '', '_:s')],
  ['no blanks, with a literal and a graph', `_:s<${P}>"o"_:g.`, quad({ value: 'o' }, '_:g', '_:s')],
  ['no blanks, with a language', `_:s<${P}>"o"@en.`, quad({ value: 'o', language: 'en' }, '', '_:s')],
  [
    'no blanks, with a language and a graph',
    `_:s<${P}>"o"@en<${G}>.`,
    quad({ value: 'o', language: 'en' }, G, '_:s'),
  ],
  ['tabs and blanks everywhere', `\t <${S}> \t<${P}>\t\t<${O}>  <${G}> \t. \t`, quad(O, G)],
  ['a comment behind a quad', `<${S}> <${P}> <${O}> . # <x> "y"`, quad(O)],
  ['a comment behind the dot at once', `<${S}> <${P}> <${O}> .#`, quad(O)],
]

for (const [what, text, expected] of POSITIVE) {
  test(`N-Quads: ${what}`, (t) => {
    t.deepEqual(quadOf(text, 1), expected)
    if (expected) t.deepEqual(quadOf(lineOf(expected).trimEnd(), 1), normal(expected))
  })
}

/** A string that says that it is one is written as any other. */
function normal(quad: Quad): Quad {
  const { object } = quad
  if (typeof object === 'string' || object.datatype !== `${XSD}string`) return quad
  return { ...quad, object: { value: object.value } }
}

/** What it does not take, and where. */
const NEGATIVE: readonly (readonly [string, string, number])[] = [
  ['a relative IRI as subject', `<s> <${P}> <${O}> .`, 2],
  ['a relative IRI as predicate', `<a:s> <p> <${O}> .`, 8],
  ['a relative IRI as object', '<a:s> <a:p> <o> .', 14],
  ['a relative IRI as datatype', '<a:s> <a:p> "o"^^<dt> .', 19],
  ['a relative IRI as graph', '<a:s> <a:p> <a:o> <g> .', 20],
  ['an empty IRI', `<> <${P}> <${O}> .`, 2],
  ['a scheme that begins with a digit', `<1a:x> <${P}> <${O}> .`, 2],
  ['a space in an IRI', '<a: s> <a:p> <a:o> .', 4],
  ['an escaped space in an IRI', '<a:\\u0020> <a:p> <a:o> .', 2],
  ['a < in an IRI', '<a:<> <a:p> <a:o> .', 4],
  ['a quotation mark in an IRI', '<a:"> <a:p> <a:o> .', 4],
  ['a brace in an IRI', '<a:s> <a:{p}> <a:o> .', 10],
  ['a control in an IRI', '<a:s> <a:p> <a:\u0001o> .', 16],
  ['an escape that is none in an IRI', '<a:\\u00ZZ11> <a:p> <a:o> .', 4],
  ['a long escape that is none in an IRI', '<a:\\U00ZZ1111> <a:p> <a:o> .', 4],
  ['an escape of a character in an IRI', '<a:\\n> <a:p> <a:o> .', 4],
  ['an escaped slash in an IRI', '<a:\\/> <a:p> <a:o> .', 4],
  ['an IRI without its end', '<a:s> <a:p> <a:o', 17],
  ['a prefix', '@prefix : <http://example/> .', 1],
  ['a base', '@base <http://example/> .', 1],
  ['a prefixed name', 'ex:s <a:p> <a:o> .', 1],
  ['a colon at the beginning of a blank node', '_::a <a:p> <a:o> .', 1],
  ['a colon inside of a blank node', '_:a:b <a:p> <a:o> .', 4],
  ['a blank node without a label', '_: <a:p> <a:o> .', 1],
  ['a blank node that begins with a dot', '_:.a <a:p> <a:o> .', 1],
  ['a blank node that begins with a dash', '_:-a <a:p> <a:o> .', 1],
  ['a blank node without its colon', '_a <a:p> <a:o> .', 1],
  ['a list of objects', '<a:s> <a:p> <a:o>, <a:o2> .', 18],
  ['a list of predicates', '<a:s> <a:p> <a:o>; <a:p2> <a:o2> .', 18],
  ['a blank node as predicate', '<a:s> _:p <a:o> .', 7],
  ['a literal as predicate', '<a:s> "p" <a:o> .', 7],
  ['a literal as subject', '"s" <a:p> <a:o> .', 1],
  ['a literal as graph', '<a:s> <a:p> <a:o> "g" .', 19],
  ['a literal with a language as graph', '<a:s> <a:p> <a:o> "g"@en .', 19],
  ['a literal with a datatype as graph', '<a:s> <a:p> <a:o> "g"^^<a:t> .', 19],
  ['a fifth term', '<a:s> <a:p> <a:o> <a:g> <a:n> .', 25],
  ['a language that begins with a digit', '<a:s> <a:p> "o"@1 .', 16],
  ['a language that ends with a dash', '<a:s> <a:p> "o"@en- .', 16],
  ['no language', '<a:s> <a:p> "o"@ .', 16],
  ['a language that has no end', `<a:s> <a:p> "o"@${'a-'.repeat(200)}a .`, 16],
  ['a language and a datatype', '<a:s> <a:p> "o"@en^^<a:t> .', 19],
  ['one caret', '<a:s> <a:p> "o"^<a:t> .', 16],
  ['a datatype that is a blank node', '<a:s> <a:p> "o"^^_:t .', 16],
  ['a datatype behind a blank', '<a:s> <a:p> "o" ^^<a:t> .', 17],
  ['an escape that is none', '<a:s> <a:p> "\\a" .', 14],
  ['a short escape with too few digits', '<a:s> <a:p> "ab\\u123" .', 16],
  ['a short escape with wrong digits', '<a:s> <a:p> "\\uWXYZ" .', 14],
  ['a long escape with too few digits', '<a:s> <a:p> "\\U0000123" .', 14],
  ['a long escape beyond all characters', '<a:s> <a:p> "\\U00110000" .', 14],
  ['half a character', '<a:s> <a:p> "\\uD83D\\uDE00" .', 14],
  ['a literal that begins with " and ends with \'', '<a:s> <a:p> "o\' .', 18],
  ["a literal that begins with '", "<a:s> <a:p> 'o' .", 13],
  ['a literal in three quotation marks', '<a:s> <a:p> """o""" .', 15],
  ['a literal whose last quotation mark is escaped', '<a:s> <a:p> "o\\" .', 19],
  ['a number', '<a:s> <a:p> 1 .', 13],
  ['a decimal', '<a:s> <a:p> 1.0 .', 13],
  ['a word', '<a:s> <a:p> true .', 13],
  ['no dot', '<a:s> <a:p> <a:o>', 18],
  ['no dot before the comment', '<a:s> <a:p> <a:o> # .', 19],
  ['two quads', '<a:s> <a:p> <a:o> . <a:s> <a:p> <a:o> .', 21],
  ['two dots', '<a:s> <a:p> <a:o> ..', 20],
  ['no object', '<a:s> <a:p> .', 13],
  ['a subject alone', '<a:s>', 6],
  ['a blank that is none of theirs', '<a:s>\u00a0<a:p> <a:o> .', 6],
]

for (const [what, text, column] of NEGATIVE) {
  test(`no N-Quads: ${what}`, async (t) => {
    const error = await refused(t, 'ERR_KARYON_ARGUMENT', () => quadOf(text, 7))
    t.like(error.details, { line: 7, column }, error.message)
    t.regex(error.message, /^line 7, column \d+: /)
  })
}

test('a file is read as it comes, with its lines counted whatever ends them', async (t) => {
  const text = '# one\r\n\r\n<a:s> <a:p> "é" .\r<a:s> <a:p> "b" .\n\n<a:s> <a:p> .'
  const bytes = Buffer.from(text)
  const source = Array.from({ length: bytes.length }, (_, at) => bytes.subarray(at, at + 1))
  const objects: unknown[] = []
  const read = async (): Promise<void> => {
    for await (const { object } of parseNQuads(source)) objects.push(object)
  }
  const error = await refused(t, 'ERR_KARYON_ARGUMENT', read())
  t.deepEqual(objects, [{ value: 'é' }, { value: 'b' }])
  t.like(error.details, { line: 6, column: 13 })
})

test('what is written is read as it was', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  for (let round = 0; round < 2_000; round++) {
    const object = random() < 0.5 ? randomLiteral(random) : pick(random, ['_:b', O])
    const said = quad(object, pick(random, ['', G, '_:g']), pick(random, [S, '_:1.2']))
    t.deepEqual(quadOf(lineOf(said).slice(0, -1), 1), said, `KARYON_SEED=${seed}, round ${round}`)
  }
})

function randomLiteral(random: Random): Literal {
  const value = Array.from({ length: 6 }, () =>
    pick(random, ['\n', '\r', '"', '\\', 'u0041', randomText(random, 3)]),
  ).join('')
  return { value, ...pick(random, [{}, { language: 'en-GB' }, { datatype: `${XSD}token` }]) }
}

test('no line takes longer than its length to be refused or read', async (t) => {
  const long = 1_000_000
  t.deepEqual(quadOf(`<a:s> <a:p> "${'\\\\'.repeat(long)}" .`, 1)?.object, { value: '\\'.repeat(long) })
  t.deepEqual(quadOf(`<a:s> <a:p> "${'\\"'.repeat(long)}" .`, 1)?.object, { value: '"'.repeat(long) })
  for (const text of [
    `<a:${'\\u0041'.repeat(long)}`,
    `<a:s> <a:p> "${'\\"'.repeat(long)}`,
    `_:${'.'.repeat(long)}`,
    `_:a${'.'.repeat(long)} <a:p>`,
    `_:a${'.'.repeat(long)}b :`,
    `<a:s> <a:p> "o"@${'a-'.repeat(long)}`,
    '<a:s>'.repeat(long),
    ' '.repeat(long) + '!',
  ]) {
    await refused(t, 'ERR_KARYON_ARGUMENT', () => quadOf(text, 1))
  }
})

test('what stands for itself is an absolute IRI, or a blank node with a label', (t) => {
  for (const iri of ['a:', 'http://example/é?#', 'urn:x:y']) t.true(isIri(iri), iri)
  for (const other of ['', 'a', ':a', 'é:a', 'a:b c', 'a:\\u0041', '_:b', 'a:\n'])
    t.false(isIri(other), other)
  for (const blank of ['_:b', '_:0', '_:a.b', '_:_']) t.true(isBlankNode(blank), blank)
  for (const other of ['_:', '_:a.', '_:.a', '_:a:b', '_:a b', 'b', '_:a\n'])
    t.false(isBlankNode(other), other)
})
