// A process of its own that does some work with a store and says how much memory that took.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Graph, Transaction } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import { factOf, keyOf, numbers } from './facts.ts'
import { freshFolder, oncePerRound, removeFolder } from './work.ts'

/** Nodes, and as many edges. */
export const ENTITIES = 1_000_000
const BATCH = 10_000
/** A prime: every node is the end of one edge. */
const STRIDE = 7_919

export const FORKED_NODES = 100_000
export const FORKS_APART = 40_000
const FORKS_FIRST = 10_000
const FORKS_TOGETHER = 500

export const UPDATED = 100_000
export const UPDATES = 1_000_000
const UPDATES_TOGETHER = 1_000
/** How often the memory is looked at while they are made. */
export const PARTS = 10

/** What can be done, and what is then said: bytes of memory. */
interface Works {
  /** Of a node and of an edge, without labels and properties. */
  readonly entities: { readonly node: number; readonly edge: number }
  readonly forks: { readonly fork: number }
  /** Before the first update, and after each part of them. */
  readonly updates: Taken
  readonly 'updates under a snapshot': Taken
}

interface Taken {
  readonly taken: readonly number[]
}

type Resident = () => Promise<number>

const WORKS: { [W in keyof Works]: (graph: Graph, resident: Resident) => Promise<Works[W]> } = {
  async entities(graph, resident) {
    const grown = async (put: (tx: Transaction, at: number) => void): Promise<number> => {
      const before = await resident()
      await inBatches(graph, ENTITIES, put)
      return ((await resident()) - before) / ENTITIES
    }
    const node = await grown((tx, at) => tx.put(`n${at}`))
    const edge = await grown((tx, at) => tx.link(`n${at}`, 'NEAR', `n${(at * STRIDE) % ENTITIES}`))
    return { node, edge }
  },
  async forks(graph, resident) {
    await inBatches(graph, FORKED_NODES, putFact)
    const fork = async (from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at += FORKS_TOGETHER) {
        const names = Array.from({ length: FORKS_TOGETHER }, (_, fork) => `fork ${at + fork}`)
        await Promise.all(names.map(async (name) => (await graph.fork(name)).close()))
      }
    }
    // What was needed for filling is given back while the first ones are made, and what forks need for the first time is there then.
    await fork(0, FORKS_FIRST)
    const before = await resident()
    await fork(FORKS_FIRST, FORKS_FIRST + FORKS_APART)
    if (graph.forks().length !== FORKS_FIRST + FORKS_APART) throw new Error('a fork is missing')
    return { fork: ((await resident()) - before) / FORKS_APART }
  },
  updates: updating,
  async 'updates under a snapshot'(graph, resident) {
    await inBatches(graph, UPDATED, putFact)
    using snapshot = graph.snapshot()
    const found = await updating(graph, resident)
    for (let at = 0; at < UPDATED; at++) {
      if (snapshot.get(keyOf(at))?.props['count'] !== at) throw new Error(`${keyOf(at)} is not as it was`)
    }
    return found
  },
}

/** Updates one property of any of the nodes; makes them, where they are not there yet. */
async function updating(graph: Graph, resident: Resident): Promise<Taken> {
  if (graph.stats().nodes === 0) await inBatches(graph, UPDATED, putFact)
  const random = numbers(1)
  const taken = [await resident()]
  for (let part = 0; part < PARTS; part++) {
    for (let at = 0; at < UPDATES / PARTS; at += UPDATES_TOGETHER) {
      await graph.write((tx) => {
        for (let update = 0; update < UPDATES_TOGETHER; update++)
          tx.patch(keyOf(random() % UPDATED), { props: { count: random() } })
      })
    }
    taken.push(await resident())
  }
  return { taken }
}

function putFact(tx: Transaction, at: number): void {
  tx.put(keyOf(at), { labels: ['Fact'], props: { ...factOf(at) } })
}

async function inBatches(
  graph: Graph,
  count: number,
  act: (tx: Transaction, at: number) => void,
): Promise<void> {
  for (let at = 0; at < count; at += BATCH) {
    await graph.write((tx) => {
      for (let item = at; item < at + BATCH; item++) act(tx, item)
    })
  }
}

const execute = promisify(execFile)

/** Starts the process, and gives what it says. */
export async function measuredApart<W extends keyof Works>(work: W): Promise<Works[W]> {
  const program = fileURLToPath(import.meta.url)
  const { stdout } = await execute(process.execPath, ['--expose-gc', program, work])
  return JSON.parse(stdout) as Works[W]
}

/** What a process takes while updates are made, with a snapshot of before them and without, of one process each a round. */
export const updatedApart: Readonly<Record<'held' | 'free', (round: number) => Promise<Taken>>> = {
  held: oncePerRound(() => measuredApart('updates under a snapshot')),
  free: oncePerRound(() => measuredApart('updates')),
}

async function main(work: keyof Works): Promise<void> {
  const folder = freshFolder()
  const kernel = await (await karyon()).Kernel.open(folder)
  const resident = async (): Promise<number> => {
    await kernel.graph.ready('history')
    globalThis.gc!()
    return process.memoryUsage.rss()
  }
  try {
    process.stdout.write(JSON.stringify(await WORKS[work](kernel.graph, resident)))
  } finally {
    await kernel.close()
    removeFolder(folder)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2] as keyof Works)
