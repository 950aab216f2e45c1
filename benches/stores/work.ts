// What the cases of `store` have in common: folders, filled stores, and the way from a work to its sides.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Case, Side } from '../measure.ts'
import { ROOT } from '../project.ts'
import type { Change, Fact, Store, Versioned } from './driver.ts'
import { factOf, keyOf } from './facts.ts'
import { karyonStore, type KaryonStore } from './karyon.ts'

/** On the disk of the project and not in the system's temporary folder, which may be memory. */
const RESULTS = join(ROOT, 'benches/results')

export const KEPT = 'every version kept by all'

/** What is done with an open store: before the first round, in each, and what is then compared. */
export interface Work<S extends Store> {
  filled(): readonly Change[]
  /** A folder that is filled already, and stays as it is. */
  folder?(store: S): Promise<string>
  /** What else belongs to filling. */
  fill?(store: S, folder: string | undefined): Promise<void> | void
  prepare(round: number, store: S, folder: string | undefined): Promise<void> | void
  run(store: S, folder: string | undefined): Promise<unknown> | unknown
  figure?(): number
  answer(store: S): unknown
}

/** A contestant's store, and whether it is given a folder. */
export type Contestant<S extends Store> = readonly [store: S, where: 'folder' | 'memory']

/** What takes long and says much is measured once a round, for all cases that tell a part of it. */
export function oncePerRound<T>(measured: (round: number) => Promise<T>): (round: number) => Promise<T> {
  const found = new Map<number, Promise<T>>()
  return (round) => {
    const once = found.get(round) ?? measured(round)
    found.set(round, once)
    return once
  }
}

/** A side whose figure is a part of what is measured once a round; what must be equal to the other sides' is another one. */
export function partSide<T>(
  name: string,
  measured: (round: number) => Promise<T>,
  part: (whole: T) => number,
  answer?: (whole: T) => unknown,
): Side {
  let now = 0
  let whole: T
  return {
    name,
    prepare(round) {
      now = round
    },
    async run() {
      whole = await measured(now)
    },
    figure: () => part(whole),
    ...(answer && { answer: () => answer(whole) }),
  }
}

/** The sides of a case: each does the same work with a store of its own that was filled the same way. */
export function against<S extends Store>(
  work: () => Work<S>,
  ours: Contestant<S>,
  peers: readonly Contestant<S>[],
): Pick<Case, 'ours' | 'peers'> {
  return { ours: sideOf(work(), ours), peers: peers.map((peer) => sideOf(work(), peer)) }
}

/** A side of ours alone, in a folder if nothing else is said. */
export function ownSide(
  name: string,
  work: Work<KaryonStore>,
  where: Contestant<KaryonStore>[1] = 'folder',
): Side {
  return { ...sideOf(work, [karyonStore(), where]), name }
}

function sideOf<S extends Store>(work: Work<S>, [store, where]: Contestant<S>): Side {
  let folder: string | undefined
  return {
    name: store.name,
    async start() {
      folder = where === 'folder' ? ((await work.folder?.(store)) ?? freshFolder()) : undefined
      await store.open(folder)
      await store.load(work.filled())
      await work.fill?.(store, folder)
    },
    prepare: (round) => work.prepare(round, store, folder),
    run: () => work.run(store, folder),
    ...(work.figure && { figure: () => work.figure!() }),
    answer: () => work.answer(store),
    async stop() {
      await store.close()
      if (folder !== undefined && !work.folder) removeFolder(folder)
    },
  }
}

export function inFolders<S extends Store>(...stores: readonly S[]): Contestant<S>[] {
  return stores.map((store) => [store, 'folder'] as const)
}

export function inMemory<S extends Store>(...stores: readonly S[]): Contestant<S>[] {
  return stores.map((store) => [store, 'memory'] as const)
}

const filled = new Map<string, Promise<string>>()

/**
 * A folder in which a library keeps so many versions. It is filled once for all cases that only read it, which leave it as they found it,
 * closed; the last one has gone when the process ends.
 */
export function folderOfVersions(
  store: Versioned,
  name: string,
  versions: () => readonly Change[],
): Promise<string> {
  const fill = async (): Promise<string> => {
    const folder = freshFolder()
    await store.open(folder)
    await store.loadVersions(versions())
    await store.close()
    return folder
  }
  const folder = filled.get(name) ?? fill()
  filled.set(name, folder)
  return folder
}

/** A new folder, gone at the end of the process at the latest. */
export function freshFolder(): string {
  mkdirSync(RESULTS, { recursive: true })
  const folder = mkdtempSync(join(RESULTS, 'store-'))
  if (folders.length === 0) process.once('exit', () => folders.forEach(removeFolder))
  folders.push(folder)
  return folder
}

const folders: string[] = []

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

/** The bytes that a folder takes up on its disk; none where there is no such folder. */
export function bytesOnDisk(folder: string): number {
  if (!existsSync(folder)) return 0
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  // A block is 512 bytes here, whatever the file system's own are.
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).blocks * 512, 0)
}

export function everyKey(keys: number): Change[] {
  return Array.from({ length: keys }, (_, at) => [keyOf(at), factOf(at)] as const)
}

export function everything(store: Store, keys: number): Fact[] {
  return Array.from({ length: keys }, (_, at) => store.read(keyOf(at))!)
}

/** A whole number that depends on every property of a fact, so that facts can be added up in any order. */
export function weightOf(fact: Fact | undefined): number {
  if (!fact) throw new Error('a fact that was written is missing')
  return fact.count + Math.trunc(fact.score) + fact.text.length + (fact.sure ? 1 : 0)
}

/** The value that a part of all values does not exceed. */
export function quantile(values: Float64Array, part: number): number {
  const sorted = values.toSorted()
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!
}
