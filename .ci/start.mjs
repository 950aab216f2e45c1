// `npm start [-- PATH] [--json]`: prepares what is missing, then runs the demonstration as a user would.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { prepare, ROOT } from './project.mjs'

prepare()
const given = process.argv.slice(2)
// A path is relative to where the command was typed; without one the demonstration reads this clone.
const cwd = given.some((word) => !word.startsWith('-')) ? (process.env.INIT_CWD ?? process.cwd()) : ROOT
const demo = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), 'demo', ...given], {
  cwd,
  stdio: 'inherit',
})
// A signal sent to the group reaches the demo itself; one sent to us alone is passed on.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => demo.kill(signal))
demo.on('exit', (code, signal) => {
  process.exitCode = code ?? 1
  if (signal) process.stderr.write(`karyon: the demonstration was ended by ${signal}\n`)
})
