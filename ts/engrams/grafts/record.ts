// The node that says in a fork what was grafted. A fork is a graft once it has it.
import type { ForkInfo, Graph } from '../../graph/types.ts'
import type { Kernel } from '../../kernel.ts'
import type { Version } from '../../time.ts'
import type { Properties } from '../../values/types.ts'
import { graftOf, recordKey } from './names.ts'
import { Policies } from './policies.ts'
import { graftError } from './refusals.ts'
import type { GraftInfo, GraftOptions, PlanCounts } from '../types.ts'

const LABEL = 'Engram'

/** What is kept of a graft. */
export interface GraftRecord {
  readonly info: GraftInfo
  readonly policies: Policies
  readonly clashes: NonNullable<GraftOptions['clashes']>
}

/** Says in a fork what was grafted, which makes a graft of it. */
export async function writeRecord(fork: Graph, { info, policies, clashes }: GraftRecord): Promise<void> {
  const { name, engram, engramVersion, root, principal, from, counts, promoted } = info
  const { added, same, conflicting } = counts
  const who = { graft: name, name: engram, version: engramVersion, root, principal, from }
  const how = { policies: policies.toValue(), clashes, added, same, conflicting, promoted }
  await fork.write((tx) => tx.put(recordKey(root), { labels: [LABEL], props: { ...who, ...how } }))
}

/** Says in a fork that something of it is promoted, before it is. */
export async function writePromoted(fork: Graph, root: string): Promise<void> {
  await fork.write((tx) => tx.patch(recordKey(root), { props: { promoted: true } }))
}

/** What a fork says of what was grafted; undefined where it is no graft, or none yet. */
function readRecord(graph: Graph, { name, from, created }: ForkInfo): GraftRecord | undefined {
  const of = graftOf(name)
  if (of === undefined) return undefined
  const fork = graph.openFork(name)
  try {
    const node = fork.get(recordKey(of.root))
    // What the graph says under that key is no word of the fork's.
    if (node === undefined || node.version <= created) return undefined
    return { info: { ...infoOf(node.props), ...of, from }, ...howOf(node.props) }
  } finally {
    fork.close()
  }
}

function infoOf(props: Properties): Omit<GraftInfo, 'name' | 'root' | 'from'> {
  const { added, same, conflicting } = props as unknown as PlanCounts
  return {
    engram: props['name'] as string,
    engramVersion: props['version'] as string,
    principal: props['principal'] as string,
    counts: { added, same, conflicting },
    promoted: props['promoted'] as boolean,
  }
}

function howOf(props: Properties): Omit<GraftRecord, 'info'> {
  const clashes = props['clashes'] as GraftRecord['clashes']
  return { policies: Policies.fromValue(props['policies']), clashes }
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
}

/** All of them. Cost: a look at each fork. */
export function findGrafts(graph: Graph): Found {
  const [grafts, unfinished]: [GraftRecord[], ForkInfo[]] = [[], []]
  for (const fork of graph.forks()) {
    if (graftOf(fork.name) === undefined) continue
    const record = readRecord(graph, fork)
    if (record === undefined) unfinished.push(fork)
    else grafts.push(record)
  }
  return { grafts, unfinished }
}

/** The forks of grafts that are being made. */
const making = new WeakMap<Kernel, Set<string>>()

/** Makes a graft in a fork of that name, which nobody clears away meanwhile. */
export async function inTheMaking<T>(kernel: Kernel, fork: string, make: () => Promise<T>): Promise<T> {
  const forks = making.get(kernel) ?? new Set()
  making.set(kernel, forks.add(fork))
  try {
    return await make()
  } finally {
    forks.delete(fork)
  }
}

/** All of them, but for those that were being made when the store was left: nobody makes them any more, so they are dropped. */
export async function findAndClear(kernel: Kernel): Promise<Found> {
  const { graph } = kernel
  const { grafts, unfinished } = findGrafts(graph)
  const opened = versionAtOpening(kernel)
  const left = unfinished.filter(({ name, created }) => created <= opened && !making.get(kernel)?.has(name))
  for (const { name } of left) await graph.openFork(name).drop()
  return { grafts, unfinished: unfinished.filter((fork) => !left.includes(fork)) }
}

/** The version that the store had when it was opened, unless it was compacted since: what is younger may be somebody's work. */
function versionAtOpening({ recovery, graph }: Kernel): Version {
  const { archived } = graph.stats()
  const start = archived > recovery.checkpoint ? archived : recovery.checkpoint
  return start + BigInt(recovery.replayed)
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
  { grafts, unfinished }: Found,
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
  for (const fork of unfinished) {
    const of = graftOf(fork.name)!
    if (of.name !== wanted.name && of.root !== wanted.root) continue
    const message = `${JSON.stringify(of.name)} is just being grafted; wait for that, or drop its fork ${JSON.stringify(fork.name)}`
    throw graftError(message, { name: of.name, fork: fork.name })
  }
}
