import { cell, message, type CellDefinition, type Message } from '../../index.ts'

/** The CPU time that a turn of the looper may take, in milliseconds. */
const TURN_CPU_MS = 20

/** What a looper understands. */
export interface LooperMessages {
  readonly loop: Message
}

/** Loops for ever, in a worker: the worker is replaced under it, again and again, and nobody outside of it notices. */
export const looper: CellDefinition<LooperMessages> = cell({
  name: 'looper',
  isolation: 'thread',
  module: import.meta.url,
  grants: {},
  limits: { turnCpuMs: TURN_CPU_MS },
  messages: { loop: message() },
  init: (ctx) => void ctx.sendAfter(0, 'loop', undefined, { ref: false }),
  on: {
    loop: () => {
      for (;;);
    },
  },
})
