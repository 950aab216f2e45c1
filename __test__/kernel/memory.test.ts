import test from 'ava'
import { Kernel, type Graph } from '../../ts/index.ts'
import { freshDirectory } from './directory.ts'
import { refused } from './refused.ts'

async function fill(graph: Graph, from: number, count: number): Promise<void> {
  await graph.write((tx) => {
    for (let n = from; n < from + count; n++) {
      tx.put(`n${n}`, { labels: ['N'], props: { text: 'x'.repeat(1000) } })
      if (n > 0) tx.link(`n${n}`, 'AFTER', `n${n - 1}`)
    }
  })
}

test('a present that would be too large is refused, and may shrink', async (t) => {
  const kernel = Kernel.memory({ memoryBytes: 1_000_000 })
  const { graph } = kernel
  await fill(graph, 0, 500)
  const { memoryBytes } = graph.stats()
  t.true(memoryBytes > 500_000 && memoryBytes < 1_000_000, `${memoryBytes}`)
  const error = await refused(t, 'ERR_KARYON_MEMORY', fill(graph, 500, 500))
  t.is(error?.details['limit'], 1_000_000)
  t.deepEqual([graph.count(), graph.stats().memoryBytes], [500, memoryBytes], 'nothing of it stays')
  await graph.write((tx) => tx.patch('n1', { props: { text: 'y' } }))
  const fork = await graph.fork('fork')
  await fork.write((tx) => tx.patch('n2', { props: { text: 'z'.repeat(2000) } }))
  t.true(graph.stats().memoryBytes > memoryBytes, 'a fork counts')
  await fork.drop()
  t.true(graph.stats().memoryBytes < memoryBytes)
  await graph.write((tx) => {
    for (let n = 0; n < 400; n++) tx.remove(`n${n}`, { detach: true })
  })
  await fill(graph, 500, 100)
  t.is(graph.count(), 200)
  await kernel.close()
})

test('it is counted alike after another opening', async (t) => {
  const directory = freshDirectory(t)
  let kernel = await Kernel.open(directory, { checkpointBytes: 1000 })
  await fill(kernel.graph, 0, 300)
  await kernel.graph.index({ label: 'N', property: 'text' })
  const fork = await kernel.graph.fork('fork')
  await fork.write((tx) => tx.remove('n7', { detach: true }))
  const { memoryBytes } = kernel.graph.stats()
  await kernel.close()
  kernel = await Kernel.open(directory)
  t.is(kernel.graph.stats().memoryBytes, memoryBytes)
  await kernel.close()
  await refused(t, 'ERR_KARYON_ARGUMENT', Kernel.open(directory, { memoryBytes: -1 }))
  await refused(t, 'ERR_KARYON_ARGUMENT', async () => Kernel.memory({ memoryBytes: 1.5 }))
})
