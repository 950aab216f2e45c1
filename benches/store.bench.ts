import type { Case } from './measure.ts'
import { besideWriter } from './stores/beside.ts'
import { bulk } from './stores/bulk.ts'
import { contended } from './stores/contended.ts'
import { opening } from './stores/opening.ts'
import { past } from './stores/past.ts'
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
    ...besideWriter(),
    ...supernode(),
    ...past(),
    ...opening(),
    ...space(),
  ]
}
