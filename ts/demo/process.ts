// What a worker process runs: takes its orders from the command line, reports over the channel to the one that watches.
import type { Orders, Report } from './protocol.ts'
import { work } from './worker.ts'

async function live(orders: Orders): Promise<void> {
  // Without a watcher nobody counts acknowledgements, and nobody wants the work.
  const orphaned = (): never => process.exit(1)
  process.once('disconnect', orphaned)
  // The watcher may have died while this process read its imports: nobody heard the event then, and none follows.
  if (!process.connected) orphaned()
  try {
    await work(orders, report)
  } catch (error) {
    report({ type: 'failed', message: error instanceof Error ? inFull(error) : String(error) })
    await said
    // The store is as it would be after a kill, and the cells that still run have nobody to work for.
    process.exit(1)
  }
  await said
  // On a busy machine the watcher's signal may be late: a doomed life waits for it, held by the listener alone.
  if (orders.doomedBefore !== undefined) return
  process.off('disconnect', orphaned)
  process.disconnect()
}

/** Resolves when the last report has left this process. */
let said: Promise<void> = Promise.resolve()

function report(message: Report): void {
  said = new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()))
}

function inFull(error: Error): string {
  const text = error.stack ?? error.message
  return error.cause instanceof Error ? `${text}\ncaused by ${inFull(error.cause)}` : text
}

void live(JSON.parse(process.argv[2] ?? '') as Orders)
