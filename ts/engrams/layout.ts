// Where everything stands in a package: crates/ARCHITECTURE.md draws it.
import { KaryonError } from '../errors.ts'
import { malformed } from './refusals.ts'

/** The format of what has no past. It is written wherever it says all, so that what reads no other reads that. */
export const FORMAT_CUT = 1
/** The format of what has its past, and no recall tables. */
export const FORMAT_KEPT = 2
/** The newest format that is understood: that of what has recall tables, with its past or without. */
export const FORMAT = 3
/** Bytes of a block: what is hashed, read and verified at once. */
export const BLOCK_BYTES = 65_536
/** Bytes of a hash. */
export const HASH_BYTES = 32
/** Bytes of a row of the lookup. */
export const ROW_BYTES = 32
/** Bytes of a row of the sources: when, and which principal. */
export const SOURCE_BYTES = 12
/** Bytes of a row of the labels: which, how many nodes, where they are listed. */
export const LABEL_BYTES = 24
/** Sections begin at multiples of this, and so does the tree. */
export const ALIGNMENT = 64
/** No offset is larger: it has 48 bits where it is stored. */
export const OFFSET_MAX: number = 2 ** 48 - 1
/** Rows of the lookup, so that each has a handle of 32 bits, and none is that of nothing. */
export const ROWS_MAX: number = 2 ** 32 - 2
/** Edges of one type and node behind which there is one that is found without a look at those before it. */
export const STRIDE = 64
/** Bytes of one such offset. */
export const STRIDE_BYTES = 6
/** Bytes of a row of the history: where a node or edge stands, and where its past does. */
export const PAST_BYTES = 12

const MAGIC = Buffer.from('KARYENG\0', 'latin1')
/** Bytes of the head before the table of sections. */
export const HEAD_BYTES = 64
const SECTION_BYTES = 32

/** The sections that every format has, in their order; the first has the number 1. */
export const SECTIONS = ['manifest', 'names', 'sources', 'nodes', 'links', 'keys', 'labels'] as const
const SECTIONS_KEPT = [...SECTIONS, 'history'] as const
const SECTIONS_RECALLED = [...SECTIONS_KEPT, 'recall'] as const

/** Where a section is, and how much is in it. */
export interface Section {
  readonly offset: number
  readonly bytes: number
  readonly entries: number
}

/** All of them. */
export type Sections = Readonly<Record<(typeof SECTIONS)[number], Section>> & {
  readonly history?: Section
  readonly recall?: Section
}

/** The format of what has its past or not, and recall tables or not. */
export function formatOf(hasHistory: boolean, hasRecall: boolean): number {
  return hasRecall ? FORMAT : hasHistory ? FORMAT_KEPT : FORMAT_CUT
}

/** The sections of a format. That of the history is empty where there are recall tables, and no history. */
export function sectionsOf(format: number): readonly (keyof Sections)[] {
  return format === FORMAT_CUT ? SECTIONS : format === FORMAT_KEPT ? SECTIONS_KEPT : SECTIONS_RECALLED
}

/** Bytes of the head and the table of sections. */
export function tableEnd(format: number): number {
  return HEAD_BYTES + sectionsOf(format).length * SECTION_BYTES
}

/** Where the first section of a format begins: the same place in the first two. */
export function firstSection(format: number): number {
  return aligned(tableEnd(Math.max(format, FORMAT_KEPT)))
}

/** Bytes of the smallest head with the room behind it. */
export const FIRST_SECTION: number = firstSection(FORMAT_CUT)

/** What the first bytes say, before anything is verified: enough to find the tree. */
export interface Frame {
  readonly format: number
  /** Bytes of head and sections: where the tree begins. */
  readonly bytes: number
  /** Levels of the tree. */
  readonly levels: number
}

/** The next place where a section may begin. */
export function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT
}

/** Writes the head and the table of sections. */
export function encodeHead({ format, bytes, levels }: Frame, sections: Sections): Buffer {
  const head = Buffer.alloc(tableEnd(format))
  const names = sectionsOf(format)
  MAGIC.copy(head)
  head.writeUInt32LE(format, 8)
  head.writeUInt32LE(names.length, 12)
  putLong(head, bytes, 16)
  head.writeUInt32LE(BLOCK_BYTES, 24)
  head.writeUInt32LE(levels, 28)
  names.forEach((name, at) => {
    const { offset, bytes: length, entries } = sections[name]!
    const row = HEAD_BYTES + at * SECTION_BYTES
    head.writeUInt32LE(at + 1, row)
    putLong(head, offset, row + 8)
    putLong(head, length, row + 16)
    putLong(head, entries, row + 24)
  })
  return head
}

/** Reads the first bytes of a file. Throws when it is no package, or one of a newer format. */
export function decodeFrame(head: Buffer): Frame {
  if (head.length < FIRST_SECTION || !head.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw malformed('it does not begin as an engram does')
  }
  const format = head.readUInt32LE(8)
  if (format > FORMAT) {
    const message = `the package has format ${format}, this Karyon reads up to ${FORMAT}; use a newer one`
    throw new KaryonError('ERR_KARYON_FORMAT_NEWER', message, { details: { format, limit: FORMAT } })
  }
  const bytes = getLong(head, 16)
  const isPlain =
    format > 0 &&
    head.readUInt32LE(12) === sectionsOf(format).length &&
    head.readUInt32LE(24) === BLOCK_BYTES &&
    bytes >= firstSection(format) &&
    bytes % ALIGNMENT === 0 &&
    head.subarray(32, HEAD_BYTES).every((byte) => byte === 0)
  if (!isPlain) throw malformed('its head is none of this format')
  return { format, bytes, levels: head.readUInt32LE(28) }
}

/** Reads the table of sections. Each has to begin where the one before it ends, at the next multiple of 64. */
export function decodeSections(head: Buffer, { format, bytes }: Frame): Sections {
  let next = firstSection(format)
  const read = sectionsOf(format).map((name, at) => {
    const row = HEAD_BYTES + at * SECTION_BYTES
    const section = {
      offset: getLong(head, row + 8),
      bytes: getLong(head, row + 16),
      entries: getLong(head, row + 24),
    }
    const isNext = head.readUInt32LE(row) === at + 1 && head.readUInt32LE(row + 4) === 0
    if (!isNext || section.offset !== next || section.bytes > bytes - next) {
      throw malformed(`section ${at + 1} is not the ${name}, or not where they have to be`, { section: name })
    }
    next = aligned(section.offset + section.bytes)
    return [name, section] as const
  })
  if (next !== bytes) throw malformed('its sections do not end where its tree begins')
  return Object.fromEntries(read) as unknown as Sections
}

/** Writes a number of up to 53 bits as one of 64. */
export function putLong(bytes: Buffer, value: number, at: number): void {
  bytes.writeBigUInt64LE(BigInt(value), at)
}

/** Reads a number of 64 bits that has to be an offset, or a count of what has one. */
export function getLong(bytes: Buffer, at: number): number {
  const value = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
  if (value > OFFSET_MAX) throw malformed(`a number at byte ${at} is beyond 48 bits`)
  return value
}
