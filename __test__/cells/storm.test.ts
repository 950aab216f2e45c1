// Cells that send, ask, wait, fail and meet conflicts at random: whatever path a message takes, it has one outcome.
import test from 'ava'
import { cell, message, supervisor, type CellRef, type Message } from '../../ts/cells/index.ts'
import { seeded } from '../../ts/cells/random.ts'
import { World } from './fake.ts'

interface Letter {
  readonly from: number
  readonly number: number
  readonly hops: number
}

interface Node {
  readonly go: Message<Letter>
  readonly ask: Message<Letter, number>
}

interface Turn {
  readonly state: { readonly at: number }
  readonly tx: { put(key: string, node: object): unknown }
}

const CELLS = 5

async function storm(seed: number): Promise<void> {
  const world = new World({ seed })
  const random = seeded(seed)
  // Every other storm is a calm one: long stretches in which messages only end.
  const rarely = seed % 2 === 0 ? 20 : 1
  const oneIn = (sides: number): boolean => random() * sides * rarely < 1
  const refs: CellRef<Node>[] = []
  const seen = new Map<string, number>()
  const turns = { ended: 0, failed: 0, conflicts: 0 }
  let number = 0
  let asks = 0

  const pass = ({ hops }: Letter, from: number): void => {
    if (hops === 0) return
    for (let sends = oneIn(3) ? 2 : 1; sends > 0; sends--) {
      const to = Math.trunc(random() * CELLS)
      const letter = { from, number: ++number, hops: hops - 1 }
      if (oneIn(5)) {
        asks++
        const refused = (): void => {}
        void refs[to]
          ?.ask('ask', letter)
          .catch(refused)
          .finally(() => asks--)
      } else refs[to]?.send('go', letter)
    }
  }
  const end = (): number => {
    turns.ended++
    return number
  }
  const node = cell({
    name: 'node',
    messages: { go: message<Letter>(), ask: message<Letter, number>() },
    init: (_ctx, at: number) => ({ at }),
    limits: { mailbox: 20 },
    on: { go: (ctx, letter) => handle(ctx, letter), ask: (ctx, letter) => handle(ctx, letter) },
  })
  const handle = (ctx: Turn, letter: Letter): number | Promise<number> => {
    const { at } = ctx.state
    const way = `${letter.from} to ${at}`
    if (letter.number < (seen.get(way) ?? 0)) throw new Error(`seed ${seed}: overtaken on the way ${way}`)
    seen.set(way, letter.number)
    pass(letter, at)
    if (oneIn(12)) {
      turns.failed++
      throw new Error('at random')
    }
    if (oneIn(12)) {
      world.graph.conflicts = 1
      ctx.tx.put('a', {})
      turns.conflicts++
      return 0
    }
    if (!oneIn(6)) return end()
    return new Promise((resolve, reject) =>
      setImmediate(() => {
        if (!oneIn(4)) return resolve(end())
        turns.failed++
        reject(new Error('at random, later'))
      }),
    )
  }
  const children = Array.from({ length: CELLS }, (_, at) => ({ name: `node-${at}`, cell: node, args: at }))
  const restart = { intensity: 10_000, periodMs: 1_000 }
  const crew = world.cells.spawn(supervisor({ name: 'crew', restart, children }))
  for (const { name } of children) refs.push(crew.child(name, node))

  for (let round = 0; round < 20; round++) {
    for (let sends = 0; sends < 3; sends++) pass({ from: -1, number: 0, hops: 12 }, -1)
    await world.rest()
  }
  for (let quiet = 0; quiet < 200; quiet++) await world.rest()
  const { sent, ended, failed, refused, deadLetters, conflicts, restarts, asks: open } = world.cells.stats
  const counted = ended + failed + refused + deadLetters + conflicts
  const expected = { outcomes: sent, ended: turns.ended, failed: turns.failed, open: 0, asks: 0 }
  const found = { outcomes: counted, ended, failed, open, asks }
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`seed ${seed}: ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`)
  }
  if (restarts !== turns.failed + turns.conflicts) {
    throw new Error(`seed ${seed}: ${restarts} restarts after ${JSON.stringify(turns)}`)
  }
  if (ended < 100) throw new Error(`seed ${seed}: only ${ended} turns ended`)
  await world.cells.stop()
}

test('every message has one outcome, none overtakes another, and every failure one restart', async (t) => {
  for (let seed = 1; seed <= 12; seed++) await t.notThrowsAsync(storm(seed))
})
