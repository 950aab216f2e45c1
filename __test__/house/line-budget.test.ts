import test from 'ava'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { codeLines, ROOT, shippedRust, shippedTypeScript } from './source.ts'

/** A microkernel is read in one sitting or it is none: lines of the compiled engine that are neither blank, comment nor test. */
const ENGINE_LINES_MAX = 15_000
/** What a program says to it: definitions, policy, the public interface. */
const FACE_LINES_MAX = 11_250

/** Built with the feature `crossing` alone, to measure the boundary itself. */
const ONLY_FOR_BENCHES = 'crates/node/src/crossing.rs'

/** Not kernel: what checks it, and what is built on its public interface. */
const CRATES_OUTSIDE = ['testkit', 'rivals']
const TYPESCRIPT_OUTSIDE = ['cli', 'inspector', 'integrations', 'demo', 'match', 'engrams', 'recall']

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

  const total = (prefix: string): number =>
    [...rooms].filter(([room]) => room.startsWith(prefix)).reduce((sum, [, lines]) => sum + lines, 0)
  const [engine, face] = [total('crates/'), total('ts')]
  for (const [room, lines] of rooms) t.log(`${String(lines).padStart(6)}  ${room}`)
  t.log(`${String(engine).padStart(6)}  of ${ENGINE_LINES_MAX}, the engine`)
  t.log(`${String(face).padStart(6)}  of ${FACE_LINES_MAX}, its face`)
  t.true(engine <= ENGINE_LINES_MAX, `the engine has ${engine} lines`)
  t.true(face <= FACE_LINES_MAX, `its face has ${face} lines`)
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
