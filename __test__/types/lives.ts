// Checked by the compiler, never run: power and address, classes, topics, invariants, durable cells.
import {
  cell,
  control,
  message,
  topic,
  type CellRef,
  type Down,
  type OwnedRef,
  type StandardSchema,
} from '../../ts/cells/index.ts'
import { type CellRuntime } from '../../ts/cells/runtime.ts'
import type { Kernel } from '../../ts/index.ts'
import { same } from './same.ts'

export function checked(
  cells: CellRuntime,
  kernel: Kernel,
  schema: StandardSchema<string, number>,
): unknown[] {
  const news = topic<{ readonly text: string }>('news')
  const parsed = topic('parsed', schema)
  const worker = cell({
    name: 'worker',
    messages: {
      add: message<number, string>(),
      read: message<{ readonly text: string }>(),
      drain: control(message<boolean>()),
      down: message<Down>(),
    },
    init: (ctx) => {
      ctx.subscribe(news, 'read')
      ctx.subscribe(parsed, 'add')
      // @ts-expect-error the message carries something else
      ctx.subscribe(news, 'add')
      ctx.publish(news, { text: '' })
      ctx.publish(parsed, 'a text, which the schema turns into a number')
      // @ts-expect-error the topic carries something else
      ctx.publish(news, 5)
      return { sum: 0, others: [] as OwnedRef<never>[] }
    },
    persist: true,
    resume: (_ctx, saved) => {
      same<typeof saved, { sum: number; others: OwnedRef<never>[] }>(true)
    },
    on: {
      add: (ctx, n) => {
        const child = ctx.spawn(other)
        ctx.link(child)
        // @ts-expect-error an address has no power
        ctx.link(child.address)
        ctx.monitor(child, 'down', { of: 'incarnation' })
        ctx.monitor(child.address, 'down')
        const renewed: boolean = ctx.renew(n)
        // oxlint-disable-next-line unicorn/no-thenable -- what is done with the result then
        void ctx.run(async () => 5, { then: 'add' })
        // @ts-expect-error the message carries something else
        // oxlint-disable-next-line unicorn/no-thenable -- what is done with the result then
        void ctx.run(async () => 'text', { then: 'add' })
        return String(renewed)
      },
      read: (_ctx, { text }) => text,
      drain: (_ctx, now) => now,
      down: (_ctx, { path, incarnation }) => `${path} ${incarnation}`,
    },
    invariant: (state, turn) => {
      if (turn.message === 'add') {
        same<typeof turn.payload, number>(true)
        same<typeof turn.reply, string>(true)
      }
      // @ts-expect-error no such message
      if (turn.message === 'forget') return false
      return state.sum >= 0
    },
    limits: { lease: { periodMs: 10, idle: true }, budget: { messages: 5 }, overflow: 'drop-oldest' },
  })
  const other = cell({ name: 'other', messages: { go: message<string>() }, on: { go: () => {} } })
  // @ts-expect-error a message that is answered is not one of control
  control(message<string, number>())

  const owned = cells.spawn(other)
  same<typeof owned, OwnedRef<(typeof other)['messages']>>(true)
  const address: CellRef<(typeof other)['messages']> = owned.address
  address.send('go', 'x')
  const [stopped, killed]: Promise<void>[] = [owned.stop(), owned.kill()]
  // @ts-expect-error an address has no power
  void address.stop()
  const once = { source: 'queue', number: 1 }
  const added: Promise<string> = cells.spawn(worker).ask('add', 1, { once, timeoutMs: 10 })
  void cells.spawn(worker).deliver('drain', true, { once })
  const found = kernel.find('root/other')
  const reached: number = kernel.publish(news, { text: 'x' })
  return [stopped, killed, added, found, reached]
}
