import test from 'ava'
import { examplesOf, withAssertions } from './examples.ts'

test('only blocks fenced as js are programs', (t) => {
  const markdown = '# T\n\n```js\none()\n```\n\n```sh\nls\n```\n\n```js\ntwo()\nthree()\n```\n'
  t.deepEqual(examplesOf(markdown), [
    { line: 4, code: 'one()\n' },
    { line: 12, code: 'two()\nthree()\n' },
  ])
})

test('a block without an end is an error', (t) => {
  t.throws(() => examplesOf('```js\none()\n'), { message: 'the code at line 1 has no end' })
})

const asserted = (line: string): string | undefined => {
  const { program, assertions } = withAssertions(line)
  return assertions === 0 ? undefined : program.split('\n')[1]
}

test('an expression that says what it is becomes an assertion', (t) => {
  t.is(
    asserted(`graph.get('sky').text      // 'blue'`),
    `;assert.deepStrictEqual(graph.get('sky').text, 'blue')`,
  )
  t.is(
    asserted(`  await ref.ask('count') // 1_000`),
    `  ;assert.deepStrictEqual(await ref.ask('count'), 1_000)`,
  )
  t.is(asserted(`f(")") // [1, 'a']`), `;assert.deepStrictEqual(f(")"), [1, 'a'])`)
  t.is(asserted(`f(); // { a: 1, b: null }`), `;assert.deepStrictEqual(f(), { a: 1, b: null })`)
  t.is(asserted(`f() // 12n`), `;assert.deepStrictEqual(f(), 12n)`)
})

test('a comment in words asserts nothing', (t) => {
  t.is(asserted(`await revert() // 'blue' again`), undefined)
  t.is(asserted(`run() // default deny`), undefined)
})

test('what is no expression of one line is left as it is', (t) => {
  t.is(asserted(`const one = 1 // 1`), undefined)
  t.is(asserted(`  mailbox: 1_000, // 1000`), undefined)
  t.is(asserted(`}) // 1`), undefined)
  t.is(asserted(`spawn({ // 1`), undefined)
  t.is(asserted(`'https://a.example/b'`), undefined)
})
