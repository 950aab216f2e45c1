// Which repository the demonstration travels through.
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { generateRepository } from './generate.ts'
import { git, GitError } from './git.ts'
import { firstParentLine, lineLength, type LinePoint } from './history.ts'

/** A shorter line shows nothing. */
export const LINE_COMMITS_MIN = 200

/** The input of a run. */
export interface Repository {
  readonly path: string
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
 * Throws a `GitError` when `path` does not exist or git is missing.
 */
export async function chooseRepository(path: string, scratch: string): Promise<Repository> {
  const at = resolve(path)
  await stat(at).catch((cause: unknown) => {
    throw new GitError('ERR_DEMO_PATH', `there is nothing at ${at}: give the path of a git repository`, {
      cause,
    })
  })
  const reason = await unfitBecause(at)
  if (reason === undefined) return await open(at, undefined)
  const generated = resolve(scratch, 'repository')
  await generateRepository(generated)
  return await open(generated, reason)
}

async function open(path: string, generatedBecause: string | undefined): Promise<Repository> {
  const line = await firstParentLine(path)
  const length = await lineLength(path)
  return { path, line, head: line.at(-1)?.hash ?? '', commitsLeftOut: length - line.length, generatedBecause }
}

/** What is wrong with a repository, if anything. Throws a `GitError` when git is missing or refuses to look. */
export async function unfitBecause(path: string): Promise<string | undefined> {
  try {
    await git(path, 'rev-parse', '--git-dir')
  } catch (error) {
    if (
      error instanceof GitError &&
      error.code === 'ERR_DEMO_GIT_FAILED' &&
      /not a git repository/i.test(error.message)
    )
      return `${path} is not in a git repository`
    throw error
  }
  if ((await git(path, 'rev-parse', '--is-shallow-repository')).toString().trim() === 'true')
    return `${path} is a shallow clone`
  if (await isPartialClone(path))
    return `${path} is a partial clone, whose missing files would have to be fetched`
  const length = await lineLength(path).catch(() => 0)
  return length < LINE_COMMITS_MIN
    ? `${path} has ${length} commits on its first-parent line, fewer than ${LINE_COMMITS_MIN}`
    : undefined
}

async function isPartialClone(path: string): Promise<boolean> {
  // Exit code 1 says that no such setting is there.
  return await git(
    path,
    'config',
    '--get-regexp',
    String.raw`^(extensions\.partialclone|remote\..*\.promisor)$`,
  ).then(
    () => true,
    () => false,
  )
}
