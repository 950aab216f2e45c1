// The fuzz target of packages. Bytes that begin as a package does are read as one, and once more behind a tree that is theirs, so that what they
// say gets past the hashes; any others are a script of changes to a package (script.ts). Either is refused with a typed error, or what it
// answers is right: of what was asked for, whole, the same whichever way it is asked for, and fit to be packed again and grafted.
//
// A runner of our own, without dependencies: `node --import=@oxc-node/core/register __test__/engrams/fuzz/run.ts --seconds 60`.
// Any fuzzer that calls `fuzz` with bytes and waits for its promise does too, as libFuzzer does by way of Jazzer.js (`@jazzer.js/core`, which is
// no dependency of Karyon). That takes JavaScript: `npx tsc --project tsconfig.json --noEmit false --outDir FOLDER` compiles this file, and beside
// what it makes belong copies of `package.json`, `ts/native` and the folder of the golden packages; `npx jazzer FOLDER/__test__/engrams/fuzz/target.js
// CORPUS -i ts/engrams/ -- -rss_limit_mb=1024 -timeout=30` runs it then.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type Engram,
  type PackageLimits,
  exportEngram,
  graftEngram,
  inspectEngram,
  openEngram,
} from '../../../ts/engrams/index.ts'
import { aligned } from '../../../ts/engrams/layout.ts'
import { levelsOver } from '../../../ts/engrams/tree.ts'
import {
  KaryonError,
  Kernel,
  openRecall,
  type Edge,
  type Node,
  type Reader,
  type Recall,
  type RecallOptions,
} from '../../../ts/index.ts'
import { compareUtf8, encodeValue } from '../../../ts/values/encode.ts'
import { Writer } from '../../../ts/values/writer.ts'
import { bodyIn, sealed, sectionsOf } from '../forge.ts'
import { differing, modelOf } from '../model.ts'
import { REFUSALS } from '../reading.ts'
import { seededRandom } from '../../values/random.ts'
import { byIdentity, plainEdge, plainNode, randomWorld } from '../worlds.ts'
import { forged } from './script.ts'

const MAGIC = Buffer.from('KARYENG\0', 'latin1')
/** A file that is made of an input may have so many bytes, and so many facts of each kind: what a fuzzer finds in large ones it finds in small ones. */
export const LIMITS: Required<PackageLimits> = {
  bytes: 2_097_152,
  nodes: 4_096,
  edges: 16_384,
  changes: 16_384,
  manifestBytes: 131_072,
}
/** Keys that are asked for one by one. */
const ASKED_MAX = 16

const folder = mkdtempSync(join(tmpdir(), 'karyon-fuzz-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const path = join(folder, 'a.engram')

/** The golden packages: what a fuzzer begins with. */
export const SEEDS: readonly Buffer[] = [
  'format-1.engram',
  'format-1-plain.engram',
  'format-2.engram',
  'format-3.engram',
].map((name) => readFileSync(fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))))

const RECALLS: readonly RecallOptions[] = [
  { label: 'Fact', text: 'text' },
  { label: 'Fact', text: 'text', weight: 'n', trust: 'prop' },
]
const TEXTS = ['zebra', 'a zebra and a gnu', 'gnus', 'the zebra, the gnu, the gnus', '']
const CUES = ['zebra', 'gnu zebra', 'the gnus and a']

/** Packages that scripts change: a golden one, and small random ones that are the same in every run. */
const BASES: readonly Buffer[] = [
  SEEDS[0]!,
  await world(1),
  await world(2),
  await world(3),
  await world(4),
  await world(5, RECALLS),
  await world(6, RECALLS),
].map(bodyIn)

async function world(seed: number, recall: readonly RecallOptions[] = []): Promise<Buffer> {
  const { graph } = Kernel.memory()
  await randomWorld(seededRandom(seed), graph, 8 + seed)
  if (recall.length > 0)
    await graph.write((tx) => {
      for (const [at, text] of TEXTS.entries()) tx.put(`text ${at}`, { labels: ['Fact'], props: { text } })
    })
  await exportEngram(graph, path, { name: 'world', version: '1.0.0', provenance: false, recall })
  return readFileSync(path)
}

/** Throws for what is a defect; for Jazzer.js, libFuzzer and our own runner. */
export async function fuzz(data: Uint8Array): Promise<void> {
  await outcomesOf(data)
}

/** The same. Tells what came of it, in words without numbers: an input of which something new is told is worth to go on from. */
export async function outcomesOf(data: Uint8Array): Promise<readonly string[]> {
  const bytes = Buffer.from(data)
  writeFileSync(path, bytes)
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    assert.equal(refusalOf(() => inspectEngram(path))?.code, 'ERR_KARYON_PACKAGE')
    writeFileSync(path, sealed(forged(BASES, bytes)))
    return judged((bytes[1] ?? 0) % 16 < 6)
  }
  const told = await judged(true)
  if (bytes.length < 288 || bytes.length > LIMITS.bytes) return told
  // Cut to a multiple of 64, with a tree of its own.
  const body = Buffer.from(bytes.subarray(0, aligned(bytes.length - 63)))
  body.writeBigUInt64LE(BigInt(body.length), 16)
  body.writeUInt32LE(levelsOver(body.length).length, 28)
  writeFileSync(path, sealed(body))
  return [...told, ...(await judged(true))]
}

/** Reads the file in every way there is. */
async function judged(goesOn: boolean): Promise<string[]> {
  const told = new Set<string>()
  const heard = <T>(what: string, act: () => T): T | undefined => {
    let answer: T | undefined
    const error = refusalOf(() => (answer = act()))
    told.add(`${what}: ${error ? `${error.code} ${words(error.message)}` : 'answered'}`)
    return error ? undefined : answer
  }
  heard('inspect', () => inspectEngram(path, { limits: LIMITS, verify: 'full' }))
  using engram = heard('open', () => openEngram(path, { limits: LIMITS }))
  if (engram === undefined) return [...told]
  const nodes = heard('nodes', () => checkedNodes(engram))
  const edges = heard('edges', () => checkedEdges(engram))
  const known = new Map(nodes?.map((node) => [node.key, node]))
  const keys = [...new Set([...known.keys(), 'everything', 'a', '', ' ', '𐀀'])].filter(Boolean)
  for (const label of Object.keys(engram.manifest.schema.labels).slice(0, ASKED_MAX)) {
    heard('label', () => checkLabel(engram, label, known))
  }
  heard('all', () => checkMany(engram, keys, known))
  for (const key of spread(keys)) {
    heard('get', () => checkGet(engram, key, known.get(key)))
    heard('out', () => checkOut(engram, key))
    heard('in', () => checkIn(engram, key))
    heard('near', () => checkNear(engram, key, keys[0]!))
    heard('source', () => checkSource(engram, key))
  }
  for (const { texts: _texts, ...options } of engram.manifest.recall?.tables ?? []) {
    const recall = await recalled(engram, options, told)
    for (const cue of recall ? CUES : []) heard('recall', () => checkFound(engram, recall!, cue, options))
  }
  if (nodes === undefined || edges === undefined || !goesOn) return [...told]
  told.add(`packed: ${await packedAgain(engram, nodes, edges)}`)
  told.add(`grafted: ${await grafted(engram, nodes, edges)}`)
  return [...told]
}

/** A recall in place, or of what can be read of its nodes; nothing where that is refused. */
async function recalled(
  engram: Engram,
  options: RecallOptions,
  told: Set<string>,
): Promise<Recall | undefined> {
  try {
    const recall = await openRecall(engram, options)
    told.add(`recall: opened${recall.stats().inPlace ? ' in place' : ''}`)
    return recall
  } catch (error) {
    told.add(`recall: ${refusalOf(() => raise(error))?.code}`)
    return undefined
  }
}

function raise(error: unknown): never {
  throw error
}

/** What is found has a text and the label, each once, the best first. */
function checkFound(engram: Engram, recall: Recall, cue: string, { label, text }: RecallOptions): void {
  const found = recall.find(cue, { limit: 1_000, minHeads: 1 })
  assert.equal(new Set(found.map(({ key }) => key)).size, found.length)
  for (const [at, { key, score, share, heads }] of found.entries()) {
    if (at > 0) assert.ok(score <= found[at - 1]!.score, 'the best first')
    assert.ok(share >= 0 && share <= 1 && heads.length > 0)
    const node = engram.get(key)
    assert.ok(node, 'it is found by its key')
    assert.ok(node.labels.includes(label), 'it has the label')
    assert.equal(typeof node.props[text], 'string')
  }
}

/** What is refused, if it is; anything but a refusal is a defect. */
function refusalOf(act: () => unknown): KaryonError | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    if (error instanceof KaryonError && REFUSALS.includes(error.code)) return error
    throw error
  }
}

function words(message: string): string {
  return message.replace(/"(?:[^"\\]|\\.)*"/g, '""').replace(/\d+/g, '0')
}

/** Some of many, the same for the same. */
function spread<T>(all: readonly T[]): T[] {
  const step = Math.max(1, Math.ceil(all.length / ASKED_MAX))
  return all.filter((_, at) => at % step === 0)
}

function checkedNodes(engram: Engram): Node[] {
  const nodes = [...engram.nodes()]
  assert.equal(nodes.length, engram.count())
  for (const [at, node] of nodes.entries()) {
    if (at > 0) assert.ok(compareUtf8(nodes[at - 1]!.key, node.key) < 0, 'nodes in order')
    checkFacts(node)
    assert.ok(node.labels.every((label, at) => at === 0 || compareUtf8(node.labels[at - 1]!, label) < 0))
  }
  return nodes
}

function checkedEdges(engram: Engram): Edge[] {
  const edges = [...engram.edges()]
  assert.equal(edges.length, engram.manifest.counts.edges)
  for (const [at, edge] of edges.entries()) {
    if (at > 0) assert.ok(byIdentity(edges[at - 1]!, edge) < 0, 'edges in order')
    checkFacts(edge)
  }
  return edges
}

const writer = new Writer()

/** Whether everything that it holds is something that a graph can hold. */
function checkFacts(of: Node | Edge): void {
  writer.length = 0
  for (const text of 'from' in of ? [of.from, of.to, of.type, of.key] : [of.key, ...of.labels]) {
    assert.ok(Buffer.byteLength(text) <= 1024)
    writer.text(text)
  }
  const { props, intervals = {} } = of
  for (const name of [...Object.keys(props), ...Object.keys(intervals)]) writer.text(name)
  for (const value of Object.values(props)) encodeValue(writer, value, 'value')
  for (const held of Object.values(intervals)) {
    assert.ok(held.length > 0)
    for (const { value } of held) encodeValue(writer, value, 'value')
  }
}

function checkLabel(engram: Engram, label: string, known: ReadonlyMap<string, Node>): void {
  const listed = [...engram.nodes({ label })]
  assert.equal(listed.length, engram.count({ label }))
  for (const node of listed) {
    assert.ok(node.labels.includes(label))
    if (known.size > 0) checkSame(node, known.get(node.key))
  }
  engram.count({ label, where: { property: 'n', from: 0 } })
}

/** A node is what is listed under its key: also one that nobody finds by its key, as who packs by hand may want it. */
function checkSame(node: Node, listed: Node | undefined): void {
  if (listed !== undefined) assert.deepEqual(node, listed)
}

function checkGet(engram: Engram, key: string, listed: Node | undefined): void {
  const node = engram.get(key)
  if (node === undefined) return
  assert.equal(node.key, key)
  checkFacts(node)
  checkSame(node, listed)
}

function checkMany(engram: Engram, keys: readonly string[], known: ReadonlyMap<string, Node>): void {
  engram.getMany(keys).forEach((node, at) => {
    if (node === undefined) return
    assert.equal(node.key, keys[at])
    checkSame(node, known.get(node.key))
  })
  const handles = engram.handles(keys)
  engram.keys(handles).forEach((key, at) => assert.ok(key === undefined || key === keys[at]))
  assert.equal(engram.numbers(handles, 'n').length, keys.length)
  engram.keys(Uint32Array.from({ length: 64 }, (_, place) => place))
}

function checkOut(engram: Engram, key: string): void {
  let before: Edge | undefined
  let count = 0
  for (const edge of engram.out(key)) {
    assert.equal(edge.from, key)
    assert.ok(before === undefined || byIdentity(before, edge) < 0)
    checkFacts(edge)
    before = edge
    const found = engram.edge(edge)
    if (found) assert.equal(byIdentity(found, edge), 0)
    if (count++ < 8) engram.source(edge)
  }
  assert.equal(engram.degree(key, 'out'), count)
}

function checkIn(engram: Engram, key: string): void {
  let count = 0
  for (const edge of engram.in(key)) {
    assert.equal(edge.to, key)
    checkFacts(edge)
    count++
  }
  assert.equal(engram.degree(key, 'in'), count)
}

function checkNear(engram: Engram, key: string, other: string): void {
  for (const direction of ['out', 'in'] as const) engram.neighbours(key, direction)
  for (const { node, hops } of engram.within(key, { hops: 3, direction: 'both', limit: 20 })) {
    assert.ok(hops > 0 && hops <= 3 && node.key !== key)
  }
  const edges = engram.path(key, other, { direction: 'both' })
  if (edges === undefined || edges.length === 0) return
  const ends = edges.flatMap(({ from, to }) => [from, to])
  assert.ok(ends.includes(key) && ends.includes(other))
}

function checkSource(engram: Engram, key: string): void {
  for (const property of [undefined, 'n', 'text', 'salary', 'Fact']) {
    const source = engram.source(key, property)
    if (source) assert.ok(source.principal.length > 0 && !Number.isNaN(source.time.getTime()))
  }
}

/** What can be read can be packed: into a package that says the same, and that packs into the same bytes. */
async function packedAgain(engram: Engram, nodes: readonly Node[], edges: readonly Edge[]): Promise<string> {
  const [once, twice] = [join(folder, 'b.engram'), join(folder, 'c.engram')]
  const { name, version } = engram.manifest
  try {
    await exportEngram(engram, once, { name, version })
  } catch (error) {
    return refusedWith(error)
  }
  using again = openEngram(once, { verify: 'full' })
  assert.deepEqual([...again.nodes()].map(plainNode), nodes.map(plainNode))
  assert.deepEqual([...again.edges()].map(plainEdge), edges.map(plainEdge))
  await exportEngram(again, twice, { name, version })
  assert.ok(readFileSync(twice).equals(readFileSync(once)))
  checkSections(bodyIn(readFileSync(path)), bodyIn(readFileSync(once)))
  return 'the same'
}

/** Names, sources, nodes and edges have one form: where the numbers of names and sources mean the same, so do all bytes. */
function checkSections(given: Buffer, packed: Buffer): void {
  const [own, theirs] = [given, packed].map((body) => {
    const { names, sources, nodes, links } = sectionsOf(body)
    return [names, sources, nodes, links].map(({ offset, bytes }) => body.subarray(offset, offset + bytes))
  }) as [Buffer[], Buffer[]]
  if (!own[0]!.equals(theirs[0]!) || !own[1]!.equals(theirs[1]!)) return
  assert.ok(own[2]!.equals(theirs[2]!), 'nodes in another form')
  assert.ok(own[3]!.equals(theirs[3]!), 'edges in another form')
}

/** What can be read is grafted, or refused, and leaves nothing behind. */
async function grafted(engram: Engram, nodes: readonly Node[], edges: readonly Edge[]): Promise<string> {
  const kernel = Kernel.memory()
  const { graph } = kernel
  try {
    const digest = graph.digest()
    const graft = await graftEngram(kernel, engram).catch((error: unknown) => refusedWith(error))
    if (typeof graft === 'string') {
      assert.deepEqual([graph.digest(), graph.forks()], [digest, []])
      return graft
    }
    const expected = modelOf(listing(nodes, edges))
    assert.deepEqual(differing(modelOf(graft.view, `engram:${engram.root}`), expected), [])
    await graft.promote()
    assert.deepEqual(differing(modelOf(graph), expected), [])
    assert.deepEqual([(await graft.detach()).kept, graph.digest(), graph.forks()], [[], digest, []])
    return 'the same'
  } finally {
    await kernel.close()
  }
}

/** What is listed, as far as a model asks for it. */
function listing(nodes: readonly Node[], edges: readonly Edge[]): Reader {
  const reader = {
    nodes: () => nodes.values(),
    out: (key: string) => edges.filter(({ from }) => from === key).values(),
  }
  return reader as unknown as Reader
}

function refusedWith(error: unknown): string {
  if (!(error instanceof KaryonError)) throw error
  return `${error.code} ${words(error.message)}`
}
