// The bounds that are checked before anything crosses; crates/model/src/limits.rs names them all.

/** Bytes of a key, label, edge type or property name, in UTF-8. */
export const KEY_BYTES_MAX: number = 1024
/** Bytes of one string or bytes value, and of one property's whole value. */
export const VALUE_BYTES_MAX: number = 16 * 1024 * 1024
/** Lists and maps inside each other. */
export const NESTING_MAX: number = 32
/** Properties of one node or edge. */
export const PROPERTIES_MAX: number = 1024
/** Labels of one node. */
export const LABELS_MAX: number = 256
/** Verbs of one transaction. */
export const OPERATIONS_MAX: number = 1_000_000
/** Bytes of one transaction. */
export const FRAME_BYTES_MAX: number = 64 * 1024 * 1024
