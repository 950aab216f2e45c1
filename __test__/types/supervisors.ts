// Checked by the compiler, never run: children and their args, supervisors of one kind, references to them.
import {
  cell,
  control,
  message,
  supervisor,
  topic,
  type CellDefinition,
  type CellSpec,
  type ChildSpec,
  type ControlMessage,
  type Message,
  type OwnedRef,
  type Strategy,
  type SupervisorDefinition,
  type SupervisorRef,
} from '../../ts/cells/index.ts'
import type { Isolation } from '../../ts/cells/definition.ts'
import { type CellRuntime } from '../../ts/cells/runtime.ts'
import type { Kernel } from '../../ts/index.ts'
import { same } from './same.ts'

interface Read {
  readonly go: Message<string>
}

type Reader = CellDefinition<Read, { readonly path: string }>
type Writer = CellDefinition<{ readonly put: Message<number, boolean> }>
type Lister = CellDefinition<{ readonly list: Message }, { readonly most: number } | undefined>

/** Args are those that the definition of the child takes. */
export function children(
  reader: Reader,
  writer: Writer,
  lister: Lister,
  paths: readonly string[],
): unknown[] {
  const inner = supervisor({ name: 'inner', children: [] })
  const all = supervisor({
    name: 'all',
    strategy: 'rest_for_one',
    children: [
      writer,
      { cell: writer, shutdownMs: 5, restart: 'temporary', significant: true },
      { cell: writer, args: undefined },
      lister,
      { cell: lister },
      { name: 'some', cell: lister, args: { most: 5 } },
      inner,
      { cell: inner, name: 'other', restart: 'transient' },
      { cell: reader, args: { path: '.' }, shutdownMs: Infinity },
      ...paths.map((path) => ({ name: path, cell: reader, args: { path } })),
      cell({ name: 'here', messages: { ping: message() }, on: { ping: () => 5 } }),
      {
        cell: cell({
          name: 'here',
          messages: { ping: message<void, number>() },
          init: (_ctx, args: { n: number }) => args.n,
          on: { ping: (ctx) => ctx.state },
        }),
        args: { n: 5 },
      },
    ],
  })
  same<typeof all, SupervisorDefinition<undefined>>(true)
  // An array that was made before is as good, and so is one of which nobody says what it takes.
  const made = paths.map((path) => ({ name: path, cell: reader, args: { path } }))
  supervisor({ name: 'made', children: made })
  const typed: ChildSpec<Reader>[] = [{ cell: reader, args: { path: '.' } }]
  supervisor({ name: 'typed', children: typed })
  const untyped: ChildSpec[] = [{ cell: reader, args: 5 }, { cell: inner }]
  supervisor({ name: 'untyped', children: untyped })

  // @ts-expect-error its args are missing
  supervisor({ name: 's', children: [writer, { cell: reader }] })
  // @ts-expect-error its args are missing
  supervisor({ name: 's', children: [writer, reader] })
  // @ts-expect-error its args have another type
  supervisor({ name: 's', children: [{ cell: reader, args: { path: 5 } }, writer] })
  // @ts-expect-error they have another field
  supervisor({ name: 's', children: [{ cell: reader, args: { path: '.', other: 5 } }] })
  // @ts-expect-error it takes none
  supervisor({ name: 's', children: [{ cell: writer, args: 5 }] })
  // @ts-expect-error neither does a supervisor
  supervisor({ name: 's', children: [{ cell: inner, args: 5 }] })
  // @ts-expect-error a supervisor takes as long as its children do
  supervisor({ name: 's', children: [{ cell: inner, shutdownMs: 5 }] })
  // @ts-expect-error there is no such field
  supervisor({ name: 's', children: [{ cell: writer, shutDownMs: 5 }] })
  // @ts-expect-error there is no such way to restart
  supervisor({ name: 's', children: [{ cell: writer, restart: 'always' }] })
  // @ts-expect-error one of them needs args
  supervisor({ name: 's', children: paths.map(() => ({ cell: reader })) })
  // @ts-expect-error args that suit one kind alone
  supervisor({ name: 's', children: [{ cell: paths[0] ? reader : lister, args: { path: '.' } }] })
  // @ts-expect-error its args are missing
  const lacking: ChildSpec<Reader> = { cell: reader }
  // @ts-expect-error no child at all
  supervisor({ name: 's', children: [5] })
  return [all, lacking]
}

/** What a supervisor is told of a child depends on its strategy. */
export function starting(
  cells: CellRuntime,
  reader: Reader,
  writer: Writer,
  strategy: Exclude<Strategy, 'simple_one_for_one'>,
): unknown[] {
  const crew = cells.spawn(supervisor({ name: 'crew', strategy, children: [] }))
  same<typeof crew, SupervisorRef<undefined>>(true)
  const started = crew.startChild({ name: 'r', cell: reader, args: { path: '.' } })
  same<typeof started, OwnedRef<Read>>(true)
  const alone: Promise<boolean> = crew.startChild(writer).ask('put', 5)
  const spec = { name: 'r', cell: reader, args: { path: '.' }, shutdownMs: 5 }
  crew.startChild(spec).send('go', 'x')
  const below: SupervisorRef<undefined> = crew.startChild(supervisor({ name: 'inner', children: [] }))
  // @ts-expect-error a definition is missing
  crew.startChild({ name: 'x' })
  // @ts-expect-error its args are missing
  crew.startChild(reader)
  // @ts-expect-error its args are missing
  crew.startChild({ cell: reader })
  // @ts-expect-error its args have another type
  crew.startChild({ cell: reader, args: { path: 5 } })
  // @ts-expect-error there is no such field
  crew.startChild({ cell: writer, shutDownMs: 5 })

  const readers = cells.spawn(
    supervisor({ name: 'readers', strategy: 'simple_one_for_one', children: [reader] }),
  )
  same<typeof readers, SupervisorRef<Reader>>(true)
  readers.startChild({ name: 'x', args: { path: '.' } }).send('go', 'x')
  // @ts-expect-error its args are missing
  readers.startChild({ name: 'x' })
  // @ts-expect-error its args have another type
  readers.startChild({ args: { path: 5 } })
  // @ts-expect-error it takes args only
  readers.startChild(reader)
  // @ts-expect-error it takes args only
  readers.startChild(writer)
  // @ts-expect-error it takes args only
  readers.startChild({ cell: reader, args: { path: '.' } })
  // @ts-expect-error it takes args only
  readers.startChild({ args: { path: '.' }, shutdownMs: 5 })
  const alike = supervisor({
    name: 'alike',
    strategy: 'simple_one_for_one',
    children: [{ cell: reader, args: { path: '.' }, restart: 'temporary' }],
  })
  cells.spawn(alike).startChild({}).send('go', 'x')
  cells.spawn(supervisor({ name: 's', strategy: 'simple_one_for_one', children: [writer] })).startChild({})
  // @ts-expect-error children are of one kind
  supervisor({ name: 's', strategy: 'simple_one_for_one', children: [reader, writer] })
  // @ts-expect-error there is a kind
  supervisor({ name: 's', strategy: 'simple_one_for_one', children: [] })
  // @ts-expect-error its args have another type
  supervisor({ name: 's', strategy: 'simple_one_for_one', children: [{ cell: reader, args: 5 }] })
  // @ts-expect-error there is no such strategy
  supervisor({ name: 's', strategy: 'one_for_two', children: [] })

  // Of one whose strategy is not known, either is taken.
  const any: SupervisorRef = crew.supervisor('inner')
  any.startChild(writer).send('put', 5)
  any.startChild({ args: 5 })
  any.startChild({ cell: reader, args: { path: '.' } })
  // @ts-expect-error its args have another type
  any.startChild({ cell: reader, args: { path: 5 } })
  const others: SupervisorRef[] = [crew, readers]

  cells.spawn(alike, { name: 'x' })
  // @ts-expect-error a supervisor takes no args
  cells.spawn(alike, { args: { path: '.' } })
  return [alone, below, others]
}

/** Messages of control are sent, not asked. */
export function controls(cells: CellRuntime, kernel: Kernel, isolation: Isolation): unknown {
  const stopping = control(message<boolean>())
  same<typeof stopping, ControlMessage<boolean>>(true)
  const messages = { drain: stopping, now: control(message()), job: message<string, number>() }
  const drained = cell({
    name: 'drained',
    messages,
    on: {
      drain: (_ctx, now) => same<typeof now, boolean>(true),
      now: () => {},
      job: (ctx) => {
        ctx.send(ctx.self, 'drain', true)
        // @ts-expect-error it is never asked
        void ctx.ask(ctx.self, 'drain', true)
        return 5
      },
    },
  })
  const ref = cells.spawn(drained)
  ref.send('drain', true)
  ref.send('now')
  void ref.deliver('drain', true)
  const job: Promise<number> = ref.ask('job', 'x')
  // @ts-expect-error it is never asked
  void ref.ask('drain', true)
  // @ts-expect-error it is never asked
  void ref.ask('now')

  // One that leaves its isolate says which module exports it.
  const spec = { name: 'lost', messages: { ping: message() }, on: { ping: () => 1 } }
  cell({ ...spec, isolation: 'thread', module: import.meta.url })
  cell({ ...spec, isolation: 'inline' })
  cell({ ...spec, isolation, module: import.meta.url })
  // @ts-expect-error it has no module
  cell({ ...spec, isolation: 'thread' })
  const wrapped = (inner: CellSpec<typeof spec.messages, undefined, void>) => cell(inner)
  wrapped({ ...spec, isolation: 'thread', module: import.meta.url })
  // @ts-expect-error it has no module
  wrapped({ ...spec, isolation: 'thread' })
  // @ts-expect-error it may have none
  cell({ ...spec, isolation })

  // What is void is not said.
  kernel.publish(topic<void>('tick'))
  kernel.publish(topic<void>('tick'), undefined)
  kernel.publish(topic<number>('count'), 5)
  // @ts-expect-error the topic carries something
  kernel.publish(topic<number>('count'))
  // @ts-expect-error the topic carries nothing
  kernel.publish(topic<void>('tick'), 5)
  // @ts-expect-error a path is text
  kernel.find(5)
  cell({
    name: 'crier',
    messages: { go: message() },
    on: {
      go: (ctx) => {
        ctx.publish(topic<void>('tick'))
        // A supervisor is linked to as a cell is.
        ctx.link(ctx.spawn(supervisor({ name: 's', children: [] })))
        ctx.link(ctx.spawn(supervisor({ name: 's', strategy: 'simple_one_for_one', children: [drained] })))
      },
    },
  })
  return job
}
