import { comedy } from './cells/comedy.ts'
import type { Actors } from './cells/driver.ts'
import { karyonCells } from './cells/karyon.ts'
import { nact } from './cells/nact.ts'
import { xstate } from './cells/xstate.ts'
import { limits } from './cells/limits.ts'
import { watchdog } from './cells/watchdog.ts'
import type { Case, Side } from './measure.ts'

const TURNS = 100_000
const CELLS = 10_000
/** Hops of all tokens together. */
const HOPS = 200_000
const MESSAGES = 100_000

export function cases(): readonly Case[] {
  const everybody = (): Actors[] => [comedy(), nact(), xstate()]
  const against = (
    make: (actors: Actors) => Side,
    peers: readonly Actors[] = everybody(),
  ): Pick<Case, 'ours' | 'peers'> => ({ ours: make(karyonCells()), peers: peers.map(make) })
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
    ...[
      { name: 'cells/ring', tokens: 1 },
      { name: 'cells/wide', tokens: 1_000 },
    ].map(({ name, tokens }): Case => ({
      name,
      unit: 'op/s',
      operations: HOPS,
      note: `hops of ${tokens} in a ring of ${CELLS}; XState goes one call deeper with each and overflows the stack`,
      ...against(
        (actors) => timed(actors, HOPS, (begin) => actors.ring!(CELLS, tokens, HOPS / tokens, begin)),
        [comedy(), nact()],
      ),
    })),
    {
      name: 'cells/fan-in',
      unit: 'op/s',
      operations: MESSAGES,
      note: '10 send objects to one',
      ...against((actors) => doing(actors, () => actors.fanIn(10, MESSAGES / 10))),
    },
    {
      name: 'cells/fan-out',
      unit: 'op/s',
      operations: MESSAGES,
      note: 'one sends objects to 1,000',
      ...against((actors) =>
        timed(actors, MESSAGES, (begin) => actors.fanOut(1_000, MESSAGES / 1_000, begin)),
      ),
    },
    ...limits(),
    ...watchdog(),
  ]
}

/** Of which only what follows `begin` is measured: so many operations. */
function timed(actors: Actors, operations: number, work: (begin: () => void) => Promise<number>): Side {
  let [begun, ended] = [0, 0]
  const side = doing(actors, async () => {
    const answer = await work(() => (begun = performance.now()))
    ended = performance.now()
    return answer
  })
  return { ...side, figure: () => (operations / (ended - begun)) * 1e3 }
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
