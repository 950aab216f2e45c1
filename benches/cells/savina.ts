// Shapes of the Savina suite (Imam and Sarkar, "Savina: an actor benchmark suite", AGERE 2014), written once for all libraries.
import type { Actors, Role } from './driver.ts'
import { finish } from './finish.ts'

/** Messages that may wait, where a shape has only a few. */
const MAILBOX = 1_000

/** A producer has a counter count, then asks it for the sum. */
export async function counting(
  actors: Actors<'role'>,
  increments: number,
  begin: () => void,
): Promise<number> {
  const end = finish()
  let sum = 0
  const counter = await actors.role(
    'counter',
    {
      increment: (by) => {
        sum += by
      },
      retrieve: () => producer.send('result', sum),
    },
    increments + 1,
  )
  const producer: Role = await actors.role(
    'producer',
    {
      start: (count) => {
        for (let at = 0; at < count; at++) counter.send('increment', 1)
        counter.send('retrieve', 0)
      },
      result: (value) => end.reach(value),
    },
    MAILBOX,
  )
  begin()
  producer.send('start', increments)
  return end.reached
}

/** Everybody pings somebody, again and again, and answers whoever pings; resolves with the number of pings that were answered. */
export async function big(
  actors: Actors<'role'>,
  size: number,
  pings: number,
  begin: () => void,
): Promise<number> {
  const end = finish()
  let [answered, open] = [0, size]
  const all: Role[] = []
  for (let at = 0; at < size; at++) {
    // The same choices for every library, another row of them for every actor.
    let seed = at + 1
    const somebody = (): Role => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
      return all[seed % size]!
    }
    let left = pings
    const next = (): void => {
      if (left-- > 0) somebody().send('ping', at)
      else if (--open === 0) end.reach(answered)
    }
    all.push(
      await actors.role(
        `actor-${at}`,
        {
          ping: (from) => all[from]!.send('pong', at),
          pong: () => {
            answered++
            next()
          },
          start: next,
        },
        MAILBOX,
      ),
    )
  }
  begin()
  for (const one of all) one.send('start', 0)
  return end.reached
}

/** Philosophers ask an arbitrator for both forks until they get them; resolves with the number of meals. */
export async function diningPhilosophers(
  actors: Actors<'role'>,
  size: number,
  meals: number,
  begin: () => void,
): Promise<number> {
  const end = finish()
  const taken = Array.from({ length: size }, () => false)
  const all: Role[] = []
  let [eaten, leaving] = [0, size]
  const forks = (of: number): readonly [number, number] => [of, (of + 1) % size]
  const arbitrator = await actors.role(
    'arbitrator',
    {
      hungry: (who) => {
        const [left, right] = forks(who)
        if (taken[left] || taken[right]) {
          all[who]!.send('denied', 0)
          return
        }
        taken[left] = taken[right] = true
        all[who]!.send('eat', 0)
      },
      done: (who) => {
        const [left, right] = forks(who)
        taken[left] = taken[right] = false
        eaten++
      },
      leave: () => {
        if (--leaving === 0) end.reach(eaten)
      },
    },
    MAILBOX,
  )
  for (let at = 0; at < size; at++) {
    let left = meals
    const hungry = (): void => arbitrator.send('hungry', at)
    all.push(
      await actors.role(
        `philosopher-${at}`,
        {
          start: hungry,
          denied: hungry,
          eat: () => {
            arbitrator.send('done', at)
            if (--left > 0) hungry()
            else arbitrator.send('leave', at)
          },
        },
        MAILBOX,
      ),
    )
  }
  begin()
  for (const one of all) one.send('start', 0)
  return end.reached
}
