// What a recall is told of a package that carries tables for it: the one thing that it knows of packages beside what everybody sees.
import type { RecallOptions } from '../recall/options.ts'

/** What a row says of itself, as numbers of the tables. */
export interface PackedFacts {
  readonly weight: number
  readonly threshold: number
  readonly confidence: number
  readonly trust: number
}

/** Tables that are read where they lie. What is read of them is checked, and refused where it is not what it has to be. */
export interface RecallTables {
  /** Texts. */
  readonly rows: number
  /** Slots of a head, a power of two. */
  readonly slots: number
  /** N-grams of all texts. */
  readonly grams: number
  /** Postings that found no room. */
  readonly overflow: number
  /** Bytes in the package. */
  readonly bytes: number
  /** Reads the postings of a slot into an array with room for a full one. Returns how many n-grams fall there, also of those that found no room. */
  read(slot: number, postings: Uint32Array): number
  /** What a row says of itself. */
  facts(row: number): PackedFacts
  /** What rows are called. */
  keys(rows: readonly number[]): string[]
}

/** The versions of what tables were made with. */
export interface RecallVersions {
  readonly normaliser: number
  readonly grams: number
}

/** Answers with tables for exactly these options, made with exactly these versions; with nothing where there are none. */
export type Carrier = (options: RecallOptions, versions: RecallVersions) => RecallTables | undefined

const carriers = new WeakMap<object, Carrier>()

/** Says what an open package is asked for its tables by. */
export function carry(engram: object, carrier: Carrier): void {
  carriers.set(engram, carrier)
}

/** The tables of a package for a recall; nothing of what is none, or carries none for it. */
export function tablesOf(
  source: object,
  options: RecallOptions,
  versions: RecallVersions,
): RecallTables | undefined {
  return carriers.get(source)?.(options, versions)
}
