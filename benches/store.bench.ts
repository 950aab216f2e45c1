import type { Case } from './measure.ts'
import { besideWriter } from './stores/beside.ts'
import { bulk } from './stores/bulk.ts'
import { contended } from './stores/contended.ts'
import { historyCost } from './stores/cost.ts'
import { curves } from './stores/curves.ts'
import { forks } from './stores/forks.ts'
import { opening } from './stores/opening.ts'
import { past } from './stores/past.ts'
import { pauses } from './stores/pauses.ts'
import { reads } from './stores/reads.ts'
import { space } from './stores/space.ts'
import { supernode } from './stores/supernode.ts'
import { writes } from './stores/writes.ts'

/** What is asked of a store, by topic; each file says what both sides do. */
export function cases(): readonly Case[] {
  return [
    ...writes(),
    ...contended(),
    ...bulk(),
    ...reads(),
    ...historyCost(),
    ...besideWriter(),
    ...supernode(),
    ...past(),
    ...forks(),
    ...opening(),
    ...space(),
    ...curves(),
    ...pauses(),
  ]
}
