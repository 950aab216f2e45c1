// The package: what is here and nothing else.
export {
  type Answer,
  type AskOptions,
  type CellDefinition,
  type CellLimits,
  type CellRef,
  type CellSpec,
  type CellStats,
  type ChildSpec,
  type Context,
  type Down,
  type Handlers,
  type InitContext,
  type Message,
  type Monitor,
  type RestartKind,
  type RestartSpec,
  type Spawn,
  type SpawnOptions,
  type StandardSchema,
  type SupervisorDefinition,
  type SupervisorRef,
  type Timer,
  type TimerOptions,
  cell,
  message,
  supervisor,
} from './cells/index.ts'
export { KaryonError, type ErrorDetails, type KaryonErrorCode } from './errors.ts'
export type { DeadLetterReason, DeathReason, DownReason, KernelEvent } from './events.ts'
export type { Grants } from './graph/session.ts'
export type * from './graph/types.ts'
export { Kernel, type KernelOptions, type KernelStats, type OpenOptions, type Recovery } from './kernel.ts'
export { Instant, type Moment, type Version } from './time.ts'
export type { Properties, PropertyChanges, Value } from './values/types.ts'
