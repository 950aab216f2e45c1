import test from 'ava'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kernel, type Graph } from '../../ts/index.ts'
import { Principals } from '../graph/principals.ts'
import { freshDirectory, freshKernel, openFor } from './directory.ts'
import { refused } from './refused.ts'

const FIRST = 'log/0000000001.seg'

/** Writes the numbers up to `count` to one property, each in a commit. */
async function count(graph: Graph, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    await graph.write((tx) => tx.put('a', { labels: ['Number'], props: { n } }))
  }
}

test('a backup opens as a store with the same digest and the whole past, and goes its own way', async (t) => {
  const kernel = await freshKernel(t)
  const { graph } = kernel
  await count(graph, 1, 30)
  const directory = join(freshDirectory(t), 'deep', 'backup')
  const { version, time, bytes } = await graph.backup(directory)
  t.is(version, 30n)
  t.is(time.micros, graph.at(30n).time.micros)
  t.true(bytes > 30 * 80)
  await count(graph, 31, 40)

  const copy = await openFor(t, directory)
  t.deepEqual(copy.recovery, { version: 30n, created: false, checkpoint: 0n, replayed: 30, sealed: true })
  await copy.graph.ready('history')
  t.is(copy.graph.digest(), graph.digest(30n))
  t.is(copy.graph.at(7n).get('a')?.props['n'], 7)
  t.is(copy.graph.blame('a', 'n')?.version, 30n)
  t.is((await copy.graph.verify()).frames, 30)
  await count(copy.graph, 1, 3)
  t.is(copy.graph.snapshot().version, 33n)
  t.is(graph.snapshot().version, 40n)
})

test('writers go on while a backup is made, and each backup holds what was durable when it was asked for', async (t) => {
  const { graph } = await freshKernel(t)
  await count(graph, 1, 10)
  const parent = freshDirectory(t)
  const writing = count(graph, 11, 200)
  const copies = await Promise.all([1, 2, 3].map((n) => graph.backup(join(parent, String(n)))))
  await writing
  for (const [at, { version }] of copies.entries()) {
    t.true(version >= 10n && version <= 200n)
    const copy = await openFor(t, join(parent, String(at + 1)))
    t.is(copy.graph.snapshot().version, version)
    t.is(copy.graph.digest(), graph.digest(version))
  }
})

test('a copy is refused where it cannot be made', async (t) => {
  const directory = freshDirectory(t)
  const { graph } = await openFor(t, directory)
  await count(graph, 1, 2)
  await refused(t, 'ERR_KARYON_NOT_EMPTY', graph.backup(directory))
  const occupied = freshDirectory(t)
  writeFileSync(join(occupied, 'notes.txt'), 'not ours')
  await refused(t, 'ERR_KARYON_NOT_EMPTY', graph.backup(occupied))
  t.deepEqual(readdirSync(occupied), ['notes.txt'])
  await refused(t, 'ERR_KARYON_NOT_A_DIRECTORY', graph.backup(join(occupied, 'notes.txt')))
  await refused(t, 'ERR_KARYON_IO', graph.backup('a\0b'))
  await refused(t, 'ERR_KARYON_ARGUMENT', graph.backup(''))
  const fresh = join(freshDirectory(t), 'copy')
  await refused(t, 'ERR_KARYON_OWNED', Kernel.restore(directory, fresh))
  await refused(t, 'ERR_KARYON_NOT_A_STORE', Kernel.restore(occupied, fresh))
  await refused(t, 'ERR_KARYON_NOT_A_STORE', Kernel.salvage(join(occupied, 'nowhere'), fresh))
  await refused(t, 'ERR_KARYON_ARGUMENT', Kernel.restore(directory, 5 as unknown as string))
  await refused(t, 'ERR_KARYON_ARGUMENT', Kernel.restore(directory, fresh, { until: 1n } as object))
  await refused(t, 'ERR_KARYON_TIME', Kernel.restore(directory, fresh, { at: 5 as unknown as bigint }))
  const memory = Kernel.memory()
  await refused(t, 'ERR_KARYON_ARGUMENT', memory.graph.backup(fresh))
  await memory.close()
})

test('only who may see everything may copy it', async (t) => {
  const { graph } = new Principals().session('root/reader', { read: ['Number'], write: ['Number'] })
  await refused(t, 'ERR_KARYON_ACCESS', graph.backup(join(freshDirectory(t), 'copy')))
})

test('a store is restored as of a version, a date, a text, and everything', async (t) => {
  const directory = freshDirectory(t)
  const kernel = await Kernel.open(directory)
  await count(kernel.graph, 1, 5)
  const before = kernel.now()
  await count(kernel.graph, 6, 9)
  const digests = new Map([5n, 7n, 9n].map((version) => [version, kernel.graph.digest(version)]))
  await kernel.close()
  const parent = freshDirectory(t)
  const moments = [7n, before, before.toISOString(), undefined, new Date(before.getTime() + 3_600_000)]
  for (const [at, moment] of moments.entries()) {
    const to = join(parent, String(at))
    const copied = await Kernel.restore(directory, to, moment === undefined ? {} : { at: moment })
    t.is(copied.version, [7n, 5n, 5n, 9n, 9n].at(at)!)
    const copy = await openFor(t, to)
    t.is(copy.graph.digest(), digests.get(copied.version)!)
    t.is(copy.graph.at(3n).get('a')?.props['n'], 3)
  }
  const beyond = join(parent, 'beyond')
  const error = await refused(t, 'ERR_KARYON_TIME', Kernel.restore(directory, beyond, { at: 10n }))
  t.is(error.details['newest'], 9)
  await refused(t, 'ERR_KARYON_DAMAGED', Kernel.open(beyond), 'what is left of it is no store')
})

test('what is whole of a damaged store is saved, and what is not is listed', async (t) => {
  const directory = freshDirectory(t)
  const kernel = await Kernel.open(directory)
  await count(kernel.graph, 1, 20)
  const times = [11n, 20n].map((version) => kernel.graph.at(version).time.getTime())
  await kernel.close()
  const whole = await Kernel.salvage(directory, join(freshDirectory(t), 'whole'))
  t.is(whole.version, 20n)
  t.deepEqual(whole.lost, [])
  t.false('damage' in whole || 'checkpoint' in whole)

  const bytes = readFileSync(join(directory, FIRST))
  const damaged = bytes.indexOf('KaFr', framesBefore(bytes, 10))
  bytes[damaged + 90]! ^= 1
  writeFileSync(join(directory, FIRST), bytes)
  const opening = await refused(t, 'ERR_KARYON_DAMAGED', Kernel.open(directory))
  t.is(opening.details['offset'], damaged)
  await refused(t, 'ERR_KARYON_DAMAGED', Kernel.restore(directory, join(freshDirectory(t), 'no')))
  const to = join(freshDirectory(t), 'saved')
  const saved = await Kernel.salvage(directory, to)
  t.is(saved.version, 9n)
  t.is(saved.damage, opening.message)
  t.is(saved.lost.length, 1)
  const [lost] = saved.lost
  t.is(lost?.offset, damaged)
  t.deepEqual(lost?.versions, [11n, 20n])
  t.deepEqual(
    lost?.times?.map((time) => time.getTime()),
    times,
  )
  t.true(readFileSync(join(directory, FIRST)).equals(bytes), 'the source is not written to')
  const copy = await openFor(t, to)
  t.is(copy.graph.get('a')?.props['n'], 9)
  await copy.graph.verify()
})

/** Where the frame begins that is the `count`-th from the front. */
function framesBefore(bytes: Buffer, count: number): number {
  let at = 0
  for (let n = 0; n < count; n++) at = bytes.indexOf('KaFr', at + 4)
  return at
}

test('a directory that vanishes while the store is open is an error of the file system', async (t) => {
  const directory = freshDirectory(t)
  const { graph } = await openFor(t, directory)
  await count(graph, 1, 3)
  rmSync(directory, { recursive: true })
  const to = join(freshDirectory(t), 'copy')
  const error = await refused(t, 'ERR_KARYON_IO', graph.backup(to))
  t.regex(error.message, /moved or replaced/)
  t.false(existsSync(join(to, 'karyon')))
  t.is(graph.get('a')?.props['n'], 3, 'what is in memory can be read')
  const above = join(freshDirectory(t), 'file')
  writeFileSync(above, '')
  await refused(t, 'ERR_KARYON_IO', graph.backup(join(above, 'below')))
})
