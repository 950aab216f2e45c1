// How often all heads of recall say of an n-gram that something is there, where nothing is: chance, and no more.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Case } from '../measure.ts'
import { ROOT } from '../project.ts'
import { shuffled, glosses } from './glosses.ts'
import { once } from './packages.ts'

type Heads = Pick<typeof import('../../ts/recall/grams.ts'), 'gramsOf' | 'HEADS' | 'slotOf'>

const LOADS = [0.5, 1, 2, 4]
const SLOTS = 2 ** 16
/** Texts whose n-grams there are. */
const TEXTS = 60_000

/** The part of the compiled package that cuts texts and says where its pieces are. */
const heads = once(() => import(pathToFileURL(join(ROOT, 'dist/recall/grams.js')).href) as Promise<Heads>)

/** All different n-grams of the texts, 64 bits of each. */
const grams = once(async () => {
  const { gramsOf } = await heads()
  const all = glosses()
    .slice(0, TEXTS)
    .map((text) => {
      const { halves, count } = gramsOf(text)
      return new BigUint64Array(halves.slice(0, 2 * count).buffer)
    })
  const joined = new BigUint64Array(all.reduce((sum, { length }) => sum + length, 0))
  let used = 0
  for (const some of all) {
    joined.set(some, used)
    used += some.length
  }
  joined.sort()
  return joined.filter((gram, at) => gram !== joined[at - 1])
})

export function collisions(): readonly Case[] {
  return LOADS.map(collisionsAt)
}

function collisionsAt(load: number): Case {
  let all: BigUint64Array
  let recall: Heads
  let order: Uint32Array
  let figure = 0
  let asked = 0
  const inserted = load * SLOTS
  const expected = (1 - Math.exp(-load)) ** 8
  const error = (): string => (100 * Math.sqrt((1 - expected) / (expected * asked))).toFixed(1)
  return {
    name: `engram/collisions/${load}`,
    unit: '×',
    operations: 1,
    note: () =>
      `${inserted} n-grams of WordNet's glosses in ${SLOTS} slots of each of 8 heads; how many of ${asked} others have all eight slots taken, by (1 − e^−${load})^8 = ${expected.toPrecision(3)}; a round's standard error is ${error()} %`,
    ours: {
      name: 'karyon',
      async start() {
        all = await grams()
        recall = await heads()
        if (recall.HEADS !== 8) throw new Error(`there are ${recall.HEADS} heads`)
      },
      prepare(round) {
        order = Uint32Array.from(shuffled([...all.keys()], round + 1))
      },
      run() {
        const halves = new Uint32Array(all.buffer)
        const taken = new Uint8Array(recall.HEADS * SLOTS)
        const slot = (gram: number, head: number): number =>
          head * SLOTS + recall.slotOf(halves[2 * gram]!, halves[2 * gram + 1]!, head, SLOTS)
        for (const gram of order.subarray(0, inserted)) {
          for (let head = 0; head < recall.HEADS; head++) taken[slot(gram, head)] = 1
        }
        const others = order.subarray(inserted)
        let hits = 0
        for (const gram of others) {
          let head = 0
          while (head < recall.HEADS && taken[slot(gram, head)] === 1) head++
          if (head === recall.HEADS) hits++
        }
        asked = others.length
        figure = hits / asked / expected
      },
      figure: () => figure,
    },
    peers: [],
    limit: 1,
    slow: true,
  }
}
