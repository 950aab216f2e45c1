// Forks: what it costs to make one of a small and of a large graph, and to take its changes over.
import type { Fork } from '../../ts/index.ts'
import type { Case, Side } from '../measure.ts'
import { factOf, keyOf } from './facts.ts'
import type { KaryonStore } from './karyon.ts'
import { FORKED_NODES, FORKS_APART, measuredApart } from './ram.ts'
import { everyKey, ownSide, partSide, type Work } from './work.ts'

const FORKED = [10_000, 1_000_000] as const
const FORKS = 2_000
const FORK_NS_MAX = 100_000
const FORK_BYTES_MAX = 1024

const MERGED_NODES = 100_000
/** Of the fork, and as many of the graph below since the fork was made; half of the nodes are changed in both. */
const MERGED = 10_000
const MERGE_MS_MAX = 200

export function forks(): readonly Case[] {
  const [few, many] = FORKED
  const what = (nodes: number): string =>
    `a fork of a graph of ${nodes} nodes, nothing on disk, each made after the one before`
  const common = { operations: FORKS, peers: [] } as const
  return [
    {
      ...common,
      name: `store/fork/${few}`,
      unit: 'ns/op',
      note: what(few),
      ours: forking('karyon', few),
      limit: FORK_NS_MAX,
    },
    {
      ...common,
      name: `store/fork/${many}`,
      unit: 'ns/op',
      note: `${what(many)}; meant to take as long`,
      ours: forking('karyon', many),
      peers: [forking(`self: ${few} nodes`, few)],
      limit: FORK_NS_MAX,
    },
    {
      ...common,
      name: 'store/fork/disk',
      unit: 'B/op',
      note: `bytes of log that a fork of a graph of ${few} nodes takes, in a frame of its own`,
      ours: forkingOnDisk(few),
      limit: FORK_BYTES_MAX,
    },
    {
      ...common,
      name: 'store/fork/ram',
      unit: 'B/op',
      operations: FORKS_APART,
      note: `what a process of its own grows by while ${FORKS_APART} forks of a graph of ${FORKED_NODES} nodes are made and let go of`,
      ours: partSide(
        'karyon',
        () => measuredApart('forks'),
        ({ fork }) => fork,
      ),
      limit: FORK_BYTES_MAX,
      slow: true,
    },
    {
      ...common,
      name: 'store/merge',
      unit: 'ms',
      operations: 1,
      note: `${MERGED} properties that the fork has changed are taken over into a graph of ${MERGED_NODES} nodes, of which ${MERGED} have changed since in other properties, half of them nodes that the fork has changed too; until it is synced`,
      ours: ownSide('karyon', merging()),
      limit: MERGE_MS_MAX,
    },
  ]
}

/** Makes forks; those of a round are given up after it. */
function forkWork(nodes: number): Work<KaryonStore> & { readonly made: Fork[] } {
  const made: Fork[] = []
  return {
    made,
    filled: () => everyKey(nodes),
    prepare() {},
    async run(store) {
      const { graph } = store.kernel()
      for (let at = 0; at < FORKS; at++) made.push(await graph.fork(`fork ${at}`))
    },
    async answer(store) {
      const right = made.every((fork) => fork.get(keyOf(1))?.props['text'] === factOf(1).text)
      if (!right || store.kernel().graph.forks().length !== FORKS)
        throw new Error('a fork is missing, or wrong')
      for (const fork of made.splice(0)) await fork.drop()
    },
  }
}

function forking(name: string, nodes: number): Side {
  return ownSide(name, forkWork(nodes), 'memory')
}

function forkingOnDisk(nodes: number): Side {
  const work = forkWork(nodes)
  const tailBytes = (store: KaryonStore): number => store.kernel().graph.stats().tailBytes
  let before = 0
  let bytes = 0
  return ownSide('karyon', {
    ...work,
    prepare(_round, store) {
      before = tailBytes(store)
    },
    async run(store, folder) {
      await work.run(store, folder)
      bytes = (tailBytes(store) - before) / FORKS
    },
    figure: () => bytes,
  })
}

function merging(): Work<KaryonStore> {
  let fork: Fork
  let round: number
  let report: Awaited<ReturnType<Fork['merge']>>
  const ofFork = (at: number): number => -1 - round * MERGED - at
  return {
    filled: () => everyKey(MERGED_NODES),
    // Opened again, so that no checkpoint of the filling is still being written.
    async fill(store, folder) {
      await store.close()
      await store.open(folder)
    },
    async prepare(number, store) {
      round = number
      const { graph } = store.kernel()
      fork = await graph.fork(`fork of round ${round}`)
      await fork.write((tx) => {
        for (let at = 0; at < MERGED; at++) tx.patch(keyOf(at), { props: { count: ofFork(at) } })
      })
      await graph.write((tx) => {
        for (let at = 0; at < MERGED; at++)
          tx.patch(keyOf(at + MERGED / 2), { props: { score: -1 - round - at } })
      })
    },
    async run() {
      report = await fork.merge()
    },
    async answer(store) {
      await fork.drop()
      const { applied, conflicts } = report
      const wrong = Array.from({ length: MERGED }, (_, at) => store.read(keyOf(at))!).filter(
        ({ count, score }, at) =>
          count !== ofFork(at) || (at >= MERGED / 2 && score !== -1 - round - (at - MERGED / 2)),
      )
      if (applied !== MERGED || conflicts.length > 0 || wrong.length > 0)
        throw new Error(`${applied} applied, ${conflicts.length} conflicts, ${wrong.length} wrong`)
    },
  }
}
