// Checked by the compiler, never run: what is inferred, and what is refused.
import {
  cell,
  message,
  supervisor,
  type CellRef,
  type Down,
  type Message,
  type StandardSchema,
} from '../../ts/cells/index.ts'
import { type CellRuntime } from '../../ts/cells/runtime.ts'
import type { Kernel } from '../../ts/index.ts'
import { same } from './same.ts'

interface Fact {
  readonly key: string
  readonly text: string
}

interface Named {
  readonly go: Message<string, number>
}

export function checked(
  cells: CellRuntime,
  kernel: Kernel,
  named: CellRef<Named>,
  schema: StandardSchema<string, number>,
): unknown[] {
  const researcher = cell({
    name: 'researcher',
    grants: { read: ['Fact'], write: '*' },
    messages: {
      learn: message<Fact>(),
      count: message<void, number>(),
      tick: message<void>(),
      down: message<Down>(),
    },
    init: async (ctx, args: { readonly start: number }) => {
      same<typeof args, typeof ctx.args>(true)
      return { learned: args.start }
    },
    on: {
      learn: (ctx, fact) => {
        same<typeof fact, Fact>(true)
        same<typeof ctx.state, { learned: number }>(true)
        ctx.state.learned++
        // A cell knows its own messages.
        ctx.self.send('tick')
        ctx.send(ctx.self, 'learn', fact)
        ctx.sendAfter(10, 'tick')
        ctx.every(10, 'learn', fact, { ref: false })
        ctx.monitor(ctx.self, 'down')
        ctx.become({ tick: (later) => later.state.learned })
        // @ts-expect-error a payload is missing
        ctx.self.send('learn')
        // @ts-expect-error no such message
        ctx.self.send('forget')
        // @ts-expect-error a monitor needs a message that can carry the notice
        ctx.monitor(ctx.self, 'count')
        // @ts-expect-error no such message
        ctx.become({ forget: () => {} })
      },
      count: async ({ state }) => state.learned,
      tick: () => {},
      down: (_ctx, { path, reason }) => `${path} ${reason}`,
    },
    invariant: (state) => state.learned >= 0,
  })

  const ref = cells.spawn(researcher, { name: 'alice', args: { start: 1 } })
  same<ReturnType<typeof ref.send>, boolean>(true)
  const sent: boolean = ref.send('learn', { key: 'sky', text: 'blue' })
  const count: Promise<number> = ref.ask('count')
  const counted: Promise<number> = ref.ask('count', undefined, { timeoutMs: 10 })
  const learned: Promise<void> = ref.ask('learn', { key: 'a', text: 'b' }, { signal: AbortSignal.abort() })
  const delivered: Promise<void> = ref.deliver('tick')

  // @ts-expect-error args are missing
  cells.spawn(researcher)
  // @ts-expect-error args have another type
  cells.spawn(researcher, { args: { start: 'x' } })
  // @ts-expect-error the payload has another type
  ref.send('learn', { key: 1, text: 'b' })
  // @ts-expect-error a void payload takes no value
  ref.send('tick', 1)
  // @ts-expect-error the reply is a number
  const wrong: Promise<string> = ref.ask('count')

  // Both orders of properties.
  const backwards = cell({
    init: () => ({ total: 0 }),
    on: {
      add: (ctx, by) => {
        same<typeof by, number>(true)
        ctx.state.total += by
      },
      total: (ctx) => ctx.state.total,
    },
    messages: { add: message<number>(), total: message<void, number>() },
    name: 'backwards',
  })
  cells.spawn(backwards).send('add', 1)

  cell({
    name: 'wrong-reply',
    messages: { total: message<void, number>() },
    // @ts-expect-error the handler answers with a string
    on: { total: () => 'many' },
  })

  cell({
    name: 'no-handler',
    messages: { total: message<void, number>(), other: message() },
    // @ts-expect-error a message has no handler
    on: { total: () => 1 },
  })

  // A schema of replies: what the handler answers is its input, what the asker gets its output.
  const priced = cell({
    name: 'priced',
    messages: { price: message(schema, schema) },
    on: {
      price: (_ctx, amount) => {
        same<typeof amount, number>(true)
        return '10'
      },
    },
  })
  const price: Promise<number> = cells.spawn(priced).ask('price', '5')
  cell({
    name: 'mispriced',
    messages: { price: message(schema, schema) },
    // @ts-expect-error the schema of replies takes a string
    on: { price: () => 10 },
  })

  // Named interfaces of messages work as well as inferred ones.
  const answer: Promise<number> = named.ask('go', 'x')

  const crew = cells.spawn(
    supervisor({ name: 'crew', children: [{ cell: researcher, args: { start: 1 } }, backwards] }),
  )
  // A child has the types of the definition that it is asked for with; what is said of none is checked when it runs.
  const child: Promise<number> = crew.child('researcher', researcher).ask('count')
  crew.child('researcher').send('anything', 1)
  // @ts-expect-error it takes a fact
  crew.child('researcher', researcher).send('learn', 1)
  // @ts-expect-error nobody says what it understands
  crew.child<Named>('researcher')
  // @ts-expect-error nobody has checked what it understands
  const unchecked: CellRef<Named> = crew.child('researcher')

  // What is found by its path has the types of the definition that it is found with.
  const found: Promise<number> | undefined = kernel.find('root/priced', priced)?.ask('price', '5')
  // @ts-expect-error it takes text
  kernel.find('root/priced', priced)?.send('price', 5)

  return [found, sent, count, counted, learned, delivered, wrong, answer, price, child, unchecked]
}
