import test from 'ava'
import { below, chooseSeed, seededRandom } from '../values/random.ts'
import { Inputs } from './fuzz/inputs.ts'
import { SEEDS, fuzz, outcomesOf } from './fuzz/target.ts'

/** A few, one after the other, as the target has one file: `fuzz/run.ts` runs as many as there is time for. */
const ROUNDS = 120

test.serial(
  'whatever bytes are taken for a package, or for changes to one, are refused in words, or what they answer is right',
  async (t) => {
    const seed = chooseSeed()
    t.log(`KARYON_SEED=${seed}`)
    const inputs = new Inputs(seededRandom(seed), SEEDS)
    for (let round = 0; round < ROUNDS; round++) {
      const input = inputs.next()
      try {
        inputs.learn(input, await outcomesOf(input))
      } catch (cause) {
        throw new Error(`round ${round}: ${Buffer.from(input).toString('base64')}`, { cause })
      }
    }
    // Most come past the hashes, and are refused for what they say.
    t.true(inputs.told > 40, `${inputs.told}`)
  },
)

test.serial('the target of a fuzzer takes the golden packages as they are, and in all ways', async (t) => {
  for (const bytes of SEEDS) {
    await t.notThrowsAsync(fuzz(bytes))
    const told = await outcomesOf(bytes)
    for (const what of [
      'inspect: answered',
      'nodes: answered',
      'in: answered',
      'packed: the same',
      'grafted: the same',
    ])
      t.true(told.includes(what), what)
  }
  t.true((await outcomesOf(new Uint8Array())).includes('grafted: the same'), 'no changes are none')
})

test.serial('most changes of one part come as far as what they change', async (t) => {
  const random = seededRandom(1)
  let opened = 0
  for (let round = 0; round < 60; round++) {
    // One of the packages, no changes of bytes at random places, counts made right, one change.
    const script = Uint8Array.from([round, 2, round, ...Array.from({ length: 6 }, () => below(random, 256))])
    if ((await outcomesOf(script)).includes('open: answered')) opened++
  }
  t.true(opened > 30, `${opened}`)
})
