// An export as a file.
import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { KaryonError } from '../index.ts'
import { failedToMove } from './failures.ts'

/**
 * Writes text to a file, chunk by chunk: the next one is asked for once the last one is written. The file is there when it is whole and
 * synced, its name with it, in the place of one that was there before, and not at all when something fails. Resolves with its bytes.
 *
 * Throws `ERR_KARYON_IO` when it cannot be written, and whatever the export throws.
 *
 * @example
 * await toFile('people.jsonl', exportJsonLines(graph))
 */
export async function toFile(
  path: string | URL,
  text: AsyncIterable<string> | Iterable<string>,
): Promise<number> {
  const target = path instanceof URL ? fileURLToPath(path) : path
  const partial = `${target}.${randomUUID()}.partial`
  try {
    const bytes = await writeWhole(partial, text)
    await rename(partial, target)
    await syncDirectory(dirname(target))
    return bytes
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {})
    if (error instanceof KaryonError) throw error
    throw failedToMove(`${target} cannot be written`, error, { path: target })
  }
}

/** The name of a file is durable once its directory is. */
async function syncDirectory(path: string): Promise<void> {
  // Windows has no handle for a directory, and needs none.
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

async function writeWhole(path: string, text: AsyncIterable<string> | Iterable<string>): Promise<number> {
  let bytes = 0
  const file = await open(path, 'wx')
  try {
    for await (const chunk of text) {
      const encoded = Buffer.from(chunk)
      await file.writeFile(encoded)
      bytes += encoded.length
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return bytes
}
