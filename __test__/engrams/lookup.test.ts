// Keys that were chosen so that their rows are next to each other.
import test from 'ava'
import { join } from 'node:path'
import { BLOCK_BYTES, ROW_BYTES } from '../../ts/engrams/layout.ts'
import { Lookup, tableOfTags } from '../../ts/engrams/lookup.ts'
import type { Blocks } from '../../ts/engrams/blocks.ts'
import { PROBES_MAX } from '../../ts/engrams/limits.ts'
import { TAG_WORDS, tagsOf } from '../../ts/engrams/tags.ts'
import { Kernel, exportEngram } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'

const KEYS = 1_400
/** All of them would like to be in one part of so many of the table. */
const PARTS = 64

function crowded(): string[] {
  const keys: string[] = []
  for (let at = 0; keys.length < KEYS; at += 4_096) {
    const some = Array.from({ length: 4_096 }, (_, n) => `k${at + n}`)
    const tags = new Uint32Array(tagsOf(some).buffer)
    keys.push(...some.filter((_, n) => tags[n * TAG_WORDS + 3]! < 2 ** 32 / PARTS))
  }
  return keys.slice(0, KEYS).toSorted()
}

test('a key that is far from where it would like to be is refused, by who packs and by who reads', async (t) => {
  const keys = crowded()
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (const key of keys) tx.put(key)
  })
  const path = join(freshDirectory(t), 'crowded.engram')
  const limit = { code: 'ERR_KARYON_PACKAGE_LIMIT', message: /looked at for one key/ }
  await t.throwsAsync(exportEngram(graph, path, { name: 'crowded', version: '1.0.0' }), limit)

  // What somebody else has packed.
  const places = Float64Array.from(keys, () => 64)
  const tags = new Uint32Array(tagsOf(keys).buffer)
  const table = Buffer.concat([...tableOfTags(tags, places, new Float64Array(KEYS))])
  const words = new Uint32Array(table.buffer.slice(table.byteOffset, table.byteOffset + table.length))
  const nothing = Buffer.alloc(BLOCK_BYTES)
  const blocks = {
    words: (number: number) => words.subarray((number * BLOCK_BYTES) / 4),
    block: () => nothing,
  } as unknown as Blocks
  const entries = table.length / ROW_BYTES
  const lookup = new Lookup(
    blocks,
    { offset: 0, bytes: table.length, entries },
    { offset: 64, bytes: 4_096, entries: KEYS },
  )
  let [near, far] = [0, 0]
  for (const key of keys) {
    try {
      lookup.find(key)
      near++
    } catch (error) {
      t.like(error, { code: 'ERR_KARYON_PACKAGE_LIMIT', details: { limit: PROBES_MAX } })
      far++
    }
  }
  t.true(far > KEYS / 20 && near > KEYS / 2, `${far} of ${KEYS} are refused`)
})
