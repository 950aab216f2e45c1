import test from 'ava'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { read, ROOT } from '../house/source.ts'
import { folderWithPackage, runNode, typeCheck } from '../package/installed.ts'
import { examplesOf, withAssertions } from './examples.ts'

const examples = existsSync(join(ROOT, 'README.md')) ? examplesOf(read('README.md')) : []
const folder = folderWithPackage()
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

test('the README shows programs', (t) => {
  t.not(examples.length, 0)
})

// One after the other: a machine that starts fifty programs at once is no reader's.
for (const { line, code } of examples) {
  test.serial(`the program at line ${line} of the README runs as it stands`, async (t) => {
    const { code: exit, output } = await runNode(
      ['program.mjs'],
      folderWith('run', line, 'program.mjs', code),
    )
    t.is(exit, 0, output)
  })

  test.serial(`the program at line ${line} of the README does what its comments say`, async (t) => {
    const { program, assertions } = withAssertions(code)
    const ended = await runNode(['program.mjs'], folderWith('assert', line, 'program.mjs', program))
    t.log(`${assertions} comments hold`)
    t.is(ended.code, 0, ended.output)
  })

  test.serial(`the program at line ${line} of the README is correct TypeScript`, async (t) => {
    const ended = await typeCheck('program.mts', folderWith('types', line, 'program.mts', code))
    t.is(ended.code, 0, ended.output)
  })
}

/** A folder of its own for each program, because each may open a store beside itself. */
function folderWith(purpose: string, line: number, file: string, code: string): string {
  const own = join(folder, `${purpose}-${line}`)
  mkdirSync(own)
  writeFileSync(join(own, file), code)
  return own
}
