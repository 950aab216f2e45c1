// A package in memory, for tests of what is done with packages: its facts stand in a graph of their own.
import { createHash } from 'node:crypto'
import type { Engram, Manifest, PackedChange, Source } from '../../ts/engrams/types.ts'
import { Kernel, type Edge, type Reader, type Target, type Transaction } from '../../ts/index.ts'

/** What a fake says of itself. */
export interface Fake {
  readonly name?: string
  readonly version?: string
  readonly root?: string
  readonly policies?: Manifest['policies']
  /** Who wrote what, and when. */
  readonly source?: (target: Target, property?: string) => Source | undefined
}

/** A package with what a function writes. */
export async function fakeEngram(fill: (tx: Transaction) => void, fake: Fake = {}): Promise<Engram> {
  const kernel = Kernel.memory()
  await kernel.graph.write(fill)
  return engramOf(kernel, fake)
}

/** A package with everything that a graph holds. */
export function engramOf(kernel: Kernel, fake: Fake = {}): Engram {
  const { graph } = kernel
  const { name = 'acme/sky', version = '1.0.0', policies, source = () => undefined } = fake
  const root = fake.root ?? createHash('sha256').update(`${name} ${version} ${graph.digest()}`).digest('hex')
  const manifest: Manifest = {
    name,
    version,
    ...(policies && { policies }),
    format: 1,
    hash: 'xxh3-128',
    parents: [],
    counts: { nodes: graph.count(), edges: graph.stats().edges, facts: 0, sources: 0 },
    schema: { labels: {}, types: {}, properties: {} },
  }
  const close = (): void => void kernel.close()
  const edges = (): IterableIterator<Edge> => edgesOf(graph)
  const history = (target: Target): IterableIterator<PackedChange> => graph.history(target)
  const own = { manifest, root, bytes: 0, signatures: [], edges, source, history, close }
  return Object.assign(Object.create(reader(graph)) as Reader, own, { [Symbol.dispose]: close })
}

/** The reads of a graph, as those of an object that others can be added to. */
function reader(graph: Reader): Reader {
  return new Proxy(graph, {
    get: (of, name) => {
      const member: unknown = Reflect.get(of, name, of)
      return typeof member === 'function' ? member.bind(of) : member
    },
  })
}

function* edgesOf(graph: Reader): IterableIterator<Edge> {
  const keys = [...graph.nodes()].map((node) => node.key)
  for (const key of keys.toSorted(byBytes)) yield* graph.out(key)
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
