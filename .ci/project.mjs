// What every command of the project needs first: its packages, its addon and its compiled TypeScript.
// Each step remembers a hash of what it read; nothing is done twice for the same input. Needs Node alone.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const STAMPS = join(ROOT, '.karyon-build.json')
const NATIVE = 'ts/native'
const MINIMUM_NODE = [20, 19]

/** What a step reads, and what it must have left behind to count as done. */
const STEPS = {
  addon: {
    inputs: [
      'Cargo.toml',
      'Cargo.lock',
      'build.rs',
      'rust-toolchain.toml',
      'package.json',
      'package-lock.json',
      'crates',
    ],
    outputs: [`${NATIVE}/binding.cjs`, `${NATIVE}/binding.d.cts`],
    run: buildAddon,
  },
  dist: {
    inputs: ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'ts'],
    outputs: ['dist/index.js', 'dist/index.d.ts', 'dist/native/binding.cjs'],
    run: buildDist,
  },
}

/** Something that the reader of the message has to mend; its message is all they need. */
export class Failure extends Error {}

/** Packages, addon and dist, each only where its inputs changed. `force` builds both again. */
export function prepare({ force = false } = {}) {
  requireNode()
  installPackages(ROOT)
  for (const name of Object.keys(STEPS)) {
    const step = STEPS[name]
    const hash = hashOf(step.inputs)
    if (!force && stamps()[name] === hash && step.outputs.every((file) => existsSync(join(ROOT, file))))
      continue
    const started = performance.now()
    step.run()
    // Building may itself write an input of a later step, never one of its own.
    writeStamp(name, hash)
    say(`${name} built in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }
}

/** For commands that have nothing to say when preparing failed. */
export function prepareOrExit(options) {
  try {
    prepare(options)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    say(error.message)
    process.exit(1)
  }
}

/** `npm ci` in a folder whose packages are missing or are not those of its lock. */
export function installPackages(folder, flags = []) {
  const lock = join(folder, 'package-lock.json')
  const stamp = join(folder, 'node_modules', '.karyon-lock')
  const hash = createHash('sha256').update(readFileSync(lock)).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return
  const installed = join(folder, 'node_modules', '.package-lock.json')
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
    say(`installing packages${folder === ROOT ? '' : ` of ${relative(ROOT, folder)}`} (npm ci)`)
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...flags], { cwd: folder })
  }
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, hash)
}

/** Runs a program with its output on stderr, so that the output of what is prepared for stays alone. */
export function run(program, args, options = {}) {
  const result = spawnSync(program, args, {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
    // npm is a script on Windows, which only a shell can start.
    shell: process.platform === 'win32' && program === 'npm',
    ...options,
  })
  if (result.error?.code === 'ENOENT')
    throw new Failure(`${program} was not found. ${MISSING[program] ?? ''}`)
  if (result.error) throw result.error
  if (result.status !== 0)
    throw new Failure(`\`${[program, ...args].join(' ')}\` failed (${result.signal ?? result.status})`)
}

const MISSING = {
  npm: 'It comes with Node.',
  cargo: 'Karyon is built from source and needs a Rust toolchain: https://rustup.rs',
}

/** Path of a program that an installed package brings, to be run with Node itself. */
export function programOf(packageName, binary = packageName) {
  const require = createRequire(join(ROOT, 'package.json'))
  const manifest = join(ROOT, 'node_modules', packageName, 'package.json')
  const { bin } = require(manifest)
  return join(dirname(manifest), typeof bin === 'string' ? bin : bin[binary])
}

function buildAddon() {
  say('building the addon (release)')
  run('cargo', ['--version'], { stdio: 'ignore' })
  // What an earlier build left must not stand in for something this one no longer makes.
  rmSync(join(ROOT, NATIVE), { recursive: true, force: true })
  const napi = ['build', '--platform', '--release', '--package', 'karyon', '--manifest-path', 'Cargo.toml']
  // prettier-ignore
  napi.push('--output-dir', NATIVE, '--js', 'binding.cjs', '--dts', 'binding.d.cts')
  run(process.execPath, [programOf('@napi-rs/cli', 'napi'), ...napi])
}

function buildDist() {
  say('compiling TypeScript')
  const dist = join(ROOT, 'dist')
  rmSync(dist, { recursive: true, force: true })
  run(process.execPath, [programOf('typescript', 'tsc'), '--project', 'tsconfig.build.json'])
  cpSync(join(ROOT, NATIVE), join(dist, 'native'), { recursive: true })
}

/** Hash of the names and contents of files and folders; a missing one counts as missing. */
function hashOf(paths) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`)
  for (const file of paths.flatMap((path) => filesUnder(join(ROOT, path)))) {
    const content = readFileSync(file)
    hash.update(`${relative(ROOT, file).split(sep).join('/')} ${content.length}\n`).update(content)
  }
  return hash.digest('hex')
}

function filesUnder(path) {
  if (!existsSync(path)) return []
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.name !== 'target' && entry.name !== 'node_modules')
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => filesUnder(join(path, entry.name)))
}

function stamps() {
  try {
    return JSON.parse(readFileSync(STAMPS, 'utf8'))
  } catch {
    return {}
  }
}

function writeStamp(name, hash) {
  const next = `${STAMPS}.${process.pid}`
  writeFileSync(next, JSON.stringify({ ...stamps(), [name]: hash }, null, 2) + '\n')
  renameSync(next, STAMPS)
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])) return
  throw new Failure(`Karyon needs Node ${MINIMUM_NODE.join('.')} or newer; this is ${process.versions.node}`)
}

/** Progress goes to stderr: stdout belongs to what was asked for. */
function say(text) {
  process.stderr.write(`karyon: ${text}\n`)
}
