// The only file that starts `git`: offline, with typed errors, and deaf to the caller's settings once a repository is found.
import { isUtf8 } from 'node:buffer'
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

/** `ERR_DEMO_GIT_MISSING`: no executable. `ERR_DEMO_GIT_FAILED`: it ran and said no. `ERR_DEMO_PATH`: nothing is there. */
export type GitErrorCode = 'ERR_DEMO_GIT_MISSING' | 'ERR_DEMO_GIT_FAILED' | 'ERR_DEMO_PATH'

/** What `git` could not do, and what to do about it. */
export class GitError extends Error {
  override readonly name = 'GitError'
  readonly code: GitErrorCode

  constructor(code: GitErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A running `git`; `ended` rejects with a `GitError` unless it exits with 0. */
export interface GitProcess {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly ended: Promise<void>
  kill(): void
}

/** As much of what `git` says about a failure as fits a message. */
const COMPLAINT_CHARS_MAX = 500

/**
 * Settings of the repository itself that would change what the commands of the demonstration write. Those of the user
 * and of the machine are not read at all; a Git before 2.32 reads them, and these lines hold against them too.
 */
const SETTINGS: readonly string[] = [
  'color.diff=false',
  'core.attributesFile=/dev/null',
  'diff.orderFile=/dev/null',
  'i18n.logOutputEncoding=UTF-8',
  'log.diffMerges=separate',
  'log.follow=false',
  'log.showRoot=true',
  'log.showSignature=false',
].flatMap((setting) => ['-c', setting])

/** Where a repository is. */
export interface Place {
  /** The directory with its objects and refs: what every command here is given. */
  readonly gitDirectory: string
  /** The top of its work tree, or its directory if it has none: what people call the repository. */
  readonly top: string
}

/**
 * The repository at or around a directory. The one question that hears the user's settings: `safe.directory` is theirs
 * to say. Rejects with git's refusal where there is no repository, or one that git does not trust.
 */
export async function findRepository(directory: string): Promise<Place> {
  const asked = async (...questions: readonly string[]): Promise<string> => {
    const words = ['-C', directory, 'rev-parse', ...questions]
    const answer = await whole(start(words, `rev-parse failed in ${directory}`, callersEnvironment()))
    return answer.toString().replace(/\n$/, '')
  }
  const gitDirectory = await asked('--absolute-git-dir')
  const hasWorkTree = (await asked('--is-inside-work-tree')) === 'true'
  return { gitDirectory, top: hasWorkTree ? await asked('--show-toplevel') : gitDirectory }
}

/**
 * Starts `git` on a repository, named by its own directory. Nothing is looked for then: there is no folder that paths
 * could be relative to, and no question of whose repository it is.
 */
export function startGit(gitDirectory: string, args: readonly string[]): GitProcess {
  const verb = args.find((word) => !word.startsWith('-'))
  return start(
    ['-C', gitDirectory, '--git-dir=.', ...SETTINGS, ...args],
    `${verb} failed in ${gitDirectory}`,
    environment(),
  )
}

/** Runs `git` on a repository and returns everything it wrote. */
export function git(gitDirectory: string, ...args: readonly string[]): Promise<Buffer> {
  return whole(startGit(gitDirectory, args))
}

function start(args: readonly string[], failure: string, env: NodeJS.ProcessEnv): GitProcess {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn('git', args, {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (complaint.length < COMPLAINT_CHARS_MAX) complaint += text
  })
  // A process that goes away closes its pipe; how it ended says more than the broken pipe does.
  child.stdin.on('error', () => {})
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => reject(notStarted(cause)))
    child.once('close', (exitCode, signal) => {
      if (exitCode === 0 || child.killed) return resolve()
      const said = complaint.trim().slice(0, COMPLAINT_CHARS_MAX) || `it ended with ${signal ?? exitCode}`
      reject(new GitError('ERR_DEMO_GIT_FAILED', `git ${failure}: ${said}`))
    })
  })
  // Whoever reads the output may leave early, and then never looks here.
  ended.catch(() => {})
  return { stdin: child.stdin, stdout: child.stdout, ended, kill: () => void child.kill() }
}

async function whole(process: GitProcess): Promise<Buffer> {
  process.stdin.end()
  const parts: Buffer[] = []
  for await (const part of process.stdout as AsyncIterable<Buffer>) parts.push(part)
  await process.ended
  return Buffer.concat(parts)
}

/** The NUL-separated fields of a stream, as bytes. A last field without its NUL is a field too. */
export async function* fields(stdout: Readable): AsyncGenerator<Buffer, void, undefined> {
  let rest: Buffer[] = []
  for await (const part of stdout as AsyncIterable<Buffer>) {
    let from = 0
    for (let nul = part.indexOf(0); nul >= 0; nul = part.indexOf(0, from)) {
      const piece = part.subarray(from, nul)
      yield rest.length === 0 ? piece : Buffer.concat([...rest, piece])
      rest = []
      from = nul + 1
    }
    if (from < part.length) rest.push(part.subarray(from))
  }
  if (rest.length > 0) yield Buffer.concat(rest)
}

/**
 * A path or a name as text. Git stores bytes; those that are not UTF-8 are read as Latin-1 behind a mark, so that two
 * different names never become the same text.
 */
export function textOf(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : `latin1:${bytes.toString('latin1')}`
}

/** The caller's `GIT_DIR` or index must not lead elsewhere, replaced objects must not change what is compared. */
function environment(): NodeJS.ProcessEnv {
  return {
    ...withoutGit((name) => name === 'GIT_EXEC_PATH'),
    GIT_ATTR_NOSYSTEM: '1',
    // Git knows this name on Windows too.
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    LC_ALL: 'C',
  }
}

/** With the caller's settings, wherever they are, and nothing that names a repository. */
function callersEnvironment(): NodeJS.ProcessEnv {
  return {
    ...withoutGit((name) => name === 'GIT_EXEC_PATH' || name.startsWith('GIT_CONFIG')),
    LC_ALL: 'C',
  }
}

function withoutGit(isKept: (name: string) => boolean): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_') || isKept(name))
  return Object.fromEntries(kept)
}

function notStarted(cause: NodeJS.ErrnoException): GitError {
  return cause.code === 'ENOENT'
    ? new GitError(
        'ERR_DEMO_GIT_MISSING',
        'the demonstration reads a git repository and found no `git` on the PATH: install git and run it again',
        { cause },
      )
    : new GitError('ERR_DEMO_GIT_FAILED', `git could not be started: ${cause.message}`, { cause })
}
