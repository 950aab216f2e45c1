import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { startGit } from '../../ts/demo/git.ts'

/** A directory that goes away with the test. */
export async function scratchDirectory(t: ExecutionContext<unknown>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'karyon-demo-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A commit as `git fast-import` reads it: `M`, `R` and `D` lines as they are, contents inline. */
export interface ScriptedCommit {
  readonly mark: number
  readonly from?: number
  readonly merge?: number
  readonly atSeconds?: number
  readonly author?: string
  readonly subject?: string
  /** `['M 100644', path, content]`, `['R', from, to]`, `['D', path]`. */
  readonly changes: readonly (readonly [string, string, string?])[]
}

/** A bare repository with these commits; every one is the new end of `main`, unless it has a `branch`. */
export async function scriptedRepository(
  directory: string,
  commits: readonly (ScriptedCommit & { readonly branch?: string })[],
): Promise<void> {
  await run('.', ['init', '--quiet', '--bare', '--template=', directory], '')
  await run(directory, ['symbolic-ref', 'HEAD', 'refs/heads/main'], '')
  await run(
    directory,
    ['fast-import', '--quiet', '--date-format=raw', '--done'],
    commits.map(scriptOf).join('') + 'done\n',
  )
}

function scriptOf(commit: ScriptedCommit & { readonly branch?: string }): string {
  const who = `${commit.author ?? 'A <a@example.org>'} ${commit.atSeconds ?? commit.mark * 1_000} +0000`
  return [
    `commit refs/heads/${commit.branch ?? 'main'}\nmark :${commit.mark}\n`,
    `author ${who}\ncommitter ${who}\n${data(commit.subject ?? `commit ${commit.mark}`)}`,
    commit.from === undefined ? '' : `from :${commit.from}\n`,
    commit.merge === undefined ? '' : `merge :${commit.merge}\n`,
    ...commit.changes.map(([verb, path, more]) =>
      verb.startsWith('M')
        ? `${verb} inline ${path}\n${data(more ?? '')}`
        : `${verb} ${path}${more === undefined ? '' : ` ${more}`}\n`,
    ),
    '\n',
  ].join('')
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`
}

async function run(repository: string, args: readonly string[], input: string): Promise<void> {
  const process = startGit(repository, args)
  process.stdout.resume()
  process.stdin.end(input)
  await process.ended
}
