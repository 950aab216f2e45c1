// What lies outside of a worker: the kernel, which is asked, and waited for where the answer is needed at once.
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import type { Cell, Incarnation } from '../cells/cell.ts'
import { noChild, type AskedChildren, type ChildInfo } from '../cells/children.ts'
import type { Monitor, MonitorOptions } from '../cells/context.ts'
import { cell, declaredBy, type CompiledCell } from '../cells/definition.ts'
import type { CellInfo } from '../cells/inspect.ts'
import { OwnedRef, Reference, SupervisorRef, type AnyRef } from '../cells/ref.ts'
import type { CellRuntime, OutsideOfRuntime } from '../cells/runtime.ts'
import { placeOf } from '../cells/scheduler.ts'
import type { SpawnOptions } from '../cells/spawn.ts'
import { checkedName } from '../cells/failures.ts'
import { KaryonError } from '../errors.ts'
import { shielded } from '../shield.ts'
import { definitionFacts, type Call, type CallAnswer, type ChildAct, type ChildFacts } from './calls.ts'
import { notSendable } from './errors.ts'
import type { Line } from './line.ts'
import { exportedBy } from './modules.ts'
import { cellElsewhere, unpack, type Parcel, type ReferenceFacts } from './parcels.ts'
import type { LocalSeat } from './local.ts'
import type { RemoteScheduler } from './remote.ts'
import type { Passage } from './values.ts'
import { Place, Up } from './wire.ts'

/** What is not told of a cell elsewhere, and not asked either. */
const UNTOLD = cell({ name: 'untold', messages: {}, on: {} }) as unknown as CompiledCell

type Understood = NonNullable<ReferenceFacts['messages']>

/** The kernel, seen from a worker. */
export class Outside implements OutsideOfRuntime, Passage {
  readonly #answers: MessagePort
  #line: Line | undefined
  #runtime: CellRuntime | undefined
  #calls = 0

  constructor(answers: MessagePort) {
    this.#answers = answers
  }

  connect(line: Line, runtime: CellRuntime): void {
    this.#line = line
    this.#runtime = runtime
  }

  get #cells(): CellRuntime {
    return this.#runtime as CellRuntime
  }

  /** Asks, and waits. Main never waits for a worker, so this ends; and nobody stops it on the way. */
  #call(call: Call): unknown {
    return shielded(() => this.#wait(call))
  }

  #wait(call: Call): unknown {
    const { control, busy } = this.#line as Line
    const message = 'what is sent calls the kernel when it is looked at; send plain data'
    if (busy) throw new KaryonError('ERR_KARYON_NOT_SENDABLE', message)
    const number = ++this.#calls
    const scheduler = this.#cells.scheduler as RemoteScheduler
    try {
      scheduler.tell(Up.call, call, number)
    } catch (cause) {
      if (cause instanceof KaryonError) throw cause
      throw notSendable(`what ${call.what} is given`, cause)
    }
    ;(this.#line as Line).ring()
    for (;;) {
      const answered = Atomics.load(control, Place.answered)
      if (answered === number) break
      Atomics.wait(control, Place.answered, answered)
    }
    const received = receiveMessageOnPort(this.#answers) as { readonly message: Parcel }
    const answer = unpack(received.message, this) as CallAnswer
    if ('error' in answer) throw answer.error
    return answer.value
  }

  spawn(incarnation: Incarnation, definition: unknown, options: SpawnOptions): AnyRef {
    checkGivenName(options, 'a cell')
    const [seat, facts] = [seatOf(incarnation), definitionFacts(definition)]
    return this.#call({ what: 'spawn', seat, definition: facts, options }) as AnyRef
  }

  monitor(incarnation: Incarnation, ref: Reference, name: string, options: MonitorOptions): Monitor {
    const seat = seatOf(incarnation)
    Reference.cellOf(ref)
    this.#cells.codeOf(incarnation.cell, name)
    return this.#watch(seat, this.#call({ what: 'monitor', seat, ref, name, options }))
  }

  link(incarnation: Incarnation, ref: Reference): Monitor {
    const seat = seatOf(incarnation)
    Reference.cellOf(ref)
    return this.#watch(seat, this.#call({ what: 'link', seat, ref }))
  }

  subscribe(incarnation: Incarnation, topic: string, name: string): Monitor {
    const seat = seatOf(incarnation)
    return this.#watch(seat, this.#call({ what: 'subscribe', seat, topic, name }))
  }

  #watch(seat: number, watch: unknown): Monitor {
    return {
      cancel: () => {
        try {
          return this.#call({ what: 'cancel', seat, watch: watch as number }) as boolean
        } catch (error) {
          // It ended with its incarnation.
          if (error instanceof KaryonError && error.code === 'ERR_KARYON_CELL_DEAD') return false
          throw error
        }
      },
    }
  }

  publish(topic: string, payload: unknown, trace: string | undefined): number {
    return this.#call({ what: 'publish', topic, payload, trace }) as number
  }

  inspect(ref: Reference): Promise<CellInfo & { readonly state?: unknown }> {
    // Waited for by nobody who holds up this worker: another one may have to answer.
    const { slots, scheduler } = this.#cells
    return new Promise((resolve, reject) => {
      const slot = slots.take(0, undefined)
      const settle = resolve as (value: unknown) => void
      slot.ask = { path: ref.path, message: 'inspect', timeoutMs: 0, resolve: settle, reject }
      ;(scheduler as RemoteScheduler).tell(Up.inspect, ref, slot.number)
    })
  }

  out(reference: Reference): ReferenceFacts {
    const { id, path, incarnation, gone } = Reference.cellOf(reference)
    const kind =
      reference instanceof SupervisorRef ? 'supervisor' : reference instanceof OwnedRef ? 'owned' : 'cell'
    return { id, path, incarnation: incarnation.number, kind, gone }
  }

  in(facts: ReferenceFacts): Reference {
    const runtime = this.#cells
    const cell = this.#cellOf(facts)
    if (facts.kind === 'supervisor') return new SupervisorRef(cell, this.#childrenOf(cell))
    return facts.kind === 'owned' ? new OwnedRef<never>(cell) : runtime.refOf(cell)
  }

  #cellOf(facts: ReferenceFacts): Cell {
    const { id, gone, messages } = facts
    const { cells } = this.#cells
    const known = cells[placeOf(id)]
    if (known?.id === id) return known
    const cell = cellElsewhere(this.#cells, facts)
    if (messages !== undefined && messages.names.length > 0)
      cell.definition = this.#definitionOf(cell, messages)
    if (gone === undefined) cells[placeOf(id)] = cell
    return cell
  }

  describe(cell: Cell): CompiledCell | undefined {
    const messages = this.#call({ what: 'describe', ref: this.#cells.refOf(cell) })
    return messages === undefined ? undefined : this.#definitionOf(cell, messages as Understood)
  }

  /** What a cell elsewhere understands: its definition where it is here too, or its messages alone. */
  #definitionOf(cell: Cell, facts: Understood): CompiledCell {
    const { module, definition: name, names, checked, controls, dropOldest, mailbox, persist } = facts
    const here = module && (exportedBy(module, { kind: 'cell', name }) ?? declaredBy(module, 'cell', name))
    if (here) return here as CompiledCell
    // Its schemas are where the cell is.
    const parser = (code: number) => (payload: unknown) =>
      this.#call({ what: 'parse', ref: this.#cells.refOf(cell), code, payload })
    return {
      ...UNTOLD,
      name,
      module,
      names,
      codes: new Map(names.map((each, code) => [each, code])),
      parsers: checked.map((has, code) => (has ? parser(code) : undefined)),
      controls: controls.length > 0 ? new Set(controls) : undefined,
      persist,
      limits: { ...UNTOLD.limits, mailbox, dropOldest },
    }
  }

  #childrenOf(cell: Cell): AskedChildren {
    const ref = new OwnedRef<never>(cell)
    const ask = (act: ChildAct, name: string, child?: ChildFacts): unknown => {
      if (typeof name !== 'string') throw noChild(cell.path, name)
      return this.#call({ what: 'children', ref, act, name, child })
    }
    return {
      get: (name) => ({ ref: ask('get', name) as AnyRef }),
      list: () => ask('list', '') as readonly ChildInfo[],
      restart: (name) => ask('restart', name) as AnyRef,
      delete: (name) => void ask('delete', name),
      start: (child) => {
        const isSpec = !('kind' in Object(child))
        const { cell: definition, ...rest } = isSpec
          ? ({ cell: undefined, ...child } as never)
          : { cell: child }
        const facts = definition === undefined ? undefined : definitionFacts(definition)
        checkGivenName(rest, 'a child')
        return ask('start', '', { definition: facts, rest }) as AnyRef
      },
    }
  }
}

/** What is no name may be what cannot cross either. */
function checkGivenName({ name }: { readonly name?: string | undefined }, what: string): void {
  if (name !== undefined) checkedName(name, what)
}

function seatOf({ seat }: Incarnation): number {
  return (seat as LocalSeat).number
}
