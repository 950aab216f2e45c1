import { Kernel, type Graph } from '../../ts/index.ts'

/** Three people who wrote three papers, of which two cite the first; one reviews; somebody knows herself. */
export async function papers(): Promise<Graph> {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('ann', { labels: ['Person'], props: { age: 31, name: 'Ann' } })
    tx.put('bob', { labels: ['Person'], props: { age: 17, name: 'Bob' } })
    tx.put('cid', { labels: ['Person', 'Editor'], props: { age: 70, name: 'Cid' } })
    for (const year of [1, 2, 3]) tx.put(`p${year}`, { labels: ['Document'], props: { year } })
    tx.link('ann', 'WROTE', 'p1', { props: { share: 0.7 } })
    tx.link('bob', 'WROTE', 'p1', { props: { share: 0.3 } })
    tx.link('bob', 'WROTE', 'p2')
    tx.link('cid', 'WROTE', 'p3')
    tx.link('p2', 'CITES', 'p1')
    tx.link('p3', 'CITES', 'p1')
    tx.link('p3', 'CITES', 'p2', { key: 'twice' })
    tx.link('p3', 'CITES', 'p2')
    tx.link('cid', 'REVIEWED', 'p1')
    tx.link('ann', 'KNOWS', 'bob')
    tx.link('ann', 'KNOWS', 'ann')
  })
  return graph
}
