// Packages to be kept, and folders that keep them.
import type { ExecutionContext } from 'ava'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  Kernel,
  exportEngram,
  keepEngram,
  type ExportOptions,
  type Graph,
  type KaryonErrorCode,
  type Kept,
} from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { type Random, below, chooseSeed, seededRandom } from '../values/random.ts'

export const ABOUT: ExportOptions = { name: 'world', version: '1.0.0' }
export const VALUE_BYTES = 4_000

/** What may be said of a folder whose files are not what was written. */
export const REFUSALS: readonly KaryonErrorCode[] = [
  'ERR_KARYON_PACKAGE',
  'ERR_KARYON_PACKAGE_ROOT',
  'ERR_KARYON_PACKAGE_LIMIT',
  'ERR_KARYON_FORMAT_NEWER',
]

export function noise(random: Random, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, () => below(random, 256))
}

export function seeded(t: ExecutionContext): Random {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  return seededRandom(seed)
}

export function keyOf(at: number): string {
  return `node ${at.toFixed(4).padStart(11, '0')}`
}

export async function fill(
  graph: Graph,
  random: Random,
  nodes: Iterable<number>,
  bytes: number = VALUE_BYTES,
): Promise<void> {
  await graph.write((tx) => {
    for (const at of nodes) tx.put(keyOf(at), { labels: ['Fact'], props: { text: noise(random, bytes) } })
  })
}

export function range(from: number, to: number, step = 1): number[] {
  return Array.from({ length: Math.ceil((to - from) / step) }, (_, at) => from + at * step)
}

/** So many places behind a node, in front of the next one. */
export function between(node: number, count: number): number[] {
  return range(1, count + 1).map((at) => node + at / 10_000)
}

/** Two packages in a folder, the second of which shares most of the first. */
export async function twoKept(t: ExecutionContext): Promise<{
  readonly directory: string
  readonly folder: string
  readonly a: Kept
  readonly b: Kept
}> {
  const random = seededRandom(7)
  const directory = freshDirectory(t)
  const folder = join(directory, 'kept')
  const { graph } = Kernel.memory()
  await fill(graph, random, range(0, 40))
  await exportEngram(graph, join(directory, 'a'), ABOUT)
  await fill(graph, random, range(20, 24))
  await exportEngram(graph, join(directory, 'b'), { ...ABOUT, version: '2.0.0' })
  const a = await keepEngram(join(directory, 'a'), folder)
  const b = await keepEngram(join(directory, 'b'), folder)
  return { directory, folder, a, b }
}

/** Every file of a folder, with its bytes. */
export function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()
  return Object.fromEntries(
    names
      .filter((name) => statSync(join(folder, name)).isFile())
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex'),
      ]),
  )
}
