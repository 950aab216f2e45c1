import { finish } from './finish.ts'
import type { Actors } from './driver.ts'

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
export function comedy(): Actors {
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
    async clear() {
      for (const actor of started.toReversed()) await actor.destroy()
      started = []
    },
    close: () => system.destroy(),
  }
}
