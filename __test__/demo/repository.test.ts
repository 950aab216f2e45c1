import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { generateRepository } from '../../ts/demo/generate.ts'
import { git } from '../../ts/demo/git.ts'
import { commitThatBrought, tagsOf, treeOf } from '../../ts/demo/history.ts'
import { chooseRepository, LINE_COMMITS_MIN, lookAt } from '../../ts/demo/repository.ts'
import { gitIn, scratchDirectory, scriptedRepository } from './scratch.ts'

test('a repository with enough of a history is taken as it is, from wherever it is looked at', async (t) => {
  const scratch = await scratchDirectory(t)
  const bare = join(scratch, 'bare')
  const head = await generateRepository(bare, { commits: LINE_COMMITS_MIN })
  const clone = join(scratch, 'clone')
  await gitIn(scratch, 'clone', '--quiet', bare, clone)
  const linked = join(scratch, 'linked')
  await gitIn(clone, 'worktree', 'add', '--quiet', '--detach', linked)
  for (const folder of [join(clone, 'a folder'), join(linked, 'src/deep')])
    await mkdir(folder, { recursive: true })
  const tops: readonly (readonly [string, string])[] = [
    [bare, bare],
    [join(bare, 'refs'), bare],
    [clone, clone],
    [join(clone, 'a folder'), clone],
    [join(clone, '.git'), join(clone, '.git')],
    [join(linked, 'src/deep'), linked],
  ]
  for (const [path, top] of tops) {
    const chosen = await chooseRepository(path, scratch)
    t.like(chosen, { path: top, head, commitsLeftOut: 0, generatedBecause: undefined }, path)
    t.is(chosen.line.length, LINE_COMMITS_MIN)
    const [name = ''] = await treeOf(chosen.gitDirectory, head).then((tree) => tree.keys())
    t.truthy(await commitThatBrought(chosen.gitDirectory, head, name), path)
  }
})

test('where there is no repository, none with enough history, or no commit, one is generated and the reason is said', async (t) => {
  const scratch = await scratchDirectory(t)
  const short = join(scratch, 'short')
  await scriptedRepository(short, [{ mark: 1, changes: [] }])
  const empty = join(scratch, 'empty')
  await gitIn(scratch, 'init', '--quiet', empty)
  const reasons: readonly (readonly [string, RegExp])[] = [
    [scratch, /not in a git repository/],
    [short, /1 commits? on its first-parent line, fewer than 200/],
    [empty, /0 commits/],
  ]
  for (const [path, reason] of reasons) t.regex(String(await lookAt(path)), reason)
  const chosen = await chooseRepository(short, join(scratch, 'scratch'))
  t.is(chosen.generatedBecause, String(await lookAt(short)))
  t.true(chosen.line.length >= 2_000)
})

test('a shallow clone and a partial one are not travelled through', async (t) => {
  const scratch = await scratchDirectory(t)
  const whole = join(scratch, 'whole')
  await generateRepository(whole, { commits: LINE_COMMITS_MIN + 10 })
  await gitIn(whole, 'config', 'uploadpack.allowFilter', 'true')
  const shallow = join(scratch, 'shallow')
  await gitIn(scratch, 'clone', '--quiet', '--depth', String(LINE_COMMITS_MIN), `file://${whole}`, shallow)
  t.regex(String(await lookAt(shallow)), /shallow/)
  const partial = join(scratch, 'partial')
  await gitIn(scratch, 'clone', '--quiet', '--bare', '--filter=blob:none', `file://${whole}`, partial)
  t.regex(String(await lookAt(partial)), /partial/)
})

test('a path where nothing is, or a file, is an error that says so', async (t) => {
  const scratch = await scratchDirectory(t)
  const file = join(scratch, 'file')
  await writeFile(file, '')
  const wrong: readonly (readonly [string, RegExp])[] = [
    [join(scratch, 'nowhere'), /nowhere: give the path of a git repository/],
    [file, /file is not a directory: give the path of a git repository/],
    [join(file, 'under'), /nothing at .*under/],
  ]
  for (const [path, message] of wrong)
    await t.throwsAsync(() => chooseRepository(path, scratch), { code: 'ERR_DEMO_PATH', message })
})

test('tags lead to their commits, with and without a message of their own', async (t) => {
  const repository = await scratchDirectory(t)
  await generateRepository(repository, { commits: LINE_COMMITS_MIN })
  const head = (await git(repository, 'rev-parse', 'HEAD')).toString().trim()
  await git(repository, 'tag', 'light', 'HEAD')
  t.deepEqual([...(await tagsOf(repository))].toSorted(), [
    ['light', head],
    ['v0.1.0', head],
  ])
})
