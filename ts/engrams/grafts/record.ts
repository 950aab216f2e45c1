// The node that says in a fork what was grafted. A fork is a graft once it has it.
import { badArgument } from '../../errors.ts'
import type { Commit, Fork, ForkInfo, Graph } from '../../graph/types.ts'
import type { Kernel } from '../../kernel.ts'
import type { Version } from '../../time.ts'
import { decodeRecord, type GraftRecord } from './decode-record.ts'
import { graftOf, recordKey } from './names.ts'
import { graftError, isFailure } from './refusals.ts'
import type { GraftInfo } from '../types.ts'

const LABEL = 'Engram'
/** The program itself, which may mend what others have spoiled. */
const PROGRAM = 'root'

/** Says in a fork what was grafted, which makes a graft of it. */
export async function writeRecord(fork: Graph, { info, policies, clashes }: GraftRecord): Promise<Commit> {
  const { name, engram, engramVersion, root, principal, from, counts, promoted } = info
  const { added, same, conflicting } = counts
  const who = { graft: name, name: engram, version: engramVersion, root, principal, from }
  const how = { policies: policies.toValue(), clashes, added, same, conflicting, promoted }
  return fork.write((tx) => tx.put(recordKey(root), { labels: [LABEL], props: { ...who, ...how } }))
}

/** Says in a fork that something of it is promoted, before it is. */
export async function writePromoted(fork: Graph, root: string): Promise<void> {
  await fork.write((tx) => tx.patch(recordKey(root), { props: { promoted: true } }))
}

/**
 * What a fork says of what was grafted; undefined where it is no graft, or none yet. Throws `ERR_KARYON_GRAFT` where somebody else has had a hand in it: a
 * detachment reverts the principal that it names.
 */
function readRecord(graph: Graph, { name, from, created }: ForkInfo): GraftRecord | undefined {
  const of = graftOf(name)
  if (of === undefined) return undefined
  const fork = graph.openFork(name)
  try {
    const key = recordKey(of.root)
    const node = fork.get(key)
    // What the graph says under that key is no word of the fork's.
    const newest = node?.version ?? fork.blame(key)?.version ?? 0n
    if (newest <= created) return undefined
    const record = decodeRecord(node?.props ?? {}, of, from)
    checkWriters(fork, key, Object.keys(node?.props ?? {}), record.info.principal)
    return record
  } catch (error) {
    if (!isFailure(error, 'ERR_KARYON_ARGUMENT')) throw error
    const message = `what the fork ${JSON.stringify(name)} says of its graft is not what was written there: ${error.message}; graph.revert takes back what was promoted, by the principal that blame tells of it, and dropping the fork the rest`
    throw graftError(message, { name: of.name, fork: name }, error)
  } finally {
    fork.close()
  }
}

/** Refuses what others have written than the graft's principal, and the program itself. */
function checkWriters(fork: Fork, key: string, properties: readonly string[], principal: string): void {
  for (const property of [undefined, ...properties]) {
    const writer = fork.blame(key, property)
    if (writer === undefined || writer.version <= fork.created) continue
    if (writer.principal !== principal && writer.principal !== PROGRAM)
      throw badArgument(`${property ?? 'the node itself'} is of ${writer.principal}`)
  }
}

/** A graft, by its name. Throws `ERR_KARYON_GRAFT` where there is none. */
export function recordOf(graph: Graph, name: string, root?: string): GraftRecord {
  for (const fork of graph.forks()) {
    const of = graftOf(fork.name)
    if (of?.name !== name || (root !== undefined && of.root !== root)) continue
    const record = readRecord(graph, fork)
    if (record !== undefined) return record
  }
  const message = `there is no graft ${JSON.stringify(name)}; listGrafts tells which there are`
  throw graftError(message, { name })
}

/** What the forks of a graph say of grafts: those that are, and those that are made, or were when the process ended. */
export interface Found {
  readonly grafts: readonly GraftRecord[]
  readonly unfinished: readonly ForkInfo[]
  /** Those of which it cannot be told any more what was grafted. */
  readonly spoiled: readonly ForkInfo[]
}

/** All of them. Cost: a look at each fork. */
export function findGrafts(graph: Graph): Found {
  const grafts: GraftRecord[] = []
  const [unfinished, spoiled]: [ForkInfo[], ForkInfo[]] = [[], []]
  for (const fork of graph.forks()) {
    if (graftOf(fork.name) === undefined) continue
    try {
      const record = readRecord(graph, fork)
      if (record === undefined) unfinished.push(fork)
      else grafts.push(record)
    } catch (error) {
      if (!isFailure(error, 'ERR_KARYON_GRAFT')) throw error
      spoiled.push(fork)
    }
  }
  return { grafts, unfinished, spoiled }
}

/** All of them, but for those that were being made when the store was left: nobody makes them any more, so they are dropped. */
export async function findAndClear(kernel: Kernel): Promise<Found> {
  const { graph } = kernel
  const { grafts, unfinished, spoiled } = findGrafts(graph)
  const opened = versionAtOpening(kernel)
  const left = unfinished.filter(({ created }) => created <= opened)
  for (const { name } of left) await graph.openFork(name).drop()
  return { grafts, spoiled, unfinished: unfinished.filter((fork) => !left.includes(fork)) }
}

/** No later than the version that the store had when it was opened, here or elsewhere in the process: what is younger may be somebody's work. */
function versionAtOpening({ recovery: { version, checkpoint, replayed }, graph }: Kernel): Version {
  // Somebody elsewhere may have opened the store before; what he has archived since is no part of what he found.
  const { archived } = graph.stats()
  const found = (archived > checkpoint ? archived : checkpoint) + BigInt(replayed)
  return found < version ? found : version
}

/** Drops the fork of a graft that came to nothing. What cannot be dropped now is when the store is opened again. */
export async function dropUnfinished(graph: Graph, fork: string): Promise<void> {
  try {
    await graph.openFork(fork).drop()
  } catch {
    // Whoever grafts is told what went wrong before; that it could not be cleared away is no more than that.
  }
}

/** Refuses what stands in the way of a graft. */
export function checkRoom(
  { grafts, unfinished, spoiled }: Found,
  wanted: Pick<GraftInfo, 'name' | 'root' | 'principal'>,
): void {
  for (const { info } of grafts) {
    const { name, root, principal } = info
    if (name === wanted.name)
      throw graftError(
        `there is a graft ${JSON.stringify(name)}; give this one another name, or detach that`,
        { name },
      )
    if (root === wanted.root || principal === wanted.principal)
      throw graftError(`the package is grafted as ${JSON.stringify(name)}; open that, or detach it first`, {
        name,
      })
  }
  for (const fork of [...unfinished, ...spoiled]) {
    const of = graftOf(fork.name)!
    if (of.name !== wanted.name && of.root !== wanted.root) continue
    const what = spoiled.includes(fork)
      ? 'is grafted, but what says so is spoiled; openGraft tells why, then'
      : 'is just being grafted; wait for that, or'
    const message = `${JSON.stringify(of.name)} ${what} drop its fork ${JSON.stringify(fork.name)}`
    throw graftError(message, { name: of.name, fork: fork.name })
  }
}
