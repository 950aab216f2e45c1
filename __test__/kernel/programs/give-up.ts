// A supervisor at the root gives up, or does not; `what` says what the program does about it.
import { writeSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { Kernel, cell, message, supervisor, type CellDefinition, type Message } from '../../../ts/index.ts'

const [, , directory = '', what = '', isolation = 'inline'] = process.argv

type Part = { readonly fail: Message<void>; readonly ping: Message<void, string> }

const partOf = (tier: 'inline' | 'thread'): CellDefinition<Part> =>
  cell({
    name: tier,
    module: import.meta.url,
    isolation: tier,
    grants: { write: '*' },
    messages: { fail: message<void>(), ping: message<void, string>() },
    on: {
      fail: () => {
        throw new RangeError('broken for good')
      },
      ping: () => 'here',
    },
  })
export const inlinePart: CellDefinition<Part> = partOf('inline')
export const threadPart: CellDefinition<Part> = partOf('thread')

async function run(): Promise<void> {
  const kernel = await Kernel.open(directory, { workers: { count: 1, spare: false } })
  if (what === 'handles') kernel.closed.catch((error: Error) => writeSync(1, `${error.message}\n`))
  if (what === 'awaits') void kernel.run().then(undefined, () => writeSync(1, 'over\n'))
  const definition = isolation === 'thread' ? threadPart : inlinePart
  const crew = kernel.spawn(
    supervisor({
      name: 'crew',
      restart: { intensity: 0, periodMs: 1_000 },
      children: [{ name: 'part', cell: definition }],
    }),
  )
  const part = crew.child('part', definition)
  await part.ask('ping', undefined, { timeoutMs: 60_000 })
  await kernel.graph.write((tx) => tx.put('written'))
  if (what === 'closes') await kernel.close()
  else part.send('fail')
}

if (isMainThread) void run()
