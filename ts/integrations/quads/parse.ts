// N-Quads as quads, without a graph.
import { LineCutter } from '../lines.ts'
import { piecesOf, type Source } from '../source.ts'
import { quadOf } from './syntax.ts'
import type { Quad } from './types.ts'

/**
 * The quads of a file, as they come. Holds one piece of the source, and one line of at most 32 MiB.
 *
 * Throws `ERR_KARYON_ARGUMENT` where the file is not N-Quads, `ERR_KARYON_VALUE_SIZE` for a line that is too long (both with `details.line` and
 * `details.column`), `ERR_KARYON_IO` when the source fails.
 *
 * @example
 * for await (const { subject, predicate, object, graph } of parseNQuads('data.nq')) …
 */
export async function* parseNQuads(source: Source): AsyncGenerator<Quad, void, undefined> {
  const cutter = new LineCutter()
  for await (const piece of piecesOf(source)) {
    for (const text of cutter.cut(piece)) {
      const quad = quadOf(text, cutter.number)
      if (quad) yield quad
    }
  }
  for (const text of cutter.end()) {
    const quad = quadOf(text, cutter.number)
    if (quad) yield quad
  }
}
