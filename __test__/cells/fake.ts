// A graph that fits on a page: committed nodes in a map, conflicts and durability on demand.
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { KaryonError } from '../../ts/errors.ts'
import { EventHub, type KernelEvent } from '../../ts/events.ts'
import type { Session, SessionSource, TurnTransaction } from '../../ts/graph/session.ts'
import { CellRuntime, type RuntimeOptions } from '../../ts/cells/runtime.ts'

/** Sessions whose transactions know `put` and `get` only. */
export class FakeGraph implements SessionSource {
  readonly nodes: Map<string, unknown> = new Map()
  /** Who wrote each node. */
  readonly writers: Map<string, string> = new Map()
  /** How many of the next submissions meet a conflict. */
  conflicts = 0
  /** Resolves what `submit` promised. */
  flush: () => void = () => {}
  held = false
  open = 0
  killed: string[] = []

  session(principal: string, incarnation: number): Session {
    let alive = true
    const begin = (): TurnTransaction => {
      const writes = new Map<string, unknown>()
      let over = false
      this.open++
      const end = (): void => {
        if (!over) this.open--
        over = true
      }
      const transaction = {
        get dirty() {
          return writes.size > 0
        },
        get: (key: string) => writes.get(key) ?? this.nodes.get(key),
        put: (key: string, node: unknown) => {
          if (over) throw new KaryonError('ERR_KARYON_TRANSACTION_DONE', 'over')
          writes.set(key, node)
        },
        submit: () => {
          if (!alive) throw new KaryonError('ERR_KARYON_CELL_DEAD', 'killed')
          end()
          if (this.conflicts > 0) {
            this.conflicts--
            throw new KaryonError('ERR_KARYON_CONFLICT', 'another came first')
          }
          for (const [key, node] of writes) {
            this.nodes.set(key, node)
            this.writers.set(key, `${principal}#${incarnation}`)
          }
          const durable = this.held
            ? new Promise<void>((resolve) => {
                this.flush = resolve
              })
            : Promise.resolve()
          return { version: BigInt(this.nodes.size), time: new Date(0), durable }
        },
        discard: end,
      }
      return transaction as unknown as TurnTransaction
    }
    return {
      graph: { get: (key: string) => this.nodes.get(key) } as unknown as Session['graph'],
      begin,
      kill: () => {
        alive = false
        this.killed.push(`${principal}#${incarnation}`)
      },
    }
  }
}

/** A runtime over a fake graph, a clock that stands still until it is moved, and all its events. */
export class World {
  readonly graph: FakeGraph = new FakeGraph()
  readonly events: KernelEvent[] = []
  readonly hub: EventHub = new EventHub()
  readonly cells: CellRuntime
  nowMs = 0

  constructor(options: Partial<RuntimeOptions> = {}) {
    this.cells = new CellRuntime({
      sessions: this.graph,
      emit: (event) => this.events.push(event),
      now: () => this.nowMs,
      seed: 1,
      ...options,
    })
  }

  /** Lets everything happen that needs no time. */
  async rest(): Promise<void> {
    for (let round = 0; round < 12; round++) await turnOfLoop()
  }

  /** Resolves once as many events of a type have been told: what another thread finds comes when it comes. */
  async heard(type: KernelEvent['type'], count = 1): Promise<void> {
    while (this.of(type).length < count) await turnOfLoop()
  }

  /** Moves the clock on, in steps of a millisecond at most `steps` times. */
  async pass(ms: number): Promise<void> {
    this.nowMs += ms
    this.cells.wake()
    await this.rest()
  }

  types(): string[] {
    return this.events.map((event) => event.type)
  }

  of<Type extends KernelEvent['type']>(type: Type): Extract<KernelEvent, { type: Type }>[] {
    return this.events.filter((event): event is Extract<KernelEvent, { type: Type }> => event.type === type)
  }
}

/** A promise that is settled from outside. */
export function gate(): { promise: Promise<void>; open: () => void; fail: (error: unknown) => void } {
  let open = (): void => {}
  let fail = (_error: unknown): void => {}
  const promise = new Promise<void>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { promise, open, fail }
}
