// `npm start [-- PATH] [--json] [--seed N]`: prepares what is missing, then runs the demonstration as a user would.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { prepareOrExit, ROOT } from './project.mjs'
import { standingFor } from './standing.mjs'

prepareOrExit()
const given = process.argv.slice(2)
const { parseArguments } = await import('../dist/cli/arguments.js')
const folders = { clone: ROOT, caller: process.env.INIT_CWD ?? process.cwd() }
const cwd = standingFor(given, folders, parseArguments)
const demo = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), 'demo', ...given], {
  cwd,
  stdio: 'inherit',
})
// Ctrl-C reaches the demonstration by itself: we only wait for it to end in its own order.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => demo.kill('SIGTERM'))
demo.on('exit', (code, signal) => {
  process.exitCode = code ?? 1
  if (signal) process.stderr.write(`karyon: the demonstration was ended by ${signal}\n`)
})
