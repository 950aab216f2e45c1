// A process that fills a store and says how much memory its nodes and its edges take.
import { fileURLToPath } from 'node:url'
import type { Transaction } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import { freshFolder, removeFolder } from './work.ts'

/** Nodes, and as many edges. */
export const ENTITIES = 1_000_000
const BATCH = 10_000
/** A prime: every node is the end of one edge. */
const STRIDE = 7_919

/** Bytes of memory that a node and an edge take, without labels and properties. */
export interface Ram {
  readonly node: number
  readonly edge: number
}

async function fill(folder: string): Promise<Ram> {
  const kernel = await (await karyon()).Kernel.open(folder)
  const { graph } = kernel
  const resident = async (): Promise<number> => {
    await graph.ready('history')
    globalThis.gc!()
    return process.memoryUsage.rss()
  }
  const grown = async (put: (tx: Transaction, at: number) => void): Promise<number> => {
    const before = await resident()
    for (let at = 0; at < ENTITIES; at += BATCH) {
      await graph.write((tx) => {
        for (let entity = at; entity < at + BATCH; entity++) put(tx, entity)
      })
    }
    return ((await resident()) - before) / ENTITIES
  }
  const node = await grown((tx, at) => tx.put(`n${at}`))
  const edge = await grown((tx, at) => tx.link(`n${at}`, 'NEAR', `n${(at * STRIDE) % ENTITIES}`))
  await kernel.close()
  return { node, edge }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = freshFolder()
  try {
    process.stdout.write(JSON.stringify(await fill(folder)))
  } finally {
    removeFolder(folder)
  }
}
