// Cells that write, in both tiers: exported for the workers, which import this module.
import { cell, message, type CellDefinition, type CellRef, type Message } from '../../../ts/index.ts'

type WriterMessages = {
  readonly put: Message<string, string>
  /** Keeps its turn until it is told to stop. */
  readonly hold: Message<void, string>
  readonly pass: Message<CellRef<WriterMessages>, string>
  readonly work: Message<void, string>
  readonly worked: Message<string>
  readonly block: Message<string, unknown>
}

const writerOf = (isolation: 'inline' | 'thread'): CellDefinition<WriterMessages> =>
  cell({
    name: `writer-${isolation}`,
    module: import.meta.url,
    isolation,
    grants: { read: '*', write: '*' },
    limits: { mailbox: 4 },
    messages: {
      put: message<string, string>(),
      hold: message<void, string>(),
      pass: message<CellRef<WriterMessages>, string>(),
      work: message<void, string>(),
      worked: message<string>(),
      block: message<string, unknown>(),
    },
    on: {
      put: (ctx, key) => {
        ctx.tx.put(key)
        return key
      },
      hold: (ctx) => untilAborted(ctx.signal),
      pass: (ctx, ref) => ctx.ask(ref, 'hold', undefined, { timeoutMs: Infinity }),
      // oxlint-disable-next-line unicorn/no-thenable -- the name of an option
      work: (ctx) => ctx.run(untilAborted, { then: 'worked' }),
      worked: () => {},
      // Blocks its isolate once its turn has committed, while its answer is written.
      block: (ctx, key) => {
        ctx.tx.put(key)
        return {
          get answer() {
            return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
          },
        }
      },
    },
  })

function untilAborted(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve('aborted'), { once: true }))
}

export const inlineWriter: CellDefinition<WriterMessages> = writerOf('inline')
export const threadWriter: CellDefinition<WriterMessages> = writerOf('thread')
