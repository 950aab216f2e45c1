// The cases of Hermitage (Martin Kleppmann's comparison of what databases call isolation), on two nodes with a value each.
// What is stated for each is whether the anomaly can happen; a transaction that has to give way is refused at its commit.
import type { Reader } from '../../ts/index.ts'
import { acidCase, commits, NEVER, UNDER_SNAPSHOT_ISOLATION, type Stage } from './cases.ts'

async function twoRows({ graph }: Stage): Promise<void> {
  await graph.write((tx) => {
    tx.put('one', { labels: ['Row'], props: { value: 10 } })
    tx.put('two', { labels: ['Row'], props: { value: 20 } })
  })
}

function valueOf(reader: Reader, key: string): number {
  return reader.get(key)?.props['value'] as number
}

/** The keys of the rows whose value fulfils a predicate. */
function rowsWhere(reader: Reader, holds: (value: number) => boolean): string[] {
  const rows = [...reader.nodes({ label: 'Row' })]
  return rows.filter((row) => holds(row.props['value'] as number)).map(({ key }) => key)
}

const set = (value: number): { readonly props: { readonly value: number } } => ({ props: { value } })

acidCase('G0, write cycles: the writes of two transactions are interleaved', NEVER, async (stage) => {
  await twoRows(stage)
  const [t1, t2] = [stage.begin(), stage.begin()]
  t1.patch('one', set(11))
  t2.patch('one', set(12))
  t1.patch('two', set(21))
  await commits(t1)
  t2.patch('two', set(22))
  await commits(t2)
  const rows = `${valueOf(stage.graph, 'one')} ${valueOf(stage.graph, 'two')}`
  return rows !== '11 21' && rows !== '12 22'
})

acidCase('G1a, aborted reads: what is rolled back was seen', NEVER, async (stage) => {
  await twoRows(stage)
  const [t1, t2] = [stage.begin(), stage.begin()]
  t1.patch('one', set(101))
  const during = valueOf(t2, 'one')
  t1.rollback()
  const after = valueOf(t2, 'one')
  await t2.commit()
  return during === 101 || after === 101
})

acidCase('G1b, intermediate reads: what is written over before the commit was seen', NEVER, async (stage) => {
  await twoRows(stage)
  const [t1, t2] = [stage.begin(), stage.begin()]
  t1.patch('one', set(101))
  const during = valueOf(t2, 'one')
  t1.patch('one', set(11))
  await t1.commit()
  const after = valueOf(t2, 'one')
  await t2.commit()
  return during === 101 || after === 101
})

acidCase('G1c, circular information flow: two see each other’s writes', NEVER, async (stage) => {
  await twoRows(stage)
  const [t1, t2] = [stage.begin(), stage.begin()]
  t1.patch('one', set(11))
  t2.patch('two', set(22))
  const [seenByT1, seenByT2] = [valueOf(t1, 'two'), valueOf(t2, 'one')]
  await commits(t1)
  await commits(t2)
  return seenByT1 === 22 && seenByT2 === 11
})

acidCase('OTV, an observed transaction vanishes again', NEVER, async (stage) => {
  await twoRows(stage)
  const [t1, t2] = [stage.begin(), stage.begin()]
  t1.patch('one', set(11))
  t1.patch('two', set(19))
  t2.patch('one', set(12))
  await commits(t1)
  const t3 = stage.begin()
  const first = valueOf(t3, 'one')
  t2.patch('two', set(18))
  const second = valueOf(t3, 'two')
  await commits(t2)
  const [third, fourth] = [valueOf(t3, 'two'), valueOf(t3, 'one')]
  await t3.commit()
  return [first, second, third, fourth].join() !== '11,19,19,11'
})

acidCase('PMP, predicate-many-preceders: a scan finds what came after the first', NEVER, async (stage) => {
  await twoRows(stage)
  const [t1, t2] = [stage.begin(), stage.begin()]
  const before = rowsWhere(t1, (value) => value === 30)
  t2.put('three', { labels: ['Row'], ...set(30) })
  await t2.commit()
  const after = rowsWhere(t1, (value) => value % 3 === 0)
  await t1.commit()
  return before.length > 0 || after.length > 0
})

acidCase('PMP for writes: what is removed is no longer what was looked for', NEVER, async (stage) => {
  await twoRows(stage)
  const [t1, t2] = [stage.begin(), stage.begin()]
  for (const key of rowsWhere(t1, () => true)) t1.patch(key, set(valueOf(t1, key) + 10))
  for (const key of rowsWhere(t2, (value) => value === 20)) t2.remove(key)
  await t1.commit()
  await commits(t2)
  // The row that was found had 20; it has 30 by now.
  return stage.graph.get('two') === undefined
})

acidCase('P4, lost update: two add to the same value that both have read', NEVER, async (stage) => {
  await twoRows(stage)
  const [t1, t2] = [stage.begin(), stage.begin()]
  for (const tx of [t1, t2]) tx.patch('one', set(valueOf(tx, 'one') + 1))
  const outcomes = [await commits(t1), await commits(t2)]
  return outcomes.every(Boolean)
})

acidCase('G-single, read skew: one half of a transaction is seen', NEVER, async (stage) => {
  await twoRows(stage)
  const [t1, t2] = [stage.begin(), stage.begin()]
  const one = valueOf(t1, 'one')
  t2.patch('one', set(12))
  t2.patch('two', set(18))
  await t2.commit()
  const two = valueOf(t1, 'two')
  await t1.commit()
  return one === 10 && two === 18
})

acidCase('G-single over predicates: a row is found under two of its values', NEVER, async (stage) => {
  await twoRows(stage)
  const [t1, t2] = [stage.begin(), stage.begin()]
  const before = rowsWhere(t1, (value) => value % 5 === 0)
  for (const key of rowsWhere(t2, (value) => value === 10)) t2.patch(key, set(12))
  await t2.commit()
  const after = rowsWhere(t1, (value) => value % 3 === 0)
  await t1.commit()
  return before.length !== 2 || after.length > 0
})

acidCase('G-single with a write: a decision on one half overwrites the other', NEVER, async (stage) => {
  await twoRows(stage)
  const [t1, t2] = [stage.begin(), stage.begin()]
  const one = valueOf(t1, 'one')
  t2.patch('one', set(12))
  t2.patch('two', set(18))
  await t2.commit()
  for (const key of rowsWhere(t1, (value) => value === 20)) t1.remove(key)
  await commits(t1)
  return one === 10 && stage.graph.get('two') === undefined
})

acidCase(
  'G2-item, write skew: each writes what the other has read',
  UNDER_SNAPSHOT_ISOLATION,
  async (stage) => {
    await twoRows(stage)
    const [t1, t2] = [stage.begin(), stage.begin()]
    for (const tx of [t1, t2]) rowsWhere(tx, () => true)
    t1.patch('one', set(11))
    t2.patch('two', set(21))
    const outcomes = [await commits(t1), await commits(t2)]
    return outcomes.every(Boolean)
  },
)

acidCase(
  'G2, anti-dependency cycles: each adds what the other has looked for',
  UNDER_SNAPSHOT_ISOLATION,
  async (stage) => {
    await twoRows(stage)
    const [t1, t2] = [stage.begin(), stage.begin()]
    const found = [t1, t2].flatMap((tx) => rowsWhere(tx, (value) => value % 3 === 0))
    t1.put('three', { labels: ['Row'], ...set(30) })
    t2.put('four', { labels: ['Row'], ...set(42) })
    const outcomes = [await commits(t1), await commits(t2)]
    return found.length === 0 && outcomes.every(Boolean)
  },
)

acidCase(
  'G2 with two anti-dependencies: a reader sees an order that the third then belies',
  UNDER_SNAPSHOT_ISOLATION,
  async (stage) => {
    await twoRows(stage)
    const [t1, t2] = [stage.begin(), stage.begin()]
    rowsWhere(t1, () => true)
    t2.patch('two', set(valueOf(t2, 'two') + 5))
    await t2.commit()
    const t3 = stage.begin()
    const seen = [valueOf(t3, 'one'), valueOf(t3, 'two')]
    await t3.commit()
    t1.patch('one', set(0))
    // T1 saw 20, so it came before T2; T3 saw 25 and 10, so it came after T2 and before T1.
    return (await commits(t1)) && seen.join() === '10,25'
  },
)
