import { reading, type Actors } from './driver.ts'
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
  fromCallback<Event>(logic: (scope: { receive: (listener: (event: Event) => void) => void }) => void): object
}
interface Enqueue {
  (action: object | (() => void)): void
  sendTo(to: Actor, event: object): void
}

const NAME: string = 'xstate'

/** State machines as actors, with an event queue each. */
export function xstate(): Actors<'pingPong' | 'spawn' | 'fanIn' | 'fanOut'> {
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

/** Callback logic: no state, no supervision, and a send runs the receiver inside the sender unless that one is busy. */
export function xstateCallback(): Actors<'pingPong' | 'fanInRecords' | 'fanInNumbers'> {
  let library: XState
  let started: Actor[] = []
  const start = <Event>(listener: (event: Event) => void): Actor => {
    const actor = library.createActor(library.fromCallback<Event>(({ receive }) => receive(listener))).start()
    started.push(actor)
    return actor
  }
  const fanIn = (
    senders: number,
    each: number,
    make: (value: number, sender: number) => { readonly value: number },
  ): Promise<number> => {
    const end = finish()
    const total = senders * each
    let [count, sum] = [0, 0]
    const sink = start<{ value: number }>(({ value }) => {
      sum += value
      if (++count === total) end.reach(sum)
    })
    for (let at = 0; at < senders; at++) {
      const sender = start(() => {
        for (let value = 0; value < each; value++) sink.send(make(value, at))
      })
      sender.send({ type: 'go' })
    }
    return end.reached
  }
  return {
    name: 'xstate callback',
    async open() {
      library = (await import(NAME)) as XState
    },
    pingPong(turns) {
      const end = finish()
      let handled = 0
      const player = (other: () => Actor): Actor =>
        start<Ball>(({ left }) => {
          handled++
          if (left > 1) other().send({ type: 'ball', left: left - 1 })
          else end.reach(handled)
        })
      const ping: Actor = player(() => pong)
      const pong: Actor = player(() => ping)
      ping.send({ type: 'ball', left: turns })
      return end.reached
    },
    fanInRecords: (senders, each) =>
      fanIn(senders, each, (value, at) => ({ type: 'item', ...reading(at, value) })),
    fanInNumbers: (senders, each) => fanIn(senders, each, (value) => ({ type: 'item', value })),
    clear() {
      // It has no stop of its own; what nobody refers to any more is collected.
      started = []
    },
    close() {},
  }
}
