// Cells: what programs see of them.
export type { AskOptions, DeliverOptions } from './ask.ts'
export type { Budget, Lease } from './apoptosis.ts'
export type { Context, Down, InitContext, Monitor, MonitorOptions, Timer, TimerOptions } from './context.ts'
export {
  cell,
  control,
  message,
  supervisor,
  type Answer,
  type AnyDefinition,
  type AutoShutdown,
  type CellDefinition,
  type CellLimits,
  type CellSpec,
  type ChildSpec,
  type ControlMessage,
  type Handlers,
  type Message,
  type RestartKind,
  type RestartSpec,
  type StandardSchema,
  type Strategy,
  type SupervisorDefinition,
  type SupervisorSpec,
  type TurnFacts,
} from './definition.ts'
export type { ChildInfo } from './children.ts'
export type { Once } from './durable.ts'
export type { CellInfo, CellStatus, CellTree } from './inspect.ts'
export type { AnyRef, CellRef, OwnedRef, SupervisorRef } from './ref.ts'
export type { CellStats } from './runtime.ts'
export type { Spawn, SpawnOptions } from './spawn.ts'
export { topic, type Subscription, type Topic } from './topics.ts'
