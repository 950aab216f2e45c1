// A package of a million edges, compared with a graph, grafted onto it, and taken off again.
import type { Engram, Graft, Kernel } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import { filled, inCommits, once, packed } from './packages.ts'

const NODES = 200_000
const EDGES = 1_000_000
/** A prime, so that no edge is there twice. */
const STRIDE = 7_919

const GRAFT_MS_MAX = 2_000
const DETACH_MS_MAX = 50
/** A dry run is to cost no more than doing it. */
const PLAN_MS_MAX = GRAFT_MS_MAX

export function grafting(): readonly Case[] {
  const path = once(async () => {
    const kernel = await filled(async (graph) => {
      await inCommits(graph, NODES, (tx, at) => tx.put(nodeKey(at), { labels: ['Thing'] }))
      await inCommits(graph, EDGES, (tx, at) => {
        const from = at % NODES
        const to = (from + STRIDE * (1 + Math.floor(at / NODES))) % NODES
        tx.link(nodeKey(from), 'near', nodeKey(to))
      })
    })
    const made = await packed(kernel.graph, 'edges')
    await kernel.close()
    return made.path
  })
  const note = `${EDGES} edges without properties, between ${NODES} nodes of a label; the host is empty and in memory`
  return [
    {
      name: 'engram/plan',
      unit: 'ms',
      operations: 1,
      note: `${note}; the limit is that of the graft`,
      ours: onto(path, {
        async run({ kernel, engram }) {
          const plan = await (await karyon()).planGraft(kernel, engram)
          return plan.counts.added
        },
      }),
      peers: [],
      limit: PLAN_MS_MAX,
      slow: true,
    },
    {
      name: 'engram/graft',
      unit: 'ms',
      operations: 1,
      note: `${note}; grafted into a layer of its own, not promoted`,
      ours: onto(path, { run: async (host) => (await grafted(host)).info.counts.added }),
      peers: [],
      limit: GRAFT_MS_MAX,
      slow: true,
    },
    {
      name: 'engram/detach',
      unit: 'ms',
      operations: 1,
      note: `${note}; of a graft of which nothing was promoted`,
      ours: detaching(path),
      peers: [],
      limit: DETACH_MS_MAX,
      slow: true,
    },
  ]
}

const nodeKey = (at: number): string => `thing/${at}`

interface Host {
  readonly kernel: Kernel
  readonly engram: Engram
}

/** Existence and label of each node, existence of each edge. */
const FACTS = 2 * NODES + EDGES

/** A new host for each round; what is done says how many facts it has found to be added. */
function onto(pathOf: () => Promise<string>, work: { run(host: Host): Promise<number> }): Side {
  let host: Host
  let added = 0
  return {
    name: 'karyon',
    async prepare() {
      host = await hostOf(pathOf)
    },
    async run() {
      added = await work.run(host)
    },
    async answer() {
      await leave(host)
      checkAdded(added)
    },
  }
}

function detaching(pathOf: () => Promise<string>): Side {
  let host: Host
  let graft: Graft
  return {
    name: 'karyon',
    async prepare() {
      host = await hostOf(pathOf)
      graft = await grafted(host)
      checkAdded(graft.info.counts.added)
    },
    run: () => graft.detach(),
    async answer() {
      const left = await (await karyon()).listGrafts(host.kernel)
      await leave(host)
      if (left.length > 0) throw new Error('the graft is still there')
    },
  }
}

async function grafted({ kernel, engram }: Host): Promise<Graft> {
  return (await karyon()).graftEngram(kernel, engram)
}

async function hostOf(pathOf: () => Promise<string>): Promise<Host> {
  const { Kernel, openEngram } = await karyon()
  return { kernel: Kernel.memory(), engram: openEngram(await pathOf()) }
}

async function leave({ kernel, engram }: Host): Promise<void> {
  engram.close()
  await kernel.close()
}

function checkAdded(added: number): void {
  if (added !== FACTS) throw new Error(`${added} facts were new, and not ${FACTS}`)
}
