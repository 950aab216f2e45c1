import test, { type ExecutionContext } from 'ava'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportEngram, inspectEngram, openEngram } from '../../ts/engrams/index.ts'
import {
  BLOCK_BYTES,
  FIRST_SECTION,
  FORMAT,
  FORMAT_KEPT,
  sectionsOf as namesOf,
  tableEnd,
} from '../../ts/engrams/layout.ts'
import { KaryonError, Kernel, type KaryonErrorCode } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { type Random, below, chooseSeed, pick, seededRandom } from '../values/random.ts'
import { bodyOf, rowOf, seal, sectionsOf } from './forge.ts'
import { apart, together } from './fuzz/anatomy.ts'
import { REFUSALS, readAll } from './reading.ts'
import { plainOf, randomWorld } from './worlds.ts'

const ABOUT = { name: 'world', version: '1.0.0', description: 'é' }

/** All formats: without a past, with it, and with recall tables too. */
const FORMATS = { 'history cut': 1, 'history kept': FORMAT_KEPT, 'with recall tables': FORMAT } as const
type Form = keyof typeof FORMATS
const FORMS = Object.keys(FORMATS) as Form[]

const RECALLS = [
  { label: 'Fact', text: 'text' },
  { label: 'a', text: 'n', weight: 'prop' },
] as const

interface Packed {
  readonly path: string
  readonly bytes: Buffer
  readonly keys: readonly string[]
}

/** A package of a random graph in one of the formats; with `filler` of several blocks. */
async function packed(
  t: ExecutionContext,
  random: Random,
  size: number,
  filler = 0,
  form: Form = 'history cut',
): Promise<Packed> {
  const { graph } = Kernel.memory()
  const keys = await randomWorld(random, graph, size)
  if (filler > 0) {
    await graph.write((tx) => {
      for (let at = 0; at < filler; at++) {
        tx.put(`filler ${at}`, { labels: ['Filler'], props: { bytes: new Uint8Array(1_000).fill(at) } })
        tx.link(`filler ${at}`, 'NEXT', `filler ${at === 0 ? 0 : at - 1}`)
      }
    })
  }
  const path = join(freshDirectory(t), 'a.engram')
  const recall = form === 'with recall tables' ? { recall: RECALLS } : {}
  const history = form === 'history cut' ? 'cut' : 'kept'
  await exportEngram(graph, path, { ...ABOUT, select: { history }, ...recall })
  return { path, bytes: readFileSync(path), keys }
}

/** What a file is refused with, if it is; anything but a refusal is a defect. */
function refusalOf(path: string, keys: readonly string[], options = {}): KaryonErrorCode | undefined {
  try {
    using engram = openEngram(path, options)
    readAll(engram, keys)
    return undefined
  } catch (error) {
    if (error instanceof KaryonError && REFUSALS.includes(error.code)) return error.code
    // That what is older was not kept anybody may say.
    if (error instanceof KaryonError && error.code === 'ERR_KARYON_HORIZON') return undefined
    throw error
  }
}

function flipped(bytes: Buffer, at: number, by: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = copy[at]! ^ by
  return copy
}

for (const form of FORMS) {
  test(`every byte of the head, the manifest and what is behind the sections counts, ${form}`, async (t) => {
    const { path, bytes, keys } = await packed(t, seededRandom(1), 10, 0, form)
    const { manifest } = sectionsOf(bodyOf(path))
    const places = [
      ...Array.from({ length: manifest.offset + manifest.bytes }, (_, at) => at),
      ...Array.from({ length: bytes.length - bodyOf(path).length }, (_, at) => bodyOf(path).length + at),
    ]
    for (const at of places) {
      writeFileSync(path, flipped(bytes, at, 1 << (at % 8)))
      t.throws(() => inspectEngram(path), { instanceOf: KaryonError }, `byte ${at}`)
      t.not(refusalOf(path, keys), undefined, `byte ${at}`)
    }
  })

  test(`a flipped byte anywhere is found by verifying all, and by the read that touches it, ${form}`, async (t) => {
    const seed = chooseSeed()
    t.log(`KARYON_SEED=${seed}`)
    const random = seededRandom(seed)
    const { path, bytes, keys } = await packed(t, random, 20, 300, form)
    t.true(bytes.length > 5 * BLOCK_BYTES)
    t.is(refusalOf(path, keys, { verify: 'full' }), undefined)
    for (let round = 0; round < 40; round++) {
      const at = below(random, bytes.length)
      writeFileSync(path, flipped(bytes, at, 1 + below(random, 255)))
      await refusedWith(t, () => inspectEngram(path, { verify: 'full' }), `byte ${at}`)
      t.not(refusalOf(path, keys), undefined, `byte ${at}`)
    }
  })
}

async function refusedWith(t: ExecutionContext, act: () => unknown, what: string): Promise<void> {
  try {
    await act()
    t.fail(`${what} was not refused`)
  } catch (error) {
    t.true(error instanceof KaryonError && REFUSALS.includes(error.code), `${what}: ${String(error)}`)
  }
}

test('what no read touches is not read: a broken block is found when it is asked for', async (t) => {
  const { path, bytes } = await packed(t, seededRandom(3), 10, 300)
  const { nodes } = sectionsOf(bodyOf(path))
  const at = nodes.offset + 3 * BLOCK_BYTES
  writeFileSync(path, flipped(bytes, at, 1))
  using engram = openEngram(path)
  t.is(engram.get('filler 99')?.key, 'filler 99', 'the last of all, in a block that is whole')
  await refused(t, 'ERR_KARYON_PACKAGE_ROOT', () => [...engram.nodes()])
  await refused(t, 'ERR_KARYON_PACKAGE_ROOT', () => openEngram(path, { verify: 'full' }))
})

for (const form of FORMS) {
  test(`a file that is cut short anywhere is refused, ${form}`, async (t) => {
    const seed = chooseSeed()
    t.log(`KARYON_SEED=${seed}`)
    const random = seededRandom(seed)
    const { path, bytes } = await packed(t, random, 10, 100, form)
    const blocks = Array.from({ length: Math.ceil(bytes.length / BLOCK_BYTES) }, (_, at) => at * BLOCK_BYTES)
    const others = Array.from({ length: 60 }, () => below(random, bytes.length))
    for (const length of [
      ...blocks,
      ...others,
      1,
      63,
      64,
      tableEnd(1),
      FIRST_SECTION - 1,
      FIRST_SECTION,
      bytes.length - 1,
    ]) {
      writeFileSync(path, bytes.subarray(0, length))
      for (const act of [inspectEngram, openEngram])
        await refused(t, 'ERR_KARYON_PACKAGE', () => act(path), `${length} bytes`)
    }
    writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(1)]))
    await refused(t, 'ERR_KARYON_PACKAGE', () => inspectEngram(path), 'a byte more')
  })
}

test('blocks that have changed places are refused', async (t) => {
  const { path, bytes, keys } = await packed(t, seededRandom(4), 10, 300)
  const block = (at: number): Buffer => bytes.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES)
  const body = bodyOf(path).length
  const [whole, leaves] = [Math.floor(body / BLOCK_BYTES), Math.ceil(body / BLOCK_BYTES)]
  for (let at = 1; at < whole - 1; at++) {
    const swapped = Buffer.from(bytes)
    block(at + 1).copy(swapped, at * BLOCK_BYTES)
    block(at).copy(swapped, (at + 1) * BLOCK_BYTES)
    writeFileSync(path, swapped)
    t.is(refusalOf(path, keys), 'ERR_KARYON_PACKAGE_ROOT')
    // And their hashes with them: a hash is that of a place too.
    for (const leaf of [at, at + 1]) {
      const other = body + (at + at + 1 - leaf) * 32
      bytes.copy(swapped, body + leaf * 32, other, other + 32)
    }
    writeFileSync(path, swapped)
    t.is(refusalOf(path, keys), 'ERR_KARYON_PACKAGE_ROOT')
  }
  t.true(leaves > 5)
})

for (const form of FORMS) {
  test(`a forged table of sections is refused by what it says, though its hash is right, ${form}`, async (t) => {
    const { path, keys } = await packed(t, seededRandom(5), 12, 100, form)
    const body = bodyOf(path)
    const values = [
      0n,
      1n,
      63n,
      64n,
      2n ** 31n,
      2n ** 32n,
      2n ** 48n - 64n,
      2n ** 53n,
      2n ** 63n,
      2n ** 64n - 1n,
    ]
    for (const section of namesOf(FORMATS[form])) {
      for (const field of [0, 8, 16, 24]) {
        const at = rowOf(section) + field
        const was = body.readBigUInt64LE(at)
        for (const value of [...values, was + 1n, was - 1n, was + 64n, was - 64n, was * 2n]) {
          if (value === was || value < 0n || value >= 2n ** 64n) continue
          const forged = Buffer.from(body)
          forged.writeBigUInt64LE(value, at)
          seal(path, forged)
          t.not(refusalOf(path, keys), undefined, `${section} ${field}: ${was} as ${value}`)
        }
      }
    }
    // Two sections one in the other, and two that have changed places.
    const forged = Buffer.from(body)
    body.copy(forged, rowOf('names') + 8, rowOf('nodes') + 8, rowOf('nodes') + 32)
    seal(path, forged)
    await refused(t, 'ERR_KARYON_PACKAGE', () => openEngram(path))
  })
}

test('what a package of a newer format is, nobody here knows', async (t) => {
  const { path } = await packed(t, seededRandom(6), 5)
  const body = Buffer.from(bodyOf(path))
  body.writeUInt32LE(FORMAT + 1, 8)
  seal(path, body)
  const error = await refused(t, 'ERR_KARYON_FORMAT_NEWER', () => inspectEngram(path))
  t.is(error.details['format'], FORMAT + 1)
  // What has a past is of one format, and what has none of another, whatever its head says.
  for (const [form, other] of [
    ['history cut', FORMAT_KEPT],
    ['history cut', FORMAT],
    ['history kept', 1],
    ['history kept', FORMAT],
    ['history kept', 0],
    ['with recall tables', 1],
    ['with recall tables', FORMAT_KEPT],
  ] as const) {
    const { path: own } = await packed(t, seededRandom(6), 5, 0, form)
    const forged = Buffer.from(bodyOf(own))
    forged.writeUInt32LE(other, 8)
    seal(own, forged)
    await refused(t, 'ERR_KARYON_PACKAGE', () => inspectEngram(own))
  }
  writeFileSync(path, 'something else, and more than long enough to be the head of a package'.repeat(9))
  await refused(t, 'ERR_KARYON_PACKAGE', () => inspectEngram(path))
  writeFileSync(path, '')
  await refused(t, 'ERR_KARYON_PACKAGE', () => openEngram(path))
  await refused(t, 'ERR_KARYON_IO', () => openEngram(`${path}.nothing`))
  await refused(t, 'ERR_KARYON_PACKAGE', () => openEngram(join(path, '..')))
})

test('limits are checked before anything is read', async (t) => {
  const { path, bytes } = await packed(t, seededRandom(7), 12, 0, 'history kept')
  const { manifest } = inspectEngram(path)
  const { nodes, edges, changes } = manifest.counts as Required<typeof manifest.counts>
  const size = sectionsOf(bodyOf(path)).manifest.bytes
  const exact = { bytes: bytes.length, nodes, edges, changes, manifestBytes: size }
  t.is(inspectEngram(path, { limits: exact }).manifest.counts.nodes, nodes)
  for (const [name, limit] of Object.entries(exact)) {
    const limits = { ...exact, [name]: limit - 1 }
    const error = await refused(t, 'ERR_KARYON_PACKAGE_LIMIT', () => openEngram(path, { limits }), name)
    t.is(error.details['limit'], limit - 1)
  }
  for (const limits of [{ bytes: -1 }, { nodes: 1.5 }, { edges: '1' }, { changes: -1 }, { blocks: 1 }]) {
    await refused(t, 'ERR_KARYON_ARGUMENT', () => openEngram(path, { limits: limits as object }))
  }
  for (const options of [{ verify: 'none' }, { cacheBytes: -1 }, { key: {} }, { keys: [] }]) {
    await refused(t, 'ERR_KARYON_ARGUMENT', () => openEngram(path, options as object))
  }
})

for (const form of FORMS) {
  test(`a manifest in any other form is refused, ${form}`, async (t) => {
    const { path } = await packed(t, seededRandom(8), 0, 0, form)
    const body = bodyOf(path)
    const { manifest } = sectionsOf(body)
    const text = body.subarray(manifest.offset, manifest.offset + manifest.bytes).toString()
    // As long as the one that is there, so that everything else is where it was.
    const forge = (made: string): void => {
      const forged = Buffer.from(body)
      const padded = Buffer.from(made)
      t.is(padded.length, manifest.bytes, made)
      padded.copy(forged, manifest.offset)
      seal(path, forged)
    }
    forge(text)
    t.is(inspectEngram(path).manifest.name, 'world')
    const others = [
      text.replace('"nodes":0', '"nodes":1'),
      text.replace('"edges":0', '"edges": 0').replace('world', 'worl'),
      text.replace(/"format":[123]/, (format) => (format === '"format":1' ? '"format":2' : '"format":1')),
      text.replace('xxh3-128', 'xxh3-129'),
      text.replace('"name":"world"', '"name":"w rld"'),
      text.replace('"name":"world"', '"nane":"world"'),
      text.replace('1.0.0', '1.0.x'),
      text.replace('"parents":[]', '"parents":{}'),
      text.replace('"facts":0', '"facts":x'),
      text.replace('"facts":0', '"facts":-').replace('"world"', '"worl"').replace('-', '-1'),
      text.replace('"labels":{}', '"labelz":{}'),
      text.replace('"labels":{}', '"labels":[]'),
      text.replace('"description":"é"', '"description":"ee"').replace('"ee"', '"e\n"'),
      '['.repeat(manifest.bytes),
      ' '.repeat(manifest.bytes),
      ...OTHERWISE[form].map(([said, other]) => text.replace(said, other)),
    ]
    for (const other of others) {
      forge(other)
      await refused(t, 'ERR_KARYON_PACKAGE', () => inspectEngram(path), other)
    }
  })
}

/** What a manifest says of a history, said otherwise. */
const KEPT_OTHERWISE: readonly (readonly [string, string])[] = [
  ['"history":"kept"', '"history":"kepT"'],
  ['"history":"kept"', '"histori":"kept"'],
  ['"changes":0', '"changes":1'],
  ['"changes":0', '"changez":0'],
  ['"changes":{}', '"changes":[]'],
  ['"changes":{}', '"changez":{}'],
]

/** What it says of recalls, said otherwise. */
const RECALLED_OTHERWISE: readonly (readonly [string, string])[] = [
  ['"recall":{', '"recalL":{'],
  ['"grams":1', '"grams":0'],
  ['"grams":1', '"gramz":1'],
  ['"normaliser":1', '"normaliser":x'],
  ['"normaliser":1', '"normalizer":1'],
  ['"texts":0', '"texts":1'],
  ['"texts":0', '"textz":0'],
  ['"label":"Fact"', '"label":{"a":1}'.slice(0, -1)],
  ['"label":"Fact"', '"label":12345 '],
  ['"label":"Fact"', '"lebal":"Fact"'],
  // The second one first, and twice the same.
  ['"label":"Fact"', '"label":"zact"'],
  ['"weight":"prop"', '"weight":"\\u12"'],
  ['"weight":"prop"', '"waight":"prop"'],
]

const OTHERWISE: Readonly<Record<Form, readonly (readonly [string, string])[]>> = {
  'history cut': [],
  'history kept': KEPT_OTHERWISE,
  'with recall tables': [...KEPT_OTHERWISE, ...RECALLED_OTHERWISE],
}

for (const form of FORMS) {
  test(`whatever a forger writes, the reader answers or refuses, and does neither for ever, ${form}`, async (t) => {
    const seed = chooseSeed()
    t.log(`KARYON_SEED=${seed}`)
    const random = seededRandom(seed)
    let found = 0
    for (let world = 0; world < 6; world++) {
      const { path, keys } = await packed(t, random, 8 + below(random, 20), 0, form)
      const body = bodyOf(path)
      const sections = sectionsOf(body)
      for (let round = 0; round < 120; round++) {
        const forged = Buffer.from(body)
        for (let left = 1 + below(random, 3); left > 0; left--) {
          const section = sections[pick(random, namesOf(FORMATS[form]).slice(1))]!
          mutate(random, forged, section.offset, section.bytes)
        }
        seal(path, forged)
        if (refusalOf(path, keys) !== undefined) found++
      }
    }
    // Most of what can be written contradicts itself; a value in place of another does not.
    t.true(found > 200, `${found} of 720`)
  })
}

/** Changes some bytes of a section: fields that count, lengths that lead elsewhere, rows and records in each other's place. */
function mutate(random: Random, bytes: Buffer, offset: number, length: number): void {
  if (length === 0) return
  const at = offset + below(random, length)
  const room = offset + length - at
  switch (below(random, 6)) {
    case 0:
      bytes[at] = below(random, 256)
      break
    case 1:
      bytes[at] = pick(random, [0, 1, 0x7f, 0x80, 0xff])
      break
    case 2:
      bytes.fill(0xff, at, at + Math.min(room, below(random, 12)))
      break
    case 3: {
      const count = Math.min(room, 1 + below(random, 40))
      bytes.copyWithin(at, offset + below(random, length - count + 1), at)
      break
    }
    case 4:
      bytes[at] = bytes[at]! + pick(random, [1, 255])
      break
    default: {
      // A row in the place of another.
      const rows = Math.floor(length / 32)
      if (rows < 2) break
      const [from, to] = [below(random, rows), below(random, rows)]
      bytes.copyWithin(offset + to * 32, offset + from * 32, offset + from * 32 + 32)
    }
  }
}

test('a row that leads to another node is none of the key that has its tag', async (t) => {
  const { path, keys } = await packed(t, seededRandom(10), 20)
  const body = Buffer.from(bodyOf(path))
  const { keys: table } = sectionsOf(body)
  const rows = Array.from({ length: table.entries }, (_, row) => table.offset + row * 32)
  const filled = rows.filter((row) => body.readUIntLE(row + 16, 6) > 0)
  const honest = bodyOf(path)
  for (const [at, row] of filled.entries()) {
    const other = filled[(at + 1) % filled.length]!
    honest.copy(body, row + 16, other + 16, other + 28)
  }
  seal(path, body)
  using engram = openEngram(path)
  t.true(engram.count() > 5)
  t.true(engram.getMany(keys).every((node) => node === undefined))
  for (const { key } of engram.nodes()) t.is(engram.get(key), undefined)
})

for (const form of FORMS) {
  test(`what stands between sections is nothing, or the package is refused, ${form}`, async (t) => {
    const { path } = await packed(t, seededRandom(11), 20, 0, form)
    const honest = bodyOf(path)
    const sections = Object.values(sectionsOf(honest))
    const ends = [tableEnd(FORMATS[form]), ...sections.map(({ offset, bytes }) => offset + bytes)]
    const starts = [...sections.map(({ offset }) => offset), honest.length]
    const gaps = ends.map((end, at) => [end, starts[at]!] as const).filter(([end, start]) => end < start)
    t.true(gaps.length > 3)
    for (const [end, start] of gaps) {
      for (const at of [end, start - 1]) {
        seal(path, flipped(honest, at, 1))
        await refused(t, 'ERR_KARYON_PACKAGE', () => inspectEngram(path, { verify: 'full' }), `byte ${at}`)
      }
    }
  })
}

test('what was packed is read again after all that', async (t) => {
  const { path } = await packed(t, seededRandom(9), 20)
  const body = bodyOf(path)
  using before = openEngram(path)
  const plain = plainOf(before)
  seal(path, body)
  using after = openEngram(path, { verify: 'full' })
  t.deepEqual(plainOf(after), plain, 'a seal of what it was changes nothing')
  t.is(after.root, before.root)
})

test('a package that contradicts itself is not packed again', async (t) => {
  const { path } = await packed(t, seededRandom(12), 20)
  const honest = bodyOf(path)
  const { keys: table, links } = sectionsOf(honest)
  const rows = Array.from({ length: table.entries }, (_, row) => table.offset + row * 32)
  const linked = rows.filter((row) => honest.readUIntLE(row + 22, 6) > 0)
  const again = join(freshDirectory(t), 'again.engram')
  const forge = async (change: (body: Buffer) => void, what: string): Promise<void> => {
    const body = Buffer.from(honest)
    change(body)
    seal(path, body)
    using engram = openEngram(path)
    t.is([...engram.nodes()].length, engram.count(), 'all nodes are listed')
    await refused(t, 'ERR_KARYON_PACKAGE', exportEngram(engram, again, ABOUT), what)
    t.false(existsSync(again))
  }
  await forge((body) => rows.forEach((row) => body.fill(0, row, row + 32)), 'no node is found')
  await forge((body) => body.fill(0, linked[0]!, linked[0]! + 32), 'one node is not found')
  await forge((body) => rows.forEach((row) => body.fill(0, row + 22, row + 28)), 'no edge is found')
  await forge((body) => body.fill(0, linked[0]! + 22, linked[0]! + 28), 'the edges of one node are not found')
  t.true(links.entries > 1)

  // An edge that leaves a node and enters none.
  const anatomy = apart(honest)
  const [part] = anatomy.links.filter((each) => each.in.length > 1)
  part!.in.pop()
  seal(path, together(anatomy))
  using engram = openEngram(path)
  t.is([...engram.edges()].length, engram.manifest.counts.edges)
  await refused(t, 'ERR_KARYON_PACKAGE', exportEngram(engram, again, ABOUT))
})
