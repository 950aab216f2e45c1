// Which recalls a package carries tables for.
import { badArgument } from '../../errors.ts'
import { listOf } from '../../graph/arguments.ts'
import { SAYING, checkedRecall } from '../../recall/tables.ts'
import type { RecallOptions } from '../../recall/options.ts'
import { compareUtf8 } from '../../values/encode.ts'
import { isWellFormed, malformed } from '../../values/writer.ts'
import { RECALLS_MAX } from '../limits.ts'

const FIELDS = ['label', 'text', ...SAYING] as const

/** Recalls that were read and checked: each once, in their order. */
export function recallsOf(asked: readonly RecallOptions[]): RecallOptions[] {
  const recalls = listOf(asked, 'recall is an array of what openRecall is given')
  if (recalls.length > RECALLS_MAX) {
    throw badArgument(
      `a package carries the tables of at most ${RECALLS_MAX} recalls; leave some to openRecall`,
    )
  }
  const checked = recalls.map(checkedRecall)
  for (const name of checked.flatMap((recall): string[] => Object.values(recall))) {
    if (!isWellFormed(name)) throw malformed(name)
  }
  const sorted = checked.toSorted(compareRecalls)
  return sorted.filter((recall, at) => at === 0 || compareRecalls(sorted[at - 1]!, recall) !== 0)
}

/** The order of recalls: field by field, by their UTF-8; what is not named comes first. */
export function compareRecalls(a: RecallOptions, b: RecallOptions): number {
  for (const field of FIELDS) {
    const order = compareUtf8(a[field] ?? '', b[field] ?? '')
    if (order !== 0) return order
  }
  return 0
}
