import test from 'ava'
import { compareVersions } from '../../ts/engrams/grafts/semantic-version.ts'
import { refused } from '../kernel/refused.ts'

/** Ascending, with what the specification gives as an example. */
const ASCENDING = [
  '0.0.0',
  '0.0.9',
  '0.0.10',
  '0.10.0',
  '1.0.0-0',
  '1.0.0-9',
  '1.0.0-10',
  '1.0.0-99999999999999999999999',
  '1.0.0-100000000000000000000000',
  '1.0.0--',
  '1.0.0-alpha',
  '1.0.0-alpha.1',
  '1.0.0-alpha.beta',
  '1.0.0-beta',
  '1.0.0-beta.2',
  '1.0.0-beta.11',
  '1.0.0-rc.1',
  '1.0.0',
  '1.0.1-a',
  '1.0.1',
  '2.0.0',
  '10.0.0',
  '99999999999999999999.0.0',
]

test('versions are ordered as semver.org says', (t) => {
  for (const [at, a] of ASCENDING.entries()) {
    for (const [other, b] of ASCENDING.entries())
      t.is(Math.sign(compareVersions(a, b)), Math.sign(at - other), `${a} and ${b}`)
  }
  t.is(compareVersions('1.0.0+x', '1.0.0+y'), 0)
  t.is(compareVersions('1.0.0-a+x', '1.0.0-a'), 0)
})

test('what is no version is refused', async (t) => {
  const wrong = [
    '',
    '1',
    '1.0',
    'v1.0.0',
    '01.0.0',
    '1.0.0-',
    '1.0.0-a..b',
    '1.0.0-01',
    '1.0.0 ',
    '1.0.0\n',
    '-1.0.0',
    '1.0.0+',
  ]
  for (const version of [...wrong, `1.0.0-${'a'.repeat(200)}`, 1 as unknown as string])
    await refused(t, 'ERR_KARYON_ARGUMENT', async () => compareVersions(version, '1.0.0'), String(version))
})
