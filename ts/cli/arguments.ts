// The words after `karyon`.

/** What `karyon --help` prints. */
export const USAGE = `Usage:
  karyon demo [PATH] [--json] [--seed N]   the time machine of a git repository, with a saboteur
  karyon --version
  karyon --help

demo  reads the git history at PATH (or here), records it with cells that crash in a process that is
      killed, and checks every answer against git. It works offline, in a temporary directory.
      Exit code 0 only if every check held.

  --json     one JSON document on the standard output, nothing else
  --seed N   the seed of kills, accidents and questions, 0 to 4294967295; drawn and printed by default
`

/** What was asked for. */
export type Command =
  | { readonly name: 'help' }
  | { readonly name: 'version' }
  | {
      readonly name: 'demo'
      readonly options: { readonly path?: string; readonly json: boolean; readonly seed?: number }
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
  if (command !== 'demo') throw new ArgumentsError(`there is no command ${command}`)
  let path: string | undefined
  let seed: number | undefined
  let json = false
  let onlyPaths = false
  while (rest.length > 0) {
    const word = rest.shift() ?? ''
    if (!onlyPaths && word.startsWith('-')) {
      if (word === '--help' || word === '-h') return { name: 'help' }
      else if (word === '--') onlyPaths = true
      else if (word === '--json') json = true
      else if (word === '--seed') seed = seedOf(rest.shift())
      else if (word.startsWith('--seed=')) seed = seedOf(word.slice('--seed='.length))
      else throw new ArgumentsError(`there is no option ${word}`)
    } else if (path === undefined) path = word
    else throw new ArgumentsError(`one path is enough: ${path} and ${word} were given`)
  }
  return {
    name: 'demo',
    options: { json, ...(path === undefined ? {} : { path }), ...(seed === undefined ? {} : { seed }) },
  }
}

function seedOf(word: string | undefined): number {
  const seed = Number(word)
  if (word !== undefined && /^\d+$/.test(word) && seed < 2 ** 32) return seed
  throw new ArgumentsError(`a seed is a whole number from 0 to ${2 ** 32 - 1}, not ${word ?? 'nothing'}`)
}
