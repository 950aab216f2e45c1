// How cells and supervisors start.
import { badArgument } from '../errors.ts'
import { native } from '../native.ts'
import { checkedOptions } from '../graph/arguments.ts'
import { shielded } from '../shield.ts'
import { checkKey } from '../values/keys.ts'
import { Cell, type CellFacts } from './cell.ts'
import { Children } from './children.ts'
import {
  AUTO_SHUTDOWNS,
  STRATEGIES,
  backoffOf,
  isDefinition,
  type CellDefinition,
  type CompiledCell,
  type Messages,
  type RestartKind,
  type SupervisorDefinition,
} from './definition.ts'
import { durableName } from './durable.ts'
import { checkedName, failure } from './failures.ts'
import { OwnedRef, SupervisorRef, type AnyRef } from './ref.ts'
import { LIMITS, placeOf } from './scheduler.ts'
import { assertSendable, freezeSendable } from './sendable.ts'

const NUMBERED = 1
const HAS_INIT = 2
const RESTART_FLAGS = { transient: 0, permanent: 4, temporary: 8 } as const
const SIGNIFICANT = 16
const DYNAMIC = 32
const DROP_OLDEST = 64
const SUPERVISOR = 128
const REMOTE = 256
/** As long as it takes. */
const INFINITE = 0xffffffff

/** How a cell is started. */
export interface SpawnOptions<Args = unknown> {
  /** Unique among living siblings. By default the definition's name, numbered if it is taken. */
  readonly name?: string
  /**
   * What `init` gets, at each start: checked and frozen like a payload. Where the sendable check is off, it is handed on as it
   * is, and what an `init` changes in it the next one finds changed; that of a cell in a worker is checked all the same.
   */
  readonly args?: Args
}

/** Starts cells and supervisors. */
export interface Spawn {
  <M extends Messages<M>, Args>(
    definition: CellDefinition<M, Args>,
    ...options: undefined extends Args
      ? [options?: SpawnOptions<Args>]
      : [options: SpawnOptions<Args> & { readonly args: Args }]
  ): OwnedRef<M>
  <Kind>(definition: SupervisorDefinition<Kind>, options?: SpawnOptions<undefined>): SupervisorRef<Kind>
}

/** What the runtime knows of either kind of definition. */
export type Definition = CompiledCell | SupervisorDefinition

/** How a child stands below its supervisor; what is spawned elsewhere has nothing of it. */
export interface ChildPlace {
  readonly restart: RestartKind
  readonly significant: boolean
  /** Milliseconds, or Infinity. */
  readonly shutdownMs: number
  /** Ascending among the children. */
  readonly place: number
  /** It came after its supervisor had started. */
  readonly dynamic: boolean
}

/** Starts what is defined, below a cell, a supervisor or the root. */
export function spawnBelow(
  parent: Cell,
  definition: Definition,
  options: SpawnOptions = {},
  how?: ChildPlace,
): AnyRef {
  const { name, args } = checkedOptions(options, 'name', 'args')
  if (!isDefinition(definition)) throw badArgument('spawn takes what cell() or supervisor() made')
  if (name !== undefined) checkedName(name, `a ${definition.kind}`)
  if (definition.kind === 'supervisor' && args !== undefined)
    throw badArgument(`supervisor ${definition.name} takes no args; say those of its children`)
  if (parent.runtime.root.gone !== undefined)
    throw failure('ERR_KARYON_CLOSED', 'the kernel is closed; open it again')
  if (parent.runtime.check && args !== undefined) freezeSendable(args, 'args')
  // To start it again would not make them fit to leave.
  else if ((definition as CompiledCell).isolation === 'thread') assertSendable(args, 'args')
  return shielded(() =>
    definition.kind === 'cell'
      ? spawnCell(parent, definition, options, how)
      : spawnSupervisor(parent, definition, options, how),
  )
}

function flagsOf(name: string | undefined, restart: RestartKind, how: ChildPlace | undefined): number {
  const numbered = name === undefined ? NUMBERED : 0
  const place = how && (how.significant ? SIGNIFICANT : 0) | (how.dynamic ? DYNAMIC : 0)
  return numbered | RESTART_FLAGS[how?.restart ?? restart] | (place ?? 0)
}

function spawnCell(
  parent: Cell,
  definition: CompiledCell,
  { name, args }: SpawnOptions,
  how: ChildPlace | undefined,
): AnyRef {
  const { runtime } = parent
  const { scheduler } = runtime
  const { limits, restart } = definition
  const remote = definition.isolation === 'thread'
  if (remote) runtime.needThreads()
  // One that runs elsewhere is up once it has said so.
  const begins = definition.begins || remote
  const own = (begins ? HAS_INIT : 0) | (limits.dropOldest ? DROP_OLDEST : 0) | (remote ? REMOTE : 0)
  const flags = flagsOf(name, restart, how) | own
  const { mailbox, turnTimeoutMs, turnCpuMs } = limits
  const called = name ?? definition.name
  if (definition.persist) checkKey(durableName(`${parent.path}/${called}`))
  const { place = 0, shutdownMs = LIMITS.shutdownDefaultMs } = how ?? {}
  const shutdown = Math.min(shutdownMs, INFINITE)
  const terms = [flags, place, mailbox, turnTimeoutMs, shutdown, turnCpuMs]
  const id = scheduler.start(parent.id, called, terms)
  const cell = adopt(parent, id, name, { definition, args })
  // Below a supervisor it may have to wait for others.
  if (!begins && parent.children === undefined) {
    cell.incarnation.issue()
    runtime.emit({ type: 'cell.started', path: cell.path, incarnation: 1 })
  } else runtime.pump.schedule()
  return new OwnedRef<never>(cell)
}

function spawnSupervisor(
  parent: Cell,
  definition: SupervisorDefinition,
  { name }: SpawnOptions,
  how: ChildPlace | undefined,
): AnyRef {
  const { runtime } = parent
  const { scheduler } = runtime
  const { intensity, periodMs } = definition.restart
  const strategy = STRATEGIES.indexOf(definition.strategy)
  const autoShutdown = AUTO_SHUTDOWNS.indexOf(definition.autoShutdown)
  const { initialMs, factor, maxMs, jitter } = backoffOf(definition.restart)
  const flags = flagsOf(name, 'permanent', how) | SUPERVISOR
  // A supervisor has no messages and no turns.
  const own = [flags, how?.place ?? 0, 0, 0, INFINITE, 0]
  const policy = [strategy, autoShutdown, intensity, periodMs, initialMs, factor, maxMs, jitter]
  const id = scheduler.start(parent.id, name ?? definition.name, [...own, ...policy])
  const supervisor = adopt(parent, id, name)
  const children = new Children(supervisor, definition, spawnBelow)
  supervisor.own.children = children
  try {
    children.startAll()
  } catch (error) {
    void runtime.stopCell(supervisor)
    throw error
  }
  return new SupervisorRef(supervisor, children)
}

/** Keeps what the scheduler started, under the name it was given or got. */
function adopt(parent: Cell, id: number, given: string | undefined, facts?: CellFacts): Cell {
  const { runtime } = parent
  const name = given ?? native.cellName(runtime.scheduler.memory.handle, id) ?? ''
  const cell = new Cell(runtime, id, name, parent, facts)
  runtime.cells[placeOf(id)] = cell
  return cell
}
