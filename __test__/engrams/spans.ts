import { Cursor } from '../../ts/engrams/cursor.ts'
import { BLOCK_BYTES } from '../../ts/engrams/layout.ts'

/** Bytes that begin at an offset of a file, in blocks as a package has them. */
export function blocksOver(bytes: Buffer, offset: number): { readonly block: (number: number) => Buffer } {
  const block = (number: number): Buffer => {
    const whole = Buffer.alloc(BLOCK_BYTES, 0xaa)
    const start = number * BLOCK_BYTES
    const from = Math.max(start, offset)
    bytes.copy(whole, from - start, from - offset, start + BLOCK_BYTES - offset)
    return whole
  }
  return { block }
}

/** A cursor over them. */
export function over(bytes: Buffer, offset = 0): Cursor {
  return new Cursor(blocksOver(bytes, offset), offset, offset + bytes.length)
}
