// Cells that are ended amid what they do: exported for the workers, which import this module.
import { writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { cell, message, type CellDefinition, type CellLimits, type Message } from '../../../ts/index.ts'

export type Leaver = {
  /** Never settles. */
  readonly hang: Message
  readonly ping: Message<void, number>
  /** Writes, and is answered once that is durable. */
  readonly put: Message<string, string>
  readonly exit: Message
  /** Lets its worker turn once, and then no more for so many milliseconds; it uses no time. */
  readonly block: Message<number>
  readonly loop: Message
  /** Has work go on beside turns for so many milliseconds, and writes what it comes to. */
  readonly work: Message<number>
  readonly worked: Message<string>
  /** States in this isolate that are not let go of. */
  readonly held: Message<void, number>
}

/** Of this isolate. */
const states: WeakRef<object>[] = []

export function collect(): void {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
}

export const leaverOf = (isolation: 'inline' | 'thread', limits: CellLimits = {}): CellDefinition<Leaver> =>
  cell({
    name: `leaver-${isolation}-${JSON.stringify(limits)}`,
    module: import.meta.url,
    isolation,
    grants: { read: '*', write: '*' },
    limits,
    messages: {
      hang: message(),
      ping: message<void, number>(),
      put: message<string, string>(),
      exit: message(),
      block: message<number>(),
      loop: message(),
      work: message<number>(),
      worked: message<string>(),
      held: message<void, number>(),
    },
    init: (ctx) => {
      const state = {}
      states.push(new WeakRef(state))
      ctx.sendAfter(60_000, 'ping', undefined, { ref: false })
      return state
    },
    on: {
      hang: () => new Promise(() => {}),
      ping: () => 1,
      put: (ctx, key) => {
        ctx.tx.put(key)
        return key
      },
      exit: () => process.exit(3),
      block: async (_ctx, ms) => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
      },
      loop: () => {
        for (;;);
      },
      work: (ctx, ms) => {
        const work = async (): Promise<string> => {
          await new Promise((resolve) => setTimeout(resolve, ms).unref())
          return 'worked'
        }
        // oxlint-disable-next-line unicorn/no-thenable -- the name of an option
        void ctx.run(work, { then: 'worked' })
      },
      worked: (_ctx, what) => void writeSync(1, `${what}\n`),
      held: async () => {
        // What was just let go of is kept until this stretch is over.
        await new Promise((resolve) => setTimeout(resolve, 1))
        collect()
        return states.filter((state) => state.deref() !== undefined).length
      },
    },
  })

export const inlineLeaver: CellDefinition<Leaver> = leaverOf('inline')
export const threadLeaver: CellDefinition<Leaver> = leaverOf('thread')
export const threadLate: CellDefinition<Leaver> = leaverOf('thread', { turnTimeoutMs: 100 })
export const threadBurning: CellDefinition<Leaver> = leaverOf('thread', { turnCpuMs: 100 })
