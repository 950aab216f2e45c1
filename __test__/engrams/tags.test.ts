import { readFileSync } from 'node:fs'
import test from 'ava'
import { tagsOf } from '../../ts/engrams/tags.ts'

/** The longest key has 1,024 bytes, and none is empty. */
const isKey = (text: string): boolean => text !== '' && text.length <= 1_024

test('tags are those of the reference implementation, as in Rust', (t) => {
  const vectors = readFileSync(new URL('../../crates/engram/tests/xxh3-128.txt', import.meta.url), 'utf8')
  const lines = vectors.split('\n').filter((line) => !line.startsWith('#') && isKey(line.slice(50)))
  t.is(lines.length, 116)
  for (const line of lines) {
    const [seed = '', hash = ''] = line.split(' ', 2)
    const [low = 0n, high = 0n] = tagsOf([line.slice(50)], BigInt(`0x${seed}`))
    t.is(((high << 64n) | low).toString(16).padStart(32, '0'), hash, line)
  }
})

test('many keys in one crossing are tagged as one at a time', (t) => {
  const keys = Array.from({ length: 1_000 }, (_, at) => `node/${'x'.repeat(at % 50)}${at}`)
  t.deepEqual(
    [...tagsOf(keys, 7n)],
    keys.flatMap((key) => [...tagsOf([key], 7n)]),
  )
  t.is(tagsOf([]).length, 0)
})
