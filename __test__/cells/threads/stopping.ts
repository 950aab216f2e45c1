// Cells whose turns are stopped in place in a worker, or cannot be: exported for the workers, which import this module.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { inlineCounter } from './cells.ts'
import { Reference } from '../../../ts/cells/ref.ts'
import {
  cell,
  message,
  type CellDefinition,
  type CellRef,
  type Context,
  type Message,
  type SupervisorRef,
} from '../../../ts/index.ts'
import { native } from '../../../ts/native.ts'

const module = import.meta.url

/** Long enough that no pause of the collector takes a turn from its limit to twice as much, at which its worker is given up; in milliseconds. */
export const LIMITS = { turnCpuMs: 250, stopInPlace: true } as const

const store = new AsyncLocalStorage<string>()

function spin(): never {
  for (;;);
}

type Counted = CellRef<CountingMessages>
type Looping = Context<LoopingMessages, { turns: number }, void>

/** However it loops, it is stopped, and nothing else notices. */
export const STOPPED: Readonly<Record<string, (ctx: Looping, to: Counted) => unknown>> = {
  'an endless loop': spin,
  'a regular expression that backtracks for ever': () => /^(a+)+$/.test(`${'a'.repeat(64)}b`),
  'a loop that catches everything': () => {
    for (;;) {
      try {
        spin()
      } finally {
        spin()
      }
    }
  },
  'a loop within a store of its own': () => store.run('left', spin),
  'a loop within a comparator': () => [2, 1].toSorted(spin),
  'a loop that reads in its transaction': (ctx) => {
    for (;;) ctx.tx.get('never')
  },
  'a loop that sends': (_ctx, to) => {
    for (;;) to.send('add', 1)
  },
  'a loop that asks': (ctx, to) => {
    for (;;) {
      ctx.ask(to, 'total').catch(() => {})
      // Each has an error to be told of when the turn has been stopped: so few that this is no overrun of its own.
      for (let pause = 0; pause < 20_000; pause++);
    }
  },
  'a loop that sets timers and calls them off': (ctx) => {
    for (;;) ctx.cancel(ctx.sendAfter(60_000, 'where'))
  },
  'a loop that watches, and waits for the kernel each time': (ctx, to) => {
    for (;;) ctx.monitor(to, 'where' as never).cancel()
  },
  'a loop that spawns and stops': (ctx) => {
    for (;;) void ctx.spawn(inlineCounter).stop()
  },
}

type LoopingMessages = {
  readonly loop: Message<{ readonly how: string; readonly to: Counted }, unknown>
  readonly taint: Message<SharedArrayBuffer>
  readonly forget: Message
  readonly later: Message<SharedArrayBuffer | void>
  readonly where: Message<void, string>
  readonly spin: Message<number, string>
}

/** Loops, and may be stopped. */
export const looping: CellDefinition<LoopingMessages> = cell({
  name: 'looping',
  module,
  isolation: 'thread',
  grants: { read: ['Fact'], write: ['Fact'] },
  limits: { ...LIMITS, mailbox: 10_000 },
  restart: 'permanent',
  messages: {
    loop: message<{ readonly how: string; readonly to: Counted }, unknown>(),
    taint: message<SharedArrayBuffer>(),
    forget: message(),
    later: message<SharedArrayBuffer | void>(),
    where: message<void, string>(),
    spin: message<number, string>(),
  },
  init: () => ({ turns: 0 }),
  on: {
    loop: (ctx, { how, to }) => {
      ctx.state.turns++
      ctx.tx.put('never', { labels: ['Fact'] })
      return STOPPED[how]?.(ctx as Looping, to)
    },
    taint: (ctx, flag) => {
      ctx.tx.put('never', { labels: ['Fact'] })
      Atomics.store(new Int32Array(flag), 0, 1)
      new AsyncResource('MINE').runInAsyncScope(spin)
    },
    // As if Node did not export what it takes to stop a turn.
    forget: (ctx) => {
      Object.assign(Reference.cellOf(ctx.self).runtime.scheduler.memory, { guard: undefined })
    },
    later: async (ctx, flag) => {
      ctx.tx.put('never', { labels: ['Fact'] })
      await Promise.resolve()
      if (flag) Atomics.store(new Int32Array(flag), 0, 1)
      spin()
    },
    where: (ctx) => `${store.getStore()} ${ctx.state.turns}`,
    spin: (ctx, ms) => {
      ctx.state.turns++
      // By what the watchdog goes by: on a busy machine that is much less than what a clock says.
      const begun = native.threadCpuMs() ?? 0
      while ((native.threadCpuMs() ?? 0) - begun < ms);
      return 'whole'
    },
  },
})

/** Loops where no turn is stopped: in its invariant. */
export const unsound: CellDefinition<{ readonly go: Message }> = cell({
  name: 'unsound',
  module,
  isolation: 'thread',
  limits: LIMITS,
  messages: { go: message() },
  init: () => ({}),
  on: { go: () => {} },
  invariant: spin,
})

type CountingMessages = {
  readonly add: Message<number>
  readonly total: Message<void, number>
  readonly first: Message<SupervisorRef, number>
}

/** Counts in the worker, or elsewhere. */
export const counting: CellDefinition<CountingMessages> = cell({
  name: 'counting',
  module,
  isolation: 'thread',
  limits: { mailbox: 20_000 },
  messages: {
    add: message<number>(),
    total: message<void, number>(),
    first: message<SupervisorRef, number>(),
  },
  init: () => ({ total: 0 }),
  on: {
    add: (ctx, by) => {
      ctx.state.total += by
    },
    total: (ctx) => ctx.state.total,
    // Of a module that only this one has imported here.
    first: (ctx, crew) => ctx.ask(crew.child('first', inlineCounter), 'total'),
  },
})
