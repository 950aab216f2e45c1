/** What every store keeps: a fact under a key, and every version it had. */
export interface Fact {
  readonly count: number
  readonly score: number
  readonly text: string
  readonly sure: boolean
}

/** A fact with its key, where it was not asked for by its key. */
export interface Named extends Fact {
  readonly key: string
}

/** One change: the key and what the fact is from now on. */
export type Change = readonly [key: string, fact: Fact]

/** A small change: the key and the count from now on; all else stays. */
export type Recount = readonly [key: string, count: number]

/** From one key to another. */
export type Link = readonly [from: string, to: string]

/** One storage library, doing what the cases of `store` ask for in the way its own documentation suggests. */
export interface Store {
  readonly name: string
  /** A folder, or nothing for a store that keeps nothing on disk. */
  open(folder: string | undefined): Promise<void> | void
  /** Many changes, as few transactions as the library allows; for filling, not measured. */
  load(changes: readonly Change[]): Promise<void> | void
  /** One transaction of its own: on disk and synced when this settles, where the store has a folder. */
  write(change: Change): Promise<unknown> | void
  /** All changes in one transaction, as durable as `write`. */
  writeTogether(changes: readonly Change[]): Promise<unknown> | void
  /** The newest version, whole. */
  read(key: string): Fact | undefined
  close(): Promise<void> | void
}

/** One that can be asked to change the count alone, in its own way. */
export interface Recounting extends Store {
  /** One transaction of its own, as durable as `write`. */
  writeCount(change: Recount): Promise<unknown> | void
  /** All in one transaction. */
  writeCountsTogether(changes: readonly Recount[]): Promise<unknown> | void
}

/** One that serves many writers at once. */
export interface Concurrent extends Store {
  /** As many transactions as changes, all of them asked for before the first is awaited. */
  writeInFlight(changes: readonly Change[]): Promise<unknown> | void
}

/** One that can be asked for its past. */
export interface Versioned extends Store {
  /** Changes that are a version each, numbered from 1 on; for filling, not measured. */
  loadVersions(changes: readonly Change[]): Promise<void> | void
  /** What a key held as of one of those versions, whole. */
  readAt(key: string, version: number): Fact | undefined
  /** Small changes that are a version each. */
  recount(changes: readonly Recount[]): Promise<void> | void
}

/** One that reads many keys at a time. */
export interface Batched extends Store {
  readMany(keys: readonly string[]): Promise<readonly Fact[]> | readonly Fact[]
}

/** One that is asked for the count alone, by whatever it would rather be asked by than keys. */
export interface Counted<Ref = unknown, Refs = unknown> extends Store {
  /** Not measured. */
  ref(key: string): Ref
  refs(keys: readonly string[]): Refs
  count(ref: Ref): number
  /** The counts of many, added up. */
  counts(refs: Refs): Promise<number> | number
}

/** One with links, and a way along them. */
export interface Linked extends Versioned {
  /** For filling, not measured; both ends exist. */
  link(links: readonly Link[]): Promise<void> | void
  /** What is one or two links away from a key, each once and whole, in any order. */
  around(key: string): readonly Named[]
  /** The same as of a version. */
  aroundAt(key: string, version: number): readonly Named[]
}

/** One with an index of the counts. */
export interface Indexed extends Store {
  index(): Promise<unknown> | void
  /** The facts with a count, whole. */
  equal(count: number): readonly Named[]
  /** Those with a count from one (inclusive) to another (exclusive). */
  range(from: number, to: number): readonly Named[]
}
