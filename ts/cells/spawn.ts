// How cells and supervisors start.
import { badArgument } from '../errors.ts'
import { native } from '../native.ts'
import { isWellFormed } from '../values/writer.ts'
import { Cell, type CellFacts } from './cell.ts'
import type { CellDefinition, CompiledCell, Messages, SupervisorDefinition } from './definition.ts'
import { bounded, failure } from './failures.ts'
import { SupervisorRef, type AnyRef, type CellRef } from './ref.ts'
import { LIMITS, placeOf } from './scheduler.ts'

/** The longest wait between restarts where a supervisor names none. */
const BACKOFF_MAX_MS = 30_000
const BACKOFF_FACTOR = 2
const BACKOFF_JITTER = 0.2

const NUMBERED = 1
const HAS_INIT = 2
const RESTART_FLAGS = { transient: 0, permanent: 4, temporary: 8 } as const

/** How a cell is started. */
export interface SpawnOptions<Args = unknown> {
  /** Unique among living siblings. By default the definition's name, numbered if it is taken. */
  readonly name?: string
  /** What `init` gets, at each start. */
  readonly args?: Args
}

/** Starts cells and supervisors. */
export interface Spawn {
  <M extends Messages<M>, Args>(
    definition: CellDefinition<M, Args>,
    ...options: [Args] extends [void]
      ? [options?: SpawnOptions<Args>]
      : undefined extends Args
        ? [options?: SpawnOptions<Args>]
        : [options: SpawnOptions<Args> & { readonly args: Args }]
  ): CellRef<M>
  (definition: SupervisorDefinition, options?: SpawnOptions): SupervisorRef
}

/** What the runtime knows of either kind of definition. */
export type Definition = CompiledCell | SupervisorDefinition

/** Starts what is defined, below a cell, a supervisor or the root. */
export function spawnBelow(parent: Cell, definition: Definition, options: SpawnOptions = {}): AnyRef {
  if (typeof options !== 'object' || options === null) throw badArgument('options of spawn are an object')
  const { name } = options
  if (name !== undefined && (typeof name !== 'string' || !isWellFormed(name))) {
    throw badArgument('a cell’s name is a string without lone surrogates')
  }
  const kind = definition?.kind
  if (kind !== 'cell' && kind !== 'supervisor')
    throw badArgument('spawn takes what cell() or supervisor() made')
  if (parent.runtime.scheduler.closed)
    throw failure('ERR_KARYON_CLOSED', 'the kernel is closed; open it again')
  return kind === 'cell'
    ? spawnCell(parent, definition, options)
    : spawnSupervisor(parent, definition, options)
}

function spawnCell(parent: Cell, definition: CompiledCell, { name, args }: SpawnOptions): AnyRef {
  const { runtime } = parent
  const { scheduler } = runtime
  const { limits, restart, init } = definition
  const flags = (name === undefined ? NUMBERED : 0) | (init ? HAS_INIT : 0) | RESTART_FLAGS[restart]
  const mailbox = bounded('limits.mailbox', limits.mailbox ?? LIMITS.mailboxDefault, 1, LIMITS.mailboxMax)
  const timeoutMs = bounded('limits.turnTimeoutMs', limits.turnTimeoutMs ?? 0, 0, LIMITS.delayMaxMs)
  const { handle } = scheduler.memory
  const called = name ?? definition.name
  const id = scheduler.started(native.spawnCell(handle, parent.id, called, flags, mailbox, timeoutMs))
  const cell = adopt(parent, id, name, { definition, args, mailbox })
  if (init === undefined) runtime.emit({ type: 'cell.started', path: cell.path, incarnation: 1 })
  else runtime.pump.schedule()
  return runtime.refOf(cell)
}

function spawnSupervisor(parent: Cell, definition: SupervisorDefinition, { name }: SpawnOptions): AnyRef {
  const { runtime } = parent
  const { scheduler } = runtime
  const { intensity, periodMs, backoff } = definition.restart
  const policy = {
    intensity: bounded('restart.intensity', intensity, 0, LIMITS.intensityMax),
    periodMs: bounded('restart.periodMs', periodMs, 1, LIMITS.delayMaxMs),
    initialMs: backoff?.initialMs ?? 0,
    factor: backoff?.factor ?? BACKOFF_FACTOR,
    maxMs: backoff?.maxMs ?? BACKOFF_MAX_MS,
    jitter: backoff?.jitter ?? BACKOFF_JITTER,
  }
  const flags = name === undefined ? NUMBERED : 0
  const { handle } = scheduler.memory
  const called = name ?? definition.name
  const id = scheduler.started(native.spawnSupervisor(handle, parent.id, called, flags, policy))
  const supervisor = adopt(parent, id, name)
  const children = new Map<string, AnyRef>()
  try {
    for (const { cell, name: childName = cell.name, args } of definition.children) {
      children.set(childName, spawnBelow(supervisor, cell as Definition, { name: childName, args }))
    }
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
  const cell = new Cell(runtime, id, `${parent.path}/${name}`, facts)
  runtime.cells[placeOf(id)] = cell
  return cell
}
