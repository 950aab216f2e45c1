import type { ExecutionContext } from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kernel, type OpenOptions } from '../../ts/index.ts'

/** A new, empty directory that is gone after the test. */
export function freshDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'karyon-test-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A kernel that the test need not close. */
export async function openFor(
  t: ExecutionContext,
  directory: string,
  options?: OpenOptions,
): Promise<Kernel> {
  const kernel = await Kernel.open(directory, options)
  // What a test has broken on purpose may not close well.
  t.teardown(() => kernel.close().catch(() => {}))
  return kernel
}

/** A kernel in a directory of its own. */
export function freshKernel(t: ExecutionContext): Promise<Kernel> {
  return openFor(t, freshDirectory(t))
}
