// Stands in for the watcher: starts a worker as the demonstration does, says its process id, and waits to be killed.
import { fork } from 'node:child_process'

const [orders = ''] = process.argv.slice(2)
const worker = fork(new URL('../../ts/demo/process.ts', import.meta.url), [orders], {
  serialization: 'advanced',
  // The standard error is a pipe that the worker holds open as long as it lives.
  stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
})
// It is to live until it is killed or left alone.
worker.once('exit', () => process.exit(1))
process.stdout.write(`${worker.pid}\n`)
