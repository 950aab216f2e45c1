import type { Kernel } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import { loadNact, type Nact, type Reference } from './nact.ts'

/** Failures of one round. */
const FAILURES = 2_000
/** The median may take so long, in nanoseconds. */
const LIMIT_NS = 20_000
/** Longer than any answer here takes, in milliseconds. */
const PATIENCE_MS = 60_000

/** From a throw in a handler to the first answer of what replaced it. */
export function recover(): readonly Case[] {
  const note = `throw → first answer, ${FAILURES} times a round; a peer resets itself by a crash policy of its own`
  return [
    {
      name: 'cells/recover/median',
      unit: 'ns/op',
      operations: FAILURES,
      limit: LIMIT_NS,
      note,
      ours: ours(0.5),
      peers: [nactResets(0.5)],
    },
    {
      name: 'cells/recover/p99',
      unit: 'ns/op',
      operations: FAILURES,
      note,
      ours: ours(0.99),
      peers: [nactResets(0.99)],
    },
  ]
}

/** When the handler threw, and what the first answer to arrive after it was. */
interface Fragile {
  open(): Promise<void>
  /** Has it throw and asks it at once; resolves with how often its present life was asked, this time included. */
  recover(clock: { thrownAt: number }): Promise<number>
  close(): Promise<void> | void
}

function side(name: string, quantile: number, fragile: Fragile): Side {
  let times: number[] = []
  let fresh = 0
  return {
    name,
    start: () => fragile.open(),
    async run() {
      times = []
      fresh = 0
      const clock = { thrownAt: 0 }
      for (let at = 0; at < FAILURES; at++) {
        if ((await fragile.recover(clock)) === 1) fresh++
        times.push(performance.now() - clock.thrownAt)
      }
    },
    figure: () => times.toSorted((a, b) => a - b)[Math.floor(FAILURES * quantile)]! * 1e6,
    answer: () => fresh,
    stop: () => fragile.close(),
  }
}

interface Patient {
  send(message: 'fail'): boolean
  ask(message: 'count'): Promise<number>
}

function ours(quantile: number): Side {
  let kernel: Kernel
  let patient: Patient
  let clock = { thrownAt: 0 }
  return side('karyon', quantile, {
    async open() {
      const { Kernel: Opened, cell, message, supervisor } = await karyon()
      kernel = Opened.memory()
      const fragile = cell({
        name: 'fragile',
        messages: { fail: message(), count: message<void, number>() },
        init: () => ({ count: 0 }),
        on: {
          fail: () => {
            const error = new Error('on purpose')
            clock.thrownAt = performance.now()
            throw error
          },
          count: ({ state }) => ++state.count,
        },
      })
      const restart = { intensity: 10_000, periodMs: 1 }
      patient = kernel
        .spawn(supervisor({ name: 'crew', restart, children: [fragile] }))
        .child('fragile') as unknown as Patient
    },
    recover(given) {
      clock = given
      patient.send('fail')
      return patient.ask('count')
    },
    close: () => kernel.close(),
  })
}

type Message = { readonly type: 'fail' } | { readonly type: 'count'; readonly sender: Reference }

function nactResets(quantile: number): Side {
  let library: Nact
  let system: Reference
  let patient: Reference
  let clock = { thrownAt: 0 }
  return side('nact', quantile, {
    async open() {
      library = await loadNact()
      system = library.start({ name: 'recovery' })
      patient = library.spawn<number, Message>(
        system,
        (count, message) => {
          if (message.type === 'count') {
            library.dispatch(message.sender, count + 1)
            return count + 1
          }
          const error = new Error('on purpose')
          clock.thrownAt = performance.now()
          throw error
        },
        'fragile',
        {
          initialState: 0,
          onCrash: (_message: unknown, _error: unknown, { reset }: { reset: unknown }) => reset,
        },
      )
    },
    recover(given) {
      clock = given
      library.dispatch(patient, { type: 'fail' })
      return library.query<number>(patient, (sender) => ({ type: 'count', sender }), PATIENCE_MS)
    },
    close: () => library.stop(system),
  })
}
