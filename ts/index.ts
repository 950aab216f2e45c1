// The package: what is here and nothing else.
export { KaryonError, type ErrorDetails, type KaryonErrorCode } from './errors.ts'
export type * from './graph/types.ts'
export type { Grants } from './graph/session.ts'
export { Kernel, type OpenOptions, type Recovery } from './kernel.ts'
export { Instant, type Moment, type Version } from './time.ts'
export type { Properties, PropertyChanges, Value } from './values/types.ts'
