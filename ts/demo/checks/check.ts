/** Something that must hold, and whether it did. */
export interface Check {
  /** A stable name for machines. */
  readonly id: string
  readonly held: boolean
  /** What was shown, with its numbers: one line. */
  readonly says: string
  /** What did not hold, a few examples at most. */
  readonly problems: readonly string[]
  /** What is worth a look although it held. */
  readonly aside?: string
}

/** More examples of the same failure teach nothing. */
const PROBLEMS_SHOWN_MAX = 5

/** A check that holds when there are no problems. */
export function check(id: string, says: string, problems: readonly string[], aside?: string): Check {
  const more = problems.length - PROBLEMS_SHOWN_MAX
  return {
    id,
    held: problems.length === 0,
    says,
    problems: more > 0 ? [...problems.slice(0, PROBLEMS_SHOWN_MAX), `and ${more} more`] : problems,
    ...(aside === undefined ? {} : { aside }),
  }
}
