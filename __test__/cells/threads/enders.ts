// Cells that end, and those that learn of it: exported for the workers, which import this module.
import {
  cell,
  message,
  type CellDefinition,
  type CellRef,
  type Down,
  type Message,
  type OwnedRef,
} from '../../../ts/index.ts'

export interface Ender {
  /** Watches all of them. */
  readonly watch: Message<readonly OwnedRef<Ender>[]>
  /** Watches their incarnations. */
  readonly follow: Message<readonly OwnedRef<Ender>[]>
  readonly down: Message<Down>
  /** Answers another cell, and ends. */
  readonly answer: Message<CellRef<Ender>>
  readonly result: Message<number>
  /** Takes no message until that is there. */
  readonly hold: Message<void>
  /** What it has been told, in order. */
  readonly told: Message<void, readonly string[]>
  /** Has work that outlives its turn ask another one. */
  readonly work: Message<CellRef<Ender>>
  readonly ping: Message<void, number>
  /** Delivers to another one, and waits for room. */
  readonly pass: Message<CellRef<Ender>>
  /** Lets nothing else run in its isolate, and uses no time. */
  readonly block: Message
  /** Sends to another one without end. */
  readonly chatter: Message<CellRef<Ender>>
  /** Sends so often to another one. */
  readonly burst: Message<{ readonly to: CellRef<Ender>; readonly count: number }>
  /** Is linked to another one. */
  readonly bind: Message<OwnedRef<Ender>>
  /** The same, and lets others run. */
  readonly murmur: Message<CellRef<Ender>>
  /** Asks another one, and waits. */
  readonly relay: Message<CellRef<Ender>, number>
}

const enderOf = (
  isolation: 'inline' | 'thread',
  mailbox = 1_000,
  turnTimeoutMs = 0,
  lease?: { readonly periodMs: number },
): CellDefinition<Ender> =>
  cell({
    name: `ender-${isolation}-${mailbox}-${turnTimeoutMs}-${lease?.periodMs}`,
    limits: { mailbox, turnTimeoutMs, ...(lease && { lease }) },
    module: import.meta.url,
    isolation,
    messages: {
      watch: message<readonly OwnedRef<Ender>[]>(),
      follow: message<readonly OwnedRef<Ender>[]>(),
      down: message<Down>(),
      answer: message<CellRef<Ender>>(),
      result: message<number>(),
      hold: message(),
      told: message<void, readonly string[]>(),
      work: message<CellRef<Ender>>(),
      ping: message<void, number>(),
      relay: message<CellRef<Ender>, number>(),
      pass: message<CellRef<Ender>>(),
      block: message(),
      chatter: message<CellRef<Ender>>(),
      murmur: message<CellRef<Ender>>(),
      burst: message<{ readonly to: CellRef<Ender>; readonly count: number }>(),
      bind: message<OwnedRef<Ender>>(),
    },
    init: () => ({ told: [] as string[] }),
    on: {
      watch: (ctx, refs) => {
        for (const ref of refs) ctx.monitor(ref, 'down')
      },
      follow: (ctx, refs) => {
        for (const ref of refs) ctx.monitor(ref, 'down', { of: 'incarnation' })
      },
      down: (ctx, { reason }) => void ctx.state.told.push(`down: ${reason}`),
      answer: (ctx, to) => {
        ctx.send(to, 'result', 42)
        ctx.stop()
      },
      result: (ctx, value) => void ctx.state.told.push(`result: ${value}`),
      hold: () => new Promise((resolve) => setTimeout(resolve, 20)),
      told: (ctx) => [...ctx.state.told],
      work: (ctx, to) => {
        // Its turn is over, and the other one waits for this cell meanwhile.
        const work = async (): Promise<number> => {
          await new Promise((resolve) => setTimeout(resolve, 10))
          return (await ctx.ask(ctx.self, 'ping')) + (await ctx.ask(to, 'ping'))
        }
        // oxlint-disable-next-line unicorn/no-thenable -- the name of an option
        ctx.run(work, { then: 'result' })
      },
      ping: () => new Promise<number>((resolve) => setTimeout(() => resolve(1), 30)),
      relay: (ctx, to) => ctx.ask(to, 'ping'),
      pass: (_ctx, to) => to.deliver('result', 1),
      chatter: (ctx, to) => {
        for (let count = 0; ; count++) {
          ctx.send(to, 'result', count)
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.2)
        }
      },
      burst: (ctx, { to, count }) => {
        for (let at = 0; at < count; at++) ctx.send(to, 'result', at)
      },
      bind: (ctx, to) => void ctx.link(to),
      murmur: async (ctx, to) => {
        for (let count = 0; ; count++) {
          ctx.send(to, 'result', count)
          await new Promise(setImmediate)
        }
      },
      block: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
    },
  })

export const inlineEnder: CellDefinition<Ender> = enderOf('inline')
export const threadEnder: CellDefinition<Ender> = enderOf('thread')
export const inlineNarrow: CellDefinition<Ender> = enderOf('inline', 1)
export const inlineRoomy: CellDefinition<Ender> = enderOf('inline', 20_000)
export const threadLeased: CellDefinition<Ender> = enderOf('thread', 1_000, 0, { periodMs: 50 })
export const threadLimited: CellDefinition<Ender> = enderOf('thread', 1_000, 200)
