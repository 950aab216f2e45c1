import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { generateRepository, GENERATED_LINE_COMMITS } from '../../ts/demo/generate.ts'
import { git } from '../../ts/demo/git.ts'
import { firstParentHistory, treeOf, type GitCommit } from '../../ts/demo/history.ts'
import { languageOf, LANGUAGES } from '../../ts/demo/imports.ts'
import { scratchDirectory } from './scratch.ts'

/** Changes only when what is generated changes on purpose. */
const GENERATED_HEAD = '47f8601619b130109eecdd79c0a8bfb284f2408a'

test('the generated repository is the same on every machine', async (t) => {
  const repository = join(await scratchDirectory(t), 'repository')
  t.is(await generateRepository(repository), GENERATED_HEAD)
  t.true(GENERATED_LINE_COMMITS >= 2_000)
  t.deepEqual(await readdir(join(repository, 'hooks')).catch(() => []), [])
})

test('the same seed gives the same last commit, another seed another', async (t) => {
  const directory = await scratchDirectory(t)
  const head = (name: string, seed: number): Promise<string> =>
    generateRepository(join(directory, name), { seed, commits: 60 })
  const [once, again, other] = await Promise.all([head('a', 1), head('b', 1), head('c', 2)])
  t.is(once, again)
  t.not(once, other)
})

test('the generated repository has all that makes histories hard', async (t) => {
  const repository = join(await scratchDirectory(t), 'repository')
  await generateRepository(repository)
  const commits: GitCommit[] = []
  for await (const commit of firstParentHistory(repository, 'HEAD')) commits.push(commit)
  t.is(commits.length, GENERATED_LINE_COMMITS)
  const changes = commits.flatMap(({ changes }) => changes)
  const dates = commits.map(({ committedAtSeconds }) => committedAtSeconds)
  const steps = dates.slice(1).map((date, at) => date - (dates[at] ?? 0))
  t.true(commits.filter(({ parents }) => parents.length === 2).length > 100, 'merges')
  t.true(changes.filter(({ renamedFrom }) => renamedFrom !== undefined).length > 100, 'renames')
  t.true(changes.filter(({ after }) => after === undefined).length > 100, 'deletions')
  t.true(
    changes.some(({ before, after }) => before?.object === after?.object),
    'changes of mode alone',
  )
  t.true(
    changes.some(({ after }) => after?.mode === '120000'),
    'symbolic links',
  )
  t.true(new Set(commits.map(({ author }) => author.name)).size > 3, 'authors')
  t.true(
    steps.some((seconds) => seconds > 60 * 86_400),
    'months between commits',
  )
  t.true(
    steps.some((seconds) => seconds < 0),
    'clocks that were wrong',
  )
  t.true((await git(repository, 'tag')).toString().trim().split('\n').length > 5, 'tags')
  const paths = [...(await treeOf(repository, 'HEAD')).keys()]
  for (const language of LANGUAGES)
    t.true(
      paths.some((path) => languageOf(path) === language),
      language,
    )
})
