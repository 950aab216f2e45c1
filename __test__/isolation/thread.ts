// A thread whose clients share a store with those of others.
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { Kernel } from '../../ts/index.ts'
import { seededRandom } from '../values/random.ts'
import { Clients, type Run } from './clients.ts'

/** What a thread is started with. */
export interface Start extends Run {
  readonly directory: string
  readonly seed: number
}

async function main(port: NonNullable<typeof parentPort>): Promise<void> {
  const { directory, seed, ...run } = workerData as Start
  const kernel = await Kernel.open(directory)
  port.postMessage('ready')
  await once(port, 'message')
  port.postMessage(await new Clients(kernel.graph, seededRandom(seed), run).attempts())
  await kernel.close()
  port.close()
}

if (parentPort) void main(parentPort)
