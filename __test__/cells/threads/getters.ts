// Cells that send what runs code of the program's when it is looked at.
import {
  cell,
  message,
  supervisor,
  type CellDefinition,
  type CellRef,
  type Message,
  type OwnedRef,
  type SupervisorDefinition,
} from '../../../ts/index.ts'

const module = import.meta.url

type Sink = CellRef<{ readonly put: Message<unknown> }>

type GetterMessages = {
  readonly ping: Message<void, string>
  readonly twice: Message<Sink>
  readonly throws: Message<Sink>
  readonly grows: Message<Sink>
  readonly calls: Message<Sink, string>
  readonly watches: Message<{ readonly of: OwnedRef<never>; readonly how: string; readonly count: number }>
  readonly down: Message<unknown>
  readonly names: Message<unknown, readonly string[]>
}

const codeOf = (act: () => unknown): string => {
  try {
    act()
    return 'none'
  } catch (error) {
    return (error as { code: string }).code
  }
}

/** Sends, from a worker, payloads with getters in them. */
export const getters: CellDefinition<GetterMessages> = cell({
  name: 'getters',
  module,
  isolation: 'thread',
  messages: {
    ping: message<void, string>(),
    twice: message<Sink>(),
    throws: message<Sink>(),
    grows: message<Sink>(),
    calls: message<Sink, string>(),
    watches: message<{ readonly of: OwnedRef<never>; readonly how: string; readonly count: number }>(),
    down: message<unknown>(),
    names: message<unknown, readonly string[]>(),
  },
  on: {
    ping: () => 'pong',
    // Flat; in a list; and with more inside than a ring's record holds.
    twice: (ctx, to) => {
      for (const what of ['flat', 'list', 'long']) {
        const inner = (): string => {
          ctx.send(to, 'put', { inner: what, to })
          return what
        }
        const flat = {
          before: 1,
          get outer() {
            return inner()
          },
          after: 3,
        }
        ctx.send(
          to,
          'put',
          what === 'flat' ? flat : what === 'list' ? [flat] : { flat, text: 'x'.repeat(9_000) },
        )
        ctx.send(to, 'put', { before: 1, outer: 'plain', after: 3 })
      }
    },
    throws: (ctx, to) => {
      const flat = {
        get outer() {
          ctx.send(to, 'put', 'from one that fails')
          throw new TypeError('not to be read')
        },
      }
      codeOf(() => ctx.send(to, 'put', flat))
      ctx.send(to, 'put', 'after it')
    },
    // What a direction knows of a shape is not what the object is by then.
    grows: (ctx, to) => {
      const grown: Record<string, unknown> = {
        a: 1,
        get b() {
          grown['c'] = 3
          return 2
        },
      }
      ctx.send(to, 'put', grown)
      ctx.send(to, 'put', { a: 4, b: 5 })
      ctx.send(to, 'put', { a: 6, b: 7, c: 8 })
    },
    calls: (ctx, to) =>
      codeOf(() =>
        ctx.send(to, 'put', {
          get outer() {
            return ctx.monitor(to, 'down')
          },
        }),
      ),
    watches: (ctx, { of, how, count }) => {
      for (let at = 0; at < count; at++) {
        const watch = how === 'link' ? ctx.link(of) : ctx.monitor(of, 'down', { of: 'incarnation' })
        if (how !== 'kept') watch.cancel()
      }
    },
    down: () => {},
    names: (ctx, crew) => {
      const { child, restartChild, deleteChild, startChild } = crew as Record<
        string,
        (name: unknown) => unknown
      >
      const acts = [child, restartChild, deleteChild]
      return [
        ...acts.map((act) => codeOf(() => act?.call(crew, Symbol('no name')))),
        codeOf(() => startChild?.call(crew, { name: Symbol('no name'), cell: getters })),
        codeOf(() => ctx.spawn(getters, { name: Symbol('no name') as never })),
      ]
    },
  },
})

/** Nobody below it. */
export const empty: SupervisorDefinition = supervisor({ name: 'empty', children: [] })
