import type { ExecutionContext } from 'ava'
import { KaryonError, type KaryonErrorCode } from '../../ts/index.ts'

/** Expects a call, or a promise, to be refused with a code and a message that is more than the code. */
export async function refused(
  t: ExecutionContext,
  code: KaryonErrorCode,
  act: (() => unknown) | Promise<unknown>,
  what?: string,
): Promise<KaryonError> {
  let caught: unknown
  try {
    await (typeof act === 'function' ? act() : act)
  } catch (error) {
    caught = error
  }
  if (!(caught instanceof KaryonError)) {
    throw new Error(`${what ?? 'the call'} was not refused with ${code}`, { cause: caught })
  }
  t.is(caught.code, code, what ?? caught.message)
  t.true(caught.message.length > 10 && !caught.message.includes(code), caught.message)
  return caught
}
