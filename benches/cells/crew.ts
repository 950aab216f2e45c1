// The cells of the thread benches: exported, for the workers import this module.
import type { CellDefinition, Message } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'

const { cell, message } = await karyon()
const module = import.meta.url

/** What goes one way. */
export interface Item {
  readonly to: number
  readonly n: number
}

/** Sixteen bytes, if somebody packs them. */
export interface Fields {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
}

interface Receiving {
  readonly item: Message<Item>
  readonly fields: Message<Fields>
  readonly words: Message<Uint32Array>
  readonly sum: Message<void, number>
  readonly echo: Message<{ readonly n: number }, { readonly n: number }>
  readonly spin: Message<SharedArrayBuffer>
}

/** Takes what is sent, and says what it came to. */
export const receiver: CellDefinition<Receiving> = cell({
  name: 'receiver',
  module,
  isolation: 'thread',
  messages: {
    item: message<Item>(),
    fields: message<Fields>(),
    words: message<Uint32Array>(),
    sum: message<void, number>(),
    echo: message<{ readonly n: number }, { readonly n: number }>(),
    spin: message<SharedArrayBuffer>(),
  },
  init: () => ({ sum: 0 }),
  on: {
    item: ({ state }, { n }) => {
      state.sum += n
    },
    fields: ({ state }, { a, b, c, d }) => {
      state.sum += a + b + c + d
    },
    words: ({ state }, words) => {
      for (let at = 0; at < words.length; at++) state.sum += words[at] as number
    },
    sum: ({ state }) => {
      const { sum } = state
      state.sum = 0
      return sum
    },
    echo: (_ctx, ball) => ball,
    spin: (_ctx, flag) => {
      Atomics.store(new Int32Array(flag), 0, 1)
      for (;;);
    },
  },
  limits: { mailbox: 1_000_000 },
})
