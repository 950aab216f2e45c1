import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { generateRepository } from '../../ts/demo/generate.ts'
import { git } from '../../ts/demo/git.ts'
import { tagsOf } from '../../ts/demo/history.ts'
import { chooseRepository, LINE_COMMITS_MIN, unfitBecause } from '../../ts/demo/repository.ts'
import { scratchDirectory, scriptedRepository } from './scratch.ts'

test('a repository with enough of a history is taken as it is, also from a folder in it', async (t) => {
  const scratch = await scratchDirectory(t)
  const bare = join(scratch, 'bare')
  const head = await generateRepository(bare, { commits: LINE_COMMITS_MIN })
  const clone = join(scratch, 'clone')
  await git(scratch, 'clone', '--quiet', bare, clone)
  const folder = join(clone, 'src')
  await mkdir(folder, { recursive: true })
  for (const path of [bare, clone, folder]) {
    const chosen = await chooseRepository(path, scratch)
    t.like(chosen, { path, head, commitsLeftOut: 0, generatedBecause: undefined })
    t.is(chosen.line.length, LINE_COMMITS_MIN)
  }
})

test('where there is no repository, none with enough history, or no commit, one is generated and the reason is said', async (t) => {
  const scratch = await scratchDirectory(t)
  const short = join(scratch, 'short')
  await scriptedRepository(short, [{ mark: 1, changes: [] }])
  const empty = join(scratch, 'empty')
  await git(scratch, 'init', '--quiet', empty)
  const reasons: readonly (readonly [string, RegExp])[] = [
    [scratch, /not in a git repository/],
    [short, /1 commits? on its first-parent line, fewer than 200/],
    [empty, /0 commits/],
  ]
  for (const [path, reason] of reasons) t.regex((await unfitBecause(path)) ?? '', reason)
  const chosen = await chooseRepository(short, join(scratch, 'scratch'))
  t.is(chosen.generatedBecause, await unfitBecause(short))
  t.true(chosen.line.length >= 2_000)
})

test('a shallow clone and a partial one are not travelled through', async (t) => {
  const scratch = await scratchDirectory(t)
  const whole = join(scratch, 'whole')
  await generateRepository(whole, { commits: LINE_COMMITS_MIN + 10 })
  await git(whole, 'config', 'uploadpack.allowFilter', 'true')
  const shallow = join(scratch, 'shallow')
  await git(scratch, 'clone', '--quiet', '--depth', String(LINE_COMMITS_MIN), `file://${whole}`, shallow)
  t.regex((await unfitBecause(shallow)) ?? '', /shallow/)
  const partial = join(scratch, 'partial')
  await git(scratch, 'clone', '--quiet', '--bare', '--filter=blob:none', `file://${whole}`, partial)
  t.regex((await unfitBecause(partial)) ?? '', /partial/)
})

test('a path where nothing is, is an error', async (t) => {
  const scratch = await scratchDirectory(t)
  await t.throwsAsync(() => chooseRepository(join(scratch, 'nowhere'), scratch), { code: 'ERR_DEMO_PATH' })
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
