import test from 'ava'
import { standingFor } from '../../.ci/standing.mjs'
import { parseArguments } from '../../ts/cli/arguments.ts'

const FOLDERS = { clone: '/clone', caller: '/caller' }

test('npm start reads this clone unless a path is given, wherever it is typed', (t) => {
  const expected: readonly (readonly [string, readonly string[]])[] = [
    ['/clone', []],
    ['/clone', ['--json']],
    ['/clone', ['--seed', '7']],
    ['/clone', ['--seed=7', '--json']],
    ['/clone', ['--']],
    ['/caller', ['.']],
    ['/caller', ['--seed', '7', '../other']],
    ['/caller', ['../other', '--json']],
    ['/caller', ['--', '--odd']],
    // What these are is for the command to say.
    ['/clone', ['--help']],
    ['/clone', ['--seed']],
    ['/clone', ['--no-such-option', '7']],
  ]
  for (const [folder, words] of expected)
    t.is(standingFor(words, FOLDERS, parseArguments), folder, words.join(' '))
})
