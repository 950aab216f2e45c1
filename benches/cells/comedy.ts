import { finish } from './finish.ts'
import type { Actors, RoleHandlers } from './driver.ts'

/** The part of comedy that is used here; the package brings no types. */
interface Actor {
  send(topic: string, message?: unknown): Promise<unknown>
  sendAndReceive(topic: string, message?: unknown): Promise<unknown>
  createChild(behaviour: Record<string, (message: never) => unknown>): Promise<Actor>
  destroy(): Promise<void>
}
interface System {
  rootActor(): Promise<Actor>
  destroy(): Promise<void>
}

const NAME: string = 'comedy'
const SILENT = { info() {}, warn() {}, error() {}, debug() {}, setLevel() {} }

/** In-memory actors: the mode of comedy that stays within the thread. */
export function comedy(): Actors<'pingPong' | 'spawn' | 'ring' | 'fanIn' | 'fanOut' | 'role'> {
  let system: System
  let root: Actor
  let started: Actor[] = []
  return {
    name: NAME,
    async open() {
      const { default: create } = (await import(NAME)) as { default: (options: object) => System }
      system = create({ log: SILENT, test: true })
      root = await system.rootActor()
    },
    async pingPong(turns) {
      const end = finish()
      let handled = 0
      const pair: Actor[] = []
      const player = (other: number) => ({
        ball(left: number) {
          handled++
          if (left > 1) void pair[other]!.send('ball', left - 1)
          else end.reach(handled)
        },
      })
      pair.push(await root.createChild(player(1)), await root.createChild(player(0)))
      started.push(...pair)
      void pair[0]!.send('ball', turns)
      return end.reached
    },
    async spawn(count) {
      for (let at = 0; at < count; at++) started.push(await root.createChild({ hello: () => 'here' }))
      await started.at(-1)!.sendAndReceive('hello')
      return count
    },
    async ring(size, tokens, hops, begin) {
      const end = finish()
      let open = tokens
      const players: Actor[] = []
      for (let at = 0; at < size; at++) {
        const next = (at + 1) % size
        const token = (left: number): void => {
          if (left > 0) void players[next]!.send('token', left - 1)
          else if (--open === 0) end.reach(tokens * hops)
        }
        players.push(await root.createChild({ token }))
      }
      started.push(...players)
      begin()
      for (let at = 0; at < tokens; at++) void players[Math.floor((at * size) / tokens)]!.send('token', hops)
      return end.reached
    },
    async fanIn(senders, each) {
      const end = finish()
      const total = senders * each
      let [count, sum] = [0, 0]
      const sink = await root.createChild({
        item({ value }: { value: number }) {
          sum += value
          if (++count === total) end.reach(sum)
        },
      })
      started.push(sink)
      for (let at = 0; at < senders; at++) {
        const sender = await root.createChild({
          go(items: number) {
            for (let value = 0; value < items; value++) void sink.send('item', { value })
          },
        })
        started.push(sender)
        void sender.send('go', each)
      }
      return end.reached
    },
    async fanOut(receivers, each, begin) {
      const end = finish()
      const total = receivers * each
      let got = 0
      const all: Actor[] = []
      const item = (): void => {
        if (++got === total) end.reach(total)
      }
      for (let at = 0; at < receivers; at++) all.push(await root.createChild({ item }))
      const source = await root.createChild({
        go() {
          for (let value = 0; value < each; value++) for (const to of all) void to.send('item', { value })
        },
      })
      started.push(...all, source)
      begin()
      void source.send('go')
      return end.reached
    },
    async role(_name, handlers: RoleHandlers) {
      const actor = await root.createChild({ ...handlers })
      started.push(actor)
      return { send: (message, value) => void actor.send(message, value) }
    },
    async clear() {
      for (const actor of started.toReversed()) await actor.destroy()
      started = []
    },
    close: () => system.destroy(),
  }
}
