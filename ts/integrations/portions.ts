// A file into a graph, in transactions of a bounded size, with an account of what is in the graph when something fails.
import { setImmediate as otherWork } from 'node:timers/promises'
import { KaryonError, type Version } from '../index.ts'
import { badArgument, located, withDetails } from './failures.ts'
import { COMMIT_BYTES_MAX, FACTS_PER_COMMIT, FACTS_PER_COMMIT_MAX } from './limits.ts'
import { LineCutter } from './lines.ts'
import { piecesOf, type Source } from './source.ts'

/** How a file is imported. */
export interface ImportOptions {
  /**
   * Facts of one transaction, 1 to 100,000; 10,000 by default. One is committed, too, when its lines have come to 8 MiB. Nothing else of the
   * program runs while one is read and written, some tens of milliseconds: take fewer where cells have to answer sooner.
   */
  readonly factsPerCommit?: number
  /**
   * Lines to leave out at the beginning: what `details.committedLines` of a failed import says. They are counted, not looked at.
   */
  readonly skip?: number
}

/** The options of every import. */
export const IMPORT_OPTIONS: readonly (keyof ImportOptions)[] = ['factsPerCommit', 'skip']

/** What an import has done. */
export interface Imported {
  /** Lines of the file, those left out among them. */
  readonly lines: number
  /** Transactions. */
  readonly commits: number
  /** The newest of them; absent where there was nothing to be written. */
  readonly version?: Version
}

/** What a line of a file says. */
export interface Fact {
  readonly line: number
  /** The length of the line. */
  readonly length: number
  /** For how many facts it counts. */
  readonly weight: number
}

/** Takes what the lines of a file say into a graph. */
export interface Taker<T extends Fact> {
  /** What a line says; `undefined` for one that says nothing. */
  read(text: string, line: number): T | undefined
  /** Commits what some lines say. A failure that one line has led to names it. */
  commit(facts: readonly T[]): Promise<Version>
  /** The first line that was committed in part, or not at all, because it waits for others. */
  readonly waiting?: number | undefined
  /** Whether too many lines wait. */
  readonly isFull?: boolean
  /** Asks the graph once more for what lines wait for, which others may have written; the version of those that it has written then. */
  release?(): Promise<Version | undefined>
  /** Throws when too many lines wait. */
  check?(): void
  /** Throws when lines wait that nothing follows any more. */
  end?(): void
}

/**
 * Imports a file. Whatever it fails with has `details.committedLines`: so many lines from the beginning are in the graph, whole; what
 * follows is not, but for what did not have to wait.
 */
export async function importInPortions<T extends Fact>(
  source: Source,
  taker: Taker<T>,
  options: ImportOptions,
): Promise<Imported> {
  const { factsPerCommit = FACTS_PER_COMMIT, skip = 0 } = options
  checkWhole(factsPerCommit, 'factsPerCommit', 1, FACTS_PER_COMMIT_MAX)
  checkWhole(skip, 'skip', 0, Number.MAX_SAFE_INTEGER)
  const cutter = new LineCutter()
  let facts: T[] = []
  let [weight, length, commits, committed] = [0, 0, 0, skip]
  let version: Version | undefined

  const commit = async (): Promise<void> => {
    if (facts.length > 0) {
      const portion = facts
      facts = []
      weight = length = 0
      version = await taker.commit(portion).catch((error: unknown) => {
        throw inPortion(error, portion)
      })
      commits++
      await otherWork()
    }
    count()
    if (taker.isFull) await release()
    taker.check?.()
  }
  const release = async (): Promise<void> => {
    const newest = await taker.release?.()
    if (newest === undefined) return
    version = newest
    commits++
    count()
  }
  const count = (): void => {
    committed = Math.max(committed, Math.min(cutter.number, (taker.waiting ?? Infinity) - 1))
  }
  const take = (text: string): boolean => {
    if (cutter.number <= skip) return false
    const fact = readLine(taker, text, cutter.number)
    if (!fact) return false
    facts.push(fact)
    weight += fact.weight
    length += fact.length
    return weight >= factsPerCommit || length >= COMMIT_BYTES_MAX
  }

  try {
    for await (const piece of piecesOf(source)) {
      for (const text of cutter.cut(piece)) if (take(text)) await commit()
    }
    for (const text of cutter.end()) take(text)
    await commit()
    if (taker.waiting !== undefined) await release()
    taker.end?.()
  } catch (error) {
    throw error instanceof KaryonError ? withDetails(error, { committedLines: committed }) : error
  }
  return { lines: cutter.number, commits, ...(version === undefined ? {} : { version }) }
}

function readLine<T extends Fact>(taker: Taker<T>, text: string, line: number): T | undefined {
  try {
    return taker.read(text, line)
  } catch (error) {
    throw located(error, line)
  }
}

/** A failure of a whole transaction, as one that breaks a rule is, names the lines that it was made of. */
export function inPortion(error: unknown, portion: readonly Fact[]): unknown {
  if (!(error instanceof KaryonError) || 'line' in error.details) return error
  const [from, to] = [portion[0]!.line, portion.at(-1)!.line]
  return withDetails(error, { lines: { from, to } }, `lines ${from} to ${to}: `)
}

function checkWhole(value: unknown, name: string, least: number, most: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return
  throw badArgument(`${name} is a whole number from ${least} to ${most}`, { limit: most })
}
