// What a history tells, in the order of packages and as far as they tell it; and what some writers have made of it.
import type { PackedChange } from '../../ts/engrams/index.ts'
import { type Change, KaryonError } from '../../ts/index.ts'
import { compareUtf8 } from '../../ts/values/encode.ts'

/** Changes, and whether older ones are not kept. */
export interface Told {
  readonly changes: readonly PackedChange[]
  readonly isCut: boolean
}

/** Reads a history to its end, or to where it is not kept any more. */
export function told(history: Iterable<Change | PackedChange>): Told {
  const changes: PackedChange[] = []
  try {
    for (const change of history) changes.push(plainChange(change))
  } catch (error) {
    if (!(error instanceof KaryonError) || error.code !== 'ERR_KARYON_HORIZON') throw error
    return { changes: changes.toSorted(byPlace), isCut: true }
  }
  return { changes: changes.toSorted(byPlace), isCut: false }
}

function plainChange(change: Change | PackedChange): PackedChange {
  const { incarnation: _incarnation, cause: _cause, ...plain } = change as Change
  return { ...plain, version: 0n }
}

/** The newest commit first; of one commit existence, labels, times, properties. */
function byPlace(a: PackedChange, b: PackedChange): number {
  const [left, right] = [a, b].map(({ time }) => time.micros) as [bigint, bigint]
  if (left !== right) return left > right ? -1 : 1
  return rankOf(a) - rankOf(b) || compareUtf8(nameOf(a), nameOf(b))
}

function rankOf({ kind, property }: PackedChange): number {
  if (kind === 'created' || kind === 'removed') return 0
  return kind === 'labelled' || kind === 'unlabelled' ? 1 : property === undefined ? 2 : 3
}

function nameOf({ label, property }: PackedChange): string {
  return label ?? property ?? ''
}

/** The changes of some, each of which begins where the one before it of theirs has ended. */
export function toldBy({ changes, isCut }: Told, isTheirs: (principal: string) => boolean): Told {
  const theirs = changes.filter(({ principal }) => isTheirs(principal))
  const again = theirs.map((change, at): PackedChange => {
    const { before: _before, intervalsBefore: _intervals, ...rest } = change
    if (rankOf(change) < 2) return rest
    const older = theirs.slice(at + 1).find((each) => rankOf(each) >= 2 && nameOf(each) === nameOf(change))
    return {
      ...rest,
      ...(older?.after !== undefined && { before: older.after }),
      ...(older?.intervalsAfter && { intervalsBefore: older.intervalsAfter }),
    }
  })
  return { changes: again, isCut }
}
