// `npm run bench [-- ROOM…] [-- --json FILE]`: installs the peers beside the benches, and only there, then measures.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Failure, installPackages, prepareOrExit, programOf, ROOT, run } from './project.mjs'

const BENCHES = join(ROOT, 'benches')
const given = process.argv.slice(2)
const { positionals: rooms } = parseArgs({
  args: given,
  strict: false,
  options: { json: { type: 'string' }, rounds: { type: 'string' } },
})

prepareOrExit()
try {
  // No script of a peer runs, and so none fetches a binary from a place that is no package registry.
  installPackages(BENCHES, ['--ignore-scripts'])
  buildSqlite()
  if (rooms.length === 0 || rooms.some((word) => word.startsWith('crossing'))) buildCrossing()
  // Compiled rather than run through a loader: one that rewrites modules as they load slows some peers by half.
  run(process.execPath, [programOf('typescript', 'tsc'), '--project', 'benches/tsconfig.json'])
} catch (error) {
  if (!(error instanceof Failure)) throw error
  process.stderr.write(`karyon: ${error.message}\n`)
  process.exit(1)
}
const json = given.indexOf('--json')
// The benches run in their own folder's packages; a file is meant where the command was typed.
if (json >= 0 && given[json + 1])
  given[json + 1] = resolve(process.env.INIT_CWD ?? process.cwd(), given[json + 1])
const { status } = spawnSync(
  process.execPath,
  ['--expose-gc', join(BENCHES, 'build/benches/run.js'), ...given],
  { cwd: ROOT, stdio: 'inherit' },
)
process.exitCode = status ?? 1

/** SQLite is compiled here, against the headers that came with Node where they did. */
function buildSqlite() {
  const folder = join(BENCHES, 'node_modules/better-sqlite3')
  if (existsSync(join(folder, 'build/Release/better_sqlite3.node'))) return
  process.stderr.write('karyon: compiling better-sqlite3, a peer (some minutes, once)\n')
  const prefix = dirname(dirname(process.execPath))
  const env = { ...process.env, npm_config_build_from_source: 'true' }
  if (existsSync(join(prefix, 'include/node/node.h'))) env.npm_config_nodedir = prefix
  run('npm', ['rebuild', 'better-sqlite3', '--loglevel=error'], { cwd: BENCHES, env })
}

/** The functions that only measure the boundary are not in the addon that ships. */
function buildCrossing() {
  const napi = ['build', '--platform', '--release', '--package', 'karyon', '--manifest-path', 'Cargo.toml']
  napi.push(
    '--features',
    'crossing',
    '--output-dir',
    'target/crossing',
    '--js',
    'binding.cjs',
    '--dts',
    'binding.d.cts',
  )
  run(process.execPath, [programOf('@napi-rs/cli', 'napi'), ...napi])
}
