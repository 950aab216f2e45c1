// Where everything stands in the tables of a recall: crates/ARCHITECTURE.md draws it.

/** Bytes of the head of a table. */
export const TABLE_HEAD_BYTES = 32
/** Numbers of 32 bits of a row: u48 offset of the node · u16 weight · u8 threshold · u8 confidence · u8 trust · u8 0. */
export const RECALL_ROW_WORDS = 3
/** Slots that stand together, one bit each says whether it is empty. */
export const GROUP_BITS = 5
export const GROUP: number = 1 << GROUP_BITS
/** Slots of a head: a power of two from this one on. */
export const HEAD_SLOTS_MIN: number = 2 ** 12
/** Bytes of a number. */
export const WORD_BYTES = 4

/** How many of 32 bits are set (Warren, Hacker's Delight). */
export function onesOf(bits: number): number {
  let ones = bits - ((bits >>> 1) & 0x55555555)
  ones = (ones & 0x33333333) + ((ones >>> 2) & 0x33333333)
  return Math.imul((ones + (ones >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
