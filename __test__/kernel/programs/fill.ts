// Writes until the operating system refuses to let files grow, which the shell that started it has seen to.
import { writeSync } from 'node:fs'
import { KaryonError, Kernel } from '../../../ts/index.ts'

// Without a listener the signal ends the process; with one the write fails.
process.on('SIGXFSZ', () => {})

const say = (what: string, error: unknown): void => {
  const code = error instanceof KaryonError ? error.code : String(error)
  writeSync(1, `${what} ${code}\n`)
}

async function run(): Promise<void> {
  const directory = process.argv[2] as string
  const kernel = await Kernel.open(directory)
  const { graph } = kernel
  void (async () => {
    for await (const event of kernel.events()) if (event.type === 'store.failed') say('told', event.error)
  })()
  let next = 0
  let failed = false
  const lane = async (): Promise<void> => {
    while (!failed) {
      // Each larger than the one before, until no segment that may be made has room for what waits.
      const text = 'x'.repeat(1_000 * next)
      const key = `n${next++}`
      try {
        await graph.write((tx) => tx.put(key, { props: { text } }))
        writeSync(1, `acked ${key}\n`)
      } catch (error) {
        failed = true
        say('refused', error)
      }
    }
  }
  // Every one of them ends: whoever waits when the disk fails is told.
  await Promise.all(Array.from({ length: 16 }, lane))
  // Nobody awaits this one’s commit.
  const later = graph.begin()
  later.put('later')
  await later.commit().catch((error: unknown) => say('later', error))
  writeSync(1, `reads ${graph.count() === graph.count({}) && graph.get('n0') ? 'on' : 'not'}\n`)
  await Kernel.open(directory).catch((error: unknown) => say('joined', error))
  await kernel.close().catch((error: unknown) => say('closed', error))
  const again = await Kernel.open(directory).catch((error: unknown) => say('reopened', error))
  if (!again) return
  writeSync(1, `reopened ${again.graph.count()}\n`)
  await again.close().catch((error: unknown) => say('closed again', error))
}

void run()
