import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { git, startGit } from '../../ts/demo/git.ts'

/** A directory that goes away with the test. */
export async function scratchDirectory(t: ExecutionContext<unknown>): Promise<string> {
  // Git names directories without their symbolic links.
  const directory = await mkdtemp(join(await realpath(tmpdir()), 'karyon-demo-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Runs `git` in a directory as its user would, but without that user's settings. */
export async function gitIn(directory: string, ...args: readonly string[]): Promise<void> {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
  await promisify(execFile)('git', ['-C', directory, ...args], { env })
}

/** A commit as `git fast-import` reads it: `M`, `R` and `D` lines as they are, contents inline. */
export interface ScriptedCommit {
  readonly mark: number
  readonly from?: number
  readonly merge?: number
  readonly atSeconds?: number
  readonly author?: string
  readonly subject?: string
  /** `['M 100644', path, content]`, `['M 160000 <commit>', path]`, `['R', from, to]`, `['D', path]`. */
  readonly changes: readonly (readonly [string, string, string?])[]
}

/** A bare repository with these commits; every one is the new end of `main`, unless it has a `branch`. */
export async function scriptedRepository(
  directory: string,
  commits: readonly (ScriptedCommit & { readonly branch?: string })[],
): Promise<void> {
  await mkdir(directory, { recursive: true })
  await git(directory, 'init', '--quiet', '--bare', '--template=')
  await git(directory, 'symbolic-ref', 'HEAD', 'refs/heads/main')
  const importer = startGit(directory, ['fast-import', '--quiet', '--date-format=raw', '--done'])
  importer.stdout.resume()
  importer.stdin.end(commits.map(scriptOf).join('') + 'done\n')
  await importer.ended
}

function scriptOf(commit: ScriptedCommit & { readonly branch?: string }): string {
  const who = `${commit.author ?? 'A <a@example.org>'} ${commit.atSeconds ?? commit.mark * 1_000} +0000`
  return [
    `commit refs/heads/${commit.branch ?? 'main'}\nmark :${commit.mark}\n`,
    `author ${who}\ncommitter ${who}\n${data(commit.subject ?? `commit ${commit.mark}`)}`,
    commit.from === undefined ? '' : `from :${commit.from}\n`,
    commit.merge === undefined ? '' : `merge :${commit.merge}\n`,
    ...commit.changes.map(([verb, path, more]) =>
      verb.startsWith('M') && more !== undefined
        ? `${verb} inline ${path}\n${data(more)}`
        : `${verb} ${path}${more === undefined ? '' : ` ${more}`}\n`,
    ),
    '\n',
  ].join('')
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`
}
