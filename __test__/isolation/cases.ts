// Named cases: what has to happen at the same time for an anomaly to show, and whether it does.
import test from 'ava'
import { Kernel, KaryonError, type Graph, type OpenTransaction } from '../../ts/index.ts'
import { chooseSeed, pick, seededRandom, type Random } from '../values/random.ts'
import type { Level } from './checker.ts'

/** Whether the anomaly can happen at each level. */
export type Possible = Readonly<Record<Level, boolean>>

export const NEVER: Possible = { serializable: false, snapshot: false }
export const UNDER_SNAPSHOT_ISOLATION: Possible = { serializable: false, snapshot: true }

/** A store and transactions of one level. */
export interface Stage {
  readonly graph: Graph
  readonly level: Level
  /** Decides what is left to chance; its seed is printed. */
  readonly random: Random
  begin(): OpenTransaction
}

/** A test at either level. The case tells whether the anomaly has happened. */
export function acidCase(
  name: string,
  possible: Possible,
  happens: (stage: Stage) => Promise<boolean>,
): void {
  for (const level of ['serializable', 'snapshot'] as const) {
    const expected = possible[level]
    test(`${name} — ${expected ? 'possible' : 'impossible'}, ${level}`, async (t) => {
      const { graph } = Kernel.memory()
      const begin = (): OpenTransaction => graph.begin({ isolation: level })
      const seed = chooseSeed()
      t.log(`KARYON_SEED=${seed}`)
      t.is(
        await happens({ graph, level, random: seededRandom(seed), begin }),
        expected,
        `KARYON_SEED=${seed}`,
      )
      await graph.verify()
    })
  }
}

/** Commits; false when another transaction came first. */
export async function commits(tx: OpenTransaction): Promise<boolean> {
  try {
    await tx.commit()
    return true
  } catch (error) {
    if (error instanceof KaryonError && error.code === 'ERR_KARYON_CONFLICT') return false
    throw error
  }
}

/** What a client does in one transaction. Others take their turns wherever it yields; it commits at its end unless it returns false. */
export type Client = (tx: OpenTransaction) => Generator<undefined, boolean | void>

/** Runs clients whose transactions overlap at random. Tells of each whether it was committed. */
export async function inTurns(stage: Stage, clients: readonly Client[]): Promise<readonly boolean[]> {
  const committed = clients.map(() => false)
  const waiting = [...clients.entries()]
  const open: { readonly at: number; readonly tx: OpenTransaction; readonly turns: ReturnType<Client> }[] = []
  while (open.length + waiting.length > 0) {
    // Eight at a time, so that each overlaps with some and not with all.
    const next = open.length < 8 ? waiting.shift() : undefined
    if (next) {
      const tx = stage.begin()
      open.push({ at: next[0], tx, turns: next[1](tx) })
      continue
    }
    const client = pick(stage.random, open)
    const turn = client.turns.next()
    if (!turn.done) continue
    open.splice(open.indexOf(client), 1)
    if (turn.value === false) client.tx.rollback()
    else committed[client.at] = await commits(client.tx)
  }
  return committed
}
