// Writes, and forgets to close. `awaiting` says what it does last.
import { writeSync } from 'node:fs'
import { Kernel } from '../../../ts/index.ts'

const [, , directory = '', ending = ''] = process.argv

async function run(): Promise<void> {
  const kernel = await Kernel.open(directory)
  const { graph } = kernel
  for (let n = 0; n < 20; n++) {
    await graph.write((tx) => tx.put(`n${n}`))
    writeSync(1, `n${n}\n`)
  }
  if (ending === 'begin') graph.begin().put('never')
  if (ending === 'unawaited') {
    void graph.write((tx) => tx.put('last')).then(() => writeSync(1, 'last\n'))
  }
  if (ending === 'throw') throw new Error('mine')
  if (ending === 'exit') process.exit(0)
  if (ending === 'closed') {
    const writing = graph.write((tx) => tx.put('last')).then(() => writeSync(1, 'last\n'))
    await kernel.close()
    await writing
  }
}

void run()
