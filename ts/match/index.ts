// Pattern matching: what programs see of it. It stands outside of the kernel, on the package's public interface.
export { match, type Pattern, type PatternStart } from './pattern.ts'
export type { AnyRow, EdgePattern, Hops, NodePattern } from './types.ts'
