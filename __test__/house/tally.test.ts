import test from 'ava'
import { lastLine, sum, tallyCargo, tallyTap } from '../../.ci/tally.mjs'

const CARGO = (passed: number, failed: number): string =>
  `test result: ok. ${passed} passed; ${failed} failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n`
const TAP = (passed: number, failed: number): string =>
  `TAP version 13\nok 1 - a title that says # pass 9\n\n1..${passed + failed}\n# tests 0\n# pass ${passed}\n# fail ${failed}\n`

test('the results of every Rust test binary are added up', (t) => {
  t.deepEqual(tallyCargo(CARGO(3, 0) + CARGO(4, 1), 101), { passed: 7, failed: 1 })
})

test('colours in the output do not hide a result', (t) => {
  t.deepEqual(tallyCargo(`test result: \u001B[32mok\u001B[0m. 2 passed; 0 failed; 0 ignored`, 0), {
    passed: 2,
    failed: 0,
  })
})

test('the totals of the TAP stream count, not its titles', (t) => {
  t.deepEqual(tallyTap(TAP(5, 2), 1), { passed: 5, failed: 2 })
})

test('a runner that crashed has failed once', (t) => {
  t.deepEqual(tallyCargo(CARGO(3, 0), 101), { passed: 3, failed: 1 })
  t.deepEqual(tallyTap('', 1), { passed: 0, failed: 1 })
})

test('a runner that ran nothing has failed once', (t) => {
  t.deepEqual(tallyCargo('', 0), { passed: 0, failed: 1 })
  t.deepEqual(tallyTap(TAP(0, 0), 0), { passed: 0, failed: 1 })
})

test('the last line is the sum of both', (t) => {
  const both = [
    { passed: 3, failed: 0 },
    { passed: 4, failed: 1 },
  ]
  t.is(lastLine(sum(both)), '7 passed, 1 failed')
})
