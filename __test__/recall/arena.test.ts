import test from 'ava'
import { Arena, LIST_MAX } from '../../ts/recall/arena.ts'
import { chooseSeed, seededRandom } from '../values/random.ts'

const numbersOf = (arena: Arena, list: number): number[] =>
  arena.length(list) === 0
    ? []
    : [...arena.page(list).subarray(arena.start(list), arena.start(list) + arena.length(list))]

test('lists are what was inserted into them, wherever they are moved, and little room is lost', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const below = (count: number): number => Math.floor(random() * count)
  const lists = 3_000
  const arena = new Arena(lists)
  const model: number[][] = Array.from({ length: lists }, () => [])
  const count = 600_000
  for (let step = 0; step < count; step++) {
    // Some lists are much longer than others, and some are empty.
    const list = below(below(lists) + 1)
    const [expected, number] = [model[list]!, below(2 ** 32)]
    const place = below(expected.length + 1)
    expected.splice(place, 0, number)
    arena.insert(list, place, number)
  }
  const wrong = model.filter((expected, list) => String(expected) !== String(numbersOf(arena, list)))
  t.is(wrong.length, 0, `KARYON_SEED=${seed}`)
  t.true(arena.bytes < 4 * count * 1.5, `${arena.bytes} bytes for ${count} numbers, KARYON_SEED=${seed}`)
})

test('a list may take a page, beside others', (t) => {
  const arena = new Arena(3)
  for (let at = 0; at < LIST_MAX; at++) {
    arena.insert(1, at, at)
    if (at % 1_000 === 0) arena.insert(0, 0, at)
  }
  t.is(arena.length(1), LIST_MAX)
  t.true(numbersOf(arena, 1).every((number, at) => number === at))
  t.deepEqual(
    numbersOf(arena, 0),
    Array.from({ length: 66 }, (_, at) => (65 - at) * 1_000),
  )
  t.is(arena.length(2), 0)
})
