// Filling a new store, as fast as it goes, with every batch synced before the next.
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Kernel } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import type { Change, Fact } from './driver.ts'
import { keyOf } from './facts.ts'
import { everyKey, freshFolder, removeFolder } from './work.ts'

const NODES = 50_000
const EDGES = 100_000
/** Nodes or edges that are synced together. */
const BATCH = 10_000

interface Edge {
  readonly from: string
  readonly to: string
  readonly weight: number
}

/** What takes nodes and edges by the batch; a batch is on disk when it has settled. */
interface Loader {
  readonly name: string
  open(folder: string): Promise<void> | void
  putNodes(nodes: readonly Change[]): Promise<unknown> | void
  putEdges(edges: readonly Edge[]): Promise<unknown> | void
  /** How much there is, and one of each. */
  read(): unknown
  close(): Promise<void> | void
}

export function bulk(): readonly Case[] {
  const what = `${BATCH} in a batch that is synced before the next, into a new store; the peer is a Map and a log of JSON lines; meant to be 0.7 at least`
  return [
    {
      name: 'store/bulk-load/nodes',
      unit: 'op/s',
      operations: NODES,
      note: what,
      ours: loading(graph(), [], putNodes),
      peers: [loading(jsonLines(), [], putNodes)],
    },
    {
      name: 'store/bulk-load/edges',
      unit: 'op/s',
      operations: EDGES,
      note: what,
      ours: loading(graph(), [putNodes], putEdges),
      peers: [loading(jsonLines(), [putNodes], putEdges)],
    },
  ]
}

type Load = (loader: Loader) => Promise<void>

function loading(loader: Loader, before: readonly Load[], measured: Load): Side {
  let folder: string
  return {
    name: loader.name,
    async prepare() {
      material()
      folder = freshFolder()
      await loader.open(folder)
      for (const load of before) await load(loader)
    },
    run: () => measured(loader),
    async answer() {
      const found = loader.read()
      await loader.close()
      removeFolder(folder)
      return found
    },
  }
}

async function putNodes(loader: Loader): Promise<void> {
  for (const batch of material().nodes) await loader.putNodes(batch)
}

async function putEdges(loader: Loader): Promise<void> {
  for (const batch of material().edges) await loader.putEdges(batch)
}

/** All that is loaded, in batches. */
interface Material {
  readonly nodes: readonly Change[][]
  readonly edges: readonly Edge[][]
}

let made: Material | undefined

function material(): Material {
  const edgeOf = (_: unknown, at: number): Edge => ({
    from: keyOf(at % NODES),
    to: keyOf((at * 7_919 + Math.floor(at / NODES)) % NODES),
    weight: (at % 1_000) / 1_000,
  })
  made ??= { nodes: batches(everyKey(NODES)), edges: batches(Array.from({ length: EDGES }, edgeOf)) }
  return made
}

function batches<T>(items: readonly T[]): readonly T[][] {
  return Array.from({ length: items.length / BATCH }, (_, at) => items.slice(at * BATCH, (at + 1) * BATCH))
}

function graph(): Loader {
  let kernel: Kernel
  return {
    name: 'karyon',
    async open(folder) {
      kernel = await (await karyon()).Kernel.open(folder)
    },
    putNodes: (nodes) =>
      kernel.graph.write((tx) => {
        for (const [key, fact] of nodes) tx.put(key, { labels: ['Fact'], props: { ...fact } })
      }),
    putEdges: (edges) =>
      kernel.graph.write((tx) => {
        for (const { from, to, weight } of edges) tx.link(from, 'NEAR', to, { props: { weight } })
      }),
    read() {
      const { nodes, edges } = kernel.graph.stats()
      const [edge] = kernel.graph.out(keyOf(1))
      return [nodes, edges, kernel.graph.get(keyOf(1))!.props['text'], edge?.props['weight']]
    },
    close: () => kernel.close(),
  }
}

interface Held {
  readonly fact: Fact
  readonly out: Edge[]
  readonly in: Edge[]
}

/** What is written without any library: all of it in a `Map`, and each batch a line of JSON that is synced. */
function jsonLines(): Loader {
  let held = new Map<string, Held>()
  let edgeCount = 0
  let file: number
  const append = (batch: unknown): void => {
    writeSync(file, `${JSON.stringify(batch)}\n`)
    fdatasyncSync(file)
  }
  return {
    name: 'JSON lines',
    open(folder) {
      held = new Map()
      edgeCount = 0
      file = openSync(join(folder, 'log.jsonl'), 'a')
    },
    putNodes(nodes) {
      append(nodes)
      for (const [key, fact] of nodes) held.set(key, { fact: { ...fact }, out: [], in: [] })
    },
    putEdges(edges) {
      append(edges)
      for (const edge of edges) {
        held.get(edge.from)!.out.push({ ...edge })
        held.get(edge.to)!.in.push(edge)
      }
      edgeCount += edges.length
    },
    read() {
      const one = held.get(keyOf(1))!
      return [held.size, edgeCount, one.fact.text, one.out[0]?.weight]
    },
    close: () => closeSync(file),
  }
}
