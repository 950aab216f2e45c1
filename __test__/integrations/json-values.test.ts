import test from 'ava'
import { Instant, Kernel, type Value } from '../../ts/index.ts'
import { faultOf } from '../../ts/integrations/json/fault.ts'
import { fromJson, toJson, type Json } from '../../ts/integrations/json/tagged.ts'
import { refused } from '../kernel/refused.ts'
import { below, chooseSeed, pick, randomValue, seededRandom } from '../values/random.ts'

const FORMS: readonly (readonly [Value, string])[] = [
  [null, 'null'],
  [true, 'true'],
  [0, '0'],
  [-1.5, '-1.5'],
  [Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ['naïve \u2028 𝒳 "', '"naïve \u2028 𝒳 \\""'],
  [-0, '{"$float":"-0"}'],
  [Number.NaN, '{"$float":"NaN"}'],
  [Infinity, '{"$float":"Infinity"}'],
  [-Infinity, '{"$float":"-Infinity"}'],
  [-12n, '{"$bigint":"-12"}'],
  [Uint8Array.of(0, 255), '{"$bytes":"AP8="}'],
  [new Uint8Array(0), '{"$bytes":""}'],
  [new Date(1_767_323_045_678), '{"$time":"2026-01-02T03:04:05.678Z"}'],
  [Instant.fromMicros(-1n), '{"$time":"1969-12-31T23:59:59.999999Z"}'],
  [new Date(-8_640_000_000_000_000), '{"$time":"-271821-04-20T00:00:00.000Z"}'],
  [Float32Array.of(1.5, Infinity), '{"$float32":"AADAPwAAgH8="}'],
  [[1, [2, null]], '[1,[2,null]]'],
  [{ b: 1, a: { c: 2n } }, '{"a":{"c":{"$bigint":"2"}},"b":1}'],
  [{ $: 1 }, '{"$map":{"$":1}}'],
  [{ $map: { $map: 1 } }, '{"$map":{"$map":{"$map":{"$map":1}}}}'],
  [{ $bigint: '1', more: 1 }, '{"$bigint":"1","more":1}'],
  [{}, '{}'],
  [[], '[]'],
]

for (const [value, text] of FORMS) {
  test(`one form, both ways: ${text}`, (t) => {
    t.is(JSON.stringify(toJson(value)), text)
    t.deepEqual(fromJson(JSON.parse(text) as Json, 'value'), value)
  })
}

test('times may be written by hand', (t) => {
  for (const [text, iso] of [
    ['2026-02-03', '2026-02-03T00:00:00.000Z'],
    ['2026-02-03T04:05', '2026-02-03T04:05:00.000Z'],
    ['2026-02-03T04:05:06.7Z', '2026-02-03T04:05:06.700Z'],
    ['2026-02-03T04:05:06.1234+01:30', '2026-02-03T02:35:06.123400Z'],
    ['12026-02-03T00:00:00Z', '+012026-02-03T00:00:00.000Z'],
  ]) {
    t.is((fromJson({ $time: text! }, 'value') as Date).toISOString(), iso!)
  }
})

test('a tag that does not hold what it should is refused', async (t) => {
  for (const json of [
    { $bigint: '1.5' },
    { $bigint: 1 },
    { $bytes: 'AP8' },
    { $bytes: 'A P8=' },
    { $time: '2026-02-30' },
    { $time: '2026-01-01T25:00' },
    { $time: 'yesterday' },
    { $float: '1.5' },
    { $float: 'toString' },
    { $float32: 'AP8=' },
    { $map: 1 },
    { $unknown: 'x' },
  ]) {
    const error = await refused(t, 'ERR_KARYON_ARGUMENT', () => fromJson(json, 'props.x'))
    t.regex(error.message, /^props\.x is \{"\$/)
  }
})

test('a number that is beyond all of 64 bits is refused, and no other is', async (t) => {
  for (const text of ['1e400', '-1e400', '[1,{"a":1e309}]']) {
    const error = await refused(t, 'ERR_KARYON_ARGUMENT', () => fromJson(JSON.parse(text) as Json, 'props.x'))
    t.regex(error.message, /^props\.x is a number beyond/)
  }
  t.is(fromJson(JSON.parse('1.7976931348623157e308') as Json, 'value'), Number.MAX_VALUE)
  t.is(fromJson(JSON.parse('1e-400') as Json, 'value'), 0)
})

test('JSON that is nested without end is refused', async (t) => {
  const text = '['.repeat(100_000) + ']'.repeat(100_000)
  await refused(t, 'ERR_KARYON_VALUE_DEPTH', () => fromJson(JSON.parse(text) as Json, 'value'))
})

test('any value comes back from JSON as it was', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const { graph } = Kernel.memory()
  for (let round = 0; round < 1_000; round++) {
    const name = pick(random, ['$map', '$bigint', '$', 'plain'])
    const value = below(random, 4) === 0 ? { [name]: randomValue(random) } : randomValue(random, 4)
    const text = JSON.stringify(toJson(value))
    const back = fromJson(JSON.parse(text) as Json, 'value')
    t.deepEqual(back, value, `KARYON_SEED=${seed}, round ${round}`)
    // Equal values have equal text, whichever way they were made.
    await graph.write((tx) => tx.put('n', { props: { value } }))
    t.is(JSON.stringify(toJson(graph.get('n')!.props['value']!)), text, `KARYON_SEED=${seed}, round ${round}`)
  }
})

test('the place where a text ceases to be JSON is found', (t) => {
  for (const [text, at] of [
    ['', 0],
    ['  ', 2],
    ['{', 1],
    ['{"a"', 4],
    ['{"a":}', 5],
    ['{"a":1,}', 7],
    ['[1,]', 3],
    ['[1 2]', 3],
    ['[1}', 2],
    ['{"a":1]', 6],
    ['{a:1}', 1],
    ["{'a':1}", 1],
    ['{"a" 1}', 5],
    ['[01]', 2],
    ['[1.]', 3],
    ['[1e+]', 4],
    ['[-]', 2],
    ['[nul]', 4],
    ['[nulll]', 5],
    ['"a', 2],
    ['"a\\x"', 2],
    ['"a\\u12G4"', 2],
    ['"a\tb"', 2],
    ['1 2', 2],
    ['{} x', 3],
    ['[1],', 3],
    [':', 0],
  ] as const) {
    t.throws(() => JSON.parse(text) as unknown)
    t.is(faultOf(text), at, text)
  }
})

test('a text that is JSON to its end has no such place, and one that was damaged has it where the engine says, if it does', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  let told = 0
  for (let round = 0; round < 3_000; round++) {
    const text = JSON.stringify(toJson(randomValue(random, 4)))
    t.is(faultOf(text), text.length, text)
    const at = below(random, text.length)
    const damaged =
      text.slice(0, at) + pick(random, [...'{}[]:,"1x\\ \u0001']) + text.slice(at + below(random, 3))
    const position = positionOf(damaged)
    if (position === undefined) continue
    told++
    const fault = faultOf(damaged)
    // Of a wrong escape the engine names the unit that is wrong, and this its beginning.
    const isEscape = damaged[fault] === '\\' && position > fault && position < fault + 6
    t.is(isEscape ? position : fault, position, `KARYON_SEED=${seed}: ${damaged}`)
  }
  t.not(told, 0)
})

/** Where the engine says that a text is no JSON; `undefined` where it is, or the engine does not say. */
function positionOf(text: string): number | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    const position = /at position (\d+)/.exec((error as Error).message)?.[1]
    return position === undefined ? undefined : Number(position)
  }
}
