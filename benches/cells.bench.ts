import { comedy } from './cells/comedy.ts'
import type { Actors } from './cells/driver.ts'
import { karyonCells } from './cells/karyon.ts'
import { nact } from './cells/nact.ts'
import { xstate } from './cells/xstate.ts'
import type { Case, Side } from './measure.ts'

const TURNS = 100_000
const CELLS = 10_000

export function cases(): readonly Case[] {
  const against = (make: (actors: Actors) => Side): Pick<Case, 'ours' | 'peers'> => ({
    ours: make(karyonCells()),
    peers: [make(comedy()), make(nact()), make(xstate())],
  })
  return [
    {
      name: 'cells/ping-pong',
      unit: 'op/s',
      operations: TURNS,
      note: 'turns of both; supervision on',
      ...against((actors) => doing(actors, () => actors.pingPong(TURNS))),
    },
    {
      name: 'cells/spawn',
      unit: 'ns/op',
      operations: CELLS,
      note: 'until the last has answered; comedy and XState do not supervise these',
      ...against((actors) => doing(actors, () => actors.spawn(CELLS))),
    },
  ]
}

function doing(actors: Actors, work: () => Promise<number>): Side {
  let answer: number | undefined
  return {
    name: actors.name,
    start: () => actors.open(),
    async run() {
      answer = await work()
    },
    async answer() {
      await actors.clear()
      return answer
    },
    stop: () => actors.close(),
  }
}
