// A process that writes a log, without a checkpoint, and is killed.
import { fileURLToPath } from 'node:url'
import { karyon } from '../karyon.ts'
import { factOf, keyOf } from './facts.ts'

const MIB = 1024 ** 2
export const TAIL_MIB = 64
export const TAIL_BATCH = 1_000
const KEYS = 100_000
/** No checkpoint falls due before that. */
const CHECKPOINT_BYTES = 1_024 * MIB

async function writeTail(folder: string): Promise<void> {
  const { graph } = await (await karyon()).Kernel.open(folder, { checkpointBytes: CHECKPOINT_BYTES })
  for (let written = 0; graph.stats().tailBytes < TAIL_MIB * MIB; written += TAIL_BATCH) {
    await graph.write((tx) => {
      for (let at = written; at < written + TAIL_BATCH; at++) {
        tx.put(keyOf(at % KEYS), { labels: ['Fact'], props: { ...factOf(at) } })
      }
    })
  }
  process.kill(process.pid, 'SIGKILL')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeTail(process.argv[2]!)
