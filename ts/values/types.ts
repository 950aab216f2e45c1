// What can be stored.

/**
 * What a property can hold.
 *
 * A number that is a safe integer (and not −0) is an integer; an integral number beyond 2^53 − 1 is refused: use a bigint
 * (64 bits). A `Date` is a timestamp and comes back as one. Strings are well-formed and not normalised. Maps are plain objects;
 * an entry of `undefined` is absent. `null` is a value, not absence.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Date
  | Float32Array
  | readonly Value[]
  | { readonly [key: string]: Value | undefined }

/** Properties by name. */
export type Properties = Readonly<Record<string, Value>>

/** Changes of properties by name; `undefined` unsets. */
export type PropertyChanges = Readonly<Record<string, Value | undefined>>
