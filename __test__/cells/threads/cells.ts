// Cells for the tests of both tiers: exported for the workers, which import this module.
import {
  type KaryonError,
  cell,
  control,
  message,
  supervisor,
  topic,
  type CellDefinition,
  type CellRef,
  type Kernel,
  type Message,
  type SupervisorDefinition,
  type Topic,
} from '../../../ts/index.ts'
import { native } from '../../../ts/native.ts'
import type { Untyped } from '../../../ts/cells/definition.ts'

const module = import.meta.url

/** Any messages: what `message()` without types makes. */
type Loose<Names extends string> = Readonly<Record<Names, Message<Untyped, Untyped>>>

/** Both tiers of one cell. */
export interface Tiers<Definition> {
  readonly inline: Definition
  readonly thread: Definition
}

type CounterMessages = {
  readonly add: Message<number>
  readonly total: Message<void, number>
  readonly fail: Message<string, number>
  readonly refuse: Message<void, number>
  readonly slow: Message<number, number>
  readonly never: Message<void, number>
  readonly overflow: Message<void, number>
  readonly break: Message<void, number>
  readonly finish: Message<void>
}

const counterOf = (isolation: 'inline' | 'thread'): CellDefinition<CounterMessages, number | void> => {
  const deepen = (depth: number): number => 1 + deepen(depth + 1)
  return cell({
    name: `counter-${isolation}`,
    module,
    isolation,
    messages: {
      add: message<number>(),
      total: message<void, number>(),
      fail: message<string, number>(),
      refuse: message<void, number>(),
      slow: message<number, number>(),
      never: message<void, number>(),
      overflow: message<void, number>(),
      break: message<void, number>(),
      finish: message<void>(),
    },
    init: (_ctx, first: number | void) => ({ total: first ?? 0 }),
    on: {
      add: (ctx, by) => {
        ctx.state.total += by
      },
      total: (ctx) => ctx.state.total,
      fail: (_ctx, text) => {
        throw new RangeError(text)
      },
      refuse: () => Promise.reject(new TypeError('refused')),
      slow: async (ctx, ms) => {
        await new Promise((resolve) => setTimeout(resolve, ms))
        return ctx.state.total
      },
      never: () => new Promise<number>(() => {}),
      overflow: () => deepen(0),
      break: (ctx) => {
        ctx.state.total = -1
        return 0
      },
      finish: (ctx) => {
        ctx.stop()
      },
    },
    invariant: ({ total }) => total >= 0,
    limits: { turnTimeoutMs: 400 },
  })
}

/** Counts, and fails in every way that leaves the isolate whole. */
export const inlineCounter: CellDefinition<CounterMessages, number | void> = counterOf('inline')
export const threadCounter: CellDefinition<CounterMessages, number | void> = counterOf('thread')

type KeeperMessages = {
  readonly put: Message<{ key: string; text: string }>
  readonly get: Message<string, string | undefined>
  readonly forbidden: Message<void>
  readonly putAndFail: Message<string>
  readonly contend: Message<string, number>
}

const keeperOf = (isolation: 'inline' | 'thread'): CellDefinition<KeeperMessages> =>
  cell({
    name: `keeper-${isolation}`,
    module,
    isolation,
    grants: { read: ['Note'], write: ['Note'] },
    messages: {
      put: message<{ key: string; text: string }>(),
      get: message<string, string | undefined>(),
      forbidden: message<void>(),
      putAndFail: message<string>(),
      contend: message<string, number>(),
    },
    init: () => ({ attempts: 0 }),
    on: {
      put: (ctx, { key, text }) => {
        ctx.tx.put(key, { labels: ['Note'], props: { text } })
      },
      get: (ctx, key) => ctx.graph.get(key)?.props['text'] as string | undefined,
      forbidden: (ctx) => {
        ctx.tx.put('secret', { labels: ['Secret'], props: {} })
      },
      putAndFail: (ctx, key) => {
        ctx.tx.put(key, { labels: ['Note'], props: { text: 'lost' } })
        throw new Error('after the write')
      },
      // Reads, lets another write come first, and writes: a conflict at every attempt.
      contend: async (ctx, key) => {
        const before = (ctx.tx.get(key)?.props['count'] as number | undefined) ?? 0
        await ctx.graph.write((tx) => tx.put(key, { labels: ['Note'], props: { count: before + 1 } }))
        ctx.tx.put(key, { labels: ['Note'], props: { count: -1 } })
        return before
      },
    },
  })

/** Writes to the graph. */
export const inlineKeeper: CellDefinition<KeeperMessages> = keeperOf('inline')
export const threadKeeper: CellDefinition<KeeperMessages> = keeperOf('thread')

type WaiterMessages = {
  readonly open: Message<void>
  readonly note: Message<number>
  readonly seen: Message<void, readonly number[]>
}

const waiterOf = (isolation: 'inline' | 'thread'): CellDefinition<WaiterMessages> =>
  cell({
    name: `waiter-${isolation}`,
    module,
    isolation,
    messages: {
      open: message<void>(),
      note: message<number>(),
      seen: message<void, readonly number[]>(),
    },
    init: () => ({ seen: [] as number[] }),
    on: {
      open: (ctx) =>
        ctx.become({
          note: (now, number) => {
            now.state.seen.push(number)
          },
        }),
      note: (ctx) => ctx.defer(),
      seen: (ctx) => ctx.state.seen,
    },
  })

/** Puts notes aside until it is opened. */
export const inlineWaiter: CellDefinition<WaiterMessages> = waiterOf('inline')
export const threadWaiter: CellDefinition<WaiterMessages> = waiterOf('thread')

/** What the news of the tests is. */
export const news: Topic<number> = topic<number>('news')

type CallerMessages = Loose<
  | 'relay'
  | 'ask'
  | 'callOff'
  | 'overtake'
  | 'misuse'
  | 'deliver'
  | 'spawn'
  | 'children'
  | 'watch'
  | 'down'
  | 'downs'
  | 'link'
  | 'after'
  | 'every'
  | 'tick'
  | 'ticks'
  | 'self'
  | 'stop'
  | 'inspect'
  | 'subscribe'
  | 'heard'
  | 'publish'
  | 'flood'
  | 'unknown'
  | 'path'
  | 'hold'
  | 'work'
  | 'worked'
  | 'spawnMany'
>

/** What a call is refused with. */
const codeOf = (call: () => unknown): unknown => {
  try {
    return call()
  } catch (error) {
    return (error as KaryonError).code
  }
}

const callerOf = (isolation: 'inline' | 'thread'): CellDefinition<CallerMessages> => {
  const names = [
    ...['relay', 'ask', 'deliver', 'spawn', 'children', 'watch', 'down', 'downs', 'link', 'after', 'every'],
    ...['tick', 'ticks', 'self', 'stop', 'inspect', 'subscribe', 'heard', 'publish', 'flood', 'unknown'],
    ...['path', 'hold', 'work', 'worked', 'spawnMany', 'callOff', 'overtake', 'misuse'],
  ] as (keyof CallerMessages)[]
  const messages = Object.fromEntries(names.map((name) => [name, message()])) as CallerMessages
  return cell({
    name: `caller-${isolation}`,
    module,
    isolation,
    messages,
    init: () => ({
      downs: [] as unknown[],
      ticks: 0,
      heard: [] as unknown[],
      held: undefined as unknown,
      worked: [] as unknown[],
    }),
    on: {
      relay: (_ctx, { to, name, payload }) => to.send(name, payload),
      ask: (ctx, { to, name, payload, options }) => ctx.ask(to as CellRef<never>, name, payload, options),
      callOff: (ctx, { to, name, payload, why }) => {
        const controller = new AbortController()
        const { signal } = controller
        const asked = ctx.ask(to as CellRef<never>, name, payload as never, { signal })
        controller.abort(new Error(why as string))
        return asked
      },
      misuse: (ctx) => ctx.spawn(inlineCounter as never, { args: () => {} } as never),
      overtake: async (_ctx, to) => {
        while (to.send('heard', 'before'));
        const delivered = to.deliver('heard', 'delivered')
        const until = performance.now() + 5
        while (performance.now() < until) to.send('heard', 'after')
        await delivered
      },
      deliver: async (_ctx, { to, name, payload }) => {
        await to.deliver(name, payload)
        return 'delivered'
      },
      spawn: (ctx, { which, options }) =>
        ctx.spawn(DEFINITIONS[which as keyof typeof DEFINITIONS] as never, options),
      spawnMany: (ctx, count: number) => {
        const errors: unknown[] = []
        for (let at = 0; at < count; at++)
          ctx.spawn(DEFINITIONS['inline'] as never, { name: `many-${at}` } as never)
        return errors.length
      },
      children: async (_ctx, crew) => {
        const before = crew.children().map((child: { name: string }) => child.name)
        const third = crew.startChild({ name: 'third', cell: inlineCounter })
        const answer = await third.ask('total')
        await crew.terminateChild('third')
        crew.deleteChild('third')
        const after = crew.children().map((child: { name: string }) => child.name)
        const first = await crew.child('first', inlineCounter).ask('total')
        const refused = [
          () => crew.child('second', inlineCounter),
          () => crew.child('nobody', inlineCounter),
          () => crew.startChild(undefined),
          () => crew.startChild({ name: 'fourth' }),
        ].map(codeOf)
        return { before, answer, after, first, refused }
      },
      watch: (ctx, { ref, of }) => {
        ctx.monitor(ref, 'down' as never, { of })
      },
      down: (ctx, down) => {
        ctx.state.downs.push(down)
      },
      downs: (ctx) => ctx.state.downs,
      link: (ctx, ref) => {
        ctx.link(ref)
      },
      after: (ctx, ms: number) => {
        ctx.sendAfter(ms, 'tick', 0)
        const other = ctx.sendAfter(ms, 'tick', 0)
        return ctx.cancel(other)
      },
      every: (ctx, ms: number) => {
        ctx.state.held = ctx.every(ms, 'tick', 0)
      },
      tick: (ctx) => {
        ctx.state.ticks++
      },
      ticks: (ctx) => ctx.state.ticks,
      self: (ctx) => ctx.self,
      stop: (_ctx, ref) => ref.stop(),
      inspect: (_ctx, ref) => ref.inspect(),
      subscribe: (ctx) => {
        ctx.subscribe(news, 'heard')
      },
      heard: (ctx, what) => {
        ctx.state.heard.push(what)
        return ctx.state.heard
      },
      publish: (ctx, number: number) => ctx.publish(news, number),
      flood: (_ctx, { to, count }) => {
        let taken = 0
        for (let at = 0; at < count; at++) if (to.send('add', 1)) taken++
        return taken
      },
      unknown: (_ctx, to) => {
        try {
          to.send('nonsense')
          return undefined
        } catch (error) {
          return error
        }
      },
      path: (_ctx, ref) => [ref.path, ref.alive, ref.incarnation],
      hold: (ctx, what) => {
        if (what !== undefined) ctx.state.held = what
        return ctx.state.held
      },
      work: (ctx, fails: boolean) => {
        void ctx.run(
          async () => {
            await new Promise((resolve) => setTimeout(resolve, 5))
            if (fails) throw new Error('work failed')
            return 7
          },
          // oxlint-disable-next-line unicorn/no-thenable -- an option of that name
          { then: 'worked' as never },
        )
      },
      worked: (ctx, value) => {
        if (value !== undefined) ctx.state.worked.push(value)
        return ctx.state.worked
      },
    },
  }) as CellDefinition<CallerMessages>
}

/** Does what it is told with what it is given. */
export const inlineCaller: CellDefinition<CallerMessages> = callerOf('inline')
export const threadCaller: CellDefinition<CallerMessages> = callerOf('thread')

type RogueMessages = Loose<
  'ping' | 'spin' | 'exit' | 'uncaught' | 'regexp' | 'where' | 'state' | 'later' | 'held'
>

/** Does what takes a worker with it. */
export const rogue: CellDefinition<RogueMessages> = cell({
  name: 'rogue',
  module,
  isolation: 'thread',
  messages: {
    ping: message(),
    spin: message(),
    exit: message(),
    uncaught: message(),
    regexp: message(),
    where: message(),
    state: message(),
    later: message(),
    held: message(),
  },
  init: () => ({ count: 0 }),
  on: {
    ping: (ctx) => ++ctx.state.count,
    spin: (_ctx, flag: SharedArrayBuffer | undefined) => {
      if (flag !== undefined) Atomics.store(new Int32Array(flag), 0, 1)
      for (;;);
    },
    exit: () => process.exit(7),
    uncaught: () => {
      setImmediate(() => {
        throw new Error('nobody catches this')
      })
      return new Promise(() => {})
    },
    regexp: () => /^(a+)+$/.test(`${'a'.repeat(40)}b`),
    where: async () => (await import('node:worker_threads')).threadId,
    state: (ctx) => ctx.state,
    later: (ctx, key: string) => {
      ctx.graph.write((tx) => tx.put(key, { labels: ['Note'], props: {} })).catch(() => {})
    },
    held: (_ctx, flag: SharedArrayBuffer) => {
      const word = new Int32Array(flag)
      Atomics.store(word, 0, 1)
      Atomics.wait(word, 0, 1)
      throw new RangeError('let go')
    },
  },
  // Its tests do what the watchdog does.
  limits: { turnCpuMs: 0 },
}) as CellDefinition<RogueMessages>

type RecorderMessages = { readonly note: Message<number>; readonly noted: Message<void, readonly number[]> }

/** Commits each number that it is sent, and how often. */
export const recorder: CellDefinition<RecorderMessages> = cell({
  name: 'recorder',
  module,
  isolation: 'thread',
  grants: { read: ['Number'], write: ['Number'] },
  messages: { note: message<number>(), noted: message<void, readonly number[]>() },
  init: () => ({ noted: [] as number[] }),
  on: {
    note: (ctx, number) => {
      const key = `number-${number}`
      const times = (ctx.tx.get(key)?.props['times'] as number | undefined) ?? 0
      ctx.tx.put(key, { labels: ['Number'], props: { times: times + 1 } })
      ctx.state.noted.push(number)
    },
    noted: (ctx) => ctx.state.noted,
  },
  limits: { mailbox: 100_000 },
})

type DiggerMessages = { readonly dig: Message<void> }

const diggerOf = (isolation: 'inline' | 'thread'): CellDefinition<DiggerMessages> => {
  const digger: CellDefinition<DiggerMessages> = cell({
    name: `digger-${isolation}`,
    module,
    isolation,
    messages: { dig: message<void>() },
    on: {
      dig: (ctx) => {
        ctx.spawn(digger).send('dig')
      },
    },
  })
  return digger
}

/** Spawns another of its kind, and so on. */
export const inlineDigger: CellDefinition<DiggerMessages> = diggerOf('inline')
export const threadDigger: CellDefinition<DiggerMessages> = diggerOf('thread')

type MirrorMessages = Loose<'echo' | 'deep' | 'keep' | 'throws'>

const mirrorOf = (isolation: 'inline' | 'thread'): CellDefinition<MirrorMessages> =>
  cell({
    name: `mirror-${isolation}`,
    module,
    isolation,
    messages: { echo: message(), deep: message(), keep: message(), throws: message() },
    on: {
      echo: (_ctx, what) => what,
      deep: (_ctx, depth) => deep(depth),
      keep: () => {},
      throws: (_ctx, what: 'getter' | 'deep' | 'function') => {
        if (what === 'deep') throw deep(200_000)
        throw {
          get x() {
            if (what === 'getter') throw new Error('do not look')
            return () => {}
          },
        }
      },
    },
  }) as CellDefinition<MirrorMessages>

/** Something nested so often. */
export const deep = (depth: number): unknown => {
  let value: unknown = 0
  for (let at = 0; at < depth; at++) value = { value }
  return value
}

/** Answers with what it was sent, or with something that deep. */
export const inlineMirror: CellDefinition<MirrorMessages> = mirrorOf('inline')
export const threadMirror: CellDefinition<MirrorMessages> = mirrorOf('thread')

const traces: Topic<number> = topic<number>('traces')

type TracerMessages = Loose<'by' | 'note' | 'what' | 'seen' | 'later' | 'now'>

const tracerOf = (isolation: 'inline' | 'thread'): CellDefinition<TracerMessages> =>
  cell({
    name: `tracer-${isolation}`,
    module,
    isolation,
    messages: {
      by: message(),
      note: message(),
      what: message(),
      seen: message(),
      later: message(),
      now: message(),
    },
    init: () => ({ seen: [] as unknown[] }),
    on: {
      by: async (ctx, { way, to }) => {
        switch (way) {
          case 'send':
            return ctx.send(to as CellRef<never>, 'note' as never)
          case 'reference':
            return to.send('note')
          case 'sendLater':
            await new Promise((resolve) => setTimeout(resolve, 1))
            return ctx.send(to as CellRef<never>, 'note' as never)
          case 'ask':
            return ctx.ask(to as CellRef<never>, 'note' as never)
          case 'askLater':
            await new Promise((resolve) => setTimeout(resolve, 1))
            return ctx.ask(to as CellRef<never>, 'note' as never)
          case 'timer':
            ctx.sendAfter(1, 'note', 0)
            return undefined
          case 'work':
            // oxlint-disable-next-line unicorn/no-thenable -- an option of that name
            void ctx.run(() => 0, { then: 'note' as never })
            return undefined
          case 'publish':
            ctx.subscribe(traces, 'note').cancel()
            ctx.subscribe(traces, 'note')
            return ctx.publish(traces, 1)
          default:
            ctx.trace = 'its own'
            return ctx.send(to as CellRef<never>, 'note' as never)
        }
      },
      note: (ctx) => void ctx.state.seen.push(ctx.trace),
      what: (ctx) => ctx.trace,
      seen: (ctx) => ctx.state.seen.splice(0),
      later: (ctx) => ctx.defer(),
      now: (ctx) => ctx.become({ later: (turn) => void turn.state.seen.push(turn.trace) }),
    },
    limits: { mailbox: 20 },
  }) as CellDefinition<TracerMessages>

/** Notes the trace contexts of what it gets. */
export const inlineTracer: CellDefinition<TracerMessages> = tracerOf('inline')
export const threadTracer: CellDefinition<TracerMessages> = tracerOf('thread')

type TellerMessages = {
  readonly count: Message
  readonly urgent: Message
  readonly total: Message<void, number>
}

const tellerOf = (isolation: 'inline' | 'thread'): CellDefinition<TellerMessages> =>
  cell({
    name: `teller-${isolation}`,
    module,
    isolation,
    messages: { count: message<void>(), urgent: control(message<void>()), total: message<void, number>() },
    init: () => ({ total: 0 }),
    on: {
      count: (ctx) => void ctx.state.total++,
      urgent: (ctx) => void ctx.state.total++,
      total: (ctx) => ctx.state.total,
    },
    limits: { mailbox: 100_000 },
  })

/** Counts what it gets. */
export const inlineTeller: CellDefinition<TellerMessages> = tellerOf('inline')
export const threadTeller: CellDefinition<TellerMessages> = tellerOf('thread')

type BurnerMessages = { readonly burn: Message<number, number>; readonly rest: Message<void, number> }

const burnerOf = (isolation: 'inline' | 'thread'): CellDefinition<BurnerMessages> =>
  cell({
    name: `burner-${isolation}`,
    module,
    isolation,
    messages: { burn: message<number, number>(), rest: message<void, number>() },
    on: {
      burn: (ctx, ms) => {
        const until = performance.now() + ms
        while (performance.now() < until);
        return ctx.self.incarnation
      },
      rest: (ctx) => ctx.self.incarnation,
    },
    limits: { budget: { cpuMs: 300 } },
  })

/** Keeps its thread busy for so many milliseconds; 300 of CPU time are all that it has. */
export const inlineBurner: CellDefinition<BurnerMessages> = burnerOf('inline')
export const threadBurner: CellDefinition<BurnerMessages> = burnerOf('thread')

/** Takes as long as it is told, of which 60 ms are too long. */
export const burnt: CellDefinition<{ readonly burn: Message<number, number> }> = cell({
  name: 'burnt',
  module,
  isolation: 'thread',
  messages: { burn: message<number, number>() },
  on: {
    burn: (ctx, ms) => {
      const begun = native.threadCpuMs() ?? 0
      while ((native.threadCpuMs() ?? 0) - begun < ms);
      return ctx.self.incarnation
    },
  },
  limits: { turnCpuMs: 60 },
})

/** Spins, and may do so for a while. */
export const spinner: CellDefinition<Loose<'ping' | 'spin'>> = cell({
  name: 'spinner',
  module,
  isolation: 'thread',
  messages: { ping: message(), spin: message() },
  init: () => ({ count: 0 }),
  on: {
    ping: (ctx) => ++ctx.state.count,
    spin: () => {
      for (;;);
    },
  },
  limits: { turnCpuMs: 100 },
}) as CellDefinition<Loose<'ping' | 'spin'>>

type SinkMessages = {
  readonly text: Message<string>
  readonly length: Message<void, number>
  readonly pour: Message<{ to: CellRef<SinkMessages>; count: number; text: string }, number>
}

const sinkOf = (isolation: 'inline' | 'thread'): CellDefinition<SinkMessages> =>
  cell({
    name: `sink-${isolation}`,
    module,
    isolation,
    messages: {
      text: message<string>(),
      length: message<void, number>(),
      pour: message<{ to: CellRef<SinkMessages>; count: number; text: string }, number>(),
    },
    init: () => ({ length: 0 }),
    on: {
      text: (ctx, text) => {
        ctx.state.length += text.length
      },
      length: (ctx) => ctx.state.length,
      pour: (_ctx, { to, count, text }) => {
        let taken = 0
        for (let at = 0; at < count; at++) if (to.send('text', text)) taken++
        return taken
      },
    },
    limits: { mailbox: 100_000 },
  })

/** Takes a lot of text, and pours it out. */
export const inlineSink: CellDefinition<SinkMessages> = sinkOf('inline')
export const threadSink: CellDefinition<SinkMessages> = sinkOf('thread')

/** Not exported: no worker finds it. */
const hidden = cell({
  name: 'hidden',
  module,
  isolation: 'thread',
  messages: { ping: message<void, number>() },
  on: { ping: () => 1 },
})
export const hiddenOne: Readonly<Record<'cell', unknown>> = { cell: hidden }

/** Not exported either, but it runs in main. */
const hiddenInline = cell({
  name: 'hidden-inline',
  module,
  messages: { ping: message<void, number>() },
  on: { ping: () => 1 },
})
export const spawnHidden = (kernel: Kernel): CellRef<{ ping: Message<void, number> }> =>
  kernel.spawn(hiddenInline).address

/** Two counters. */
export const crew: SupervisorDefinition = supervisor({
  name: 'crew',
  module,
  children: [
    { name: 'first', cell: inlineCounter },
    { name: 'second', cell: threadCounter },
  ],
})

const even = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) =>
      typeof value === 'number' && value % 2 === 0
        ? { value: value / 2 }
        : { issues: [{ message: 'an even number is needed' }] },
  },
}

type HalverMessages = { readonly halve: Message<number, number, unknown, number> }

const halverOf = (isolation: 'inline' | 'thread'): CellDefinition<HalverMessages> =>
  cell({
    name: `halver-${isolation}`,
    module,
    isolation,
    messages: { halve: message(even as never) },
    on: { halve: (_ctx, half) => half },
  }) as unknown as CellDefinition<HalverMessages>

/** Takes even numbers only, and gets their half. */
export const inlineHalver: CellDefinition<HalverMessages> = halverOf('inline')
export const threadHalver: CellDefinition<HalverMessages> = halverOf('thread')

const DEFINITIONS = {
  inline: inlineCounter,
  thread: threadCounter,
  crew,
  hidden: hidden as unknown,
}
