/** What every store keeps: a fact under a key, and every version it had. */
export interface Fact {
  readonly count: number
  readonly score: number
  readonly text: string
  readonly sure: boolean
}

/** One change: the key and what the fact is from now on. */
export type Change = readonly [key: string, fact: Fact]

/** One storage library, doing what the cases of `store` ask for in the way its own documentation suggests. */
export interface Store {
  readonly name: string
  /** A folder, or nothing for a store that keeps nothing on disk. */
  open(folder: string | undefined): Promise<void> | void
  /** Many changes, as few transactions as the library allows; for filling, not measured. */
  load(changes: readonly Change[]): Promise<void> | void
  /** One transaction of its own: on disk and synced when this settles, where the store has a folder. */
  write(change: Change): Promise<unknown> | void
  /** As many transactions as changes, all of them asked for before the first is awaited. */
  writeInFlight(changes: readonly Change[]): Promise<unknown> | void
  /** The newest version, whole. */
  read(key: string): Fact | undefined
  /** Changes that are a version each, numbered from 1 on; for filling, not measured. */
  loadVersions(changes: readonly Change[]): Promise<void> | void
  /** What a key held as of one of those versions, whole. */
  readAt(key: string, version: number): Fact | undefined
  close(): Promise<void> | void
}
