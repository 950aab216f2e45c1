import { Cursor } from '../../ts/engrams/cursor.ts'
import { BLOCK_BYTES } from '../../ts/engrams/layout.ts'

/** A cursor over bytes that begin at an offset of a file, in blocks as a package has them. */
export function over(bytes: Buffer, offset = 0): Cursor {
  const block = (number: number): Buffer => {
    const whole = Buffer.alloc(BLOCK_BYTES, 0xaa)
    const start = number * BLOCK_BYTES
    const from = Math.max(start, offset)
    bytes.copy(whole, from - start, from - offset, start + BLOCK_BYTES - offset)
    return whole
  }
  return new Cursor({ block }, offset, offset + bytes.length)
}
