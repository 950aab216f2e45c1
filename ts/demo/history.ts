// The first-parent line of a repository, oldest first, as a stream: a repository may be larger than memory.
import { fields, git, startGit, textOf } from './git.ts'

/** The line is read up to here, from its first commit on: enough for most repositories, minutes for the rest. */
export const LINE_COMMITS_MAX = 20_000

/** Files that changed more than this in one commit are matched by content only (`git log -l`): the cost grows with the square. */
const RENAME_CANDIDATES_MAX = 1_000

/** What `parseLog` reads. */
const HEADER = '--format=%H%x00%P%x00%ct%x00%an%x00%ae%x00%s'

/** How changes are written; a submodule is a path like any other, whatever `.gitmodules` and the settings say of it. */
const CHANGES = ['--raw', '--no-abbrev', '--ignore-submodules=none'] as const

/** What a tree says about a path. */
export interface Entry {
  readonly mode: string
  /** The hash of the blob, or of a submodule's commit. */
  readonly object: string
}

/** What one commit did to one path, against the commit before it on the line. */
export interface Change {
  readonly path: string
  readonly before: Entry | undefined
  readonly after: Entry | undefined
  /** The path this one was renamed from; that one's entry is gone, and `renamedEntry` is what it was. */
  readonly renamedFrom?: string
  readonly renamedEntry?: Entry
}

/** Who wrote a commit, as the commit says. */
export interface Author {
  readonly name: string
  readonly email: string
}

/** One commit of the first-parent line. */
export interface GitCommit {
  readonly hash: string
  readonly parents: readonly string[]
  /** The committer's date, seconds since 1970. Not monotone along the line. */
  readonly committedAtSeconds: number
  readonly author: Author
  readonly subject: string
  readonly changes: readonly Change[]
}

/** A commit without what it changed. */
export type LinePoint = Pick<GitCommit, 'hash' | 'committedAtSeconds' | 'author'>

/** The commits of the first-parent line up to `head`, oldest first, at most `LINE_COMMITS_MAX`. */
export async function firstParentLine(repository: string, head = 'HEAD'): Promise<LinePoint[]> {
  const process = startGit(repository, [
    ...['log', '--first-parent', '--reverse', '-z', '--no-mailmap'],
    ...['--format=%H%x00%ct%x00%an%x00%ae', head, '--'],
  ])
  process.stdin.end()
  const line: LinePoint[] = []
  let words: string[] = []
  for await (const field of fields(process.stdout)) {
    words.push(textOf(field))
    if (words.length < 4) continue
    const [hash = '', seconds = '', name = '', email = ''] = words
    line.push({ hash, committedAtSeconds: secondsOf(seconds), author: { name, email } })
    words = []
    if (line.length === LINE_COMMITS_MAX) {
      process.kill()
      return line
    }
  }
  await process.ended
  return line
}

/** The length of the whole line, also past `LINE_COMMITS_MAX`. */
export async function lineLength(repository: string): Promise<number> {
  return Number((await git(repository, 'rev-list', '--first-parent', '--count', 'HEAD', '--')).toString())
}

/**
 * The commits of the first-parent line up to `head`, oldest first, with what each changed; with `after`, only those
 * that follow it. Renames are git's own (`-M`), merges are compared with their first parent.
 */
export async function* firstParentHistory(
  repository: string,
  head: string,
  after?: string,
): AsyncGenerator<GitCommit, void, undefined> {
  const process = startGit(repository, [
    ...['log', '--first-parent', '-m', '--reverse', '-z', '-M', `-l${RENAME_CANDIDATES_MAX}`],
    ...['--no-ext-diff', '--no-textconv', '--no-notes', '--no-mailmap'],
    ...CHANGES,
    HEADER,
    after === undefined ? head : `${after}..${head}`,
    '--',
  ])
  process.stdin.end()
  try {
    yield* parseLog(fields(process.stdout))
    await process.ended
  } catch (error) {
    // A log that was cut short has its reason in how git ended.
    await process.ended
    throw error
  } finally {
    process.kill()
  }
}

/** Commits out of the NUL-separated fields that `git log --raw -z` with our format writes. */
export async function* parseLog(input: AsyncIterable<Buffer>): AsyncGenerator<GitCommit, void, undefined> {
  const source = input[Symbol.asyncIterator]()
  const next = async (): Promise<Buffer> => {
    const { done, value } = await source.next()
    if (done === true) throw new SyntaxError('git log ended in the middle of a commit')
    return value
  }
  let first = await source.next()
  while (first.done !== true) {
    const header = [first.value, await next(), await next(), await next(), await next(), await next()]
    const [hash = '', parents = '', seconds = '', name = '', email = '', subject = ''] = header.map(textOf)
    const changes: Change[] = []
    for (first = await source.next(); first.done !== true; first = await source.next()) {
      // Git writes a line feed between a header and its first entry.
      const words = first.value.toString('latin1').trimStart()
      if (!words.startsWith(':')) break
      const status = words.slice(words.lastIndexOf(' ') + 1)
      const pathBefore = textOf(await next())
      const twoPaths = status.startsWith('R') || status.startsWith('C')
      changes.push(changeOf(words, status, pathBefore, twoPaths ? textOf(await next()) : pathBefore))
    }
    yield {
      hash: hash.trimStart(),
      parents: parents === '' ? [] : parents.split(' '),
      committedAtSeconds: secondsOf(seconds),
      author: { name, email },
      subject,
      changes,
    }
  }
}

/** `:100644 100755 <object> <object> M` and its paths. */
function changeOf(words: string, status: string, pathBefore: string, path: string): Change {
  const [modeBefore = '', mode = '', objectBefore = '', object = ''] = words.slice(1).split(' ')
  const before = entryOf(modeBefore, objectBefore)
  const after = entryOf(mode, object)
  if (path === pathBefore) return { path, before, after }
  // A copy leaves its source alone: for the tree it is a new path.
  if (status.startsWith('C') || before === undefined) return { path, before: undefined, after }
  return { path, before: undefined, after, renamedFrom: pathBefore, renamedEntry: before }
}

/** What differs between the trees of two commits; a rename is a deletion and an addition here. */
export async function differenceOfTrees(repository: string, from: string, to: string): Promise<Change[]> {
  const process = startGit(repository, [
    ...['diff-tree', '-r', '-z', '--no-renames'],
    ...CHANGES,
    from,
    to,
    '--',
  ])
  process.stdin.end()
  const changes: Change[] = []
  let words: string | undefined
  for await (const field of fields(process.stdout)) {
    if (words === undefined) words = field.toString('latin1')
    else {
      changes.push(changeOf(words, 'M', textOf(field), textOf(field)))
      words = undefined
    }
  }
  await process.ended
  return changes
}

/** The last commit of the line up to `head` that is dated at or before a time; the line's order decides, not the dates'. */
export async function lastCommitBy(
  repository: string,
  head: string,
  seconds: number,
): Promise<string | undefined> {
  const args = ['rev-list', '-1', '--first-parent', `--min-age=${seconds}`, head, '--']
  return (await git(repository, ...args)).toString().trim() || undefined
}

/** The commit of the line up to `head` that gave a path the content it has there. */
export async function commitThatBrought(
  repository: string,
  head: string,
  path: string,
): Promise<string | undefined> {
  const process = startGit(repository, [
    ...['--literal-pathspecs', 'log', '--first-parent', '-m', '-z', '--no-renames', '--no-notes'],
    ...CHANGES,
    HEADER,
    head,
    '--',
    path,
  ])
  process.stdin.end()
  try {
    for await (const { hash, changes } of parseLog(fields(process.stdout))) {
      const change = changes.find((change) => change.path === path)
      if (change?.before?.object !== change?.after?.object) return hash
    }
    await process.ended
    return undefined
  } finally {
    process.kill()
  }
}

/** Tags by name, with the commit that each leads to. */
export async function tagsOf(repository: string): Promise<Map<string, string>> {
  const format = '--format=%(refname:strip=2)%00%(objectname)%00%(*objectname)'
  const lines = (await git(repository, 'for-each-ref', format, 'refs/tags')).toString().split('\n')
  return new Map(
    lines.filter(Boolean).map((line) => {
      const [name = '', object = '', peeled = ''] = line.split('\0')
      return [name, peeled === '' ? object : peeled]
    }),
  )
}

function entryOf(mode: string, object: string): Entry | undefined {
  return mode === '000000' ? undefined : { mode, object }
}

/** Damaged commits have no date, or one that no `Date` holds: such a commit counts as of 1970, like in git. */
function secondsOf(text: string): number {
  const seconds = Number(text)
  return Number.isSafeInteger(seconds) && Math.abs(seconds) <= 8.64e12 ? seconds : 0
}

/** Every path of a commit's tree with its entry. */
export async function treeOf(repository: string, commit: string): Promise<Map<string, Entry>> {
  const process = startGit(repository, ['ls-tree', '-r', '-z', '--full-tree', commit])
  process.stdin.end()
  const tree = new Map<string, Entry>()
  for await (const field of fields(process.stdout)) {
    const tab = field.indexOf('\t')
    const [mode = '', , object = ''] = field.toString('latin1', 0, tab).split(' ')
    tree.set(textOf(field.subarray(tab + 1)), { mode, object })
  }
  await process.ended
  return tree
}
