// Reads what the two test runners print. A runner that crashed, or that ran nothing, has failed once:
// a silent runner must never look like a green one.
import { stripVTControlCharacters } from 'node:util'

/** Sum of every `test result:` line that the test binaries of a workspace print. */
export function tallyCargo(output, exitCode) {
  let passed = 0
  let failed = 0
  for (const match of plain(output).matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)) {
    passed += Number(match[1])
    failed += Number(match[2])
  }
  return judged(passed, failed, exitCode)
}

/** The totals at the end of AVA's TAP stream; `# fail` counts crashed test files too. */
export function tallyTap(output, exitCode) {
  const total = (name) =>
    Number([...plain(output).matchAll(new RegExp(`^# ${name} (\\d+)$`, 'gm'))].at(-1)?.[1] ?? 0)
  return judged(total('pass'), total('fail'), exitCode)
}

/** The line every run ends with. */
export function lastLine({ passed, failed }) {
  return `${passed} passed, ${failed} failed`
}

export function sum(tallies) {
  return tallies.reduce((a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed }))
}

function judged(passed, failed, exitCode) {
  const silent = failed === 0 && (exitCode !== 0 || passed === 0)
  return { passed, failed: silent ? 1 : failed }
}

function plain(output) {
  return stripVTControlCharacters(output).replaceAll('\r\n', '\n')
}
