import test from 'ava'
import { ArgumentsError, parseArguments } from '../../ts/cli/arguments.ts'

test('the demonstration takes a path, a seed and the wish for JSON, in any order', (t) => {
  t.deepEqual(parseArguments(['demo']), { name: 'demo', options: { json: false } })
  const all = { name: 'demo', options: { json: true, path: '../project', seed: 7 } }
  t.deepEqual(parseArguments(['demo', '../project', '--json', '--seed', '7']), all)
  t.deepEqual(parseArguments(['demo', '--seed=7', '--json', '../project']), all)
  t.deepEqual(parseArguments(['demo', '--', '--odd']), {
    name: 'demo',
    options: { json: false, path: '--odd' },
  })
})

test('help and version are found', (t) => {
  for (const words of [['--help'], ['-h'], ['help'], ['demo', '--help']])
    t.is(parseArguments(words).name, 'help')
  t.is(parseArguments(['--version']).name, 'version')
})

test('words that mean nothing are refused by name', (t) => {
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /a command is missing/],
    [['dome'], /no command dome/],
    [['demo', '--jsno'], /no option --jsno/],
    [['demo', 'a', 'b'], /a and b/],
    [['demo', '--seed'], /not nothing/],
    [['demo', '--seed', '-1'], /not -1/],
    [['demo', '--seed', '1e3'], /not 1e3/],
    [['demo', '--seed', '4294967296'], /not 4294967296/],
  ]
  for (const [words, message] of refused)
    t.throws(() => parseArguments(words), { instanceOf: ArgumentsError, message })
})
