import test from 'ava'
import { join } from 'node:path'
import { Kernel, exportEngram, keepEngram, type Graph, type Transaction } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { ABOUT, range } from './keeping.ts'

const NODES = 20_000
const AT_ONCE = 5_000

function keyOf(at: number): string {
  return `node ${String(at * 2).padStart(7, '0')}`
}

/** Small facts: each node has a name, a number and two edges. */
async function fillSmall(graph: Graph): Promise<void> {
  const all = async (write: (tx: Transaction, at: number) => void): Promise<void> => {
    for (let first = 0; first < NODES; first += AT_ONCE) {
      await graph.write((tx) => range(first, first + AT_ONCE).forEach((at) => write(tx, at)))
    }
  }
  await all((tx, at) =>
    tx.put(keyOf(at), {
      labels: ['Fact'],
      props: { name: `name of ${at}`, n: (at * 7_919) % 1_000_003 },
    }),
  )
  await all((tx, at) => {
    for (const step of [7, 14]) tx.link(keyOf(at), 'KNOWS', keyOf((at * 31 + step) % NODES))
  })
}

function change(nodes: readonly number[]): (tx: Transaction) => void {
  return (tx) => {
    for (const at of nodes) tx.patch(keyOf(at), { props: { n: 1_000_003 - at } })
  }
}

/** Of what the second package costs beside the first, the share of the first, least and most, in percent: README and ARCHITECTURE say them. */
const CASES: readonly (readonly [string, (tx: Transaction) => void, number, number])[] = [
  ['a node in the middle', (tx) => tx.put('node 0020001', { labels: ['Fact'], props: { n: 1 } }), 1.5, 3],
  ['a tenth in one run, each as long as before', change(range(8_000, 10_000)), 4, 7],
  [
    'a tenth behind the others',
    (tx) => range(NODES, NODES + NODES / 10).forEach((at) => tx.put(keyOf(at), { props: { n: at } })),
    3,
    6,
  ],
  ['one in a hundred, scattered', change(range(0, NODES, 100)), 18, 28],
  ['one in ten, scattered', change(range(0, NODES, 10)), 20, 32],
]

test('what a change of small facts costs in a folder, as it is published', async (t) => {
  const directory = freshDirectory(t)
  const { graph } = Kernel.memory()
  await fillSmall(graph)
  const [first, second] = [join(directory, 'first'), join(directory, 'second')]
  await exportEngram(graph, first, ABOUT)
  for (const [name, act, least, most] of CASES) {
    const fork = await graph.fork('changed')
    await fork.write(act)
    await exportEngram(fork, second, { ...ABOUT, version: '1.1.0' })
    const folder = join(directory, name)
    const { bytes } = await keepEngram(first, folder)
    const { stored } = await keepEngram(second, folder)
    await fork.drop()
    const share = (stored / bytes) * 100
    t.log(`${name}: ${share.toFixed(0)} % of ${bytes} bytes`)
    t.true(share >= least && share <= most, `${name}: ${share}`)
  }
})
