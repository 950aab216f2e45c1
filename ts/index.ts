// The package: what is here and nothing else.
export { cell, control, message, supervisor, topic } from './cells/index.ts'
export type * from './cells/index.ts'
export {
  dropEngram,
  exportEngram,
  graftEngram,
  inspectEngram,
  keepEngram,
  keptEngrams,
  listGrafts,
  openEngram,
  openGraft,
  planGraft,
  restoreEngram,
} from './engrams/index.ts'
export type { DirectGraftOptions } from './engrams/index.ts'
export type * from './engrams/types.ts'
export { KaryonError, type ErrorDetails, type KaryonErrorCode } from './errors.ts'
export type { DeadLetterReason, DeathReason, DownReason, KernelEvent } from './events.ts'
export type { Grants } from './graph/session.ts'
export type * from './graph/types.ts'
export { Kernel, type KernelOptions, type KernelStats, type OpenOptions, type Recovery } from './kernel.ts'
export {
  match,
  type AnyRow,
  type EdgePattern,
  type Hops,
  type NodePattern,
  type Pattern,
  type PatternStart,
} from './match/index.ts'
export { reinforce, weaken } from './recall/learning.ts'
export {
  openRecall,
  type Candidate,
  type FindOptions,
  type Recall,
  type RecallStats,
} from './recall/recall.ts'
export type { RecallOptions } from './recall/options.ts'
export { Simulation, type SimulationOptions } from './simulation.ts'
export type { WorkerOptions } from './threads/threads.ts'
export { Instant, type Moment, type Version } from './time.ts'
export type { Properties, PropertyChanges, Value } from './values/types.ts'
