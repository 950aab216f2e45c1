// The only file that starts `git`: offline, deaf to the caller's settings, with typed errors.
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

/** Starts `git` on a repository (a work tree, a folder in it, or a bare one). */
export function startGit(repository: string, args: readonly string[]): GitProcess {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn('git', ['-C', repository, ...args], {
    env: environment(),
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  })
  const verb = args.find((word) => /^[a-z-]+$/.test(word) && !word.startsWith('-'))
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
      reject(new GitError('ERR_DEMO_GIT_FAILED', `git ${verb} failed in ${repository}: ${said}`))
    })
  })
  // Whoever reads the output may leave early, and then never looks here.
  ended.catch(() => {})
  return { stdin: child.stdin, stdout: child.stdout, ended, kill: () => void child.kill() }
}

/** Runs `git` and returns everything it wrote. */
export async function git(repository: string, ...args: readonly string[]): Promise<Buffer> {
  const process = startGit(repository, args)
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
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('GIT_') || name.startsWith('GIT_CONFIG') || name === 'GIT_EXEC_PATH',
  )
  return {
    ...Object.fromEntries(kept),
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    LC_ALL: 'C',
  }
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
