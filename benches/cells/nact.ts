import type { Actors } from './driver.ts'
import { finish } from './finish.ts'

/** The part of nact that is used here. */
export interface Reference {
  readonly path: object
}
export interface Nact {
  start(options: { name: string }): Reference
  stop(reference: Reference): void
  spawn<S, M>(
    parent: Reference,
    behaviour: (state: S, message: M) => S,
    name: string,
    options: object,
  ): Reference
  dispatch(to: Reference, message: unknown): void
  query<T>(to: Reference, message: (sender: Reference) => unknown, timeoutMs: number): Promise<T>
}

const NAME: string = 'nact'

export async function loadNact(): Promise<Nact> {
  const { default: module } = (await import(NAME)) as { default: Nact }
  return module
}

/** Actors with state, which handle one message at a time as ours do; a crash stops them. */
export function nact(): Actors<'pingPong' | 'spawn' | 'ring' | 'fanIn' | 'fanOut' | 'role'> {
  let library: Nact
  let system: Reference
  let systems = 0
  const restart = (): void => {
    system = library.start({ name: `system-${systems++}` })
  }
  const actor = <M>(name: string, behaviour: (message: M) => void): Reference =>
    library.spawn<number, M>(
      system,
      (state, message) => {
        behaviour(message)
        return state
      },
      name,
      { initialState: 0 },
    )
  return {
    name: NAME,
    async open() {
      library = await loadNact()
      restart()
    },
    pingPong(turns) {
      const end = finish()
      let handled = 0
      const player = (name: string, other: () => Reference): Reference =>
        actor<{ left: number }>(name, ({ left }) => {
          handled++
          if (left > 1) library.dispatch(other(), { left: left - 1 })
          else end.reach(handled)
        })
      const ping: Reference = player('ping', () => pong)
      const pong: Reference = player('pong', () => ping)
      library.dispatch(ping, { left: turns })
      return end.reached
    },
    spawn(count) {
      const end = finish()
      let last: Reference | undefined
      for (let at = 0; at < count; at++) last = actor(`actor-${at}`, () => end.reach(count))
      library.dispatch(last!, {})
      return end.reached
    },
    ring(size, tokens, hops, begin) {
      const end = finish()
      let open = tokens
      const players: Reference[] = []
      for (let at = 0; at < size; at++) {
        const next = (at + 1) % size
        const player = actor<{ left: number }>(`player-${at}`, ({ left }) => {
          if (left > 0) library.dispatch(players[next]!, { left: left - 1 })
          else if (--open === 0) end.reach(tokens * hops)
        })
        players.push(player)
      }
      begin()
      for (let at = 0; at < tokens; at++)
        library.dispatch(players[Math.floor((at * size) / tokens)]!, { left: hops })
      return end.reached
    },
    fanIn(senders, each) {
      const end = finish()
      const total = senders * each
      let [count, sum] = [0, 0]
      const sink = actor<{ value: number }>('sink', ({ value }) => {
        sum += value
        if (++count === total) end.reach(sum)
      })
      for (let at = 0; at < senders; at++) {
        const sender = actor<{ items: number }>(`sender-${at}`, ({ items }) => {
          for (let value = 0; value < items; value++) library.dispatch(sink, { value })
        })
        library.dispatch(sender, { items: each })
      }
      return end.reached
    },
    fanOut(receivers, each, begin) {
      const end = finish()
      const total = receivers * each
      let got = 0
      const all: Reference[] = []
      for (let at = 0; at < receivers; at++) {
        all.push(
          actor(`receiver-${at}`, () => {
            if (++got === total) end.reach(total)
          }),
        )
      }
      const source = actor('source', () => {
        for (let value = 0; value < each; value++) for (const to of all) library.dispatch(to, { value })
      })
      begin()
      library.dispatch(source, {})
      return end.reached
    },
    role(name, handlers) {
      const reference = actor<{ type: string; value: number }>(name, ({ type, value }) =>
        handlers[type]!(value),
      )
      return { send: (type, value) => library.dispatch(reference, { type, value }) }
    },
    clear() {
      library.stop(system)
      restart()
    },
    close() {
      library.stop(system)
    },
  }
}
