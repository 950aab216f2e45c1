// Cells: what programs see of them.
export type { Context, Down, InitContext, Monitor, Timer, TimerOptions } from './context.ts'
export {
  cell,
  message,
  supervisor,
  type Answer,
  type CellDefinition,
  type CellLimits,
  type CellSpec,
  type ChildSpec,
  type Handlers,
  type Message,
  type RestartKind,
  type RestartSpec,
  type StandardSchema,
  type SupervisorDefinition,
} from './definition.ts'
export type { CellRef, SupervisorRef } from './ref.ts'
export type { AskOptions, CellStats, Spawn, SpawnOptions } from './runtime.ts'
