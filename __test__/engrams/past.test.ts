// What is told of the past, byte by byte: what a forger may write there is refused where it is read.
import test from 'ava'
import { putCommit } from '../../ts/engrams/changes.ts'
import { NAMES_MAX } from '../../ts/engrams/limits.ts'
import { Names } from '../../ts/engrams/names.ts'
import { Pasts, type Asked } from '../../ts/engrams/past.ts'
import { KaryonError } from '../../ts/index.ts'
import { Writer } from '../../ts/values/writer.ts'
import { refused } from '../kernel/refused.ts'
import { chooseSeed, below, seededRandom } from '../values/random.ts'
import { blocksOver } from './spans.ts'

const NAMES = new Names(['a', 'b'])
const PRINCIPALS = { principal: (number: number) => ['root', 'root/crew'][number] }
const ALL: Asked = { slot: undefined, from: undefined, to: undefined }
/** Where the section begins, and where the nodes or edges are that it tells of. */
const [OFFSET, TARGET] = [65_000, 640]

const [EXISTENCE, LABEL, TIMES, PROPERTY] = [0, 1, 2, 3].map((kind) => kind * NAMES_MAX) as [
  number,
  number,
  number,
  number,
]
const THERE = Buffer.alloc(0)
const [ONE, TWO] = [Buffer.of(3, 2), Buffer.of(3, 4)]
/** From 1970 on. */
const SINCE = Buffer.of(1, 1, 0)

type Piece = (writer: Writer) => void

function commit(
  micros: bigint | undefined,
  ...changes: readonly (readonly [slot: number, held: Buffer | undefined])[]
): Piece {
  const author = micros === undefined ? undefined : { principal: 1, micros }
  return (writer) =>
    putCommit(
      writer,
      author,
      changes.map(([slot, held]) => ({ slot, held })),
    )
}

const bytes =
  (...all: readonly number[]): Piece =>
  (writer) =>
    all.forEach((byte) => writer.byte(byte))

const END = bytes(0)
const CUT = bytes(1)

function written(pieces: readonly Piece[]): Buffer {
  const writer = new Writer()
  for (const piece of pieces) piece(writer)
  return Buffer.from(writer.bytes.subarray(0, writer.length))
}

interface Row {
  readonly target: number
  readonly start: number
}

/** A section of these bytes, and these rows behind them. */
function section(pasts: Buffer, rows: readonly Row[], { most = 100, entries = rows.length } = {}): Pasts {
  const table = Buffer.alloc(rows.length * 12)
  rows.forEach(({ target, start }, at) => {
    table.writeUIntLE(target, at * 12, 6)
    table.writeUIntLE(OFFSET + start, at * 12 + 6, 6)
  })
  const all = Buffer.concat([pasts, table])
  const blocks = blocksOver(all, OFFSET)
  return new Pasts(blocks, { offset: OFFSET, bytes: all.length, entries }, NAMES, PRINCIPALS, most)
}

function read(pieces: readonly Piece[], isNode = true, most = 100): unknown[] {
  const pasts = section(written(pieces), [{ target: TARGET, start: 0 }], { most })
  return [...pasts.changes(TARGET, isNode, ALL)].map(
    ({ version: _version, principal: _principal, time, ...rest }) => ({ at: time.getTime(), ...rest }),
  )
}

test('what was written comes back, and what nobody tells of is known from what came after', (t) => {
  const node = [
    commit(5_000n, [PROPERTY, undefined], [PROPERTY + 1, ONE]),
    commit(undefined, [PROPERTY, TWO]),
    commit(4_000n, [LABEL, THERE], [PROPERTY, ONE]),
    commit(1_000n, [EXISTENCE, THERE], [LABEL + 1, undefined]),
    commit(undefined, [PROPERTY + 1, TWO]),
    END,
  ]
  t.deepEqual(read(node), [
    { at: 5, kind: 'unset', property: 'a', before: 2 },
    { at: 5, kind: 'set', property: 'b', before: 2, after: 1 },
    { at: 4, kind: 'labelled', label: 'a' },
    { at: 4, kind: 'set', property: 'a', after: 1 },
    { at: 1, kind: 'created' },
    { at: 1, kind: 'unlabelled', label: 'b' },
  ])
  const edge = [commit(2_000n, [TIMES, undefined]), commit(1_000n, [EXISTENCE, THERE], [TIMES, SINCE]), END]
  const intervals = [{ from: new Date(0), value: true }]
  t.deepEqual(read(edge, false), [
    { at: 2, kind: 'unset', intervalsBefore: intervals },
    { at: 1, kind: 'created' },
    { at: 1, kind: 'set', intervalsAfter: intervals },
  ])
})

test('what was not kept is said behind what was', async (t) => {
  const pasts = section(written([commit(1_000n, [EXISTENCE, THERE]), CUT]), [{ target: TARGET, start: 0 }])
  const changes = pasts.changes(TARGET, true, ALL)
  t.is(changes.next().value?.kind, 'created')
  await refused(t, 'ERR_KARYON_HORIZON', () => changes.next())
  await refused(t, 'ERR_KARYON_HORIZON', () => read([CUT]))
  t.is(
    [...pasts.changes(TARGET, true, { ...ALL, slot: PROPERTY, from: 1_000n })].length,
    0,
    'it is known that far',
  )
})

const CREATED = commit(1_000n, [EXISTENCE, THERE])
const WRONG: Readonly<Record<string, readonly [pieces: readonly Piece[], isNode?: boolean]>> = {
  'nothing at all': [[END]],
  'an end that is none': [[CREATED, bytes(2)]],
  'no end': [[CREATED]],
  'something behind the end': [[CREATED, END, END]],
  'commits in the other order': [[CREATED, commit(2_000n, [PROPERTY, ONE]), END]],
  'two commits at once': [[CREATED, CREATED, END]],
  'a commit without changes': [[commit(1_000n), END]],
  'changes in another order': [[commit(1_000n, [PROPERTY, ONE], [EXISTENCE, THERE]), END]],
  'a change twice': [[commit(1_000n, [PROPERTY, ONE], [PROPERTY, TWO]), END]],
  'a name that is none': [[commit(1_000n, [PROPERTY + 2, ONE]), END]],
  'a label that is none': [[commit(1_000n, [LABEL + 2, THERE]), END]],
  'a principal that is none': [[bytes(3, 0, 2, 1, 0), END]],
  'a time beyond what a Date holds': [[bytes(2, ...Array.from({ length: 9 }, () => 0xff), 1, 2, 1, 0), END]],
  'a kind that is none': [[bytes(1, 0, 2, 1, 8), END]],
  'times of a node': [[commit(1_000n, [TIMES, SINCE]), END]],
  'a label of an edge': [[commit(1_000n, [LABEL, THERE]), END], false],
  'an edge that holds always, said as a time': [[commit(1_000n, [TIMES, Buffer.of(0)]), END], false],
  'times that are none': [[commit(1_000n, [TIMES, Buffer.of(1, 4)]), END], false],
  'a value that is none': [[commit(1_000n, [PROPERTY, Buffer.of(12)]), END]],
  'more than a commit says': [[bytes(1, 0, 3, 1, 0, 0), END]],
  'less than a commit says': [[bytes(1, 0, 5, 1, 3, 0, 0, 0), END]],
  'a commit beyond the end': [[bytes(1, 0, 100, 1, 0), END]],
  'a count beyond the end': [[bytes(1, 0, 2, 100, 0), END]],
  'a value beyond its commit': [[bytes(1, 0, 4, 1, 3, 0, 6), bytes(1), END]],
  'what nobody tells, though nothing is newer': [[commit(undefined, [PROPERTY, ONE]), CREATED, END]],
  'an existence that nobody tells': [
    [commit(2_000n, [EXISTENCE, THERE]), commit(undefined, [EXISTENCE, THERE]), END],
  ],
  'what nobody tells, and what comes next does not need': [
    [commit(2_000n, [PROPERTY, ONE]), commit(undefined, [PROPERTY, TWO]), CREATED, END],
  ],
  'what nobody tells, as what comes next has it': [
    [
      commit(2_000n, [PROPERTY, ONE]),
      commit(undefined, [PROPERTY, TWO]),
      commit(1_000n, [PROPERTY, TWO]),
      END,
    ],
  ],
  'what nobody tells, twice': [
    [
      commit(2_000n, [PROPERTY, ONE]),
      commit(undefined, [PROPERTY, TWO]),
      commit(undefined, [PROPERTY, ONE]),
      END,
    ],
  ],
  'nothing, behind all, that nobody tells': [
    [commit(2_000n, [PROPERTY, ONE]), commit(undefined, [PROPERTY, undefined]), END],
  ],
}

for (const [what, [pieces, isNode]] of Object.entries(WRONG)) {
  test(`of the past is refused: ${what}`, async (t) => {
    await refused(t, 'ERR_KARYON_PACKAGE', () => read(pieces, isNode))
  })
}

test('more changes than the manifest counts are refused', async (t) => {
  const two = [commit(2_000n, [PROPERTY, ONE]), CREATED, END]
  t.is(read(two, true, 2).length, 2)
  await refused(t, 'ERR_KARYON_PACKAGE', () => read(two, true, 1))
})

test('rows that lead elsewhere are refused', async (t) => {
  const one = written([CREATED, END])
  const pasts = Buffer.concat([one, one, one])
  const rows = [0, 1, 2].map((at) => ({ target: TARGET + at, start: at * one.length }))
  const changesOf = (these: readonly Row[], target = TARGET + 1, options = {}): number =>
    [...section(pasts, these, options).changes(target, true, ALL)].length
  for (const at of [0, 1, 2]) t.is(changesOf(rows, TARGET + at), 1)
  t.is(changesOf(rows, TARGET - 1), 0)
  t.is(changesOf(rows, TARGET + 3), 0)
  const [first, second, third] = rows as [Row, Row, Row]
  const wrong: Readonly<Record<string, () => unknown>> = {
    'more of them than room': () => changesOf(rows, TARGET, { entries: 100 }),
    'fewer of them than there are': () => changesOf(rows, TARGET, { entries: 2 }),
    'none, where something is told': () => section(pasts, []),
    'the first behind the beginning': () => changesOf([{ ...first, start: 1 }, second, third], TARGET),
    'one before the beginning': () => changesOf([first, { ...second, start: -1 }, third]),
    'one in the middle of a past': () => changesOf([first, { ...second, start: second.start + 1 }, third]),
    'one behind the next': () => changesOf([first, { ...second, start: third.start + 1 }, third]),
    'one at the next': () => changesOf([first, { ...second, start: third.start }, third]),
    'one behind the end': () => changesOf([first, second, { ...third, start: 2 ** 40 }], TARGET + 2),
    'one of the same node': () => changesOf([first, second, { ...third, target: second.target }]),
  }
  for (const [what, act] of Object.entries(wrong)) await refused(t, 'ERR_KARYON_PACKAGE', act, what)
})

test('a past that is cut short anywhere is refused', async (t) => {
  const pieces = [
    commit(5_000n, [PROPERTY, undefined], [PROPERTY + 1, ONE]),
    commit(undefined, [PROPERTY, TWO]),
    commit(4_000n, [LABEL, THERE], [PROPERTY, ONE]),
    CREATED,
    END,
  ]
  const whole = written(pieces)
  const ends = pieces.map((_, at) => written(pieces.slice(0, at)).length)
  for (let length = 1; length < whole.length; length++) {
    // The beginning of a commit may be the end of a past.
    if (ends.includes(length - 1) && whole[length - 1]! < 2) continue
    const pasts = section(whole.subarray(0, length), [{ target: TARGET, start: 0 }])
    await refused(t, 'ERR_KARYON_PACKAGE', () => [...pasts.changes(TARGET, true, ALL)], `${length} bytes`)
  }
})

test('whatever bytes stand there, they are told or refused', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const whole = written([
    commit(5_000n, [PROPERTY, undefined], [PROPERTY + 1, ONE]),
    commit(undefined, [PROPERTY, TWO]),
    commit(4_000n, [LABEL, THERE], [PROPERTY, ONE]),
    CREATED,
    END,
  ])
  let found = 0
  for (let round = 0; round < 5_000; round++) {
    const forged = Buffer.from(whole)
    for (let left = 1 + below(random, 3); left > 0; left--)
      forged[below(random, forged.length)] = below(random, 256)
    try {
      const pasts = section(forged, [{ target: TARGET, start: 0 }])
      for (const _ of pasts.changes(TARGET, below(random, 2) === 0, ALL));
    } catch (error) {
      if (!(error instanceof KaryonError)) throw error
      found++
    }
  }
  t.true(found > 2_000, `${found} of 5,000`)
})
