import test from 'ava'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { upperBound } from '../../benches/stores/cost.ts'
import { groupsOfChanges } from '../../benches/stores/facts.ts'
import { mapStore } from '../../benches/stores/map.ts'
import { bytesOnDisk, everyKey, oncePerRound, partSide, quantile } from '../../benches/stores/work.ts'

test('no key is twice in a group of changes, and the groups are the same for every store', (t) => {
  const groups = groupsOfChanges(3, 1_000, 1_000, 7)
  for (const group of groups) t.is(new Set(group.map(([key]) => key)).size, 1_000)
  t.deepEqual(groups, groupsOfChanges(3, 1_000, 1_000, 7))
})

test('a quantile is a value that was measured', (t) => {
  const values = Float64Array.from({ length: 100 }, (_, at) => 100 - at)
  t.deepEqual(
    [0, 0.5, 0.99, 1].map((part) => quantile(values, part)),
    [1, 51, 100, 100],
  )
})

test('a Map keeps every version, and answers as of each', (t) => {
  const store = mapStore()
  void store.open(undefined)
  const [[key, first], [, second]] = everyKey(2) as [
    ReturnType<typeof everyKey>[number],
    ReturnType<typeof everyKey>[number],
  ]
  void store.loadVersions([
    [key, first],
    [key, second],
  ])
  void store.recount([[key, -5]])
  t.deepEqual(
    [1, 2, 3].map((version) => store.readAt(key, version)),
    [first, second, { ...second, count: -5 }],
  )
  t.is(store.readAt(key, 0), undefined)
  t.deepEqual(store.read(key), { ...second, count: -5 })
})

test('a folder takes up what its files do, and none where there is no folder', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'karyon-benches-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  t.is(bytesOnDisk(join(folder, 'missing')), 0)
  writeFileSync(join(folder, 'file'), Buffer.alloc(100_000, 1))
  t.true(bytesOnDisk(folder) >= 100_000)
})

test('an upper bound of the median lies as far above it as coins make it', (t) => {
  const values = (count: number): number[] => Array.from({ length: count }, (_, at) => count - at)
  // Of 21 fair coins at most 14 show heads with a probability of 96 %, at most 13 with one of 90 %.
  t.is(upperBound(values(21)), 15)
  t.is(upperBound(values(15)), 12)
  // Too few to say it of any of them: the largest.
  t.is(upperBound(values(3)), 3)
})

test('what is measured once a round has parts that are all of the same round', async (t) => {
  const rounds: number[] = []
  const measured = oncePerRound((round) => {
    rounds.push(round)
    return Promise.resolve({ ten: round * 10, sum: 7 })
  })
  const sides = [
    partSide(
      'one',
      measured,
      ({ ten }) => ten,
      ({ sum }) => sum,
    ),
    partSide('two', measured, ({ ten }) => ten + 1),
  ]
  for (const round of [1, 2]) {
    for (const side of sides) {
      await side.prepare?.(round)
      await side.run()
    }
    t.deepEqual(
      sides.map((side) => side.figure?.()),
      [round * 10, round * 10 + 1],
    )
  }
  t.deepEqual(rounds, [1, 2])
  t.is(sides[0]!.answer?.(), 7)
  t.is(sides[1]!.answer, undefined)
})
