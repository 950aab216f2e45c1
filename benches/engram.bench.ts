import { collisions } from './engrams/collisions.ts'
import { exporting } from './engrams/exporting.ts'
import { grafting } from './engrams/grafting.ts'
import {
  type Finder,
  type Ours,
  ROWS,
  keyOf,
  lmdb,
  lookup,
  map,
  numberOf,
  sqlite,
} from './engrams/lookups.ts'
import { opening } from './engrams/opening.ts'
import { packageReads } from './engrams/package-reads.ts'
import { recalled } from './engrams/recalled.ts'
import { recalling } from './engrams/recalling.ts'
import type { Case, Side } from './measure.ts'

const LOOKS = 200_000
const BATCH = 1_024
const BATCHES = 400

export function cases(): readonly Case[] {
  return [
    {
      name: 'engram/get-node',
      unit: 'ns/op',
      operations: LOOKS,
      note: `one of ${ROWS} numbers by a string that was just built; the loop around the call is included`,
      ours: finding(lookup()),
      peers: [lmdb(), sqlite(), map()].map(finding),
    },
    {
      name: 'engram/get-node-tags',
      unit: 'ns/op',
      operations: LOOKS,
      note: 'the same where tags of 128 bits are compared, and keys are not; against where they are',
      ours: finding(lookup(false)),
      peers: [finding({ ...lookup(), name: 'self: strict' })],
    },
    {
      name: 'engram/get-many-map',
      unit: 'ns/op',
      operations: BATCH * BATCHES,
      note: `${ROWS} numbers, batches of ${BATCH} ids in a typed array; a Map is asked one at a time`,
      ours: inBatches(lookup(), 'handles', BATCH),
      peers: [mapOfNumbers(), oneByOne()],
    },
    {
      name: 'engram/get-many-node',
      unit: 'ns/op',
      operations: BATCH * BATCHES,
      note: `batches of ${BATCH} tags, a call each; the look alone is in engram/get-many-rust, without the number`,
      ours: inBatches(lookup(), 'tags', BATCH),
      peers: [inBatches(lookup(), 'tags', BATCH * BATCHES)],
    },
    ...opening(),
    ...packageReads(),
    ...grafting(),
    ...exporting(),
    ...recalling(),
    ...recalled(),
    ...collisions(),
  ]
}

/** Which numbers are asked for, in rounds that differ. */
function places(count: number, round: number): number[] {
  return Array.from({ length: count }, (_, at) => ((at + round * count) * 7_368_787) % ROWS)
}

function finding(finder: Finder): Side {
  let keys: string[] = []
  let sum = 0
  return {
    name: finder.name,
    start: finder.start,
    prepare: (round) => {
      keys = places(LOOKS, round).map(keyOf)
      sum = 0
    },
    run: () => {
      for (const key of keys) sum += finder.find(key)
    },
    answer: () => sum,
    stop: finder.stop,
  }
}

/** Ids of one round, by batches; they are found once, before. */
function batches<Ids>(round: number, idsOf: (keys: string[]) => Ids): Ids[] {
  return Array.from({ length: BATCHES }, (_, at) => idsOf(places(BATCH, round * BATCHES + at).map(keyOf)))
}

function inBatches(ours: Ours, by: 'handles' | 'tags', size: number): Side {
  let wanted: (BigUint64Array | Uint32Array)[] = []
  let sum = 0
  return {
    name: size === BATCH ? ours.name : 'self: one call for all',
    start: ours.start,
    prepare: (round) => {
      const keys = batches(round, (some) => some).flat()
      wanted = []
      for (let from = 0; from < keys.length; from += size)
        wanted.push(ours[by](keys.slice(from, from + size)))
      sum = 0
    },
    run: () => {
      for (const ids of wanted) {
        const numbers = ours.findMany(ids)
        for (let at = 0; at < numbers.length; at++) sum += numbers[at]!
      }
    },
    answer: () => sum,
    stop: ours.stop,
  }
}

function mapOfNumbers(): Side {
  const weights = new Map<number, number>()
  let wanted: Uint32Array[] = []
  let sum = 0
  return {
    name: 'Map with number keys',
    start: () => {
      for (let at = 0; at < ROWS; at++) weights.set(at, numberOf(at))
    },
    prepare: (round) => {
      wanted = Array.from({ length: BATCHES }, (_, at) =>
        Uint32Array.from(places(BATCH, round * BATCHES + at)),
      )
      sum = 0
    },
    run: () => {
      for (const ids of wanted) for (let at = 0; at < ids.length; at++) sum += weights.get(ids[at]!)!
    },
    answer: () => sum,
  }
}

/** The same ids, of a lookup that is asked one key at a time. */
function oneByOne(): Side {
  const ours = lookup()
  let keys: string[][] = []
  let sum = 0
  return {
    name: 'self: one key at a time',
    start: ours.start,
    prepare: (round) => {
      keys = batches(round, (wanted) => wanted)
      sum = 0
    },
    run: () => {
      for (const batch of keys) for (const key of batch) sum += ours.find(key)
    },
    answer: () => sum,
    stop: ours.stop,
  }
}
