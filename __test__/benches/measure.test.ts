import test from 'ava'
import { isWanted } from '../../benches/cases.ts'
import { measure, median, spread, turned } from '../../benches/measure.ts'
import type { Case, Side } from '../../benches/measure.ts'

const side = (name: string, log: string[], answer: unknown = 1): Side => ({
  name,
  start: () => void log.push(`${name} starts`),
  run: () => void log.push(name),
  answer: () => answer,
  stop: () => void log.push(`${name} stops`),
})

const comparing = (ours: Side, peers: readonly Side[], limit?: number): Case => ({
  name: 'room/case',
  unit: 'ns/op',
  operations: 1,
  ours,
  peers,
  ...(limit !== undefined && { limit }),
})

test('the sides take turns, and the first of a round changes', async (t) => {
  const log: string[] = []
  await measure(comparing(side('a', log), [side('b', log)]), 5)
  t.deepEqual(log.slice(0, 2), ['a starts', 'b starts'])
  t.deepEqual(log.slice(2, 8), ['a', 'b', 'b', 'a', 'a', 'b'])
  t.deepEqual(log.slice(-2), ['b stops', 'a stops'])
  // The first round warms up.
  t.is(log.filter((entry) => entry === 'a').length, 6)
})

test('a row for each peer, and one for a limit', async (t) => {
  const rows = await measure(comparing(side('karyon', []), [side('b', []), side('c', [])], 5), 5)
  t.deepEqual(
    rows.map(({ peerName }) => peerName),
    ['b', 'c', 'limit'],
  )
  t.deepEqual(Object.keys(rows[0]!), ['name', 'unit', 'ours', 'peer', 'peerName', 'ratio', 'spread', 'note'])
})

test('a side that answers differently is no comparison', async (t) => {
  const log: string[] = []
  const work = comparing(side('a', log, { sum: 1 }), [side('b', log, { sum: 2 })])
  await t.throwsAsync(measure(work, 5), { message: /^room\/case: b answers differently/ })
  t.deepEqual(log.slice(-2), ['b stops', 'a stops'])
})

test('a side that cannot start says why, and those before it are stopped', async (t) => {
  const log: string[] = []
  const broken: Side = {
    ...side('b', log),
    start() {
      throw new Error('no such library')
    },
  }
  await t.throwsAsync(measure(comparing(side('a', log), [broken]), 5), { message: 'no such library' })
  t.deepEqual(log, ['a starts', 'a stops'])
})

test('a peer without an answer is a floor, and none to compare answers with', async (t) => {
  const rows = await measure(comparing(side('karyon', []), [{ name: 'bare sync', run: () => {} }]), 5)
  t.is(rows[0]!.peerName, 'bare sync')
})

test('a figure takes the place of the time', async (t) => {
  const sized = (name: string, bytes: number): Side => ({ ...side(name, []), figure: () => bytes })
  const work: Case = { ...comparing(sized('karyon', 50), [sized('b', 200)], 75), unit: 'B/op' }
  const [row, limit] = await measure(work, 5)
  t.deepEqual([row!.ours, row!.peer, row!.ratio, row!.spread, row!.note], [50, 200, 4, 0, ''])
  t.is(limit!.ratio, 1.5)
})

test('a slow case has five rounds and none to warm up, and is asked for its note after the last', async (t) => {
  const log: string[] = []
  const note = (): string => `${log.filter((entry) => entry === 'a').length} rounds`
  const [row] = await measure({ ...comparing(side('a', log), [side('b', log)]), slow: true, note })
  t.regex(row!.note, /^5 rounds; CPU /)
})

test('fewer than five rounds are refused', async (t) => {
  await t.throwsAsync(measure(comparing(side('a', []), []), 4), { instanceOf: RangeError })
})

test('a ratio is above 1 where Karyon is better, whatever the unit', (t) => {
  t.is(turned('op/s', 200, 100), 2)
  t.is(turned('ns/op', 100, 200), 2)
  t.is(turned('ms', 100, 200), 2)
  t.is(turned('B', 100, 200), 2)
  t.is(turned('op/sync', 200, 100), 2)
})

test('the median is the middle, and the spread the range around it', (t) => {
  t.is(median([9, 1, 5]), 5)
  t.is(median([1, 3, 5, 100]), 4)
  t.is(spread([9, 10, 12]), 0.3)
})

test('a case is asked for by its room, its name or the beginning of it', (t) => {
  const name = 'store/write-durable/in-flight-1'
  t.true(isWanted(name, []))
  t.true(isWanted(name, ['cells', 'store']))
  t.true(isWanted(name, ['store/write-durable']))
  t.true(isWanted(name, [name]))
  t.false(isWanted(name, ['store/write']))
})
