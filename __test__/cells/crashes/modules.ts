// Cells whose modules go wrong where a worker loads them, and nowhere else.
import { isMainThread } from 'node:worker_threads'
import { cell, message, type CellDefinition, type Message } from '../../../ts/index.ts'

type Loaded = CellDefinition<{ readonly ping: Message<void, string> }>

/** A cell of this module, whose worker does first what its query says. */
const at = (what: string): Loaded =>
  cell({
    name: 'loaded',
    module: `${new URL(import.meta.url).href.replace(/\?.*/, '')}?${what}`,
    isolation: 'thread',
    messages: { ping: message<void, string>() },
    on: { ping: () => 'pong' },
  })

/** Each is exported, so that it is found wherever its module comes to its end. */
export const spins: Loaded = at('spins')
export const throws: Loaded = at('throws')
export const exits: Loaded = at('exits')
export const waits: Loaded = at('waits')
export const dallies: Loaded = at('dallies')

if (!isMainThread) {
  switch (new URL(import.meta.url).search) {
    case '?spins':
      for (;;);
    case '?throws':
      throw new Error('broken')
    case '?exits':
      process.exit(7)
    case '?waits':
      await new Promise(() => {})
      break
    case '?dallies':
      await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
