import test from 'ava'
import { Seeded } from '../../ts/demo/seed.ts'

const draws = (...from: ConstructorParameters<typeof Seeded>): number[] => {
  const random = new Seeded(...from)
  return Array.from({ length: 8 }, () => random.below(1_000_000))
}

test('a seed and a purpose always give the same numbers, another purpose gives others', (t) => {
  t.deepEqual(draws(7, 'kills'), draws(7, 'kills'))
  t.notDeepEqual(draws(7, 'kills'), draws(7, 'lies'))
  t.notDeepEqual(draws(7, 'kills'), draws(8, 'kills'))
})

test('a sample holds different values, all of them where fewer are asked for', (t) => {
  const values = [1, 2, 3, 4, 5]
  t.is(new Set(new Seeded(1).sample(values, 3)).size, 3)
  t.deepEqual(new Seeded(1).sample(values, 9).toSorted(), values)
})

test('numbers fall evenly', (t) => {
  const random = new Seeded(42)
  const counts = [0, 0, 0, 0]
  for (let draw = 0; draw < 4_000; draw++) counts[random.below(4)]! += 1
  for (const count of counts) t.true(count > 850 && count < 1_150, `seed 42: ${counts}`)
})
