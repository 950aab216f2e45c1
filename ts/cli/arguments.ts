// The words after `karyon`.
import type { Retention } from '../index.ts'

/** What `karyon --help` prints. */
export const USAGE = `Usage:
  karyon demo [PATH] [--json] [--seed N]     the time machine of a git repository, with a saboteur
  karyon verify PATH [--json]                read a store again, all of it, and check it
  karyon backup PATH TO [--json]             copy a store that is not open
  karyon restore FROM TO [--at MOMENT] [--json]   copy what a store held as of a moment
  karyon salvage FROM TO [--json]            copy what is whole of a damaged store, list what is lost
  karyon compact PATH [--since MOMENT] [--versions N] [--every SPAN] [--json]
                                             let go of what is older, but what is to be kept
  karyon erase PATH KEY [--json]             take a node out of the present, the past and every file
  karyon upgrade PATH [--json]               bring a store's files to the newest format
  karyon --version
  karyon --help

demo     reads the git history at PATH (or here), records it with cells that crash in a process that is
         killed, and checks every answer against git. It works offline, in a temporary directory.
         Exit code 0 only if every check held.
backup, restore, salvage
         change nothing at the first path; the second must be empty or not exist, and is a store of its
         own afterwards. A store that is open is copied by its program, with graph.backup(TO).
         salvage: exit code 0 only if nothing is lost.
compact  keeps everything from --since on, of each node and edge its newest N versions, and of what is older the
         last version of each SPAN: hour, day, week, or milliseconds. Without --since it lets go of nothing.

  --json       one JSON document on the standard output, nothing else
  --at MOMENT  a version (120) or an ISO 8601 time (2026-11-25T12:00, UTC without an offset)
  --seed N     the seed of kills, accidents and questions, 0 to 4294967295; drawn and printed by default

Exit codes: 0 it held, 1 it did not, 2 the words after karyon mean nothing.
`

/** What is done to a store. */
export interface StoreCommand {
  readonly name: keyof typeof PATHS
  readonly json: boolean
  readonly path: string
  /** The directory for the copy, or the key; empty for what takes none. */
  readonly to: string
  readonly at?: bigint | string
  /** What `compact` keeps. */
  readonly retention?: Retention
}

/** What was asked for. */
export type Command =
  | { readonly name: 'help' }
  | { readonly name: 'version' }
  | {
      readonly name: 'demo'
      readonly options: { readonly path?: string; readonly json: boolean; readonly seed?: number }
    }
  | { readonly name: 'store'; readonly command: StoreCommand }

/** The paths that each command on a store takes. */
const PATHS = {
  verify: ['PATH'],
  backup: ['PATH', 'TO'],
  restore: ['FROM', 'TO'],
  salvage: ['FROM', 'TO'],
  compact: ['PATH'],
  erase: ['PATH', 'KEY'],
  upgrade: ['PATH'],
} as const

/** The options with a value that each command takes. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  demo: ['--seed'],
  restore: ['--at'],
  compact: ['--since', '--versions', '--every'],
}

/** Words that mean nothing; the message says which. */
export class ArgumentsError extends Error {
  override readonly name = 'ArgumentsError'
}

/** Reads the words; throws an `ArgumentsError` for those it does not know. */
export function parseArguments(words: readonly string[]): Command {
  const [command, ...rest] = words
  if (command === '--help' || command === '-h' || command === 'help') return { name: 'help' }
  if (command === '--version') return { name: 'version' }
  if (command === undefined) throw new ArgumentsError('a command is missing')
  if (command !== 'demo' && !isStoreCommand(command))
    throw new ArgumentsError(`there is no command ${command}`)
  const values: Record<string, string> = {}
  const known = OPTIONS[command] ?? []
  const paths: string[] = []
  let json = false
  let onlyPaths = false
  while (rest.length > 0) {
    const word = rest.shift() ?? ''
    const [option = '', value] = word.split(/=(.*)/s)
    if (onlyPaths || !word.startsWith('-')) paths.push(word)
    else if (word === '--help' || word === '-h') return { name: 'help' }
    else if (word === '--') onlyPaths = true
    else if (word === '--json') json = true
    else if (known.includes(option)) values[option] = value ?? rest.shift() ?? 'nothing'
    else throw new ArgumentsError(`there is no option ${word}`)
  }
  const { '--seed': seed, '--at': at } = values
  if (command === 'demo') {
    if (paths.length > 1) throw new ArgumentsError(`one path is enough: ${paths.join(' and ')} were given`)
    const [path] = paths
    const options = {
      json,
      ...(path !== undefined && { path }),
      ...(seed !== undefined && { seed: seedOf(seed) }),
    }
    return { name: 'demo', options }
  }
  const wanted = PATHS[command]
  if (paths.length !== wanted.length) {
    const given =
      paths.length === 0 ? 'none was' : `${paths.join(' and ')} ${paths.length === 1 ? 'was' : 'were'}`
    throw new ArgumentsError(`${command} takes ${wanted.join(' and ')}; ${given} given`)
  }
  const [path = '', to = ''] = paths
  return {
    name: 'store',
    command: {
      name: command,
      json,
      path,
      to,
      ...(command === 'compact' && { retention: retentionOf(values) }),
      ...(at !== undefined && { at: momentOf(at) }),
    },
  }
}

function isStoreCommand(word: string): word is keyof typeof PATHS {
  return Object.hasOwn(PATHS, word)
}

function seedOf(word: string): number {
  const seed = Number(word)
  if (/^\d+$/.test(word) && seed < 2 ** 32) return seed
  throw new ArgumentsError(`a seed is a whole number from 0 to ${2 ** 32 - 1}, not ${word}`)
}

function retentionOf(values: Readonly<Record<string, string>>): Retention {
  const { '--since': since, '--versions': versions, '--every': every } = values
  if (versions !== undefined && !/^\d{1,9}$/.test(versions))
    throw new ArgumentsError(`versions is a whole number, not ${versions}`)
  if (every !== undefined && !/^(hour|day|week|[1-9]\d{0,11})$/.test(every))
    throw new ArgumentsError(`a span is hour, day, week or a number of milliseconds, not ${every}`)
  return {
    ...(since !== undefined && { since: momentOf(since) }),
    ...(versions !== undefined && { versions: Number(versions) }),
    ...(every !== undefined && { every: /^\d/.test(every) ? Number(every) : (every as 'day') }),
  }
}

function momentOf(word: string): bigint | string {
  if (/^\d+n?$/.test(word)) return BigInt(word.replace('n', ''))
  if (/^\d{4}-\d{2}-\d{2}/.test(word)) return word
  throw new ArgumentsError(`a moment is a version, such as 120, or an ISO 8601 time, not ${word}`)
}
