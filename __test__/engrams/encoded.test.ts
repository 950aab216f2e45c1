import test from 'ava'
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Behind } from '../../ts/engrams/behind.ts'
import { exportEngram, openEngram, type Selection } from '../../ts/engrams/index.ts'
import { Kernel, type Engram, type Graph } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { below, chooseSeed, seededRandom } from '../values/random.ts'
import { randomWorld } from './worlds.ts'

const ABOUT = { name: 'world', version: '1.0.0' }
/** Trusts whatever does not say otherwise, and nothing does: values are decoded, to look how far each is trusted. */
const ALL_TRUSTED: Selection = { trust: { property: 'nobody says this', atLeast: 1 } }
const MIB = 1024 * 1024

test('values that are copied as they are encoded make the same file as values that are decoded', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const directory = freshDirectory(t)
  const packed = async (from: Graph | Engram, name: string, select: Selection): Promise<Buffer> => {
    const path = join(directory, name)
    await exportEngram(from, path, { ...ABOUT, select })
    return readFileSync(path)
  }
  for (let round = 0; round < 8; round++) {
    const { graph } = Kernel.memory()
    await randomWorld(random, graph, 8 + round * 8)
    const copied = await packed(graph, `${round}.copied`, {})
    t.deepEqual(copied, await packed(graph, `${round}.decoded`, ALL_TRUSTED))
    using engram = openEngram(join(directory, `${round}.copied`), { verify: 'full' })
    t.deepEqual(await packed(engram, `${round}.again`, {}), copied)
    t.deepEqual(await packed(engram, `${round}.again.decoded`, ALL_TRUSTED), copied)
  }
})

test('what is asked of the graph while it is packed is answered with values', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (let at = 0; at < 2000; at++) tx.put(`n${at}`, { props: { bytes: new Uint8Array(8192).fill(at) } })
  })
  const packing = exportEngram(graph, join(freshDirectory(t), 'a.engram'), ABOUT)
  const packed = packing.then(() => true)
  const others = (): Promise<boolean> => new Promise((resolve) => setImmediate(resolve, false))
  let asked = 0
  do {
    const key = asked++ % 2000
    const { bytes } = graph.get(`n${key}`)!.props
    t.true(Buffer.alloc(8192, key).equals(bytes as Uint8Array))
  } while (!(await Promise.race([packed, others()])))
  t.true(asked > 2)
})

test('a package of many pieces that are written at once is whole', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const { graph } = Kernel.memory()
  for (let at = 0; at < 24; at++) {
    // A record ends anywhere in a piece, and one is as long as several.
    const bytes = randomBytes(at === 7 ? 9 * MIB : MIB + below(random, MIB))
    await graph.write((tx) => tx.put(`n${at}`, { props: { bytes } }))
  }
  const directory = freshDirectory(t)
  const path = join(directory, 'a.engram')
  await exportEngram(graph, path, ABOUT)
  t.deepEqual(readdirSync(directory), ['a.engram'])
  using engram = openEngram(path, { verify: 'full' })
  for (const { key, props } of graph.nodes()) {
    t.true(Buffer.from(props.bytes as Uint8Array).equals(engram.get(key)!.props.bytes as Uint8Array))
  }
  const limits = { bytes: 20 * MIB }
  const beyond = exportEngram(graph, join(directory, 'b.engram'), { ...ABOUT, limits })
  await refused(t, 'ERR_KARYON_PACKAGE_LIMIT', beyond)
  t.deepEqual(readdirSync(directory), ['a.engram'], 'of what was on its way nothing is left')
})

test('what the disk refuses of a piece that is on its way is told with the next, and in the end', async (t) => {
  const path = join(freshDirectory(t), 'a')
  writeFileSync(path, 'as it was')
  const file = openSync(path, 'r')
  t.teardown(() => closeSync(file))
  const behind = new Behind(path, file, MIB)
  behind.put(behind.piece(), 0, MIB, 0)
  await behind.settled()
  await refused(t, 'ERR_KARYON_IO', async () => behind.put(behind.piece(), 0, MIB, MIB))
  await refused(t, 'ERR_KARYON_IO', behind.synced())
  t.is(readFileSync(path, 'utf8'), 'as it was')
})
