import type { Actors } from './driver.ts'
import { finish } from './finish.ts'

/** The part of Effect that is used here. */
interface Program<A> extends Iterable<unknown> {
  readonly '~result'?: A
}
interface Queue<A> {
  readonly '~item'?: A
}
interface EffectLibrary {
  readonly Effect: {
    readonly void: Program<void>
    gen<A>(body: () => Generator<unknown, A, never>): Program<A>
    sync<A>(work: () => A): Program<A>
    promise<A>(work: () => Promise<A>): Program<A>
    flatMap<A, B>(first: Program<A>, next: (value: A) => Program<B>): Program<B>
    forever(program: Program<unknown>): Program<never>
    forkScoped(program: Program<unknown>): Program<unknown>
    scoped<A>(program: Program<A>): Program<A>
    runPromise<A>(program: Program<A>): Promise<A>
  }
  readonly Queue: {
    bounded<A>(capacity: number): Program<Queue<A>>
    offer<A>(queue: Queue<A>, item: A): Program<boolean>
    take<A>(queue: Queue<A>): Program<A>
  }
}

const NAME: string = 'effect'
/** What our mailboxes hold too. */
const MAILBOX = 1_000

interface Ball {
  readonly left: number
}

/** A fiber that takes from a bounded queue for ever: the actor that Effect's parts make. A scope ends the fibers. */
export function effect(): Actors<'pingPong'> {
  let library: EffectLibrary
  return {
    name: NAME,
    async open() {
      library = (await import(NAME)) as EffectLibrary
    },
    pingPong(turns) {
      const { Effect, Queue } = library
      const end = finish()
      let handled = 0
      const player = (mine: Queue<Ball>, other: Queue<Ball>): Program<unknown> => {
        const turn = ({ left }: Ball): Program<unknown> => {
          handled++
          if (left > 1) return Queue.offer(other, { left: left - 1 })
          end.reach(handled)
          return Effect.void
        }
        return Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(mine), turn)))
      }
      const game = Effect.gen(function* (): Generator<unknown, number, never> {
        const ping = (yield* Queue.bounded<Ball>(MAILBOX)) as Queue<Ball>
        const pong = (yield* Queue.bounded<Ball>(MAILBOX)) as Queue<Ball>
        yield* player(ping, pong)
        yield* player(pong, ping)
        yield* Queue.offer(ping, { left: turns })
        return (yield* Effect.promise(() => end.reached)) as number
      })
      return Effect.runPromise(Effect.scoped(game))
    },
    clear() {},
    close() {},
  }
}
