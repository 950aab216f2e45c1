// Cells: what programs see of them.
export type { AskOptions } from './ask.ts'
export type { Context, Down, InitContext, Monitor, Timer, TimerOptions } from './context.ts'
export {
  cell,
  message,
  supervisor,
  type Answer,
  type AutoShutdown,
  type CellDefinition,
  type CellLimits,
  type CellSpec,
  type ChildSpec,
  type Handlers,
  type Message,
  type RestartKind,
  type RestartSpec,
  type StandardSchema,
  type Strategy,
  type SupervisorDefinition,
} from './definition.ts'
export type { ChildInfo } from './children.ts'
export type { CellRef, SupervisorRef } from './ref.ts'
export type { CellStats } from './runtime.ts'
export type { Spawn, SpawnOptions } from './spawn.ts'
