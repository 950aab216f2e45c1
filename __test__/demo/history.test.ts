import test from 'ava'
import { git } from '../../ts/demo/git.ts'
import {
  commitThatBrought,
  firstParentHistory,
  firstParentLine,
  parseLog,
  treeOf,
  type Change,
  type GitCommit,
} from '../../ts/demo/history.ts'
import { scratchDirectory, scriptedRepository } from './scratch.ts'

const TEXT = Array.from({ length: 30 }, (_, line) => `line ${line}\n`).join('')

async function collect(repository: string, after?: string): Promise<GitCommit[]> {
  const commits: GitCommit[] = []
  for await (const commit of firstParentHistory(repository, 'HEAD', after)) commits.push(commit)
  return commits
}

/** What a change did, without hashes. */
function told({ path, before, after, renamedFrom }: Change): string {
  if (renamedFrom !== undefined) return `${renamedFrom} -> ${path}`
  if (before === undefined) return `+ ${path} ${after?.mode}`
  if (after === undefined) return `- ${path}`
  return `~ ${path} ${after.mode}${before.object === after.object ? ' same content' : ''}`
}

test('the line is told oldest first, with additions, edits, modes, renames and deletions', async (t) => {
  const repository = await scratchDirectory(t)
  await scriptedRepository(repository, [
    {
      mark: 1,
      changes: [
        ['M 100644', 'a', TEXT],
        ['M 100644', 'b', 'b\n'],
      ],
    },
    {
      mark: 2,
      changes: [
        ['M 100755', 'b', 'b\n'],
        ['M 100644', 'a', `${TEXT}more\n`],
      ],
    },
    { mark: 3, changes: [['R', 'a', 'c']] },
    {
      mark: 4,
      changes: [
        ['D', 'b'],
        ['M 120000', 'link', 'c'],
      ],
    },
    { mark: 5, changes: [] },
  ])
  const commits = await collect(repository)
  t.deepEqual(
    commits.map(({ subject, changes }) => [subject, ...changes.map(told).toSorted()]),
    [
      ['commit 1', '+ a 100644', '+ b 100644'],
      ['commit 2', '~ a 100644', '~ b 100755 same content'],
      ['commit 3', 'a -> c'],
      ['commit 4', '+ link 120000', '- b'],
      ['commit 5'],
    ],
  )
  t.deepEqual(
    commits.map(({ committedAtSeconds }) => committedAtSeconds),
    [1_000, 2_000, 3_000, 4_000, 5_000],
  )
  t.deepEqual(commits[2]?.parents, [commits[1]?.hash])
  const [rename] = commits[2]?.changes ?? []
  t.deepEqual(rename?.renamedEntry, commits[1]?.changes.find(({ path }) => path === 'a')?.after)
})

test('a merge is what it did to its first parent, and the side it merged is not on the line', async (t) => {
  const repository = await scratchDirectory(t)
  await scriptedRepository(repository, [
    { mark: 1, changes: [['M 100644', 'a', 'a\n']] },
    { mark: 2, from: 1, branch: 'side', changes: [['M 100644', 'side', 'side\n']] },
    { mark: 3, from: 1, changes: [['M 100644', 'b', 'b\n']] },
    { mark: 4, from: 3, merge: 2, changes: [['M 100644', 'side', 'side\n']] },
  ])
  const commits = await collect(repository)
  t.deepEqual(
    commits.map(({ subject }) => subject),
    ['commit 1', 'commit 3', 'commit 4'],
  )
  t.deepEqual(commits[2]?.changes.map(told), ['+ side 100644'])
  t.is(commits[2]?.parents.length, 2)
  t.is(commits[2]?.parents[0], commits[1]?.hash)
})

test('a history that is taken up again begins behind the commit it was left at', async (t) => {
  const repository = await scratchDirectory(t)
  await scriptedRepository(
    repository,
    [1, 2, 3, 4].map((mark) => ({ mark, changes: [['M 100644', 'a', `${mark}\n`]] })),
  )
  const whole = await collect(repository)
  t.deepEqual(await collect(repository, whole[1]?.hash), whole.slice(2))
  t.deepEqual(await collect(repository, whole[3]?.hash), [])
})

test('two files that swap their names, and a copy whose source is then renamed, lead to the tree that git has', async (t) => {
  const repository = await scratchDirectory(t)
  const other = TEXT.toUpperCase()
  await scriptedRepository(repository, [
    {
      mark: 1,
      changes: [
        ['M 100644', 'a', TEXT],
        ['M 100644', 'b', other],
      ],
    },
    {
      mark: 2,
      changes: [
        ['M 100644', 'a', other],
        ['M 100644', 'b', TEXT],
      ],
    },
    {
      mark: 3,
      changes: [
        ['M 100644', 'copy1', other],
        ['M 100644', 'copy2', other],
        ['D', 'a'],
      ],
    },
  ])
  const tree = new Map<string, string>()
  for (const { changes } of await collect(repository)) {
    for (const { path, before, after, renamedFrom } of changes) {
      if (before !== undefined) tree.delete(path)
      if (renamedFrom !== undefined) tree.delete(renamedFrom)
      if (after !== undefined) tree.set(path, after.object)
    }
  }
  const real = [...(await treeOf(repository, 'HEAD'))].map(([path, { object }]) => [path, object])
  t.deepEqual([...tree].toSorted(), real.toSorted())
})

test('names with spaces, quotes, line feeds and other scripts come as they are', async (t) => {
  const repository = await scratchDirectory(t)
  await scriptedRepository(repository, [
    {
      mark: 1,
      author: '中村 さくら <sakura@example.org>',
      subject: 'Größe: "alles"',
      changes: [
        ['M 100644', '"with space/\\"quote\\"\\nnew line"', ''],
        ['M 100644', 'größe', ''],
      ],
    },
  ])
  const [commit] = await collect(repository)
  t.deepEqual(commit?.author, { name: '中村 さくら', email: 'sakura@example.org' })
  t.is(commit?.subject, 'Größe: "alles"')
  const paths = ['größe', 'with space/"quote"\nnew line']
  t.deepEqual(commit?.changes.map(({ path }) => path).toSorted(), paths)
  t.deepEqual([...(await treeOf(repository, 'HEAD')).keys()].toSorted(), paths)
})

test('two names that are not UTF-8 stay two names', async (t) => {
  const repository = await scratchDirectory(t)
  await scriptedRepository(repository, [
    {
      mark: 1,
      changes: [
        ['M 100644', '"\\377"', 'a'],
        ['M 100644', '"\\376"', 'b'],
      ],
    },
  ])
  const [commit] = await collect(repository)
  t.deepEqual(commit?.changes.map(({ path }) => path).toSorted(), ['latin1:\u00fe', 'latin1:\u00ff'])
})

test('the line and the history name the same commits, authors and dates', async (t) => {
  const repository = await scratchDirectory(t)
  await scriptedRepository(repository, [
    { mark: 1, atSeconds: 5_000, changes: [['M 100644', 'a', 'a']] },
    { mark: 2, atSeconds: 4_000, author: 'B <b@example.org>', changes: [['D', 'a']] },
  ])
  const commits = await collect(repository)
  const line = commits.map(({ hash, committedAtSeconds, author }) => ({ hash, committedAtSeconds, author }))
  t.deepEqual(await firstParentLine(repository), line)
})

test('a log that ends in the middle of a commit is an error, not a shorter history', async (t) => {
  async function* cut(): AsyncGenerator<Buffer> {
    yield Buffer.from('a'.repeat(40))
    yield Buffer.from('')
  }
  await t.throwsAsync(() => parseLog(cut()).next(), { message: /middle of a commit/ })
})

test('the commit that brought a path is found for names that are patterns, and not those of its namesakes', async (t) => {
  const repository = await scratchDirectory(t)
  const names = ['a*', 'a[b]', 'ab', ':(top)ab', ':!ab', 'dir/a*']
  await scriptedRepository(
    repository,
    names.map((name, at) => ({ mark: at + 1, changes: [['M 100644', `"${name}"`, `${at}`]] })),
  )
  const line = await firstParentLine(repository)
  for (const [at, name] of names.entries())
    t.is(await commitThatBrought(repository, 'HEAD', name), line[at]?.hash, name)
})

test('what git refuses is a typed error that says why', async (t) => {
  const directory = await scratchDirectory(t)
  await t.throwsAsync(() => git(directory, 'rev-parse', 'HEAD'), {
    code: 'ERR_DEMO_GIT_FAILED',
    message: /rev-parse failed in .*not a git repository/,
  })
})
