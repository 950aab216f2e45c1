// `npm start [-- PATH] [--json]`: prepares what is missing, then runs the demonstration as a user would.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { prepareOrExit, ROOT } from './project.mjs'

prepareOrExit()
const given = process.argv.slice(2)
// A path is relative to where the command was typed; without one the demonstration reads this clone.
const cwd = given.some((word) => !word.startsWith('-')) ? (process.env.INIT_CWD ?? process.cwd()) : ROOT
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
