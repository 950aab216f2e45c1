// The same behaviour in both tiers: each test runs once with inline cells, once with cells in a worker.
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Reference } from '../../../ts/cells/ref.ts'
import {
  Kernel,
  type KernelEvent,
  type KernelOptions,
  type OwnedRef,
  type WorkerOptions,
} from '../../../ts/index.ts'
import type { Thread } from '../../../ts/threads/thread.ts'
import type { Threads } from '../../../ts/threads/threads.ts'
import * as cells from './cells.ts'

/** A kernel, its events, and the cells of one tier. */
export interface World {
  readonly kernel: Kernel
  readonly events: KernelEvent[]
  readonly counter: typeof cells.threadCounter
  readonly keeper: typeof cells.threadKeeper
  readonly waiter: typeof cells.threadWaiter
  readonly caller: typeof cells.threadCaller
  readonly halver: typeof cells.threadHalver
  readonly digger: typeof cells.threadDigger
  /** Resolves with the first event of a kind that there was or will be. */
  event<Type extends KernelEvent['type']>(
    type: Type,
    fits?: (event: Extract<KernelEvent, { type: Type }>) => boolean,
  ): Promise<Extract<KernelEvent, { type: Type }>>
}

/** Opens a kernel with one worker at most, and listens to it. */
export function world(tier: 'inline' | 'thread', options: KernelOptions = {}): World {
  const kernel = Kernel.memory({ workers: { count: 1, spare: false }, ...options })
  const events: KernelEvent[] = []
  const waiting = new Set<() => void>()
  void (async () => {
    for await (const event of kernel.events({ buffer: 100_000 })) {
      events.push(event)
      for (const look of waiting) look()
    }
  })()
  return {
    kernel,
    events,
    counter: tier === 'inline' ? cells.inlineCounter : cells.threadCounter,
    keeper: tier === 'inline' ? cells.inlineKeeper : cells.threadKeeper,
    waiter: tier === 'inline' ? cells.inlineWaiter : cells.threadWaiter,
    caller: tier === 'inline' ? cells.inlineCaller : cells.threadCaller,
    halver: tier === 'inline' ? cells.inlineHalver : cells.threadHalver,
    digger: tier === 'inline' ? cells.inlineDigger : cells.threadDigger,
    event: (type, fits = () => true) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = events.find((event) => event.type === type && fits(event as never))
          if (found === undefined) return
          waiting.delete(look)
          resolve(found as never)
        }
        waiting.add(look)
        look()
      }),
  }
}

/** As long as a worker may take to start on a busy machine. */
export const PATIENT = { timeoutMs: 60_000 } as const

/** Lets the first worker start, which is no part of what is tested. */
async function warmUp({ kernel }: World): Promise<void> {
  const first = kernel.spawn(cells.threadCounter, { name: 'first' })
  await first.ask('total', undefined, PATIENT)
  await first.stop()
}

/** One behaviour, in both tiers. */
export function both(
  title: string,
  behaves: (t: ExecutionContext, world: World, tier: 'inline' | 'thread') => Promise<void>,
): void {
  for (const tier of ['inline', 'thread'] as const) {
    // One after the other: each has a worker of its own.
    test.serial(`${tier}: ${title}`, async (t) => {
      const here = world(tier)
      // Waiting for an event keeps no program alive.
      const alive = setInterval(() => {}, 1_000)
      try {
        if (tier === 'thread') await warmUp(here)
        await behaves(t, here, tier)
      } finally {
        clearInterval(alive)
        await here.kernel.close()
      }
    })
  }
}

/** A test with a kernel whose cells run in workers. */
export function threaded(
  title: string,
  options: WorkerOptions,
  behaves: (t: ExecutionContext, world: World) => Promise<void>,
): void {
  test.serial(title, async (t) => {
    const here = world('thread', { workers: options })
    const alive = setInterval(() => {}, 1_000)
    try {
      await warmUp(here)
      await behaves(t, here)
    } finally {
      clearInterval(alive)
      await here.kernel.close()
    }
  })
}

/** Resolves once no message waits in the cell's mailbox. */
export async function emptied(ref: OwnedRef<never>): Promise<void> {
  while (((await ref.inspect()).mailbox?.waiting ?? 0) > 0) await turnOfLoop()
}

/** The workers behind a reference's kernel. */
export function threadsOf(ref: { readonly path: string }): Threads {
  return Reference.cellOf(ref as Reference).runtime.threads as Threads
}

/** The worker that a cell runs in. */
export function threadOf(ref: { readonly path: string }): Thread {
  return threadsOf(ref).threadOf(Reference.cellOf(ref as Reference)) as Thread
}
