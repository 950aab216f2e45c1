import { cell, message, type CellDefinition, type Message } from '../../index.ts'

/** How long the sleeper may go on without progress, in milliseconds. */
const LEASE_MS = 40

/** What a sleeper understands. */
export interface SleeperMessages {
  readonly doze: Message
}

/** Shows progress once and then none, in a turn that never ends: its lease ends it, again and again, and nobody else notices. */
export function sleeper(): CellDefinition<SleeperMessages> {
  return cell({
    name: 'sleeper',
    grants: {},
    limits: { lease: { periodMs: LEASE_MS } },
    messages: { doze: message() },
    init: (ctx) => void ctx.sendAfter(0, 'doze', undefined, { ref: false }),
    on: {
      doze: async (ctx) => {
        ctx.renew(1)
        await new Promise(() => {})
      },
    },
  })
}
