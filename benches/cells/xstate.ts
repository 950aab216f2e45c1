import type { Actors } from './driver.ts'
import { finish } from './finish.ts'

/** The part of XState that is used here. */
interface Ball {
  readonly type: 'ball'
  readonly left: number
}
interface Actor {
  start(): Actor
  stop(): Actor
  send(event: object): void
}
interface XState {
  createActor(logic: object): Actor
  createMachine(config: object): object
  enqueueActions(collect: (scope: { event: Ball; enqueue: Enqueue }) => void): object
}
interface Enqueue {
  (action: object | (() => void)): void
  sendTo(to: Actor, event: object): void
}

const NAME: string = 'xstate'

/** State machines as actors, with an event queue each; the callback logic of XState has none and is no peer. */
export function xstate(): Actors {
  let library: XState
  let started: Actor[] = []
  const start = (logic: object): Actor => {
    const actor = library.createActor(logic).start()
    started.push(actor)
    return actor
  }
  return {
    name: NAME,
    async open() {
      library = (await import(NAME)) as XState
    },
    pingPong(turns) {
      const end = finish()
      let handled = 0
      const player = (other: () => Actor): object =>
        library.createMachine({
          on: {
            ball: {
              actions: library.enqueueActions(({ event, enqueue }) => {
                handled++
                if (event.left > 1) enqueue.sendTo(other(), { type: 'ball', left: event.left - 1 })
                else enqueue(() => end.reach(handled))
              }),
            },
          },
        })
      const ping: Actor = start(player(() => pong))
      const pong: Actor = start(player(() => ping))
      ping.send({ type: 'ball', left: turns })
      return end.reached
    },
    spawn(count) {
      const end = finish()
      const logic = library.createMachine({ on: { hello: { actions: () => end.reach(count) } } })
      for (let at = 0; at < count; at++) start(logic)
      started.at(-1)!.send({ type: 'hello' })
      return end.reached
    },
    fanIn(senders, each) {
      const end = finish()
      const total = senders * each
      let [count, sum] = [0, 0]
      const item = ({ event }: { event: { value: number } }): void => {
        sum += event.value
        if (++count === total) end.reach(sum)
      }
      const sink = start(library.createMachine({ on: { item: { actions: item } } }))
      const go = library.enqueueActions(({ enqueue }) => {
        for (let value = 0; value < each; value++) enqueue.sendTo(sink, { type: 'item', value })
      })
      const sender = library.createMachine({ on: { go: { actions: go } } })
      for (let at = 0; at < senders; at++) start(sender).send({ type: 'go' })
      return end.reached
    },
    fanOut(receivers, each, begin) {
      const end = finish()
      const total = receivers * each
      let got = 0
      const item = (): void => {
        if (++got === total) end.reach(total)
      }
      const receiver = library.createMachine({ on: { item: { actions: item } } })
      const all = Array.from({ length: receivers }, () => start(receiver))
      const go = library.enqueueActions(({ enqueue }) => {
        for (let value = 0; value < each; value++)
          for (const to of all) enqueue.sendTo(to, { type: 'item', value })
      })
      begin()
      start(library.createMachine({ on: { go: { actions: go } } })).send({ type: 'go' })
      return end.reached
    },
    clear() {
      for (const actor of started) actor.stop()
      started = []
    },
    close() {},
  }
}
