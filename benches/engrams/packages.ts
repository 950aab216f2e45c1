// Packages that cases read: what is in them, and how they are made.
import { join } from 'node:path'
import type * as Karyon from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import { numbers } from '../stores/facts.ts'
import { freshFolder } from '../stores/work.ts'

/** Verbs of one commit while a graph is filled. */
const COMMIT = 20_000
/** Bytes of one commit while a graph is filled with large values. */
const COMMIT_BYTES: number = 32 * 1024 * 1024

/** A package that was written. */
export interface Package {
  readonly path: string
  readonly bytes: number
}

/** Packs what a graph holds; the file has gone when the process ends. */
export async function packed(
  graph: Karyon.Graph,
  name: string,
  options: Partial<Karyon.ExportOptions> = {},
): Promise<Package> {
  const path = join(freshFolder(), `${name}.engram`)
  const { bytes } = await (await karyon()).exportEngram(graph, path, { name, version: '1.0.0', ...options })
  return { path, bytes }
}

/** A kernel in memory that somebody has filled. */
export async function filled(fill: (graph: Karyon.Graph) => Promise<void>): Promise<Karyon.Kernel> {
  const kernel = (await karyon()).Kernel.memory()
  await fill(kernel.graph)
  return kernel
}

/** Does something for each number below a count, in commits of some thousands. */
export async function inCommits(
  graph: Karyon.Graph,
  count: number,
  put: (tx: Karyon.Transaction, at: number) => void,
): Promise<void> {
  for (let from = 0; from < count; from += COMMIT) {
    await graph.write((tx) => {
      for (let at = from; at < Math.min(from + COMMIT, count); at++) put(tx, at)
    })
  }
}

/** Nodes with one value of bytes each, whose size is told by their number. */
export async function putBytes(
  graph: Karyon.Graph,
  count: number,
  sizeOf: (at: number) => number,
): Promise<void> {
  for (const some of byBytes(Array.from({ length: count }, (_, at) => [at, sizeOf(at)] as const))) {
    await graph.write((tx) => {
      for (const [at, size] of some)
        tx.put(blobKey(at), { labels: ['Blob'], props: { bytes: noise(size, at) } })
    })
  }
}

/** The same, as many at once as fit in a commit. */
function* byBytes<Sized extends readonly [unknown, number]>(all: readonly Sized[]): Generator<Sized[]> {
  let some: Sized[] = []
  let bytes = 0
  for (const one of all) {
    some.push(one)
    bytes += one[1]
    if (bytes < COMMIT_BYTES) continue
    yield some
    ;[some, bytes] = [[], 0]
  }
  if (some.length > 0) yield some
}

export const blobKey = (at: number): string => `blob/${at.toString(36).padStart(5, '0')}`

/** Bytes that no compression makes shorter. */
function noise(size: number, seed: number): Uint8Array {
  const random = numbers(seed + 1)
  const words = new Uint32Array(size / Uint32Array.BYTES_PER_ELEMENT)
  for (let at = 0; at < words.length; at++) words[at] = random()
  return new Uint8Array(words.buffer)
}

/** Made once for all cases that only read it. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}
