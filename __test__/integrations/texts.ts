import { below, type Random } from '../values/random.ts'

/** A text that comes whole from chunks. */
export async function whole(chunks: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += chunk
  return text
}

/** Bytes cut anywhere, inside of characters too. */
export function cutAnywhere(random: Random, bytes: Uint8Array, longest: number): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    const length = below(random, longest) + 1
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}

/** A text as a source in one piece. */
export function lines(...all: readonly string[]): string[] {
  return [all.map((line) => `${line}\n`).join('')]
}
