import test from 'ava'
import { anomalies, forbidden, type Anomaly, type Found } from './checker.ts'
import type { Attempt, History, Step } from './history.ts'
import { secondOpinions } from './judge.ts'

let clock = 0n

/** Transactions that all ran at the same time, each a client's only one. */
function history(...attempts: readonly Omit<Attempt, 'process' | 'began' | 'ended'>[]): History {
  const began = clock++
  return attempts.map((attempt, process) => ({ ...attempt, process, began, ended: clock++ }))
}

function ok(...steps: readonly Step[]): Omit<Attempt, 'process' | 'began' | 'ended'> {
  return { committed: true, steps }
}

/** The commit of a version. */
function at(version: number, ...steps: readonly Step[]): Omit<Attempt, 'process' | 'began' | 'ended'> {
  return { committed: true, steps, version }
}

function aborted(...steps: readonly Step[]): Omit<Attempt, 'process' | 'began' | 'ended'> {
  return { committed: false, steps }
}

/** Histories with what each of them shows. */
const CASES: readonly (readonly [string, readonly Anomaly[], History])[] = [
  [
    'one after the other',
    [],
    history(
      ok(['r', 'x', []], ['append', 'x', 1]),
      ok(['append', 'x', 2], ['r', 'x', [1, 2]]),
      ok(['r', 'x', [1, 2]], ['r', 'y', []]),
      aborted(['append', 'x', 3]),
    ),
  ],
  [
    'writes of two are interleaved',
    ['G0'],
    history(
      ok(['append', 'x', 1], ['append', 'y', 1]),
      ok(['append', 'x', 2], ['append', 'y', 2]),
      ok(['r', 'x', [1, 2]]),
      ok(['r', 'y', [2, 1]]),
    ),
  ],
  ['what was aborted is read', ['G1a'], history(aborted(['append', 'x', 1]), ok(['r', 'x', [1]]))],
  [
    'what was on its way is read',
    ['G1b', 'G-single'],
    history(ok(['append', 'x', 1], ['append', 'x', 2]), ok(['r', 'x', [1]]), ok(['r', 'x', [1, 2]])),
  ],
  [
    'two read each other',
    ['G1c'],
    history(ok(['append', 'x', 1], ['r', 'y', [1]]), ok(['append', 'y', 1], ['r', 'x', [1]])),
  ],
  [
    'one half of a transaction is read',
    ['G-single'],
    history(ok(['append', 'x', 1], ['append', 'y', 1]), ok(['r', 'x', []], ['r', 'y', [1]])),
  ],
  [
    'an update is lost',
    ['G-single'],
    history(
      ok(['r', 'x', []], ['append', 'x', 1]),
      ok(['r', 'x', []], ['append', 'x', 2]),
      ok(['r', 'x', [1, 2]]),
    ),
  ],
  [
    'two readers see two writers in different orders',
    ['G-nonadjacent'],
    history(
      ok(['append', 'x', 1]),
      ok(['append', 'y', 1]),
      ok(['r', 'x', [1]], ['r', 'y', []]),
      ok(['r', 'x', []], ['r', 'y', [1]]),
    ),
  ],
  [
    'each writes what the other has read',
    ['G2-item'],
    history(
      ok(['r', 'x', []], ['r', 'y', []], ['append', 'x', 1]),
      ok(['r', 'x', []], ['r', 'y', []], ['append', 'y', 1]),
    ),
  ],
  [
    'a reader sees that one came late, and two others do not',
    ['G2-item'],
    history(
      ok(['r', 'x', []], ['append', 'y', 1]),
      ok(['append', 'x', 1]),
      ok(['r', 'x', [1]], ['r', 'y', []]),
    ),
  ],
  [
    'each adds to a set that the other has scanned',
    ['G2'],
    history(
      ok(['r', 's/1', []], ['r', 's/2', []], ['append', 's/1', 1]),
      ok(['r', 's/1', []], ['r', 's/2', []], ['append', 's/2', 2]),
    ),
  ],
  [
    'own writes are not seen',
    ['internal'],
    history(ok(['append', 'x', 1], ['r', 'x', []]), ok(['r', 'x', [1]])),
  ],
  [
    'two reads of one transaction differ',
    ['internal', 'G-single'],
    history(ok(['r', 'x', []], ['r', 'x', [1]]), ok(['append', 'x', 1])),
  ],
  [
    'two orders of one list',
    ['incompatible-order'],
    history(ok(['append', 'x', 1]), ok(['append', 'x', 2]), ok(['r', 'x', [1, 2]]), ok(['r', 'x', [2, 1]])),
  ],
  [
    'registers, one after the other',
    [],
    history(
      at(1, ['r', 'x', null], ['w', 'x', 1]),
      at(2, ['r', 'x', 1], ['w', 'x', 2], ['r', 'x', 2]),
      at(3, ['w', 'x', 3], ['w', 'x', 4]),
      at(4, ['r', 'x', 4], ['w', 'x', 5]),
      ok(['r', 'x', 1]),
    ),
  ],
  [
    'a register’s update is lost',
    ['G-single'],
    history(at(1, ['r', 'x', null], ['w', 'x', 1]), at(2, ['r', 'x', null], ['w', 'x', 2])),
  ],
  [
    'registers, one half of a transaction is read',
    ['G-single'],
    history(at(1, ['w', 'x', 1], ['w', 'y', 1]), ok(['r', 'x', 1], ['r', 'y', null])),
  ],
  ['a register on its way is read', ['G1b'], history(at(1, ['w', 'x', 1], ['w', 'x', 2]), ok(['r', 'x', 1]))],
  [
    'registers, each writes what the other has read',
    ['G2-item'],
    history(at(1, ['r', 'x', null], ['w', 'y', 1]), at(2, ['r', 'y', null], ['w', 'x', 1])),
  ],
]

for (const [name, expected, shown] of CASES) {
  test(`${name}: ${expected.join(', ') || 'nothing'}`, (t) => {
    const found = anomalies(shown)
    const stories = found.map(({ story }) => story).join('\n')
    t.deepEqual(namesOf(found), expected, stories)
    t.deepEqual(namesOf(forbidden(shown, 'serializable')), expected)
    // Write skew alone is allowed under snapshot isolation.
    const severe = expected.filter((anomaly) => !anomaly.startsWith('G2'))
    t.deepEqual(namesOf(forbidden(shown, 'snapshot')), severe)
  })
}

function namesOf(found: readonly Found[]): Anomaly[] {
  return found.map(({ anomaly }) => anomaly)
}

test('the crate adya says the same of them', async (t) => {
  const levels = ['serializable', 'snapshot'] as const
  const cases = CASES.flatMap(([, , history]) => levels.map((level) => ({ history, level })))
  const opinions = await secondOpinions(cases)
  for (const [at, { history, level }] of cases.entries()) {
    // To adya every member of a set is an item.
    const own = namesOf(forbidden(history, level)).map((name) => (name === 'G2' ? 'G2-item' : name))
    t.deepEqual(opinions[at], own.toSorted(), `${CASES[at >> 1]?.[0]}, ${level}`)
  }
})
