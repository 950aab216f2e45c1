import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import type { Orders } from '../../ts/demo/protocol.ts'
import { scratchDirectory, scriptedRepository } from './scratch.ts'

/** A worker needs less than a second to notice; a busy machine gets more. */
const WORKER_ENDS_MS_MAX = 30_000

/** Milliseconds from the worker's start: before its first line, among its imports, in its work, and long after it. */
const MOMENTS_MS = [0, 40, 80, 120, 160, 240, 320, 480, 640, 800, 1_000, 1_500]

for (const ms of MOMENTS_MS) {
  test.serial(`no worker outlives its watcher, killed ${ms} ms after it was started`, async (t) => {
    await killWatcher(t, ms)
  })
}

/** Starts a watcher with a worker that never ends by itself, kills it, and waits for the worker's end. */
async function killWatcher(t: ExecutionContext, ms: number): Promise<void> {
  const scratch = await scratchDirectory(t)
  const repository = join(scratch, 'repository')
  await scriptedRepository(
    repository,
    [1, 2, 3, 4].map((mark) => ({ mark, changes: [['M 100644', 'a', `${mark}`]] })),
  )
  const orders: Orders = {
    ...{ repository, head: 'HEAD', directory: join(scratch, 'store'), seed: 1 },
    ...{ life: 1, markAt: 3, doomedBefore: 2, poison: true },
  }
  const watcher = spawn(
    process.execPath,
    [...process.execArgv, fileURLToPath(new URL('orphan.ts', import.meta.url)), JSON.stringify(orders)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const pid = await new Promise<number>((resolve, reject) => {
    watcher.once('error', reject)
    watcher.once('exit', () => reject(new Error('the watcher ended by itself')))
    watcher.stdout.once('data', (text: Buffer) => resolve(Number.parseInt(text.toString(), 10)))
  })
  // Both hold it open: it ends with the last of them.
  const gone = new Promise<void>((resolve) => watcher.stderr.resume().once('end', resolve))
  await after(ms)
  t.is(watcher.exitCode, null, 'the worker ended by itself')
  watcher.kill('SIGKILL')
  const late = new AbortController()
  const tooLate = after(WORKER_ENDS_MS_MAX, 'late', { signal: late.signal }).catch(() => 'gone')
  if ((await Promise.race([gone, tooLate])) === 'late') {
    process.kill(pid, 'SIGKILL')
    throw new Error(`the worker ${pid} is still alive`)
  }
  late.abort()
}
