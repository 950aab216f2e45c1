import test from 'ava'
import type { CellRef } from '../../ts/index.ts'
import type { LedgerMessages, LedgerReply } from '../../ts/demo/cells/ledger.ts'
import type { GitCommit } from '../../ts/demo/history.ts'
import { IN_FLIGHT_MAX, LineFeeder } from '../../ts/demo/line.ts'
import { FAILURES_IN_A_ROW_MAX } from '../../ts/demo/pool.ts'
import { Sabotage } from '../../ts/demo/saboteur.ts'
import { Seeded } from '../../ts/demo/seed.ts'

/** The ledger's rule without the store: in order or not at all. */
class PaperLedger {
  readonly recorded: string[] = []
  mostUnderWay = 0
  #underWay = 0
  readonly #strike: (hash: string) => void

  constructor(strike: (hash: string) => void) {
    this.#strike = strike
  }

  /** What of a cell the feeder uses. */
  get ref(): CellRef<LedgerMessages> {
    const ask = async (_name: 'commit', { hash, parents: [previous] }: GitCommit): Promise<LedgerReply> => {
      this.mostUnderWay = Math.max(this.mostUnderWay, ++this.#underWay)
      await new Promise((resolve) => setImmediate(resolve))
      this.#underWay -= 1
      if (this.recorded.includes(hash)) return 'already'
      if (previous !== undefined && this.recorded.at(-1) !== previous) return 'early'
      this.#strike(hash)
      this.recorded.push(hash)
      return 'recorded'
    }
    return { ask } as unknown as CellRef<LedgerMessages>
  }
}

const LINE: readonly GitCommit[] = Array.from({ length: 500 }, (_, place) => ({
  hash: `c${place}`,
  parents: place === 0 ? [] : [`c${place - 1}`],
  committedAtSeconds: place,
  author: { name: 'A', email: 'a@example.org' },
  subject: '',
  changes: [],
}))
const HASHES = LINE.map(({ hash }) => hash)

test('the line is recorded in order and told in order, however often the ledger falls', async (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const random = new Seeded(seed, 'falls')
    const ledger = new PaperLedger(() => {
      if (random.chance(0.1)) throw new Sabotage('struck')
    })
    const told: string[] = []
    const feeder = new LineFeeder(ledger.ref, ({ hash }) => told.push(hash))
    for (const commit of LINE) await feeder.feed(commit)
    await feeder.drained()
    t.deepEqual(ledger.recorded, HASHES, `seed ${seed}`)
    t.deepEqual(told, HASHES, `seed ${seed}`)
    t.is(feeder.inFlight, 0)
  }
})

test('many commits are under way at once, and never more than the bound', async (t) => {
  const ledger = new PaperLedger(() => {})
  const feeder = new LineFeeder(ledger.ref, () => {})
  for (const commit of LINE) await feeder.feed(commit)
  await feeder.drained()
  t.true(ledger.mostUnderWay > 1)
  t.true(ledger.mostUnderWay <= IN_FLIGHT_MAX)
})

test('an error that nobody planned ends the line at once, with its cause', async (t) => {
  let strikes = 0
  const ledger = new PaperLedger(() => {
    strikes += 1
    throw new TypeError('a defect')
  })
  const feeder = new LineFeeder(ledger.ref, () => {})
  await feeder.feed(LINE[0]!)
  const error = await t.throwsAsync(() => feeder.drained())
  t.like(error, { cause: { message: 'a defect' } })
  t.is(strikes, 1)
})

test('accidents without end are not tried without end', async (t) => {
  let strikes = 0
  const ledger = new PaperLedger(() => {
    strikes += 1
    throw new Sabotage('struck')
  })
  const feeder = new LineFeeder(ledger.ref, () => {})
  await feeder.feed(LINE[0]!)
  await t.throwsAsync(() => feeder.drained(), { message: /in a row/ })
  t.is(strikes, FAILURES_IN_A_ROW_MAX + 1)
})
