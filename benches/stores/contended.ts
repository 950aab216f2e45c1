// Many writers who read and change the same few nodes.
import { setImmediate as turn } from 'node:timers/promises'
import type { Graph, Kernel, Reader, Transaction } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import { median } from '../measure.ts'
import { keyOf, numbers } from './facts.ts'
import { freshFolder, removeFolder, quantile } from './work.ts'

const WRITERS = 64
const HOT_NODES = 8
/** Commits of one writer in one round. */
const COMMITS = 5

/** Reads a node's count and writes one more; says how often it was begun. */
type Transact = (graph: Graph, key: string) => Promise<number>

export function contended(): readonly Case[] {
  return [
    caseOf('', 'each is one run of graph.write', writeAtOnce),
    caseOf(
      '/across-await',
      'each is open across a turn of the event loop, and made again after a conflict',
      writeAcrossAwait,
    ),
  ]
}

function caseOf(parameter: string, what: string, transact: Transact): Case {
  const free = writers('karyon', transact, (commit) => commit())
  const locked = writers('self: one global lock', transact, oneLock())
  return {
    name: `store/write-contended${parameter}`,
    unit: 'op/s',
    operations: WRITERS * COMMITS,
    note: () =>
      `${WRITERS} writers read and change ${HOT_NODES} nodes, synced; ${what}; ${free.described()} against ${locked.described()}`,
    ours: free.side,
    peers: [locked.side],
  }
}

interface Writers {
  readonly side: Side
  /** Aborts in each hundred commits, and the 99th percentile of a commit's time. */
  described(): string
}

/** All writers at work until each has made its commits, in a store of their own. `guard` decides when one may. */
function writers(
  name: string,
  transact: Transact,
  guard: (commit: () => Promise<void>) => Promise<void>,
): Writers {
  let kernel: Kernel
  let folder: string
  let aborts = 0
  let begun: string[][] = []
  const late: number[] = []
  const waits = new Float64Array(WRITERS * COMMITS)
  return {
    described: () => `${aborts} aborts, p99 ${median(late).toPrecision(3)} ms`,
    side: {
      name,
      async start() {
        folder = freshFolder()
        kernel = await (await karyon()).Kernel.open(folder)
        await kernel.graph.write((tx) => {
          for (let at = 0; at < HOT_NODES; at++) tx.put(keyOf(at), { props: { count: 0 } })
        })
      },
      prepare(round) {
        const random = numbers(round + 1)
        begun = Array.from({ length: WRITERS }, () =>
          Array.from({ length: COMMITS }, () => keyOf(random() % HOT_NODES)),
        )
      },
      async run() {
        let done = 0
        await Promise.all(
          begun.map(async (keys) => {
            for (const key of keys) {
              const started = performance.now()
              await guard(async () => {
                aborts += (await transact(kernel.graph, key)) - 1
              })
              waits[done++] = performance.now() - started
            }
          }),
        )
        late.push(quantile(waits, 0.99))
      },
      answer: () => Array.from({ length: HOT_NODES }, (_, at) => kernel.graph.get(keyOf(at))!.props['count']),
      async stop() {
        await kernel.close()
        removeFolder(folder)
      },
    },
  }
}

function oneMore(tx: Reader & Transaction, key: string): void {
  tx.patch(key, { props: { count: (tx.get(key)!.props['count'] as number) + 1 } })
}

async function writeAtOnce(graph: Graph, key: string): Promise<number> {
  let runs = 0
  await graph.write((tx) => {
    runs++
    oneMore(tx, key)
  })
  return runs
}

async function writeAcrossAwait(graph: Graph, key: string): Promise<number> {
  for (let runs = 1; ; runs++) {
    const tx = graph.begin()
    oneMore(tx, key)
    await turn()
    try {
      await tx.commit()
      return runs
    } catch (error) {
      if (!isConflict(error)) throw error
    }
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_KARYON_CONFLICT'
}

/** One at a time, in the order they came. */
function oneLock(): (commit: () => Promise<void>) => Promise<void> {
  let last: Promise<void> = Promise.resolve()
  return (commit) => {
    last = last.then(commit)
    return last
  }
}
