import test from 'ava'
import { Kernel } from '../../ts/index.ts'
import { freshDirectory } from './directory.ts'
import { refused } from './refused.ts'

test('a relaxed kernel reads what it has written, and the disk follows', async (t) => {
  const directory = freshDirectory(t)
  const kernel = await Kernel.open(directory, { durability: 'relaxed' })
  const { graph } = kernel
  for (let n = 0; n < 100; n++) {
    const { version } = await graph.write((tx) => tx.put('a', { props: { n } }))
    t.is(graph.get('a')?.props['n'], n)
    t.is(graph.at(version).get('a')?.props['n'], n)
  }
  await Promise.all(Array.from({ length: 100 }, (_, n) => graph.write((tx) => tx.put(`b${n}`))))
  t.is(graph.count(), 101)
  const { durable, head } = graph.stats()
  t.true(durable <= head)
  const verified = await graph.verify()
  t.true(verified.version <= head)
  await kernel.close()
  const again = await Kernel.open(directory)
  t.deepEqual([again.graph.count(), again.graph.stats().head], [101, 200n])
  await again.close()
})

test('who joins a store asks for the same durability', async (t) => {
  const directory = freshDirectory(t)
  const kernel = await Kernel.open(directory, { durability: 'relaxed' })
  await refused(t, 'ERR_KARYON_ARGUMENT', Kernel.open(directory))
  const joined = await Kernel.open(directory, { durability: 'relaxed' })
  await joined.graph.write((tx) => tx.put('a'))
  t.is(kernel.graph.count(), 1)
  await joined.close()
  await kernel.close()
  await refused(t, 'ERR_KARYON_ARGUMENT', Kernel.open(directory, { durability: 'memory' as 'relaxed' }))
})
