import test from 'ava'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { codeLines, ROOT, shippedRust, shippedTypeScript } from './source.ts'

/** A microkernel is read in one sitting or it is none: lines that are neither blank, comment nor test. */
const KERNEL_LINES_MAX = 15_000

/** Built with the feature `crossing` alone, to measure the boundary itself. */
const ONLY_FOR_BENCHES = 'crates/node/src/crossing.rs'

/** Not kernel: what checks it, and what is built on its public interface. */
const CRATES_OUTSIDE = ['testkit', 'rivals']
const TYPESCRIPT_OUTSIDE = ['cli', 'inspector', 'integrations', 'demo']

test('the kernel stays under its line budget', (t) => {
  const rooms = new Map<string, number>()
  for (const crate of readdirSync(join(ROOT, 'crates'), { withFileTypes: true })) {
    if (!crate.isDirectory() || CRATES_OUTSIDE.includes(crate.name)) continue
    const files = shippedRust(`crates/${crate.name}/src`)
    for (const file of files.keys()) if (file.endsWith(ONLY_FOR_BENCHES)) files.delete(file)
    rooms.set(`crates/${crate.name}`, linesOf(files.values()))
  }
  for (const [file, lines] of shippedTypeScript()) {
    const [, folder = '', below] = file.split('/')
    if (TYPESCRIPT_OUTSIDE.includes(folder)) continue
    const room = below === undefined ? 'ts' : `ts/${folder}`
    rooms.set(room, (rooms.get(room) ?? 0) + lines.length)
  }

  const total = [...rooms.values()].reduce((a, b) => a + b, 0)
  for (const [room, lines] of rooms) t.log(`${String(lines).padStart(6)}  ${room}`)
  t.log(`${String(total).padStart(6)}  of ${KERNEL_LINES_MAX}`)
  t.true(total <= KERNEL_LINES_MAX, `the kernel has ${total} lines`)
})

test('comments and blank lines are not code', (t) => {
  const source = `// one\n\n/* two\n three */\ncode()\n/** four */\nmore() // five\n`
  t.deepEqual(codeLines(source), ['code()', 'more() // five'])
})

function linesOf(files: Iterable<readonly string[]>): number {
  let lines = 0
  for (const file of files) lines += file.length
  return lines
}
