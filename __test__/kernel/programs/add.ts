// A thread that adds 1, often, to what it has read.
import { workerData } from 'node:worker_threads'
import { Kernel } from '../../../ts/index.ts'

const { directory, times } = workerData as { directory: string; times: number }

async function run(): Promise<void> {
  const kernel = await Kernel.open(directory)
  for (let left = times; left > 0; left--) {
    await kernel.graph.write((tx) => tx.patch('a', { props: { n: (tx.get('a')?.props['n'] as number) + 1 } }))
  }
  await kernel.close()
}

void run()
