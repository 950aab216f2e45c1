// Where what is imported comes from.
import { createReadStream } from 'node:fs'
import { KaryonError } from '../index.ts'
import { badArgument, failedToMove } from './failures.ts'

/**
 * A file, by its path or URL; or what gives text or bytes piece by piece, cut anywhere: a stream, the body of a response, a list. It is
 * asked for the next piece once there is room for it, and no sooner.
 */
export type Source = string | URL | AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>

/** Bytes that are read of a file at a time. */
const READ_BYTES = 256 * 1024

/** The pieces of a source. Whatever it fails with is `ERR_KARYON_IO`, with that as its cause. */
export async function* piecesOf(source: Source): AsyncGenerator<string | Uint8Array, void, undefined> {
  const isFile = typeof source === 'string' || source instanceof URL
  const pieces = isFile ? createReadStream(source, { highWaterMark: READ_BYTES }) : checkedPieces(source)
  try {
    for await (const piece of pieces) yield piece as string | Uint8Array
  } catch (error) {
    if (error instanceof KaryonError) throw error
    const [what, details] = isFile ? [String(source), { path: String(source) }] : ['the source', {}]
    throw failedToMove(`${what} cannot be read`, error, details)
  }
}

function checkedPieces(
  source: Exclude<Source, string | URL>,
): AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array> {
  if (typeof source === 'object' && source !== null && !(source instanceof Uint8Array)) {
    if (Symbol.asyncIterator in source || Symbol.iterator in source) return source
  }
  throw badArgument(
    'a source is the path of a file, or gives text or bytes piece by piece: a stream, or a list; wrap bytes in a list',
  )
}
