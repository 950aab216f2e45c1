import test, { type ExecutionContext } from 'ava'
import { createHash, generateKeyPairSync } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, chunksOf } from '../../ts/engrams/kept/chunking.ts'
import {
  Kernel,
  KaryonError,
  dropEngram,
  exportEngram,
  inspectEngram,
  keepEngram,
  keptEngrams,
  restoreEngram,
  type Graph,
  type KaryonErrorCode,
} from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { type Random, below, seededRandom } from '../values/random.ts'
import {
  ABOUT,
  REFUSALS,
  VALUE_BYTES,
  between,
  fill,
  filesOf,
  noise,
  range,
  seeded,
  twoKept,
} from './keeping.ts'
import { randomWorld } from './worlds.ts'

const NODES = 600
/** What a change of a package costs beside the package, as a share of it. */
async function costOf(
  t: ExecutionContext,
  change: (graph: Graph, random: Random) => Promise<void>,
  { nodes = NODES, bytes = VALUE_BYTES }: { readonly nodes?: number; readonly bytes?: number } = {},
): Promise<number> {
  const random = seeded(t)
  const directory = freshDirectory(t)
  const folder = join(directory, 'kept')
  const { graph } = Kernel.memory()
  // Every second number, so that there is room in the middle.
  await fill(graph, random, range(0, nodes * 2, 2), bytes)
  await exportEngram(graph, join(directory, 'a'), ABOUT)
  await change(graph, random)
  await exportEngram(graph, join(directory, 'b'), { ...ABOUT, version: '1.1.0' })
  const first = await keepEngram(join(directory, 'a'), folder)
  const second = await keepEngram(join(directory, 'b'), folder)
  t.is(first.shared, 0)
  for (const [name, { root }] of Object.entries({ a: first, b: second })) {
    await restoreEngram(folder, root, join(directory, 'again'))
    t.true(readFileSync(join(directory, 'again')).equals(readFileSync(join(directory, name))))
  }
  const share = second.stored / first.bytes
  t.log(
    `${(share * 100).toFixed(1)} % of ${first.bytes} bytes; ${second.shared} of ${second.chunks} chunks shared`,
  )
  return share
}

test('packages of every format come back byte by byte', async (t) => {
  const directory = freshDirectory(t)
  const [folder, again] = [join(directory, 'kept'), join(directory, 'again')]
  for (const name of ['format-1.engram', 'format-1-plain.engram', 'format-2.engram']) {
    const path = fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))
    const { root } = await keepEngram(path, folder)
    await restoreEngram(folder, root, again)
    t.true(readFileSync(again).equals(readFileSync(path)), name)
    rmSync(again)
  }
})

test('chunks of the same bytes end in the same places, in every version', (t) => {
  const bytes = noise(seededRandom(1), 4_000_000)
  const lengths = Array.from(chunksOf([bytes]), ({ length }) => length)
  t.is(
    lengths.reduce((sum, length) => sum + length, 0),
    bytes.length,
  )
  t.deepEqual(lengths.slice(0, 8), [3_461, 2_920, 4_296, 2_083, 3_438, 6_608, 4_130, 5_288])
  t.is(
    createHash('sha256').update(lengths.join()).digest('hex'),
    'c2602add565b9e8cd394569512911b436164d4727f848e419cad0b408df987ee',
  )
  t.true(lengths.slice(0, -1).every((length) => length >= CHUNK_BYTES_MIN && length <= CHUNK_BYTES_MAX))
  const average = bytes.length / lengths.length
  t.true(Math.abs(average - 4_096) < 205, `${average} bytes on average`)
})

test('chunks do not depend on the parts in which bytes come, nor on what stands far before them', (t) => {
  const random = seeded(t)
  const bytes = noise(random, 2_500_000)
  const whole = Array.from(chunksOf([bytes]), ({ length }) => length)
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + below(random, 200_000)
    parts.push(bytes.subarray(at, end), bytes.subarray(0, 0))
    at = end
  }
  t.deepEqual(
    Array.from(chunksOf(parts), ({ length }) => length),
    whole,
  )
  const moved = Array.from(chunksOf([noise(random, 10_000), bytes]), ({ length }) => length)
  t.deepEqual(moved.slice(-500), whole.slice(-500))
})

test('what has no place for a cut is cut at the largest size, and nothing is no chunk', (t) => {
  const lengths = Array.from(chunksOf([new Uint8Array(100_000)]), ({ length }) => length)
  t.deepEqual(lengths, [CHUNK_BYTES_MAX, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX, 100_000 - 3 * CHUNK_BYTES_MAX])
  t.deepEqual([...chunksOf([])], [])
  t.is([...chunksOf([Uint8Array.of(1)])].length, 1)
})

test('any package comes back byte for byte, with its signatures', async (t) => {
  const random = seeded(t)
  const directory = freshDirectory(t)
  const folder = join(directory, 'kept')
  const { privateKey } = generateKeyPairSync('ed25519')
  const roots = new Map<string, Buffer>()
  for (let world = 0; world < 8; world++) {
    const { graph } = Kernel.memory()
    await randomWorld(random, graph, 1 + below(random, 60))
    const path = join(directory, 'in')
    const signWith = world % 2 === 0 ? [privateKey] : []
    await exportEngram(graph, path, { ...ABOUT, version: `1.0.${world}`, signWith })
    const kept = await keepEngram(path, folder)
    const expected = inspectEngram(path)
    t.is(kept.root, expected.root)
    t.is(kept.bytes, expected.bytes)
    roots.set(kept.root, readFileSync(path))
    const again = join(directory, 'out')
    t.deepEqual(await restoreEngram(folder, kept.root, again), expected)
  }
  for (const [root, bytes] of roots) {
    await restoreEngram(folder, root, join(directory, 'out'))
    t.true(readFileSync(join(directory, 'out')).equals(bytes))
  }
  t.deepEqual(
    keptEngrams(folder).map(({ root }) => root),
    [...roots.keys()].toSorted(),
  )
})

test('a change of a tenth of the nodes next to each other costs about a tenth', async (t) => {
  const share = await costOf(t, (graph, random) => fill(graph, random, range(600, 600 + NODES / 5, 2)))
  t.true(share > 0.09 && share <= 0.2, `${share}`)
})

test('nodes behind the others cost about what they are', async (t) => {
  const share = await costOf(t, (graph, random) =>
    fill(graph, random, range(NODES * 2, NODES * 2 + NODES / 10)),
  )
  t.true(share > 0.09 && share <= 0.2, `${share}`)
})

test('nodes in the middle cost about what they are, though they move all behind them', async (t) => {
  const share = await costOf(t, (graph, random) => fill(graph, random, between(600, NODES / 10)))
  t.true(share > 0.09 && share <= 0.2, `${share}`)
})

test('nodes of which each stands between two others cost those next to them as well', async (t) => {
  const share = await costOf(t, (graph, random) => fill(graph, random, range(601, 601 + NODES / 5, 2)))
  t.true(share > 0.1 && share <= 0.3, `${share}`)
})

test('the same nodes far from each other cost a chunk or two each', async (t) => {
  const share = await costOf(t, (graph, random) => fill(graph, random, range(0, NODES * 2, 20)))
  t.true(share < 0.45, `${share}`)
})

test('small nodes far from each other cost the chunks that they stand in, those in one run what they are', async (t) => {
  const small = { nodes: 10_000, bytes: 100 }
  const scattered = await costOf(t, (graph, random) => fill(graph, random, range(0, 20_000, 20), 100), small)
  const together = await costOf(
    t,
    (graph, random) => fill(graph, random, range(8_000, 10_000, 2), 100),
    small,
  )
  const inserted = await costOf(t, (graph, random) => fill(graph, random, between(8_000, 1_000), 100), small)
  t.true(together < 0.15 && inserted < 0.15 && scattered < 0.8, `${together}, ${inserted} and ${scattered}`)
})

test('what the folder takes is what is said to be stored', async (t) => {
  const { folder, a, b } = await twoKept(t)
  const bytes = Object.keys(filesOf(folder)).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  t.is(bytes, a.stored + b.stored)
  t.deepEqual(
    keptEngrams(folder),
    [
      { root: a.root, name: 'world', version: '1.0.0', bytes: a.bytes, own: a.stored },
      { root: b.root, name: 'world', version: '2.0.0', bytes: b.bytes, own: b.stored },
    ].toSorted((one, other) => (one.root < other.root ? -1 : 1)),
  )
})

test('the same package again stores nothing', async (t) => {
  const { directory, folder, a } = await twoKept(t)
  const before = filesOf(folder)
  const again = await keepEngram(join(directory, 'a'), folder)
  t.deepEqual(again, { ...a, stored: 0, shared: a.chunks })
  t.deepEqual(filesOf(folder), before)
})

test('a package that is not whole is not kept, wherever it is not', async (t) => {
  const { directory, folder } = await twoKept(t)
  const { graph } = Kernel.memory()
  const random = seeded(t)
  await fill(graph, random, range(0, 60))
  const path = join(directory, 'c')
  await exportEngram(graph, path, ABOUT)
  const bytes = readFileSync(path)
  const before = filesOf(folder)
  for (let trial = 0; trial < 20; trial++) {
    // All but the count of signatures, which is zero.
    const at = below(random, bytes.length - 4)
    const copy = Buffer.from(bytes)
    copy[at]! ^= 1 + below(random, 255)
    writeFileSync(path, copy)
    const error = await t.throwsAsync(keepEngram(path, folder), { instanceOf: KaryonError }, `byte ${at}`)
    t.true(error !== undefined && REFUSALS.includes(error.code), `byte ${at}: ${error?.code}`)
    t.deepEqual(filesOf(folder), before)
  }
  writeFileSync(path, bytes.subarray(0, -1))
  await refused(t, 'ERR_KARYON_PACKAGE', keepEngram(path, folder))
  t.deepEqual(filesOf(folder), before)
})

test('a crash leaves a pack without a list, or what had no name yet: the next one removes them', async (t) => {
  const { directory, folder, b } = await twoKept(t)
  const { packs, packages } = { packs: join(folder, 'packs'), packages: join(folder, 'packages') }
  const whole = filesOf(folder)
  // As if it had ended between the pack and the list of the second one.
  rmSync(join(packages, `${b.root}.list`))
  const temporary = `${b.root}.list.00000000-0000-4000-8000-000000000000.tmp`
  writeFileSync(join(packages, temporary), 'half')
  writeFileSync(join(packs, temporary.replace('list', 'pack')), 'half')
  writeFileSync(join(packs, 'notes.txt'), 'of somebody else')
  t.is(keptEngrams(folder).length, 1)
  await keepEngram(join(directory, 'b'), folder)
  const { [join('packs', 'notes.txt')]: notes, ...rest } = filesOf(folder)
  t.truthy(notes)
  t.deepEqual(rest, whole)
})

test('what is dropped is gone, and what others use of it stays', async (t) => {
  const { directory, folder, a, b } = await twoKept(t)
  await dropEngram(folder, a.root)
  t.deepEqual(
    keptEngrams(folder).map(({ root }) => root),
    [b.root],
  )
  t.is(readdirSync(join(folder, 'packs')).length, 2)
  await restoreEngram(folder, b.root, join(directory, 'again'))
  t.true(readFileSync(join(directory, 'again')).equals(readFileSync(join(directory, 'b'))))

  // Kept again it gets a pack beside its first one, which is still in use.
  const again = await keepEngram(join(directory, 'a'), folder)
  t.true(again.shared > 0 && again.stored < a.stored / 4)
  t.true(existsSync(join(folder, 'packs', `${a.root}-1.pack`)))
  for (const [name, { root }] of Object.entries({ a, b })) {
    await restoreEngram(folder, root, join(directory, 'again'))
    t.true(readFileSync(join(directory, 'again')).equals(readFileSync(join(directory, name))))
  }
  await dropEngram(folder, b.root)
  await restoreEngram(folder, a.root, join(directory, 'again'))
  t.true(readFileSync(join(directory, 'again')).equals(readFileSync(join(directory, 'a'))))
  await dropEngram(folder, a.root)
  t.deepEqual(filesOf(folder), {})
  await refused(t, 'ERR_KARYON_IO', dropEngram(folder, a.root))
})

test('a list that is not what was written is refused, wherever it is not, and nothing is removed for it', async (t) => {
  const random = seeded(t)
  const { directory, folder, a, b } = await twoKept(t)
  const path = join(folder, 'packages', `${b.root}.list`)
  const bytes = readFileSync(path)
  const out = join(directory, 'out')
  const packs = readdirSync(join(folder, 'packs'))
  const check = async (copy: Buffer, what: string): Promise<void> => {
    writeFileSync(path, copy)
    for (const act of [restoreEngram(folder, b.root, out), keepEngram(join(directory, 'c'), folder)]) {
      const error = await t.throwsAsync(act, { instanceOf: KaryonError }, what)
      t.true(error !== undefined && REFUSALS.includes(error.code), `${what}: ${error?.code}`)
    }
    t.false(existsSync(out))
    t.deepEqual(readdirSync(join(folder, 'packs')), packs)
  }
  const { graph } = Kernel.memory()
  await fill(graph, random, range(0, 3))
  await exportEngram(graph, join(directory, 'c'), ABOUT)
  for (const at of [0, 8, 12, 20, 50, 60, 64, 68, ...range(0, 24).map(() => below(random, bytes.length))]) {
    const copy = Buffer.from(bytes)
    copy[at]! ^= 1 + below(random, 255)
    await check(copy, `byte ${at}`)
  }
  for (const end of [0, 1, 71, 72, 200, bytes.length - 48, bytes.length - 1]) {
    await check(bytes.subarray(0, end), `cut at ${end}`)
  }
  await check(Buffer.concat([bytes, Buffer.alloc(48)]), 'longer')
  await check(readFileSync(join(folder, 'packages', `${a.root}.list`)), 'that of another')
  await t.throwsAsync(dropEngram(folder, a.root), { code: 'ERR_KARYON_PACKAGE' })
  t.deepEqual(readdirSync(join(folder, 'packs')), packs)
  // A damaged one can be let go of, and with it the trouble.
  await dropEngram(folder, b.root)
  await keepEngram(join(directory, 'b'), folder)
  await restoreEngram(folder, b.root, out)
  t.true(readFileSync(out).equals(readFileSync(join(directory, 'b'))))
})

/** A list whose rows or head are others, with sums that are right: somebody made it by hand. */
function forge(bytes: Buffer, act: (rows: Buffer, head: Buffer) => void): Buffer {
  const [packs, chunks, said] = [bytes.readUInt32LE(12), bytes.readUInt32LE(64), bytes.readUInt32LE(68)]
  const start = (bytes.readUInt32LE(8) === 1 ? 72 : 96) + said + packs * 36
  const copy = Buffer.from(bytes)
  const rows = copy.subarray(start + 32, start + 32 + chunks * 48)
  act(rows, copy.subarray(0, start))
  createHash('sha256').update(copy.subarray(0, start)).digest().copy(copy, start)
  const sum = createHash('sha256')
    .update(copy.subarray(start, start + 32))
    .update(rows)
    .digest()
  sum.copy(copy, start + 32 + rows.length)
  return copy
}

test('a list made by hand gets nothing past the hashes and the root', async (t) => {
  const { directory, folder, a, b } = await twoKept(t)
  const path = join(folder, 'packages', `${b.root}.list`)
  const bytes = readFileSync(path)
  const out = join(directory, 'out')
  const cases: readonly (readonly [string, KaryonErrorCode, (rows: Buffer) => void])[] = [
    [
      'another offset',
      'ERR_KARYON_PACKAGE_ROOT',
      (rows) => rows.writeUInt32LE(rows.readUInt32LE(32) + 1, 32),
    ],
    ['an offset in the head', 'ERR_KARYON_PACKAGE', (rows) => rows.writeUInt32LE(0, 32)],
    ['an offset behind the end', 'ERR_KARYON_PACKAGE', (rows) => rows.writeUInt32LE(2 ** 31, 32)],
    ['an offset of 64 bits', 'ERR_KARYON_PACKAGE', (rows) => rows.writeUInt32LE(2 ** 31, 36)],
    ['no bytes', 'ERR_KARYON_PACKAGE', (rows) => rows.writeUInt32LE(0, 40)],
    ['too many bytes', 'ERR_KARYON_PACKAGE', (rows) => rows.writeUInt32LE(CHUNK_BYTES_MAX + 1, 40)],
    ['no such pack', 'ERR_KARYON_PACKAGE', (rows) => rows.writeUInt32LE(2, 44)],
    ['fewer bytes', 'ERR_KARYON_PACKAGE_ROOT', (rows) => rows.writeUInt32LE(rows.readUInt32LE(40) - 1, 40)],
    [
      'chunks in another order',
      'ERR_KARYON_PACKAGE_ROOT',
      (rows) => {
        const first = Buffer.from(rows.subarray(48 * 4, 48 * 5))
        rows.copy(rows, 48 * 4, 48 * 5, 48 * 6)
        first.copy(rows, 48 * 5)
      },
    ],
  ]
  for (const [what, code, act] of cases) {
    writeFileSync(path, forge(bytes, act))
    await refused(t, code, restoreEngram(folder, b.root, out), what)
    t.false(existsSync(out), what)
    t.deepEqual(
      readdirSync(directory).filter((name) => name.endsWith('.tmp')),
      [],
    )
  }
  writeFileSync(
    path,
    forge(bytes, (rows) => rows.writeUInt32LE(CHUNK_BYTES_MAX + 1, 40)),
  )
  const long = await refused(t, 'ERR_KARYON_PACKAGE', restoreEngram(folder, b.root, out))
  t.regex(long.message, /no place of a chunk/, 'before anything is read for it')

  const other = readFileSync(join(folder, 'packages', `${a.root}.list`))
  const heads: readonly (readonly [string, KaryonErrorCode, Buffer])[] = [
    [
      'the chunks of another package',
      'ERR_KARYON_PACKAGE',
      forge(other, (_, head) => head.write(b.root, 16, 'hex')),
    ],
    [
      'another version',
      'ERR_KARYON_PACKAGE',
      forge(bytes, (_, head) => head.write('9', head.indexOf('2.0.0'))),
    ],
    [
      'a huge package',
      'ERR_KARYON_PACKAGE_LIMIT',
      forge(bytes, (_, head) => head.writeUInt32LE(2 ** 15, 52)),
    ],
    ['a lookup elsewhere', 'ERR_KARYON_PACKAGE', forge(bytes, (_, head) => head[72]!++)],
    ['a longer lookup', 'ERR_KARYON_PACKAGE', forge(bytes, (_, head) => head[80]!++)],
    ['a lookup behind the end', 'ERR_KARYON_PACKAGE', forge(bytes, (_, head) => head.writeUInt32LE(2, 76))],
    ['a lookup of more rows', 'ERR_KARYON_PACKAGE', forge(bytes, (_, head) => head[88]!++)],
    ['a huge lookup', 'ERR_KARYON_PACKAGE', forge(bytes, (_, head) => head.writeUInt32LE(2 ** 31, 88))],
    ['a newer format', 'ERR_KARYON_FORMAT_NEWER', forge(bytes, (_, head) => head.writeUInt32LE(3, 8))],
  ]
  for (const [what, code, list] of heads) {
    writeFileSync(path, list)
    await refused(t, code, restoreEngram(folder, b.root, out), what)
    t.false(existsSync(out), what)
  }
  writeFileSync(
    path,
    forge(bytes, () => {}),
  )
  t.is((await restoreEngram(folder, b.root, out)).root, b.root)
})

test('a pack that is not what was written is refused, wherever it is not', async (t) => {
  const random = seeded(t)
  const { directory, folder, a, b } = await twoKept(t)
  const path = join(folder, 'packs', `${a.root}.pack`)
  const bytes = readFileSync(path)
  const out = join(directory, 'out')
  for (const at of [0, 8, 12, 16, 48, ...range(0, 20).map(() => below(random, bytes.length))]) {
    const copy = Buffer.from(bytes)
    copy[at]! ^= 1 + below(random, 255)
    writeFileSync(path, copy)
    const error = await t.throwsAsync(
      restoreEngram(folder, a.root, out),
      { instanceOf: KaryonError },
      `byte ${at}`,
    )
    t.true(error !== undefined && REFUSALS.includes(error.code), `byte ${at}: ${error?.code}`)
    t.false(existsSync(out))
  }
  for (const end of [0, 47, 48, bytes.length - 1]) {
    writeFileSync(path, bytes.subarray(0, end))
    await refused(t, 'ERR_KARYON_PACKAGE', restoreEngram(folder, a.root, out), `cut at ${end}`)
  }
  // Swapped.
  copyFileSync(join(folder, 'packs', `${b.root}.pack`), path)
  await refused(t, 'ERR_KARYON_PACKAGE', restoreEngram(folder, a.root, out))
  rmSync(path)
  await refused(t, 'ERR_KARYON_IO', restoreEngram(folder, a.root, out))
  t.false(existsSync(out))
})

test('one writes after the other in a folder, whoever asks first', async (t) => {
  const { directory, folder, a, b } = await twoKept(t)
  const other = join(directory, 'other')
  const [first, second, third] = await Promise.all([
    keepEngram(join(directory, 'a'), other),
    keepEngram(join(directory, 'b'), other),
    keepEngram(join(directory, 'a'), other),
    refused(t, 'ERR_KARYON_IO', keepEngram(join(directory, 'none'), other)),
  ])
  t.deepEqual([first, second, third.stored], [a, b, 0])
  t.deepEqual(filesOf(other), filesOf(folder))
})

test('arguments that are none are refused', async (t) => {
  const { directory, folder, a } = await twoKept(t)
  const out = join(directory, 'out')
  for (const root of ['', '../a', a.root.toUpperCase(), `${a.root}0`, 1 as unknown as string]) {
    await refused(t, 'ERR_KARYON_ARGUMENT', restoreEngram(folder, root, out))
    await refused(t, 'ERR_KARYON_ARGUMENT', dropEngram(folder, root))
  }
  await refused(t, 'ERR_KARYON_ARGUMENT', keepEngram('', folder))
  await refused(t, 'ERR_KARYON_ARGUMENT', keepEngram(join(directory, 'a'), 1 as unknown as string))
  await refused(t, 'ERR_KARYON_IO', restoreEngram(folder, '0'.repeat(64), out))
  await refused(t, 'ERR_KARYON_IO', dropEngram(join(directory, 'none'), a.root))
  t.deepEqual(keptEngrams(join(directory, 'none')), [])
  mkdirSync(join(directory, 'empty'))
  t.deepEqual(keptEngrams(join(directory, 'empty')), [])
})
