import test from 'ava'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { filesUnder, read, ROOT, shippedRust, shippedTypeScript } from './source.ts'

/** What each room of the house may know. Everything absent here is a wall. */
const MAY_KNOW: Readonly<Record<string, readonly string[]>> = {
  model: [],
  log: ['model'],
  history: ['model', 'log'],
  graph: ['model', 'history'],
  store: ['model', 'log', 'history', 'graph'],
  access: ['model'],
  scheduler: ['model'],
  engram: ['model'],
  kernel: ['model', 'log', 'history', 'graph', 'store', 'access', 'scheduler', 'engram'],
}

/** Crates that check the others: they may know what they like, and nothing that ships may know them. */
const OUTSIDE = ['testkit', 'rivals']

/** Rooms whose own suite passes without the room named: it may not come in through a test either. */
const SUITE_WITHOUT: Readonly<Record<string, readonly string[]>> = {
  scheduler: ['store', 'graph', 'log', 'history', 'kernel'],
  store: ['scheduler', 'access', 'kernel'],
}

/** What the pure rooms never name, because it is handed to them. */
const NEVER_NAMES: Readonly<Record<string, RegExp>> = {
  model: /\bstd::(?:fs|net|thread|process)\b|\b(?:SystemTime|Instant)::now\b/,
  graph: /\bstd::(?:fs|net|process)\b|\b(?:SystemTime|Instant)::now\b/,
}

/** Folders of ts/ that stand outside of the kernel, on its public interface. */
const TYPESCRIPT_OUTSIDE = ['cli', 'inspector', 'integrations', 'demo', 'match', 'engrams', 'recall']

/** The door of the package. */
const DOOR = 'ts/index.ts'
/** What is shown at the door though it is not kernel; through the door it cannot come itself, so it names what stands there. */
const MATCH = 'ts/match/'
const ENGRAMS = 'ts/engrams/'
const RECALL = 'ts/recall/'
/** The codec of values and keys, the hashes, and how arguments are read: packages and recalls are written, looked up and asked with them. */
const CODEC = [
  'ts/values/',
  'ts/exchange.ts',
  'ts/native.ts',
  'ts/errors.ts',
  'ts/engrams/tags.ts',
  'ts/graph/arguments.ts',
]

/** What packages and recalls know of each other beside: how tables are made, and how those of a package are asked for. */
const JOINT: Readonly<Record<string, string>> = {
  [ENGRAMS]: 'ts/recall/tables.ts',
  [RECALL]: 'ts/engrams/recalled.ts',
}

interface Package {
  readonly name: string
  readonly dependencies: readonly { readonly name: string; readonly kind: 'dev' | 'build' | null }[]
}

const metadata = execFileSync('cargo', ['metadata', '--no-deps', '--format-version', '1'], {
  cwd: ROOT,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
})
const packages = (JSON.parse(metadata) as { packages: readonly Package[] }).packages
const rooms = packages.filter((crate) => crate.name.startsWith('karyon-'))

test('every crate of the workspace has its place among the walls', (t) => {
  const unknown = rooms.map(roomOf).filter((room) => !(room in MAY_KNOW) && !OUTSIDE.includes(room))
  t.deepEqual(unknown, [])
})

for (const crate of rooms.filter((each) => !OUTSIDE.includes(roomOf(each)))) {
  const room = roomOf(crate)

  test(`${room} depends on no room it must not know`, (t) => {
    const known = ours(crate, (kind) => kind !== 'dev')
    t.deepEqual(
      known.filter((other) => !MAY_KNOW[room]?.includes(other)),
      [],
    )
  })
}

for (const [room, absent] of Object.entries(SUITE_WITHOUT)) {
  test(`the suite of ${room} passes without ${absent.join(', ')}`, (t) => {
    const crate = rooms.find((each) => roomOf(each) === room)
    t.truthy(crate)
    const reached = reachable(ours(crate!, () => true))
    t.deepEqual(
      absent.filter((other) => reached.has(other)),
      [],
    )
  })
}

for (const [room, never] of Object.entries(NEVER_NAMES)) {
  test(`${room} is handed files, threads and clocks, and names none`, (t) => {
    t.deepEqual(naming(`crates/${room}/src`, never), [])
  })
}

test('only the binding names napi', (t) => {
  const dependents = packages.filter((each) => each.dependencies.some(({ name }) => name.startsWith('napi')))
  t.deepEqual(
    dependents.map((each) => each.name),
    ['karyon'],
  )
  const sources = rooms.map((each) => `crates/${roomOf(each)}/src`)
  t.deepEqual(
    sources.flatMap((source) => naming(source, /\bnapi(?:_derive)?\b/)),
    [],
  )
})

test('the binding reaches the rooms through the kernel', (t) => {
  const root = packages.find((each) => each.name === 'karyon')!
  t.deepEqual(
    ours(root, (kind) => kind !== 'dev').filter((room) => !['kernel', 'model'].includes(room)),
    [],
  )
})

test('nothing that ships knows the crates that check it', (t) => {
  const guilty = packages.filter(
    (each) =>
      !OUTSIDE.includes(roomOf(each)) &&
      ours(each, (kind) => kind !== 'dev').some((room) => OUTSIDE.includes(room)),
  )
  t.deepEqual(
    guilty.map((each) => each.name),
    [],
  )
})

test('the package imports nothing but itself and Node', (t) => {
  const foreign = importsOfPackage().filter(({ name }) => !name.startsWith('.') && !name.startsWith('node:'))
  t.deepEqual(foreign, [])
})

test('the kernel of the package knows nothing that is built on it', (t) => {
  const guilty = importsOfPackage().filter(
    ({ file, path }) =>
      !isOutside(file) &&
      path !== undefined &&
      isOutside(path) &&
      !(file === DOOR && [MATCH, ENGRAMS, RECALL].some((room) => path.startsWith(room))),
  )
  t.deepEqual(guilty, [])
})

test('pattern matching knows nothing of the package that its users cannot see', (t) => {
  const imports = importsOfPackage().filter(
    ({ file, path }) => path !== undefined && isOwn(file) && !isOwn(path),
  )
  t.not(imports.length, 0)
  t.deepEqual(
    imports.filter(({ path, names }) => names.length === 0 || !names.every((name) => isShown(path!, name))),
    [],
  )
})

for (const room of [ENGRAMS, RECALL])
  test(`${room} knows nothing of the package that its users cannot see, but the codec, the hashes and its joint`, (t) => {
    const imports = importsOfPackage().filter(
      ({ file, path }) => path !== undefined && file.startsWith(room) && !path.startsWith(room),
    )
    t.not(imports.length, 0)
    const guilty = imports.filter(
      ({ path, names }) =>
        path !== JOINT[room] &&
        !CODEC.some((shared) => path!.startsWith(shared)) &&
        !names.every((name) => isShown(path!, name)),
    )
    t.deepEqual(guilty, [])
  })

function isOwn(path: string): boolean {
  return path.startsWith(MATCH)
}

/** Whether the door shows what a file exports under a name: `type` in front of it where it is shown as a type alone. */
function isShown(path: string, name: string): boolean {
  const shown = importsOfPackage().filter(({ file, path: from }) => file === DOOR && from === path)
  const plain = name.replace(/^type /, '')
  return shown.some(({ names }) =>
    names.some((one) => one === plain || (name !== plain && (one === 'type *' || one === name))),
  )
}

for (const [what, room] of [
  ['the demonstration stands', 'ts/demo/'],
  ['import and export stand', 'ts/integrations/'],
] as const) {
  test(`${what} on the public interface`, (t) => {
    const imports = importsOfPackage().filter(
      ({ file, path }) => path !== undefined && file.startsWith(room) && !path.startsWith(room),
    )
    t.not(imports.length, 0)
    t.deepEqual(
      imports.filter(({ path }) => path !== DOOR),
      [],
    )
  })
}

test('every import of a source file names a file that exists', (t) => {
  const lost = importsOfPackage().filter(({ path }) => path !== undefined && !existsSync(join(ROOT, path)))
  t.deepEqual(lost, [])
})

function roomOf(crate: Package): string {
  return crate.name.replace(/^karyon-/, '')
}

/** The rooms a crate depends on directly, through dependencies of the kinds asked for. */
function ours(crate: Package, kinds: (kind: 'dev' | 'build' | null) => boolean): string[] {
  return crate.dependencies
    .filter(({ name, kind }) => name.startsWith('karyon-') && kinds(kind))
    .map(({ name }) => name.replace(/^karyon-/, ''))
}

/** These rooms and all that comes with them when they are built. */
function reachable(from: readonly string[]): Set<string> {
  const reached = new Set<string>()
  const waiting = [...from]
  for (let room = waiting.pop(); room !== undefined; room = waiting.pop()) {
    if (reached.has(room)) continue
    reached.add(room)
    const crate = rooms.find((each) => roomOf(each) === room)
    if (crate) waiting.push(...ours(crate, (kind) => kind !== 'dev'))
  }
  return reached
}

function naming(source: string, pattern: RegExp): string[] {
  const found: string[] = []
  for (const [file, lines] of shippedRust(source)) {
    for (const line of lines) if (pattern.test(line)) found.push(`${file}: ${line.trim()}`)
  }
  return found
}

interface Import {
  readonly file: string
  /** As written. */
  readonly name: string
  /** The file of the repository it stands for, if it is one of ours. */
  readonly path: string | undefined
  /** What is taken from it, with `type ` in front where it is a type alone; none when all of it is. */
  readonly names: readonly string[]
}

function importsOfPackage(): Import[] {
  const imports: Import[] = []
  for (const [file, lines] of shippedTypeScript()) {
    const source = lines.join('\n')
    for (const match of source.matchAll(
      /(?:^(?:import|export)( type)?\s+(?:\{([^}]*)\}|(\*))\s*from\s+|\bfrom\s+|^import\s+|\bimport\(\s*|\brequire\(\s*)'([^'\n]+)'/gm,
    )) {
      const [, allTypes, list = '', all, name = ''] = match
      // Text of a program that is written out, not an import.
      if (name.includes('${')) continue
      const path = name.startsWith('.') ? join(dirname(file), name).replaceAll('\\', '/') : undefined
      const listed = (all ?? list).split(',').map((one) => one.trim())
      const names = listed
        .filter(Boolean)
        .map((one) => (allTypes && !one.startsWith('type ') ? `type ${one}` : one))
      imports.push({ file, name, path, names })
    }
  }
  return imports
}

function isOutside(path: string): boolean {
  return TYPESCRIPT_OUTSIDE.some((folder) => path.startsWith(`ts/${folder}/`))
}

test('no source file of a crate hides a second tree of sources', (t) => {
  t.deepEqual(
    filesUnder('crates', '.rs').filter((file) => read(file).includes('#[path')),
    [],
  )
})
