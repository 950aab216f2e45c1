import { chaos } from './cells/chaos.ts'
import { comedy } from './cells/comedy.ts'
import type { Actors, Library, Work } from './cells/driver.ts'
import { effect } from './cells/effect.ts'
import { idle } from './cells/idle.ts'
import { karyonCells } from './cells/karyon.ts'
import { limits } from './cells/limits.ts'
import { nact } from './cells/nact.ts'
import { otp, otpNote } from './cells/otp.ts'
import { recover } from './cells/recover.ts'
import { big, counting, diningPhilosophers } from './cells/savina.ts'
import { xstate, xstateCallback } from './cells/xstate.ts'
import { watchdog } from './cells/watchdog.ts'
import { threads } from './cells/threads.ts'
import type { Case, Side } from './measure.ts'

const TURNS = 100_000
const CELLS = 10_000
/** Hops of all tokens together. */
const HOPS = 200_000
const MESSAGES = 100_000
const SENDERS = 10
const PAIRS = 120
const PHILOSOPHERS = 20

export function cases(): readonly Case[] {
  return [
    {
      name: 'cells/ping-pong',
      unit: 'op/s',
      operations: TURNS,
      note: `turns of both; supervision on; the callback logic of XState has no queue; ${otpNote()}`,
      ...against(
        pingPong,
        [comedy(), nact(), effect(), xstate(), xstateCallback()],
        otp('ping_pong', [TURNS]),
      ),
    },
    {
      name: 'cells/sendable-check',
      unit: 'op/s',
      operations: TURNS,
      note: 'turns of ping-pong whose payloads are checked and frozen, as outside of production',
      ours: pingPong(karyonCells('karyon', { sendableCheck: true })),
      peers: [pingPong(karyonCells('self: unchecked', { sendableCheck: false }))],
    },
    {
      name: 'cells/spawn',
      unit: 'ns/op',
      operations: CELLS,
      note: `until the last has answered; comedy and XState do not supervise these; ${otpNote()}`,
      ...against(
        (actors: Actors<'spawn'>) => doing(actors, () => actors.spawn(CELLS)),
        [comedy(), nact(), xstate()],
        [...otp('spawn_supervised', [CELLS], 'supervised servers'), ...otp('spawn_bare', [CELLS])],
      ),
    },
    ...[
      { name: 'cells/ring', tokens: 1 },
      { name: 'cells/wide', tokens: 1_000 },
    ].map(({ name, tokens }): Case => ({
      name,
      unit: 'op/s',
      operations: HOPS,
      note: `hops of ${tokens} in a ring of ${CELLS}; XState goes one call deeper with each and overflows the stack; ${otpNote()}`,
      ...against(
        (actors: Actors<'ring'>) =>
          timed(actors, HOPS, (begin) => actors.ring(CELLS, tokens, HOPS / tokens, begin)),
        [comedy(), nact()],
        otp('ring', [CELLS, tokens, HOPS / tokens]),
      ),
    })),
    {
      name: 'cells/fan-in',
      unit: 'op/s',
      operations: MESSAGES,
      note: `${SENDERS} send objects to one; ${otpNote()}`,
      ...against(
        (actors: Actors<'fanIn'>) => doing(actors, () => actors.fanIn(SENDERS, MESSAGES / SENDERS)),
        [comedy(), nact(), xstate()],
        otp('fan_in', [SENDERS, MESSAGES / SENDERS]),
      ),
    },
    {
      name: 'cells/fan-in-records',
      unit: 'op/s',
      operations: MESSAGES,
      note: `${SENDERS} send flat records of four numbers to one; the peer has no queue, no bound and no supervision`,
      ...against(
        (actors: Actors<'fanInRecords'>) =>
          doing(actors, () => actors.fanInRecords(SENDERS, MESSAGES / SENDERS)),
        [xstateCallback()],
      ),
    },
    {
      name: 'cells/fan-in-records/number',
      unit: 'op/s',
      operations: MESSAGES,
      note: `${SENDERS} send one number each time to one, which the peer wraps in an event; as above`,
      ...against(
        (actors: Actors<'fanInNumbers'>) =>
          doing(actors, () => actors.fanInNumbers(SENDERS, MESSAGES / SENDERS)),
        [xstateCallback()],
      ),
    },
    {
      name: 'cells/fan-out',
      unit: 'op/s',
      operations: MESSAGES,
      note: 'one sends objects to 1,000',
      ...against(
        (actors: Actors<'fanOut'>) =>
          timed(actors, MESSAGES, (begin) => actors.fanOut(1_000, MESSAGES / 1_000, begin)),
        [comedy(), nact(), xstate()],
      ),
    },
    ...recover(),
    ...savina(),
    ...idle(),
    ...limits(),
    ...threads(),
    ...watchdog(),
    ...chaos(),
  ]
}

function pingPong(actors: Actors<'pingPong'>): Side {
  return doing(actors, () => actors.pingPong(TURNS))
}

function savina(): readonly Case[] {
  const peers = [comedy(), nact()]
  const shape = (
    name: string,
    operations: number,
    note: string,
    play: (actors: Actors<'role'>, begin: () => void) => Promise<number>,
  ): Case => ({
    name: `cells/savina/${name}`,
    unit: 'op/s',
    operations,
    note,
    ...against((actors: Actors<'role'>) => timed(actors, operations, (begin) => play(actors, begin)), peers),
  })
  return [
    {
      name: 'cells/savina/thread-ring',
      unit: 'op/s',
      operations: HOPS,
      note: 'hops of one token in a ring of 100',
      ...against(
        (actors: Actors<'ring'>) => timed(actors, HOPS, (begin) => actors.ring(100, 1, HOPS, begin)),
        peers,
      ),
    },
    shape('counting', MESSAGES, 'one has another count, then asks for the sum', (actors, begin) =>
      counting(actors, MESSAGES, begin),
    ),
    shape(
      'big',
      PAIRS * 1_000,
      `${PAIRS} ping each other at random; pings that were answered`,
      (actors, begin) => big(actors, PAIRS, 1_000, begin),
    ),
    shape(
      'dining-philosophers',
      PHILOSOPHERS * 1_000,
      `meals of ${PHILOSOPHERS} who ask an arbitrator until they get both forks; how often depends on the order of turns`,
      (actors, begin) => diningPhilosophers(actors, PHILOSOPHERS, 1_000, begin),
    ),
  ]
}

/** Our cells beside other libraries, and beside what runs elsewhere. */
function against<Kind extends keyof Work>(
  make: (actors: Actors<Kind>) => Side,
  peers: readonly Actors<Kind>[],
  elsewhere: readonly Side[] = [],
): Pick<Case, 'ours' | 'peers'> {
  return { ours: make(karyonCells()), peers: [...peers.map(make), ...elsewhere] }
}

/** Of which only what follows `begin` is measured: so many operations. */
function timed(actors: Library, operations: number, work: (begin: () => void) => Promise<number>): Side {
  let [begun, ended] = [0, 0]
  const side = doing(actors, async () => {
    const answer = await work(() => (begun = performance.now()))
    ended = performance.now()
    return answer
  })
  return { ...side, figure: () => (operations / (ended - begun)) * 1e3 }
}

function doing(actors: Library, work: () => Promise<number>): Side {
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
