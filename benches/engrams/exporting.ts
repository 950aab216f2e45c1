// Packing a graph, against writing what comes of it.
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Graph, Kernel } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import { median } from '../measure.ts'
import { freshFolder, removeFolder } from '../stores/work.ts'
import { filled, inCommits, once, packed, putBytes } from './packages.ts'

const MIB = 1024 * 1024
const LARGE = 50_000
const LARGE_BYTES = 4 * 1024
const NODES = 100_000
const EDGES = 200_000
const STRIDE = 7_919
/** How often it is looked how much memory the process takes. */
const SAMPLE_MS = 10

export function exporting(): readonly Case[] {
  return [
    caseOf({
      name: 'engram/export',
      what: `${LARGE} nodes of ${LARGE_BYTES / 1024} KiB, with provenance`,
      provenance: true,
      fill: (graph) => putBytes(graph, LARGE, () => LARGE_BYTES),
    }),
    caseOf({
      name: 'engram/export-small',
      what: `${NODES} nodes of a label and two properties, ${EDGES} edges without any; no provenance`,
      provenance: false,
      async fill(graph) {
        const props = (at: number): { count: number; text: string } => ({ count: at, text: `said of ${at}` })
        await inCommits(graph, NODES, (tx, at) =>
          tx.put(nodeKey(at), { labels: ['Thing'], props: props(at) }),
        )
        await inCommits(graph, EDGES, (tx, at) => {
          const from = at % NODES
          const to = (from + STRIDE * (1 + Math.floor(at / NODES))) % NODES
          tx.link(nodeKey(from), 'near', nodeKey(to))
        })
      },
    }),
  ]
}

const nodeKey = (at: number): string => `thing/${at}`

interface Packing {
  readonly name: string
  readonly what: string
  readonly provenance: boolean
  fill(graph: Graph): Promise<void>
}

function caseOf({ name, what, provenance, fill }: Packing): Case {
  const kernel = once(() => filled(fill))
  const first = once(async () => {
    const { path } = await packed((await kernel()).graph, 'first', { provenance })
    return readFileSync(path)
  })
  const grown: number[] = []
  let size = 0
  return {
    name,
    unit: 'ms',
    operations: 1,
    note: () =>
      `${what}: ${(size / 1e6).toFixed(0)} MB, synced; against writing the same bytes in pieces of 1 MiB and a sync; the process grew by ${(median(grown) / 1e6).toFixed(0)} MB meanwhile`,
    ours: exported(kernel, provenance, grown),
    peers: [
      written(async () => {
        const bytes = await first()
        size = bytes.length
        return bytes
      }),
    ],
    slow: true,
  }
}

function exported(kernel: () => Promise<Kernel>, provenance: boolean, grown: number[]): Side {
  let folder: string
  let graph: Graph
  let pack: (typeof import('../../ts/index.ts'))['exportEngram']
  const path = (): string => join(folder, 'packed.engram')
  return {
    name: 'karyon',
    async start() {
      folder = freshFolder()
      ;({ graph } = await kernel())
      pack = (await karyon()).exportEngram
    },
    async run() {
      const before = process.memoryUsage.rss()
      let most = before
      const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), SAMPLE_MS)
      await pack(graph, path(), { name: 'first', version: '1.0.0', provenance })
      clearInterval(timer)
      grown.push(Math.max(most, process.memoryUsage.rss()) - before)
    },
    answer() {
      const digest = digestOf(path())
      rmSync(path())
      return digest
    },
    async stop() {
      removeFolder(folder)
      await (await kernel()).close()
    },
  }
}

function written(bytesOf: () => Promise<Buffer>): Side {
  let folder: string
  let bytes: Buffer
  const path = (): string => join(folder, 'written')
  return {
    name: 'node:fs, write and fsync',
    async start() {
      folder = freshFolder()
      bytes = await bytesOf()
    },
    run() {
      const file = openSync(path(), 'wx')
      for (let at = 0; at < bytes.length; at += MIB)
        writeSync(file, bytes, at, Math.min(MIB, bytes.length - at))
      fsyncSync(file)
      closeSync(file)
    },
    answer() {
      const digest = digestOf(path())
      rmSync(path())
      return digest
    },
    stop: () => removeFolder(folder),
  }
}

function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
