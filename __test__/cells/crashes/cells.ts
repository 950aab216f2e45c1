// The cells of the crash matrix, for both tiers: exported for the workers, which import this module.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import {
  cell,
  message,
  type CellDefinition,
  type Context,
  type Message,
  type OwnedRef,
} from '../../../ts/index.ts'

const module = import.meta.url

/** Where the cells of a column run. */
export type Tier = 'inline' | 'thread'

/** What a turn does that comes to no good end. It raises a flag just before. */
type Crime = (raise: () => void, ctx: Asking) => unknown
type Asking = Context<{ readonly commit: Message }, unknown, unknown>

const store = new AsyncLocalStorage<string>()

function broken(): never {
  throw new Error('broken')
}

function deeper(depth: number): number {
  return deeper(depth + 1) + 1
}

function spin(): never {
  for (;;);
}

/** Calls a function from within native code. */
const CALLBACKS: Readonly<Record<string, (called: () => never) => unknown>> = {
  'the comparator of a sort': (called) => [2, 1].toSorted(called),
  'the reviver of `JSON.parse`': (called) => JSON.parse('[1]', called) as unknown,
  'the callback of a replacement': (called) => 'text'.replace(/x/, called),
  'a getter that `JSON.stringify` reads': (called) =>
    JSON.stringify(Object.defineProperty({}, 'part', { get: called, enumerable: true })),
  'a store of its own': (called) => store.run('left', called),
  'an `AsyncResource`': (called) => new AsyncResource('MINE').runInAsyncScope(called),
}

/** Fails in a way that the isolate survives, by what is done. */
export const FAILURES: Readonly<Record<string, Crime>> = {
  'a throw': broken,
  'a rejected promise': () => Promise.reject(new Error('broken')),
  'a throw after an await': async () => {
    await turnOfLoop()
    broken()
  },
  'a stack overflow': () => deeper(0),
  'a throw while an ask is open that nobody handles': (_raise, ctx) => {
    ctx.ask(ctx.spawn(inlineWaiting), 'wait')
    broken()
  },
  ...Object.fromEntries(
    Object.entries(CALLBACKS).map(([where, within]) => [`a throw within ${where}`, () => within(broken)]),
  ),
}

/** Runs for ever in a turn. */
export const LOOPS: Readonly<Record<string, Crime>> = {
  'an endless loop': (raise) => {
    raise()
    spin()
  },
  'a regular expression bomb': (raise) => {
    raise()
    return /^(a+)+$/.test(`${'a'.repeat(64)}b`)
  },
  ...Object.fromEntries(
    Object.entries(CALLBACKS).map(([where, within]) => [
      `an endless loop within ${where}`,
      (raise: () => void) => {
        raise()
        return within(spin)
      },
    ]),
  ),
}

/** Runs for ever while its turn waits. */
export const LATE_LOOPS: Readonly<Record<string, Crime>> = {
  'an endless loop after an await': async (raise) => {
    await turnOfLoop()
    raise()
    spin()
  },
  'an endless loop in a microtask': async (raise) => {
    await new Promise<void>((resolve) =>
      queueMicrotask(() => {
        raise()
        spin()
        resolve()
      }),
    )
  },
  'microtasks without end': async (raise) => {
    raise()
    for (;;) await Promise.resolve()
  },
}

/** Ends the isolate it runs in. */
export const EXITS: Readonly<Record<string, Crime>> = {
  '`process.exit`': (raise) => {
    raise()
    process.exit(7)
  },
  '`process.exit` after an await': async (raise) => {
    await turnOfLoop()
    raise()
    process.exit(7)
  },
  'an error that nobody catches': async (raise) => {
    setImmediate(() => {
      raise()
      broken()
    })
    await new Promise(() => {})
  },
  'an error that nobody catches in a microtask': async (raise) => {
    queueMicrotask(() => {
      raise()
      broken()
    })
    await new Promise(() => {})
  },
  'a rejection that nobody handles': async (raise) => {
    await turnOfLoop()
    raise()
    void Promise.reject(new Error('broken'))
    await new Promise(() => {})
  },
}

/** Ends the process inline, and a worker if nothing else runs there meanwhile. */
export const HEAPS: Readonly<Record<string, Crime>> = {
  'a heap that fills up little by little': async () => {
    for (const kept: unknown[] = []; ;) {
      for (let at = 0; at < 100; at++) kept.push(Array.from({ length: 1_000 }, (_, n) => ({ n })))
      await turnOfLoop()
    }
  },
}

/** Ends the process, wherever it is done. */
export const FATAL: Readonly<Record<string, Crime>> = {
  'a heap that is exhausted at once': (raise) => {
    raise()
    const kept: unknown[] = []
    for (;;) kept.push(Array<number>(10_000_000).fill(1.5))
  },
  'a native fault': (raise) => {
    raise()
    process.kill(process.pid, 'SIGSEGV')
    spin()
  },
}

const CRIMES = { ...FAILURES, ...LOOPS, ...LATE_LOOPS, ...EXITS, ...HEAPS, ...FATAL }

export interface VictimMessages {
  /** Does what is called so. */
  readonly commit: Message<{ readonly what: string; readonly flag?: SharedArrayBuffer }, unknown>
  /** Waits until its signal is aborted, and tries to go on. */
  readonly wait: Message<SharedArrayBuffer>
  readonly spawns: Message
  readonly write: Message<string>
  readonly incarnation: Message<void, number>
  /** Kills a cell from within native code. */
  readonly kills: Message<OwnedRef<never>>
}

const nestedOf = (isolation: Tier): CellDefinition<object> => {
  const nested: CellDefinition<object> = cell({
    name: `nested-${isolation}`,
    module,
    isolation,
    messages: {},
    restart: 'temporary',
    init: (ctx) => void ctx.spawn(nested as never, { name: 'deeper' }),
    on: {},
  })
  return nested
}

/** Spawns another of its kind, and so on. */
export const inlineNested: CellDefinition<object> = nestedOf('inline')
export const threadNested: CellDefinition<object> = nestedOf('thread')

const victimOf = (isolation: Tier): CellDefinition<VictimMessages> =>
  cell({
    name: 'victim',
    module,
    isolation,
    grants: { read: ['Fact'], write: ['Fact'] },
    limits: { turnCpuMs: 300 },
    messages: {
      commit: message<{ readonly what: string; readonly flag?: SharedArrayBuffer }, unknown>(),
      wait: message<SharedArrayBuffer>(),
      spawns: message(),
      write: message<string>(),
      incarnation: message<void, number>(),
      kills: message<OwnedRef<never>>(),
    },
    on: {
      commit: (ctx, { what, flag }) => {
        ctx.tx.put('lost', { labels: ['Fact'] })
        const raise = (): void => {
          if (flag !== undefined) Atomics.store(new Int32Array(flag), 0, 1)
        }
        return CRIMES[what]?.(raise, ctx as never)
      },
      wait: (ctx, flag) => {
        ctx.tx.put('lost', { labels: ['Fact'] })
        // Two scopes that are open, and continuations in between, when the cell is killed.
        return new AsyncResource('MINE').runInAsyncScope(() =>
          store.run('left', async () => {
            Atomics.store(new Int32Array(flag), 0, 1)
            while (!ctx.signal.aborted) {
              await Promise.resolve()
              await turnOfLoop()
            }
            // It is dead by now, whatever it still does.
            ctx.tx.put('lost', { labels: ['Fact'] })
          }),
        )
      },
      spawns: (ctx) => {
        ctx.spawn((isolation === 'inline' ? inlineNested : threadNested) as never, { name: 'deeper' })
      },
      write: (ctx, key) => ctx.tx.put(key, { labels: ['Fact'] }),
      incarnation: (ctx) => ctx.self.incarnation,
      kills: (_ctx, ref) => {
        ;[2, 1].toSorted(() => {
          void ref.kill()
          return 0
        })
      },
    },
  })

/** Fails in every way there is. */
export const inlineVictim: CellDefinition<VictimMessages> = victimOf('inline')
export const threadVictim: CellDefinition<VictimMessages> = victimOf('thread')

interface WaitingMessages {
  readonly wait: Message
  readonly incarnation: Message<void, number>
}

const waitingOf = (isolation: Tier): CellDefinition<WaitingMessages> =>
  cell({
    name: `waiting-${isolation}`,
    module,
    isolation,
    grants: { write: ['Fact'] },
    limits: { turnTimeoutMs: 20 },
    messages: { wait: message(), incarnation: message<void, number>() },
    on: {
      wait: async (ctx) => {
        ctx.tx.put('lost', { labels: ['Fact'] })
        await new Promise(() => {})
      },
      incarnation: (ctx) => ctx.self.incarnation,
    },
  })

/** Waits for what never comes. */
export const inlineWaiting: CellDefinition<WaitingMessages> = waitingOf('inline')
export const threadWaiting: CellDefinition<WaitingMessages> = waitingOf('thread')

interface BoundMessages {
  readonly breaks: Message
  readonly idles: Message
  readonly incarnation: Message<void, number>
}

const boundOf = (isolation: Tier): CellDefinition<BoundMessages> =>
  cell({
    name: `bound-${isolation}`,
    module,
    isolation,
    grants: { write: ['Fact'] },
    limits: { lease: { periodMs: 20 } },
    messages: { breaks: message(), idles: message(), incarnation: message<void, number>() },
    init: () => ({ whole: true }),
    on: {
      breaks: (ctx) => {
        ctx.tx.put('lost', { labels: ['Fact'] })
        ctx.state.whole = false
      },
      idles: async (ctx) => {
        ctx.tx.put('lost', { labels: ['Fact'] })
        await new Promise(() => {})
      },
      incarnation: (ctx) => ctx.self.incarnation,
    },
    invariant: ({ whole }) => whole,
  })

/** Has an invariant and a lease. */
export const inlineBound: CellDefinition<BoundMessages> = boundOf('inline')
export const threadBound: CellDefinition<BoundMessages> = boundOf('thread')

interface NeighbourMessages {
  readonly count: Message<void, number>
  readonly store: Message<void, string>
}

const neighbourOf = (isolation: Tier): CellDefinition<NeighbourMessages> =>
  cell({
    name: `neighbour-${isolation}`,
    module,
    isolation,
    messages: { count: message<void, number>(), store: message<void, string>() },
    init: () => ({ count: 0 }),
    on: {
      count: (ctx) => ++ctx.state.count,
      store: async () => {
        const before = store.getStore()
        await turnOfLoop()
        return `${before} ${store.getStore()}`
      },
    },
  })

/** Counts, beside the victim. */
export const inlineNeighbour: CellDefinition<NeighbourMessages> = neighbourOf('inline')
export const threadNeighbour: CellDefinition<NeighbourMessages> = neighbourOf('thread')
