import type { Kernel, Transaction, View } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Change, Fact, Store } from './driver.ts'

const LOAD_BATCH = 1_000

/** A node per fact. Every version is kept without being asked for. */
export function karyonStore(): Store {
  let kernel: Kernel
  const apply = (tx: Transaction, [key, fact]: Change): void =>
    tx.put(key, { labels: ['Fact'], props: { ...fact } })
  let before = 0
  const plain = (node: ReturnType<View['get']>): Fact | undefined => {
    const props = node?.props
    // Every property is read, so that nothing stays undecoded.
    return (
      props &&
      ({ count: props['count'], score: props['score'], text: props['text'], sure: props['sure'] } as Fact)
    )
  }
  const write = (change: Change): Promise<unknown> => kernel.graph.write((tx) => apply(tx, change))
  return {
    name: 'karyon',
    async open(folder) {
      const { Kernel } = await karyon()
      kernel = folder === undefined ? Kernel.memory() : await Kernel.open(folder)
    },
    async load(changes) {
      for (let at = 0; at < changes.length; at += LOAD_BATCH) {
        const batch = changes.slice(at, at + LOAD_BATCH)
        await kernel.graph.write((tx) => batch.forEach((change) => apply(tx, change)))
      }
    },
    write,
    writeInFlight: (changes) => Promise.all(changes.map(write)),
    read: (key) => plain(kernel.graph.get(key)),
    async loadVersions(changes) {
      before = Number(kernel.graph.stats().head)
      for (let at = 0; at < changes.length; at += LOAD_BATCH) {
        await Promise.all(changes.slice(at, at + LOAD_BATCH).map(write))
      }
      const versions = Number(kernel.graph.stats().head) - before
      if (versions !== changes.length) throw new Error(`${changes.length} changes made ${versions} versions`)
    },
    readAt: (key, version) => plain(kernel.graph.at(BigInt(before + version)).get(key)),
    close: () => kernel.close(),
  }
}
