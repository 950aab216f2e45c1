// `npm test`: the tests of the Rust workspace, then those of the package. Ends with their sum on a line alone.
import { spawn } from 'node:child_process'
import { Failure, prepare, programOf, ROOT } from './project.mjs'
import { lastLine, sum, tallyCargo, tallyTap } from './tally.mjs'

const rust = tallyOf(tallyCargo, await runAndShow('cargo', ['test', '--workspace', '--no-fail-fast']))
const total = sum([rust, await testPackage()])
process.exitCode = total.failed === 0 ? 0 : 1
process.stdout.write(`\n${lastLine(total)}\n`)

/** A package that cannot be built fails as one test does, so that the sum still stands on the last line. */
async function testPackage() {
  try {
    prepare()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    process.stderr.write(`karyon: ${error.message}\n`)
    return { passed: 0, failed: 1 }
  }
  return tallyOf(tallyTap, await runAndShow(process.execPath, [programOf('ava'), '--tap']))
}

function tallyOf(tally, { output, exitCode }) {
  return tally(output, exitCode)
}

/** Runs a program, passes its output on as it comes, and keeps stdout to count in. */
function runAndShow(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
    const parts = []
    child.stdout.on('data', (part) => {
      parts.push(part)
      process.stdout.write(part)
    })
    child.on('error', (error) => {
      process.stderr.write(`karyon: ${program} could not be started: ${error.message}\n`)
      resolve({ output: '', exitCode: 1 })
    })
    child.on('close', (code) =>
      resolve({ output: Buffer.concat(parts).toString('utf8'), exitCode: code ?? 1 }),
    )
  })
}
