import test from 'ava'
import { check } from '../../ts/demo/checks/check.ts'
import { allHeld, jsonReport, textReport, type Findings } from '../../ts/demo/report.ts'

const FINDINGS: Findings = {
  seed: 42,
  repository: {
    path: '/home/ada/project',
    generatedBecause: undefined,
    commits: 2_400,
    commitsLeftOut: 0,
    fromSeconds: 1_546_560_000,
    toSeconds: 1_700_000_000,
    head: 'a'.repeat(40),
  },
  graph: { nodes: 10_329, edges: 21_145, versions: 3_093, bytes: 7_864_320 },
  undisturbed: { transactions: 3_000, seconds: 2 },
  sabotaged: { transactions: 3_500, seconds: 5 },
  chapters: [
    { title: 'It survives', checks: [check('survival/kills', 'killed 5 times', [], 'after commits 1, 2')] },
    { title: 'It remembers', checks: [check('travel/pairs', '300 pairs as git has them', [])] },
  ],
  seconds: 12.34,
}

const FAILED: Findings = {
  ...FINDINGS,
  chapters: [
    ...FINDINGS.chapters,
    { title: 'It guards', checks: [check('access/refused', 'refused', ['1', '2', '3', '4', '5', '6', '7'])] },
  ],
}

test('the page tells what was run, what held, and how fast', (t) => {
  t.is(
    textReport(FINDINGS, false),
    `
  Karyon · the time machine of a git repository, with a saboteur

  repository /home/ada/project
  history    2,400 commits on the first-parent line · 2019-01-04 to 2023-11-14
  graph      10,329 nodes · 21,145 edges · 3,093 versions · 7.5 MiB on disk
  seed       42 repeat with --seed 42

  ┌ It survives
  │ ✓ killed 5 times
  │   after commits 1, 2
  ├ It remembers
  │ ✓ 300 pairs as git has them
  └
  ✓ 2 of 2 checks held in 12.3 s
    1,500 transactions/s undisturbed, 700 transactions/s under sabotage; every one on disk before it was acknowledged
`,
  )
})

test('a check that did not hold is marked, with a few of its problems and the number of the others', (t) => {
  const page = textReport(FAILED, false)
  t.true(page.includes('  │ ✗ refused\n  │   1\n'))
  t.true(page.includes('  │   5\n  │   and 2 more\n'))
  t.true(page.includes('✗ 2 of 3 checks held'))
  t.false(allHeld(FAILED))
})

test('a generated repository and commits that were left out are said', (t) => {
  const repository = {
    ...FINDINGS.repository,
    generatedBecause: '/tmp is not in a git repository',
    commitsLeftOut: 1_234,
  }
  const page = textReport({ ...FINDINGS, repository }, false)
  t.true(
    page.includes(
      'repository generated, the same on every machine\n             because /tmp is not in a git repository',
    ),
  )
  t.true(page.includes('(the newest 1,234 left out)'))
})

test('colour changes nothing but the colour', (t) => {
  const coloured = textReport(FAILED, true)
  t.true(coloured.includes('\u001b['))
  // eslint-disable-next-line eslint/no-control-regex
  t.is(coloured.replace(/\u001b\[\d+m/g, ''), textReport(FAILED, false))
})

test('machines get one document with every number and the checks by their ids', (t) => {
  const report = JSON.parse(jsonReport(FAILED)) as Record<string, unknown>
  t.like(report, { ok: false, seed: 42, graph: { edges: 21_145 }, repository: { commits: 2_400 } })
  t.deepEqual(
    (report['checks'] as { id: string; held: boolean }[]).map(({ id, held }) => [id, held]),
    [
      ['survival/kills', true],
      ['travel/pairs', true],
      ['access/refused', false],
    ],
  )
  t.true((JSON.parse(jsonReport(FINDINGS)) as { ok: boolean }).ok)
})
