import test from 'ava'
import type { Cursor } from '../../ts/engrams/cursor.ts'
import { Names } from '../../ts/engrams/names.ts'
import {
  type Fact,
  type Span,
  decodeProperties,
  putProperties,
  putValid,
  readValid,
  skipProperties,
} from '../../ts/engrams/properties.ts'
import type { ValidValue } from '../../ts/index.ts'
import { Writer } from '../../ts/values/writer.ts'
import { refused } from '../kernel/refused.ts'
import { over } from './spans.ts'

const NAMES = new Names(['a', 'b', 'c'])
const [ONE, TWO, THREE] = [1, 2, 3].map((month) => new Date(Date.UTC(2026, month))) as [Date, Date, Date]

function written(put: (writer: Writer) => void): Cursor {
  const writer = new Writer()
  put(writer)
  const cursor = over(Buffer.from(writer.bytes.subarray(0, writer.length)))
  cursor.need(cursor.left)
  return cursor
}

function facts(...of: readonly Fact[]): Cursor {
  return written((writer) => putProperties(writer, of, NAMES))
}

function sometimes(...held: readonly ValidValue[]): Cursor {
  return facts({ name: 0, source: 0, held, isTemporal: true })
}

test('properties come back, those that hold always and those that do not', (t) => {
  const held = [
    { to: ONE, value: 1 },
    { from: ONE, to: TWO, value: 2 },
    { from: THREE, value: [1, { a: 1 }] },
  ]
  const cursor = facts(
    { name: 0, source: 0, held: 'always', isTemporal: false },
    { name: 1, source: 7, held, isTemporal: true },
    { name: 2, source: 300, held: null, isTemporal: false },
  )
  const skipped = skipProperties(cursor, NAMES)
  cursor.done()
  t.deepEqual(
    skipped.map(({ name, source }) => [name, source]),
    [
      ['a', 0],
      ['b', 7],
      ['c', 300],
    ],
  )
  t.deepEqual(decodeProperties(cursor, skipped), { props: { a: 'always', c: null }, intervals: { b: held } })
})

test('when an edge holds comes back', (t) => {
  const spans: (readonly Span[] | undefined)[] = [
    undefined,
    [{ from: ONE }],
    [{ to: ONE }, { from: TWO, to: THREE }],
    [{ from: ONE, to: TWO }, { from: THREE }],
  ]
  for (const valid of spans) t.deepEqual(readValid(written((writer) => putValid(writer, valid))), valid)
})

const WRONG: Readonly<Record<string, readonly Span[]>> = {
  'always, said as a time': [{}],
  'nothing of it is open': [{ from: TWO, to: ONE }],
  'no time at all': [{ from: ONE, to: ONE }],
  'out of order': [{ from: TWO, to: THREE }, { to: ONE }],
  overlapping: [{ from: ONE, to: THREE }, { from: TWO }],
  'behind what never ends': [{ from: ONE }, { from: TWO, to: THREE }],
  'two that one would say': [
    { from: ONE, to: TWO },
    { from: TWO, to: THREE },
  ],
}

for (const [what, spans] of Object.entries(WRONG)) {
  test(`times are refused: ${what}`, async (t) => {
    await refused(t, 'ERR_KARYON_PACKAGE', () => readValid(written((writer) => putValid(writer, spans))))
    const held = spans.map((span) => ({ ...span, value: 'same' }))
    await refused(t, 'ERR_KARYON_PACKAGE', () => skipProperties(sometimes(...held), NAMES))
  })
}

test('properties are refused that are out of order, unknown, too many or hold nothing', async (t) => {
  const fact = (name: number): Fact => ({ name, source: 0, held: 1, isTemporal: false })
  const many = new Names(Array.from({ length: 1_100 }, (_, at) => String(at).padStart(4, '0')))
  const wrong: Readonly<Record<string, () => unknown>> = {
    descending: () => skipProperties(facts(fact(1), fact(0)), NAMES),
    twice: () => skipProperties(facts(fact(1), fact(1)), NAMES),
    unknown: () => skipProperties(facts(fact(0), fact(3)), new Names(['a'])),
    nothing: () => skipProperties(sometimes(), NAMES),
    'other bounds': () => readValid(over(Buffer.of(1, 4, 0))),
    'more intervals than there may be': () =>
      readValid(
        written((writer) =>
          putValid(
            writer,
            Array.from({ length: 4_097 }, () => ({ from: ONE })),
          ),
        ),
      ),
    'too many': () =>
      skipProperties(
        written((writer) =>
          putProperties(
            writer,
            Array.from({ length: 1_025 }, (_, at) => fact(at)),
            many,
          ),
        ),
        many,
      ),
    'more than are there': () => skipProperties(over(Buffer.of(0xff, 0xff, 0x03, 0)), NAMES),
  }
  for (const [what, act] of Object.entries(wrong)) await refused(t, 'ERR_KARYON_PACKAGE', act, what)
  t.is(skipProperties(facts(fact(0), fact(2)), NAMES).length, 2)
})
