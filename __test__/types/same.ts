// What the checks of types have in common.

/** True where two types are the same. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only when two types are one; `any` is the same as nothing but itself. */
export const same = <A, B>(_proof: Same<A, B>): void => {}
