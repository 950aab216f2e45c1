// Cells in both tiers that send, ask, wait, fail, end, watch and lose their workers at random: whatever path a message takes, it has one
// outcome, nothing is stuck, and a cell does the same wherever it runs.
//
// A failure says its seed: `KARYON_SEED=… npx ava __test__/cells/threads/random.test.ts`. More seeds: `KARYON_SEEDS_TIMES=100`.
import test, { type ExecutionContext } from 'ava'
import { chooseSeed } from '../../values/random.ts'
import { play, storm } from './storm.ts'

const TIMEOUT_MS = 2 ** 31 - 1
const TIMES = Number(process.env['KARYON_SEEDS_TIMES'] ?? 1)

function random(
  title: string,
  seeds: number,
  run: (t: ExecutionContext, seed: number) => Promise<void>,
): void {
  test.serial(title, async (t) => {
    // A storm says itself what is stuck in it.
    t.timeout(TIMEOUT_MS)
    const first = chooseSeed()
    t.log(`KARYON_SEED=${first}`)
    // Waiting for what a worker does keeps no program alive.
    const alive = setInterval(() => {}, 1_000)
    try {
      for (let at = 0; at < seeds * TIMES; at++) {
        const seed = (first + at) >>> 0
        await t.notThrowsAsync(run(t, seed), `KARYON_SEED=${seed}`)
      }
    } finally {
      clearInterval(alive)
    }
  })
}

random(
  'whatever happens to cells in both tiers, every message has one outcome and nothing is stuck',
  6,
  (_t, seed) => storm(seed),
)

random('cells in workers do what inline ones do', 3, async (t, seed) => {
  t.deepEqual(await play(seed, 'thread'), await play(seed, 'inline'), `KARYON_SEED=${seed}`)
})
