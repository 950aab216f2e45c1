// What a worker process runs: takes its orders from the command line, reports over the channel to the one that watches.
import type { Orders, Report } from './protocol.ts'
import { work } from './worker.ts'

const [orders = ''] = process.argv.slice(2)

// Without a watcher nobody counts acknowledgements, and nobody wants the work.
process.on('disconnect', () => process.exit(1))

work(JSON.parse(orders) as Orders, report).then(
  () => process.disconnect(),
  (error: unknown) => {
    report({
      type: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
    process.exitCode = 1
    process.disconnect()
  },
)

function report(message: Report): void {
  process.send?.(message)
}
