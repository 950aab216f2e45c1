// A cell in a worker whose turns go on while the next message is handed over.
import { cell, message, type CellDefinition, type Message } from '../../../ts/index.ts'

/** What its memory says. */
export const Overlap = { begun: 0, release: 1, ended: 2, next: 3 } as const
export const OVERLAP_WORDS = 4

interface OverlapMessages {
  readonly quick: Message
  readonly long: Message<number>
  readonly next: Message<number>
  readonly ping: Message<void, { readonly long: number; readonly next: number }>
}

export const overlapping: CellDefinition<OverlapMessages, SharedArrayBuffer> = cell({
  name: 'overlapping',
  module: import.meta.url,
  isolation: 'thread',
  limits: { turnCpuMs: 60_000 },
  messages: {
    quick: message(),
    long: message<number>(),
    next: message<number>(),
    ping: message<void, { readonly long: number; readonly next: number }>(),
  },
  init: (_ctx, memory: SharedArrayBuffer) => ({ counts: new Int32Array(memory) }),
  on: {
    quick: () => {},
    // Says nothing until it is released, and goes on then.
    long: ({ state: { counts } }, round) => {
      Atomics.store(counts, Overlap.begun, round)
      while (Atomics.load(counts, Overlap.release) < round);
      return new Promise<void>((resolve) => {
        setTimeout(() => {
          Atomics.add(counts, Overlap.ended, 1)
          resolve()
        }, 20)
      })
    },
    next: ({ state: { counts } }, round) => void Atomics.store(counts, Overlap.next, round),
    ping: ({ state: { counts } }) => ({
      long: Atomics.load(counts, Overlap.ended),
      next: Atomics.load(counts, Overlap.next),
    }),
  },
})
