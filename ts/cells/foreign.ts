// What programs hand over: looking at it may throw, through a getter, a revoked proxy, or text that is none.
import { KaryonError, type KaryonErrorCode } from '../errors.ts'

/** What a look finds; nothing if it throws. */
export function peek<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}

/** What is kept under a name: nothing that an object has from its prototype, as it has `toString`. */
export function ownOf<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

/** Whether what was thrown is an error of Karyon's with this code. */
export function isFailure(error: unknown, code: KaryonErrorCode): error is KaryonError {
  return peek(() => error instanceof KaryonError && error.code === code) ?? false
}

/** Whether it would be waited for. May throw: only where that is caught. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  const mayBe = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return mayBe && typeof (value as { readonly then?: unknown }).then === 'function'
}

/** A promise where none may be: it is refused, and what becomes of it is nobody's. */
export function disown(value: PromiseLike<unknown>): void {
  new Promise((resolve) => resolve(value)).catch(() => {})
}
