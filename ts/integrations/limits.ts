// The bounds of import and export, each named once. What exceeds one is a typed error, never a truncation.

/** Bytes of one line, without its end; of text that comes as strings, UTF-16 units. Nothing longer is read or written. */
export const LINE_BYTES_MAX: number = 32 * 1024 * 1024
/** UTF-8 needs no more bytes than this for one UTF-16 unit. */
const BYTES_PER_UNIT = 3

/** Whether a line may be written, so that it can be read again. */
export function isLineInBounds(text: string): boolean {
  return text.length * BYTES_PER_UNIT <= LINE_BYTES_MAX || Buffer.byteLength(text) <= LINE_BYTES_MAX
}

/** Facts of one transaction, unless the caller says otherwise. */
export const FACTS_PER_COMMIT: number = 10_000
/** The most that a caller may ask for. */
export const FACTS_PER_COMMIT_MAX: number = 100_000
/** Length of the lines of one transaction: after the line that goes beyond it, the transaction is committed. */
export const COMMIT_BYTES_MAX: number = 8 * 1024 * 1024
/** Edges that wait for their nodes to come. */
export const WAITING_EDGES_MAX: number = 100_000
/** Length of their lines, together. */
export const WAITING_BYTES_MAX: number = 8 * 1024 * 1024
/** Lists and maps inside each other, in JSON that is read; what the store takes is less, and it says so itself. */
export const JSON_DEPTH_MAX: number = 128
/** Letters of a language tag. */
export const LANGUAGE_TAG_MAX: number = 255
/** Text that an export gathers before it hands it on, in UTF-16 units; a longer line is handed on alone. */
export const CHUNK_UNITS: number = 64 * 1024
/** Keys that an export sorts at a time: a graph with more nodes is passed over once for each so many of them. */
export const KEYS_SORTED_MAX: number = 131_072
/** Whole edges of one node that an export sorts at a time; of others it keeps the identities, and reads them again. */
export const EDGES_HELD_MAX: number = 1_024
/** Nodes that are passed over before other work of the program has its turn. */
export const NODES_BETWEEN_TURNS: number = 4_096
