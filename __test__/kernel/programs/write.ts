// Writes without end, several commits in flight, and says of each what was acknowledged.
import { writeSync } from 'node:fs'
import { Kernel } from '../../../ts/index.ts'

const [, , directory = '', name = ''] = process.argv
const IN_FLIGHT = 8

async function run(): Promise<void> {
  const { graph } = await Kernel.open(directory, { checkpointBytes: 20_000 })
  let next = 0
  const lane = async (): Promise<void> => {
    for (;;) {
      const key = `${name}-${next++}`
      await graph.write((tx) => {
        tx.put(key, { labels: ['Acked'], props: { text: key.repeat(10) } })
        tx.patch('hub', { props: { last: key } })
        tx.link('hub', 'HAS', key)
      })
      writeSync(1, `${key}\n`)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
}

void run()
