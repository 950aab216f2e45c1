import type { Kernel, Node, OpenOptions, Transaction, View } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type {
  Batched,
  Change,
  Concurrent,
  Counted,
  Fact,
  Indexed,
  Linked,
  Named,
  Recount,
  Recounting,
} from './driver.ts'

/** Changes of one transaction, and transactions in flight, while a store is filled. */
const LOAD_BATCH = 1_000
const LABEL = 'Fact'

/** Ours can do all that is asked of any, and is also asked for what no other has. */
export interface KaryonStore
  extends Concurrent, Linked, Batched, Indexed, Recounting, Counted<number, Uint32Array> {
  kernel(): Kernel
}

/** A node per fact. Every version is kept without being asked for. */
export function karyonStore(options: OpenOptions = {}): KaryonStore {
  let kernel: Kernel
  let before = 0
  const apply = (tx: Transaction, [key, fact]: Change): void =>
    tx.put(key, { labels: [LABEL], props: { ...fact } })
  const write = (change: Change): Promise<unknown> => kernel.graph.write((tx) => apply(tx, change))
  const setCount = (tx: Transaction, [key, count]: Recount): void => tx.patch(key, { props: { count } })
  const writeCount = (change: Recount): Promise<unknown> => kernel.graph.write((tx) => setCount(tx, change))
  const view = (version: number): View => kernel.graph.at(BigInt(before + version))
  const inBatches = async <T>(
    items: readonly T[],
    act: (batch: readonly T[]) => Promise<unknown>,
  ): Promise<void> => {
    for (let at = 0; at < items.length; at += LOAD_BATCH) await act(items.slice(at, at + LOAD_BATCH))
  }
  const versionEach = async <T>(items: readonly T[], each: (item: T) => Promise<unknown>): Promise<void> => {
    const head = kernel.graph.stats().head
    await inBatches(items, (batch) => Promise.all(batch.map(each)))
    const versions = Number(kernel.graph.stats().head - head)
    if (versions !== items.length) throw new Error(`${items.length} changes made ${versions} versions`)
  }
  return {
    name: 'karyon',
    async open(folder) {
      const { Kernel } = await karyon()
      kernel = folder === undefined ? Kernel.memory() : await Kernel.open(folder, options)
    },
    load: (changes) =>
      inBatches(changes, (batch) => kernel.graph.write((tx) => batch.forEach((change) => apply(tx, change)))),
    write,
    writeTogether: (changes) =>
      kernel.graph.write((tx) => {
        for (const change of changes) apply(tx, change)
      }),
    writeCount,
    writeCountsTogether: (changes) =>
      kernel.graph.write((tx) => {
        for (const change of changes) setCount(tx, change)
      }),
    writeInFlight: (changes) => Promise.all(changes.map(write)),
    read: (key) => plain(kernel.graph.get(key)),
    ref: (key) => kernel.graph.handles([key])[0]!,
    refs: (keys) => kernel.graph.handles(keys),
    count: (handle) => kernel.graph.number(handle, 'count')!,
    counts: (handles) => kernel.graph.numbers(handles, 'count').reduce((sum, count) => sum + count, 0),
    readMany: (keys) => kernel.graph.getMany(keys).map((node) => plain(node)!),
    loadVersions(changes) {
      before = Number(kernel.graph.stats().head)
      return versionEach(changes, write)
    },
    readAt: (key, version) => plain(view(version).get(key)),
    recount: (changes) => versionEach(changes, writeCount),
    link: (links) =>
      inBatches(links, (batch) =>
        kernel.graph.write((tx) => batch.forEach(([from, to]) => tx.link(from, 'NEAR', to))),
      ),
    around: (key) => kernel.graph.within(key, { hops: 2 }).map(({ node }) => named(node)),
    aroundAt: (key, version) =>
      view(version)
        .within(key, { hops: 2 })
        .map(({ node }) => named(node)),
    index: () => kernel.graph.index({ label: LABEL, property: 'count' }),
    equal: (count) =>
      Array.from(kernel.graph.nodes({ label: LABEL, where: { property: 'count', equals: count } }), named),
    range: (from, to) =>
      Array.from(kernel.graph.nodes({ label: LABEL, where: { property: 'count', from, to } }), named),
    kernel: () => kernel,
    close: () => kernel.close(),
  }
}

/** Every property is read, so that nothing stays undecoded. */
function plain(node: Node | undefined): Fact | undefined {
  const props = node?.props
  return (
    props &&
    ({ count: props['count'], score: props['score'], text: props['text'], sure: props['sure'] } as Fact)
  )
}

function named({ key, props }: Node): Named {
  const { count, score, text, sure } = props
  return { key, count, score, text, sure } as Named
}
