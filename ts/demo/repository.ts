// Which repository the demonstration travels through.
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { generateRepository } from './generate.ts'
import { findRepository, git, GitError, type Place } from './git.ts'
import { firstParentLine, lineLength, type LinePoint } from './history.ts'

/** A shorter line shows nothing. */
export const LINE_COMMITS_MIN = 200

/** The input of a run. */
export interface Repository {
  /** What people call it: the top of its work tree, or its own directory if it has none. */
  readonly path: string
  /** Where git finds it. */
  readonly gitDirectory: string
  readonly line: readonly LinePoint[]
  /** The last commit of the line. */
  readonly head: string
  /** Commits that follow past the longest line that is read. */
  readonly commitsLeftOut: number
  /** Why the repository is a generated one, if it is. */
  readonly generatedBecause: string | undefined
}

/**
 * The repository at or around `path`, or a generated one in `scratch` where there is none with enough of a history.
 * Throws a `GitError` when `path` is no directory or git is missing.
 */
export async function chooseRepository(path: string, scratch: string): Promise<Repository> {
  const at = resolve(path)
  await demandDirectory(at)
  const found = await lookAt(at)
  if (typeof found !== 'string') return await open(found, undefined)
  const generated = resolve(scratch, 'repository')
  await generateRepository(generated)
  return await open({ gitDirectory: generated, top: generated }, found)
}

async function open({ gitDirectory, top }: Place, generatedBecause: string | undefined): Promise<Repository> {
  const line = await firstParentLine(gitDirectory)
  const length = await lineLength(gitDirectory)
  return {
    path: top,
    gitDirectory,
    line,
    head: line.at(-1)?.hash ?? '',
    commitsLeftOut: length - line.length,
    generatedBecause,
  }
}

async function demandDirectory(path: string): Promise<void> {
  const wish = 'give the path of a git repository or of a folder in one'
  const found = await stat(path).catch((cause: unknown) => {
    throw new GitError('ERR_DEMO_PATH', `there is nothing at ${path}: ${wish}`, { cause })
  })
  if (!found.isDirectory()) throw new GitError('ERR_DEMO_PATH', `${path} is not a directory: ${wish}`)
}

/** The repository at or around a directory, or why there is none to be read. Throws a `GitError` when git is missing. */
export async function lookAt(path: string): Promise<Place | string> {
  try {
    const place = await findRepository(path)
    return (await unfitBecause(place)) ?? place
  } catch (error) {
    if (!(error instanceof GitError) || error.code !== 'ERR_DEMO_GIT_FAILED') throw error
    if (/not a git repository/i.test(error.message)) return `${path} is not in a git repository`
    if (/dubious ownership|unsafe repository/i.test(error.message))
      return `the repository at ${path} belongs to somebody else, and git's safe.directory does not name it`
    throw error
  }
}

/** What is wrong with a repository, if anything. */
async function unfitBecause({ gitDirectory, top }: Place): Promise<string | undefined> {
  if ((await git(gitDirectory, 'rev-parse', '--is-shallow-repository')).toString().trim() === 'true')
    return `${top} is a shallow clone`
  if (await isPartialClone(gitDirectory))
    return `${top} is a partial clone, whose missing files would have to be fetched`
  const length = await lineLength(gitDirectory).catch(() => 0)
  return length < LINE_COMMITS_MIN
    ? `${top} has ${length} commits on its first-parent line, fewer than ${LINE_COMMITS_MIN}`
    : undefined
}

async function isPartialClone(gitDirectory: string): Promise<boolean> {
  // Exit code 1 says that no such setting is there.
  return await git(
    gitDirectory,
    'config',
    '--get-regexp',
    String.raw`^(extensions\.partialclone|remote\..*\.promisor)$`,
  ).then(
    () => true,
    () => false,
  )
}
