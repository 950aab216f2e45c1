// Bytes cut where their content says, so that what stands in two files is cut alike in both, wherever in them it stands.

/** Bytes of the smallest chunk, but for the last one of a file. */
export const CHUNK_BYTES_MIN = 1_024
/** Bytes of the largest one. */
export const CHUNK_BYTES_MAX = 32_768
/** Up to here few places are taken for a cut, from here on many; with the bits below, chunks of noise have 4 KiB on average. */
const NORMAL_BYTES = 3_328
/** A place is taken where as many of the highest bits of the hash are zeros. */
const BITS_BEFORE = 14
const BITS_BEHIND = 10

/** Bytes that are looked through before what is left is moved to the front. */
const WINDOW_BYTES: number = 1_024 * 1_024

/**
 * A number for each byte. It is frozen: other numbers cut in other places, and what is kept already would be shared with nothing that
 * comes. Made by mulberry32 with the seed 1.
 */
const GEAR: Int32Array = gearTable(1)

function gearTable(seed: number): Int32Array {
  let state = seed
  return Int32Array.from({ length: 256 }, () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return mixed ^ (mixed >>> 14)
  })
}

/**
 * Where the chunk ends that begins at `start`, of what stands before `end`: FastCDC (Xia et al., USENIX ATC 2016) with a gear hash of 32
 * bits, of which the highest ones are looked at, as they know most of the bytes before. `end` has to be the end of everything, or as far
 * away as the largest chunk.
 */
export function cutOf(bytes: Uint8Array, start: number, end: number): number {
  const most = Math.min(end, start + CHUNK_BYTES_MAX)
  const normal = Math.min(most, start + NORMAL_BYTES)
  let at = start + CHUNK_BYTES_MIN
  let hash = 0
  for (; at < normal; at++) {
    hash = ((hash << 1) + GEAR[bytes[at]!]!) | 0
    if (hash >>> (32 - BITS_BEFORE) === 0) return at + 1
  }
  for (; at < most; at++) {
    hash = ((hash << 1) + GEAR[bytes[at]!]!) | 0
    if (hash >>> (32 - BITS_BEHIND) === 0) return at + 1
  }
  return most
}

/** The chunks of a file whose bytes come in parts of any size. Each part, and each chunk, holds until the next one is asked for. */
export function* chunksOf(parts: Iterable<Uint8Array>): Generator<Buffer, void> {
  const window = Buffer.allocUnsafeSlow(WINDOW_BYTES)
  let [start, end] = [0, 0]
  for (const part of parts) {
    for (let done = 0; done < part.length;) {
      const count = Math.min(part.length - done, WINDOW_BYTES - end)
      window.set(part.subarray(done, done + count), end)
      done += count
      end += count
      if (end < WINDOW_BYTES) continue
      while (end - start >= CHUNK_BYTES_MAX) {
        const cut = cutOf(window, start, end)
        yield window.subarray(start, cut)
        start = cut
      }
      window.copyWithin(0, start, end)
      end -= start
      start = 0
    }
  }
  while (start < end) {
    const cut = cutOf(window, start, end)
    yield window.subarray(start, cut)
    start = cut
  }
}
