import test, { type ExecutionContext } from 'ava'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ArgumentsError, parseArguments } from '../../ts/cli/arguments.ts'
import { FORMAT } from '../../ts/cli/store.ts'
import { Kernel } from '../../ts/index.ts'
import { read, ROOT } from '../house/source.ts'
import { freshDirectory } from '../kernel/directory.ts'

const FIRST = 'log/0000000001.seg'

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function karyon(...words: readonly string[]): Ran {
  const node = ['--import=@oxc-node/core/register', join(ROOT, 'ts/cli/main.ts'), ...words]
  const { status, stdout, stderr } = spawnSync(process.execPath, node, { cwd: ROOT, encoding: 'utf8' })
  return { code: status, out: stdout, err: stderr }
}

/** The one JSON document that was printed, and nothing else. */
function documentOf(t: ExecutionContext, ran: Ran, code: number): Record<string, unknown> {
  t.is(ran.code, code, ran.err)
  t.is(ran.err, '')
  return JSON.parse(ran.out) as Record<string, unknown>
}

/** A closed store of ten versions. */
async function store(t: ExecutionContext): Promise<string> {
  const directory = freshDirectory(t)
  const kernel = await Kernel.open(directory)
  for (let n = 1; n <= 10; n++) await kernel.graph.write((tx) => tx.put('a', { props: { n } }))
  await kernel.close()
  return directory
}

/** Damages the sixth frame. */
function damage(directory: string): void {
  const bytes = readFileSync(join(directory, FIRST))
  let at = 0
  for (let frame = 0; frame < 6; frame++) at = bytes.indexOf('KaFr', at + 4)
  bytes[at + 85]! ^= 1
  writeFileSync(join(directory, FIRST), bytes)
}

test('verify says that a store is whole, or where it is not', async (t) => {
  const directory = await store(t)
  const told = karyon('verify', directory)
  t.is(told.code, 0, told.err)
  t.regex(told.out, /is whole\n {2}version {3}10 · 1 node, 0 edges\n/)
  const document = documentOf(t, karyon('verify', directory, '--json'), 0)
  t.like(document, { version: 10, frames: 10, nodes: 1, edges: 0 })
  damage(directory)
  const refused = karyon('verify', directory)
  t.is(refused.code, 1)
  t.is(refused.out, '')
  t.regex(refused.err, /damaged at offset \d+.*ERR_KARYON_DAMAGED/)
  const { error } = documentOf(t, karyon('verify', '--json', directory), 1)
  t.like(error, { code: 'ERR_KARYON_DAMAGED' })
})

test('backup copies a store that is not open, and leaves it as it was', async (t) => {
  const directory = await store(t)
  const before = readFileSync(join(directory, FIRST))
  const to = join(freshDirectory(t), 'copy')
  const told = karyon('backup', directory, to)
  t.is(told.code, 0, told.err)
  t.regex(told.out, /is copied to .*\n {2}version {3}10 of \d{4}-.*Z · \d+ bytes of log\n/)
  t.true(readFileSync(join(directory, FIRST)).equals(before))
  t.is(karyon('verify', to).code, 0)
  t.regex(karyon('backup', directory, to).err, /ERR_KARYON_NOT_EMPTY/)
})

test('restore copies what was as of a moment', async (t) => {
  const directory = await store(t)
  const parent = freshDirectory(t)
  const document = documentOf(t, karyon('restore', directory, join(parent, 'a'), '--at', '4', '--json'), 0)
  t.is(document['version'], 4)
  const time = String(document['time'])
  t.like(documentOf(t, karyon('restore', '--json', `--at=${time}`, directory, join(parent, 'b')), 0), {
    version: 4,
  })
  t.like(documentOf(t, karyon('restore', directory, join(parent, 'c'), '--json'), 0), { version: 10 })
  const beyond = karyon('restore', directory, join(parent, 'd'), '--at', '11')
  t.is(beyond.code, 1)
  t.regex(beyond.err, /no version 11, the newest is 10.*ERR_KARYON_TIME/)
  t.false(existsSync(join(parent, 'd', 'karyon')))
})

test('salvage copies what is whole and lists what is lost', async (t) => {
  const directory = await store(t)
  const parent = freshDirectory(t)
  const whole = karyon('salvage', directory, join(parent, 'whole'))
  t.is(whole.code, 0, whole.err)
  t.regex(whole.out, /is not damaged; it is copied/)
  damage(directory)
  const told = karyon('salvage', directory, join(parent, 'a'))
  t.is(told.code, 1, told.err)
  t.regex(told.out, /version {3}5 of/)
  t.regex(told.out, /lost {6}segment 1 from offset \d+, \d+ bytes/)
  t.regex(told.out, /whole in there: versions 7 to 10/)
  t.regex(told.out, /next {6}a backup/)
  const document = documentOf(t, karyon('salvage', directory, join(parent, 'b'), '--json'), 1)
  t.like(document, { version: 5 })
  t.like((document['lost'] as object[])[0], { segment: 1, versions: [7, 10] })
  t.is(karyon('verify', join(parent, 'b')).code, 0)
})

test('upgrade finds nothing to do, and refuses what is newer', async (t) => {
  const directory = await store(t)
  const told = karyon('upgrade', directory)
  t.is(told.code, 0, told.err)
  t.regex(told.out, /needs no upgrade: 2 files of format 1, the newest/)
  t.deepEqual(documentOf(t, karyon('upgrade', directory, '--json'), 0), { format: 1, files: 2, upgraded: 0 })
  const bytes = readFileSync(join(directory, FIRST))
  bytes.writeUInt32LE(2, 8)
  writeFileSync(join(directory, FIRST), bytes)
  const newer = karyon('upgrade', directory)
  t.is(newer.code, 1)
  t.regex(newer.err, /0000000001\.seg has format 2.*ERR_KARYON_FORMAT_NEWER/)
  bytes.write('nonsense', 0)
  writeFileSync(join(directory, FIRST), bytes)
  t.regex(karyon('upgrade', directory).err, /ERR_KARYON_DAMAGED/)
})

test('no command makes a store where there is none', (t) => {
  const nowhere = join(freshDirectory(t), 'nowhere')
  const to = join(freshDirectory(t), 'to')
  for (const words of [['verify'], ['upgrade'], ['backup', to], ['restore', to], ['salvage', to]]) {
    const [name = '', ...rest] = words
    const ran = karyon(name, nowhere, ...rest)
    t.is(ran.code, 1)
    t.regex(ran.err, /no store at .*ERR_KARYON_NOT_A_STORE/)
    t.false(existsSync(nowhere) || existsSync(to))
  }
})

test('the words of commands on stores are read, and those that mean nothing are refused by name', (t) => {
  t.deepEqual(parseArguments(['restore', 'a', '--at', '12', 'b']), {
    name: 'store',
    command: { name: 'restore', json: false, path: 'a', to: 'b', at: 12n },
  })
  t.deepEqual(parseArguments(['verify', '--', '--odd']), {
    name: 'store',
    command: { name: 'verify', json: false, path: '--odd', to: '' },
  })
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [['verify'], /takes PATH; none was given/],
    [['backup', 'a'], /takes PATH and TO; a was given/],
    [['salvage', 'a', 'b', 'c'], /a and b and c were given/],
    [['backup', 'a', 'b', '--at', '1'], /no option --at/],
    [['verify', 'a', '--seed', '1'], /no option --seed/],
    [['restore', 'a', 'b', '--at', 'yesterday'], /not yesterday/],
    [['restore', 'a', 'b', '--at'], /not nothing/],
  ]
  for (const [words, message] of refused)
    t.throws(() => parseArguments(words), { instanceOf: ArgumentsError, message })
  t.is(karyon('backup', 'a').code, 2)
})

test('the newest format is the one that the kernel writes', (t) => {
  const [, version] = /pub const FORMAT_VERSION: u32 = (\d+);/.exec(read('crates/log/src/segment.rs')) ?? []
  t.is(Number(version), FORMAT)
})

test('compact lets go of what is older, and erase of a node', async (t) => {
  const directory = freshDirectory(t)
  const kernel = await Kernel.open(directory)
  for (let n = 1; n <= 40; n++) await kernel.graph.write((tx) => tx.put('a', { props: { n } }))
  await kernel.graph.write((tx) => tx.put('somebody@example.org'))
  await kernel.close()
  const compacted = documentOf(t, karyon('compact', directory, '--since', '41', '--versions=3', '--json'), 0)
  t.like(compacted, { version: 42, since: 41, kept: 0 })
  const told = karyon('erase', directory, 'somebody@example.org')
  t.is(told.code, 0, told.err)
  t.regex(
    told.out,
    /any more\n {2}version {3}44\n {2}kept {6}all from version 41 on, and 0 versions before it\n/,
  )
  t.regex(karyon('erase', directory, 'nobody').err, /ERR_KARYON_NODE_MISSING/)
  t.is(karyon('verify', directory).code, 0)
  const upgraded = documentOf(t, karyon('upgrade', directory, '--json'), 0)
  t.true((upgraded['files'] as number) >= 3, 'the archive is one of its files')
  const opened = await Kernel.open(directory)
  t.throws(() => opened.graph.at(5n).get('a'), { code: 'ERR_KARYON_HORIZON' })
  t.is(opened.graph.at(41n).get('a')?.props['n'], 40)
  await opened.close()
  for (const words of [
    ['--versions', 'x'],
    ['--every', 'year'],
    ['--since', 'soon'],
  ])
    t.throws(() => parseArguments(['compact', directory, ...words]), { instanceOf: ArgumentsError })
})
