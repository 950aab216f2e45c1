import test from 'ava'
import { cpSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { flatten, unflatten } from '../../ts/engrams/kept/flat.ts'
import { rowsFor, tableOf } from '../../ts/engrams/lookup.ts'
import { dropEngram, inspectEngram, keepEngram, keptEngrams, restoreEngram } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { below } from '../values/random.ts'
import { filesOf, range, seeded } from './keeping.ts'

const FIXTURES = new URL('fixtures/', import.meta.url).pathname
const NAMES = ['format-1', 'format-1-plain']

test('a lookup comes back from its nodes’ order as it was, of any keys', (t) => {
  const random = seeded(t)
  for (const count of [1, 2, 3, 10, 100, ...range(0, 20).map(() => 1 + below(random, 3_000))]) {
    const keys = range(0, count).map((at) => `${at} ${below(random, 1_000)}`)
    let [node, link] = [512, 100_000]
    const nodes = Float64Array.from(keys, () => (node += 1 + below(random, 2 ** 20)))
    const links = Float64Array.from(keys, () => (random() < 0.3 ? 0 : (link += 1 + below(random, 2 ** 30))))
    const table = Buffer.concat([...tableOf(keys, nodes, links)])
    const flat = flatten(table)
    t.true(flat !== undefined && flat.length < table.length)
    t.true(unflatten(flat!, rowsFor(count))?.equals(table))
    // What is cut or otherwise is none, or another one, and nothing is thrown for it.
    t.is(unflatten(flat!, rowsFor(count) + 1), undefined)
    t.is(unflatten(flat!.subarray(0, -1), rowsFor(count))?.equals(table) ?? false, false)
    for (let trial = 0; trial < 20; trial++) {
      const other = Buffer.from(flat!)
      other[below(random, other.length)]! ^= 1 + below(random, 255)
      t.is(unflatten(other, rowsFor(count))?.equals(table) ?? false, false)
    }
    // Made by hand: it would not come back, and is kept as it is.
    const [, second] = [table, Buffer.from(table)]
    second.writeUInt32LE(second.readUInt32LE(28) + 1, 28)
    const again = flatten(second)
    t.true(again === undefined || unflatten(again, rowsFor(count))!.equals(second))
  }
  t.is(flatten(Buffer.alloc(0)), undefined)
  t.is(unflatten(Buffer.alloc(0), 2), undefined)
})

test('a folder of the first format is read, added to and put together', async (t) => {
  const directory = freshDirectory(t)
  const folder = join(directory, 'kept')
  cpSync(join(FIXTURES, 'kept-format-1'), folder, { recursive: true })
  const before = filesOf(folder)
  t.is(keptEngrams(folder).length, 2)
  const check = async (name: string): Promise<void> => {
    const path = join(FIXTURES, `${name}.engram`)
    await restoreEngram(folder, inspectEngram(path).root, join(directory, 'out'))
    t.true(readFileSync(join(directory, 'out')).equals(readFileSync(path)))
  }
  for (const name of NAMES) await check(name)
  for (const name of NAMES) t.is((await keepEngram(join(FIXTURES, `${name}.engram`), folder)).stored, 0)
  t.deepEqual(filesOf(folder), before)
  const [first = '', second = ''] = NAMES.map((name) => inspectEngram(join(FIXTURES, `${name}.engram`)).root)
  await dropEngram(folder, first)
  await check('format-1-plain')
  const again = await keepEngram(join(FIXTURES, 'format-1.engram'), folder)
  t.true(again.stored > 0)
  for (const name of NAMES) await check(name)
  const list = readFileSync(join(folder, 'packages', `${first}.list`))
  t.is(list.readUInt32LE(8), 2)
  await dropEngram(folder, second)
  await check('format-1')
  await dropEngram(folder, first)
  t.deepEqual(readdirSync(join(folder, 'packs')), [])
})
