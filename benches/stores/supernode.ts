// One node with a million edges, and what it was linked to before half of them were replaced.
import type { Transaction, View } from '../../ts/index.ts'
import type { Case } from '../measure.ts'
import { keyOf } from './facts.ts'
import type { KaryonStore } from './karyon.ts'
import { ownSide, type Work } from './work.ts'

const EDGES = 1_000_000
const BATCH = 10_000
const HUB = 'hub'
const NS_MAX = 200

export function supernode(): readonly Case[] {
  return [
    {
      name: 'store/supernode',
      unit: 'ns/op',
      operations: EDGES,
      note: `per neighbour, handles of all ${EDGES} as of before half of the edges were replaced`,
      ours: ownSide(
        'karyon',
        walking((view) => view.neighbours(HUB, 'out').length),
      ),
      peers: [],
      limit: NS_MAX,
      slow: true,
    },
    {
      name: 'store/supernode/edges',
      unit: 'ns/op',
      operations: EDGES,
      note: `the same, each edge whole`,
      ours: ownSide(
        'karyon',
        walking((view) => {
          let found = 0
          for (const { key } of view.out(HUB)) if (key === '') found++
          return found
        }),
      ),
      peers: [],
      limit: NS_MAX,
      slow: true,
    },
  ]
}

function walking(walk: (view: View) => number): Work<KaryonStore> {
  let before = 0n
  let found = 0
  return {
    filled: () => [],
    async fill(store) {
      const { graph } = store.kernel()
      const each = async (count: number, act: (tx: Transaction, at: number) => void): Promise<void> => {
        for (let at = 0; at < count; at += BATCH) {
          await graph.write((tx) => {
            for (let edge = at; edge < at + BATCH; edge++) act(tx, edge)
          })
        }
      }
      await graph.write((tx) => tx.put(HUB))
      await each(EDGES, (tx, at) => {
        tx.put(keyOf(at))
        tx.link(HUB, 'NEAR', keyOf(at))
      })
      before = graph.stats().head
      await each(EDGES / 2, (tx, at) => {
        tx.unlink(HUB, 'NEAR', keyOf(at * 2))
        tx.link(HUB, 'NEAR', keyOf(at * 2), { key: 'again' })
      })
      await graph.ready('history')
    },
    prepare() {
      found = 0
    },
    run(store) {
      found = walk(store.kernel().graph.at(before))
    },
    answer() {
      if (found !== EDGES) throw new Error(`${found} of ${EDGES} edges were found`)
    },
  }
}
