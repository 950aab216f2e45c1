import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { execFileSync } from 'node:child_process'
import test from 'ava'
import { generateRepository } from '../../ts/demo/generate.ts'
import { findRepository } from '../../ts/demo/git.ts'
import {
  commitThatBrought,
  differenceOfTrees,
  firstParentHistory,
  firstParentLine,
  lastCommitBy,
  tagsOf,
  treeOf,
} from '../../ts/demo/history.ts'
import { chooseRepository, LINE_COMMITS_MIN } from '../../ts/demo/repository.ts'
import { gitIn, scratchDirectory, scriptedRepository } from './scratch.ts'

// These tests change the environment of their process: one after the other.

/** Settings that change, break or stop the commands whose output is read. */
const HOSTILE: readonly (readonly [string, string])[] = [
  ['color.diff', 'always'],
  ['color.ui', 'always'],
  ['core.abbrev', '5'],
  ['core.quotePath', 'true'],
  ['diff.ignoreSubmodules', 'all'],
  ['diff.noPrefix', 'true'],
  ['diff.orderFile', '/no/such/file'],
  ['diff.relative', 'true'],
  ['diff.renameLimit', '1'],
  ['diff.renames', 'false'],
  ['diff.submodule', 'log'],
  ['format.pretty', 'fuller'],
  ['i18n.logOutputEncoding', 'UTF-16'],
  ['log.date', 'relative'],
  ['log.decorate', 'full'],
  ['log.diffMerges', 'off'],
  ['log.follow', 'true'],
  ['log.mailmap', 'true'],
  ['log.showRoot', 'false'],
  ['log.showSignature', 'true'],
  ['submodule.lib.ignore', 'all'],
]

const TEXT = Array.from({ length: 30 }, (_, line) => `line ${line}\n`).join('')

const SUBMODULES = '[submodule "lib"]\n\tpath = lib\n\turl = ./lib\n\tignore = all\n'

/** A work tree whose history has a merge, a rename, a submodule and folders. */
async function hardRepository(directory: string): Promise<void> {
  const bare = `${directory}.git`
  await scriptedRepository(bare, [
    {
      mark: 1,
      subject: 'größer',
      changes: [
        ['M 100644', 'src/before', TEXT],
        ['M 100644', 'größe', ''],
        ['M 100644', '.gitmodules', SUBMODULES],
        [`M 160000 ${'1'.repeat(40)}`, 'lib'],
      ],
    },
    { mark: 2, from: 1, branch: 'side', changes: [['M 100644', 'src/side', 'side']] },
    { mark: 3, from: 1, changes: [['R', 'src/before', 'src/after']] },
    { mark: 4, from: 3, merge: 2, changes: [['M 100644', 'src/side', 'side']] },
    { mark: 5, from: 4, changes: [[`M 160000 ${'2'.repeat(40)}`, 'lib']] },
  ])
  await gitIn(bare, 'tag', 'v1')
  await gitIn(bare, 'clone', '--quiet', bare, directory)
}

/** Everything the demonstration asks git about a repository, looked at from a folder in it. */
async function everythingAsked(folder: string): Promise<unknown> {
  const { gitDirectory } = await findRepository(folder)
  const line = await firstParentLine(gitDirectory)
  const [first, , , last] = line.map(({ hash }) => hash)
  const history = []
  for await (const commit of firstParentHistory(gitDirectory, 'HEAD')) history.push(commit)
  const tree = await treeOf(gitDirectory, 'HEAD')
  const brought = await Promise.all(
    [...tree.keys()].map(async (path) => [path, await commitThatBrought(gitDirectory, 'HEAD', path)]),
  )
  const difference = await differenceOfTrees(gitDirectory, first ?? '', last ?? '')
  const byDate = await lastCommitBy(gitDirectory, 'HEAD', 3_500)
  return { line, history, tree, brought, difference, byDate, tags: await tagsOf(gitDirectory) }
}

test.serial('what is read does not depend on the settings of the repository', async (t) => {
  const directory = join(await scratchDirectory(t), 'repository')
  await hardRepository(directory)
  const folder = join(directory, 'src')
  const expected = await everythingAsked(folder)
  t.like(expected, { line: { length: 4 }, brought: { length: 5 }, difference: { length: 4 } })
  for (const [name, value] of HOSTILE) {
    await gitIn(directory, 'config', name, value)
    t.deepEqual(await everythingAsked(folder), expected, `${name}=${value}`)
  }
})

test.serial('what is read does not depend on the settings of the user', async (t) => {
  const scratch = await scratchDirectory(t)
  const directory = join(scratch, 'repository')
  await hardRepository(directory)
  const folder = join(directory, 'src')
  const expected = await everythingAsked(folder)
  const settings = join(scratch, 'settings')
  await writeFile(settings, '')
  withEnvironment(t, { GIT_CONFIG_GLOBAL: settings, GIT_CONFIG_SYSTEM: settings })
  for (const [name, value] of HOSTILE) {
    await gitIn(scratch, 'config', '--file', settings, name, value)
    t.deepEqual(await everythingAsked(folder), expected, `${name}=${value}`)
  }
})

const posix = process.platform === 'win32' ? test.skip : test.serial

posix('the repository of somebody else is read if safe.directory names it, and only then', async (t) => {
  const scratch = await scratchDirectory(t)
  const repository = join(scratch, 'repository')
  await generateRepository(repository, { commits: LINE_COMMITS_MIN })
  const settings = join(scratch, 'settings')
  await writeFile(settings, '')
  withEnvironment(t, {
    PATH: `${await strangersGit(scratch)}${delimiter}${process.env['PATH']}`,
    GIT_CONFIG_GLOBAL: settings,
    GIT_CONFIG_NOSYSTEM: '1',
  })
  const refused = await chooseRepository(repository, join(scratch, 'scratch'))
  t.regex(refused.generatedBecause ?? '', /belongs to somebody else.*safe\.directory/)
  await gitIn(scratch, 'config', '--file', settings, 'safe.directory', repository)
  const taken = await chooseRepository(repository, scratch)
  t.like(taken, { path: repository, generatedBecause: undefined })
  t.is((await treeOf(taken.gitDirectory, taken.head)).size > 0, true)
})

/** A directory with a `git` that takes every repository for that of somebody else. */
async function strangersGit(scratch: string): Promise<string> {
  const directory = join(scratch, 'bin')
  await mkdir(directory)
  const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim()
  const script = join(directory, 'git')
  await writeFile(script, `#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec '${real}' "$@"\n`)
  await chmod(script, 0o755)
  return directory
}

function withEnvironment(
  t: { teardown(undo: () => void): void },
  variables: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name]
    process.env[name] = value
    t.teardown(() => {
      if (before === undefined) delete process.env[name]
      else process.env[name] = before
    })
  }
}
