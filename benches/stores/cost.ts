// What the past costs the present: the same present with a long past, and with none but its own first version.
import type { Edge, Graph, Kernel, Node, OpenOptions, Transaction } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case } from '../measure.ts'
import type { Change, Link } from './driver.ts'
import { factOf, keyOf, numbers } from './facts.ts'
import { karyonStore, type KaryonStore } from './karyon.ts'
import { freshFolder, oncePerRound, partSide } from './work.ts'

const NODES = 50_000
const LINKS_EACH = 4
const EQUAL_HITS = 4
const RANGE_HITS = 100
/** Values of the indexed property, of the past as of the present. */
const COUNTS = NODES / EQUAL_HITS
/** Changes of the past, a version each of what they change. */
const UPDATES = 40 * NODES
const RELINKS = 10 * NODES * LINKS_EACH
const RELABELS = 10 * NODES
const TOGETHER = 1_000
/** So that the past is in sealed chapters, and the last image has all of the present. */
const OPTIONS: OpenOptions = { checkpointBytes: 16 * 1024 ** 2 }
/** Times of both that are compared. */
const PAIRS = 21
const BATCH_KEYS = 256

const EACH_MAX = 1.05
const MEAN_MAX = 1.02

interface Query {
  readonly name: string
  /** How often it is asked before the other side's turn: some milliseconds' worth. */
  readonly times: number
  readonly what: string
  /** Asks one question, about a key's number below that of all nodes; what it gives depends on all that was found. */
  ask(side: Opened, at: number): number
}

const QUERIES: readonly Query[] = [
  {
    name: 'get',
    times: 5_000,
    what: 'a whole node by its key',
    ask: ({ graph }, at) => weightOf(graph.get(keyOf(at))!),
  },
  {
    name: 'number',
    times: 20_000,
    what: 'one property by handle',
    ask: ({ graph, handles }, at) => graph.number(handles[at]!, 'count')!,
  },
  {
    name: 'get-many',
    times: 20,
    what: `${BATCH_KEYS} whole nodes by their keys`,
    ask({ graph }, at) {
      const keys = Array.from({ length: BATCH_KEYS }, (_, step) => keyOf((at + step * STRIDE) % NODES))
      return graph.getMany(keys).reduce((sum, node) => sum + weightOf(node!), 0)
    },
  },
  {
    name: 'out',
    times: 2_000,
    what: `the ${LINKS_EACH} edges that leave a node, whole`,
    ask: ({ graph }, at) => lengthOf(graph.out(keyOf(at))),
  },
  {
    name: 'in',
    times: 2_000,
    what: 'the edges that enter a node, whole',
    ask: ({ graph }, at) => lengthOf(graph.in(keyOf(at))),
  },
  {
    name: 'count-by-label',
    times: 10_000,
    what: 'how many nodes have a label',
    ask: ({ graph }) => graph.count({ label: 'Fact' }),
  },
  {
    name: 'equal',
    times: 1_000,
    what: `${EQUAL_HITS} whole nodes by an index`,
    ask: ({ graph }, at) => sumOf(graph, { equals: at % COUNTS }),
  },
  {
    name: 'range',
    times: 100,
    what: `${RANGE_HITS} whole nodes by a range of an index`,
    ask({ graph }, at) {
      const from = at % (COUNTS - RANGE_HITS / EQUAL_HITS)
      return sumOf(graph, { from, to: from + RANGE_HITS / EQUAL_HITS })
    },
  },
  {
    name: 'within-2',
    times: 300,
    what: `${LINKS_EACH + LINKS_EACH ** 2} whole nodes within two hops`,
    ask: ({ graph }, at) =>
      graph.within(keyOf(at), { hops: 2 }).reduce((sum, { node }) => sum + weightOf(node), 0),
  },
]

/** A prime: steps of it come to all nodes before any of them again. */
const STRIDE = 7_919

export function historyCost(): readonly Case[] {
  let chapters = 0
  const measured = oncePerRound(async (round) => {
    const [without, withPast] = await filled()
    chapters = withPast.chapters
    return costs(without.folder, withPast.folder, round)
  })
  const row = (name: string, what: string, limit: number): Case => ({
    name: `store/history-cost/${name}`,
    unit: '×',
    operations: 1,
    note: () =>
      `${what}: CPU time of the same present (one digest) with ${UPDATES} updates, ${RELINKS} links and ${RELABELS} labels taken and given again before it, ${chapters} chapters sealed, by that with one version of each, both read from an image of the same order; the upper 95 % bound of the median of ${PAIRS} pairs in turns, who is opened first changing. The engine has no history to switch off: what a version's number costs each object is in both`,
    ours: partSide('karyon', measured, (bounds) => bounds.get(name)!),
    peers: [],
    limit,
    slow: true,
  })
  return [
    ...QUERIES.map(({ name, what }) => row(name, what, EACH_MAX)),
    row('mean', 'the mean of all', MEAN_MAX),
  ]
}

interface Filled {
  readonly folder: string
  readonly chapters: number
}

let made: Promise<readonly [Filled, Filled]> | undefined

/** Without a past and with one; filled once, and only read from then on. */
function filled(): Promise<readonly [Filled, Filled]> {
  made ??= (async () => {
    const without = await fill(false)
    const withPast = await fill(true)
    if (without.digest !== withPast.digest) throw new Error('the two presents are not the same')
    return [without, withPast] as const
  })()
  return made
}

/** Everything comes in the same order in both, so that it has the same numbers and lies in the same places of the image. */
async function fill(past: boolean): Promise<Filled & { readonly digest: string }> {
  const folder = freshFolder()
  const store = karyonStore(OPTIONS)
  await store.open(folder)
  await store.index()
  const present: Change[] = Array.from({ length: NODES }, (_, at) => [
    keyOf(at),
    { ...factOf(at), count: Math.floor(at / EQUAL_HITS) },
  ])
  const links = everyLink()
  await store.load(present)
  await store.link(links)
  if (past) await live(store, present, links)
  const { graph } = store.kernel()
  const found = { folder, digest: graph.digest(), chapters: (await graph.verify()).chapters }
  await store.close()
  return found
}

/** A life that ends where it began. */
async function live(store: KaryonStore, present: readonly Change[], links: readonly Link[]): Promise<void> {
  const { graph } = store.kernel()
  const random = numbers(1)
  const times = async (count: number, act: (tx: Transaction) => void): Promise<void> => {
    for (let done = 0; done < count; done += TOGETHER) {
      await graph.write((tx) => {
        for (let at = 0; at < TOGETHER; at++) act(tx)
      })
    }
  }
  await times(UPDATES, (tx) => tx.patch(keyOf(random() % NODES), { props: { count: random() % COUNTS } }))
  let turn = 0
  // What is taken in one transaction is given back in the next.
  const takenAndGiven = async (
    count: number,
    take: (tx: Transaction, at: number) => void,
    give: (tx: Transaction, at: number) => void,
  ): Promise<void> => {
    for (let done = 0; done < count; done += TOGETHER) {
      const taken = Array.from({ length: TOGETHER }, () => turn++ * STRIDE)
      await graph.write((tx) => taken.forEach((at) => take(tx, at)))
      await graph.write((tx) => taken.forEach((at) => give(tx, at)))
    }
  }
  const linkAt = (at: number): Link => links[at % links.length]!
  await takenAndGiven(
    RELINKS,
    (tx, at) => tx.unlink(linkAt(at)[0], 'NEAR', linkAt(at)[1]),
    (tx, at) => tx.link(linkAt(at)[0], 'NEAR', linkAt(at)[1]),
  )
  await takenAndGiven(
    RELABELS,
    (tx, at) => tx.patch(keyOf(at % NODES), { dropLabels: ['Fact'] }),
    (tx, at) => tx.patch(keyOf(at % NODES), { labels: ['Fact'] }),
  )
  await store.writeCountsTogether(present.map(([key, { count }]) => [key, count]))
  await graph.ready('history')
}

function everyLink(): Link[] {
  return Array.from({ length: NODES * LINKS_EACH }, (_, at) => {
    const target = (at * STRIDE + 1) % NODES
    return [keyOf(Math.floor(at / LINKS_EACH)), keyOf(target)] as const
  })
}

interface Opened {
  readonly graph: Graph
  readonly handles: Uint32Array
}

/** Of each query, and of the mean of all, how much longer it takes with a past: an upper bound. */
async function costs(without: string, withPast: string, round: number): Promise<Map<string, number>> {
  // Who is opened first has other places in memory, which alone can make a tenth: each is, once.
  const [first, second] = [
    await ratiosOf(without, withPast, 2 * round),
    (await ratiosOf(withPast, without, 2 * round + 1)).map((ofQuery) => ofQuery.map((ratio) => 1 / ratio)),
  ]
  const ratios = first.map((ofQuery, query) =>
    ofQuery.map((ratio, pair) => Math.sqrt(ratio * second[query]![pair]!)),
  )
  const means = Array.from({ length: PAIRS }, (_, pair) => {
    return ratios.reduce((sum, ofQuery) => sum + ofQuery[pair]!, 0) / QUERIES.length
  })
  const bounds = QUERIES.map(({ name }, at) => [name, upperBound(ratios[at]!)] as const)
  return new Map([...bounds, ['mean', upperBound(means)]])
}

/** Opens two folders in this order; of each query the time that the second one takes by that of the first, so many times. */
async function ratiosOf(first: string, second: string, seed: number): Promise<number[][]> {
  const { Kernel } = await karyon()
  const kernels: Kernel[] = []
  const open = async (folder: string): Promise<Opened> => {
    const kernel = await Kernel.open(folder, OPTIONS)
    kernels.push(kernel)
    if (kernel.recovery.replayed > 0) throw new Error('the present was not read from an image')
    await kernel.graph.ready('history')
    const handles = kernel.graph.handles(Array.from({ length: NODES }, (_, at) => keyOf(at)))
    return { graph: kernel.graph, handles }
  }
  const [one, other] = [await open(first), await open(second)]
  const ratios = QUERIES.map((query, at) => {
    const random = numbers(1 + seed * QUERIES.length + at)
    return Array.from({ length: PAIRS }, () => {
      const asked = Array.from({ length: query.times }, () => random() % NODES)
      // Whoever asks second finds the questions in the processor's caches: each is first and last once.
      const turns = [one, other, other, one].map((side) => timed(query, side, asked))
      const cpu = (a: number, b: number): number => turns[a]!.cpu + turns[b]!.cpu
      if (new Set(turns.map(({ found }) => found)).size > 1)
        throw new Error(`${query.name} answers differently`)
      return cpu(1, 2) / cpu(0, 3)
    })
  })
  for (const kernel of kernels) await kernel.close()
  return ratios
}

interface Timed {
  readonly cpu: number
  readonly found: number
}

function timed({ ask }: Query, side: Opened, asked: readonly number[]): Timed {
  const before = process.cpuUsage()
  let found = 0
  for (const at of asked) found += ask(side, at)
  const { user, system } = process.cpuUsage(before)
  return { cpu: user + system, found }
}

/**
 * A value that the median of what was drawn from does not exceed, with a probability of 95 %, whatever its distribution is: as many of the
 * values lie below the median as coins show heads. Of fewer than five values the largest, which then says less.
 */
export function upperBound(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  let heads = 0.5 ** sorted.length
  let below = heads
  let rank = 0
  while (below < 0.95) {
    heads *= (sorted.length - rank) / (rank + 1)
    rank++
    below += heads
  }
  return sorted[Math.min(rank, sorted.length - 1)]!
}

function weightOf({ key, labels, props }: Node): number {
  const { count, score, text, sure } = props as Record<string, number> & { text: string }
  return count! + Math.trunc(score!) + text.length + (sure ? 1 : 0) + key.length + labels.length
}

function lengthOf(edges: Iterable<Edge>): number {
  let sum = 0
  for (const { from, to, type } of edges)
    sum += from.length + to.length + type.length + to.charCodeAt(to.length - 1)
  return sum
}

function sumOf(graph: Graph, hits: { equals: number } | { from: number; to: number }): number {
  let sum = 0
  for (const node of graph.nodes({ label: 'Fact', where: { property: 'count', ...hits } }))
    sum += weightOf(node)
  return sum
}
