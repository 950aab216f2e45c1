// Grafting: a package's facts are written into a fork of the graph, which is a graft once its last commit says so.
import type { Fork, Graph } from '../../graph/types.ts'
import type { Kernel } from '../../kernel.ts'
import { Grafting } from './grafting.ts'
import { checkedGraftName, checkedIdentity, forkName, principalOf } from './names.ts'
import { OpenedGraft } from './opened.ts'
import { checkedOptions } from '../../graph/arguments.ts'
import { checkedBoolean, checkedClashes, checkedEngram, checkedKernel } from './arguments.ts'
import { Policies } from './policies.ts'
import { cellOf, inTheNameOf, type Turn } from './principal.ts'
import type { GraftRecord } from './decode-record.ts'
import {
  checkRoom,
  dropUnfinished,
  findAndClear,
  findGrafts,
  type Found,
  recordOf,
  writeRecord,
} from './record.ts'
import { graftError, isFailure } from './refusals.ts'
import { compareVersions } from './semantic-version.ts'
import type { Engram, Graft, GraftInfo, GraftOptions, PlanOptions } from '../types.ts'

/** How a package is grafted without a plan. */
export interface DirectGraftOptions extends GraftOptions, Pick<PlanOptions, 'policies'> {}

/**
 * Grafts a package onto the graph as it is now. Facts are written into a fork, in commits of some 10,000; the last commit makes a graft of it. What a
 * crash leaves before that is none: it is dropped when grafts are next listed or made, once the store was opened again.
 *
 * Throws `ERR_KARYON_GRAFT` where the name is taken, the package is grafted already, an older version of it would come after a newer one or beside it, somebody else writes into its fork while it is made, or
 * nodes clash; `ERR_KARYON_GRAFT_CONFLICT` for a conflict whose policy is `'reject'`; what the graph's rules refuse. Nothing is grafted then.
 *
 * Cost: a pass over the package, as a plan, and what it takes to write it.
 *
 * @example
 * const graft = await graftEngram(kernel, engram, { policies: { '*': 'take-package' } })
 * graft.view.get('sky')
 */
export async function graftEngram(
  kernel: Kernel,
  engram: Engram,
  options: DirectGraftOptions = {},
): Promise<Graft> {
  const asked = checkedOptions(options, 'name', 'quarantine', 'clashes', 'older', 'policies')
  const { clashes = 'refuse', quarantine = true, older = false } = asked
  checkedClashes(clashes)
  checkedBoolean('quarantine', quarantine)
  checkedBoolean('older', older)
  const { name: engramName, version, root } = checkedIdentity(checkedEngram(engram))
  compareVersions(version, version)
  const name = checkedGraftName(asked.name ?? `${engramName}@${version}`)
  const principal = principalOf(engramName, version, root)
  const policies = new Policies(asked.policies, engram.manifest.policies)
  const wanted = { name, engram: engramName, engramVersion: version, root, principal }

  const { graph } = checkedKernel(kernel)
  const forked = forkName(root, name)
  const make = async (turn: Turn): Promise<GraftRecord> => {
    const found = await findAndClear(kernel)
    checkRoom(found, wanted)
    if (!older) checkOlder(found, wanted)
    const fork = await turn((own) => own.fork(forked).catch(taken(graph, name)))
    const work = new Grafting(graph, fork, { engram, policies, clashes })
    try {
      // Of two that began at once, the one whose fork is older goes on.
      checkRoom(earlier(findGrafts(graph), fork), wanted)
      // Each portion in a turn of its own.
      while (await turn(() => work.next()));
      const info = { ...wanted, from: fork.from, counts: work.counts, promoted: false }
      const { version: end } = await turn(() => writeRecord(fork, { info, policies, clashes }))
      work.checkAlone(end)
      // Of two versions that were grafted at once, the older one goes again.
      if (!older) checkOlder(findGrafts(graph), wanted)
      return recordOf(graph, name, root)
    } catch (error) {
      await work.end()
      await dropUnfinished(graph, forked)
      throw error
    }
  }
  const record = await inTheNameOf(kernel, cellOf(principal), make)
  const graft = new OpenedGraft(kernel, record)
  if (!quarantine) await promoteOrDetach(graft)
  return graft
}

async function promoteOrDetach(graft: Graft): Promise<void> {
  try {
    await graft.promote()
  } catch (error) {
    await graft.detach()
    throw error
  }
}

/** Refuses a version that is older than one that is grafted. */
function checkOlder(
  { grafts }: Found,
  { engram, engramVersion }: Pick<GraftInfo, 'engram' | 'engramVersion'>,
): void {
  for (const { info } of grafts) {
    if (info.engram !== engram || compareVersions(engramVersion, info.engramVersion) >= 0) continue
    const message = `${engram} ${engramVersion} is older than ${info.engramVersion}, which is grafted; graft it with { older: true } if that is meant`
    throw graftError(message, { engram, version: engramVersion, grafted: info.engramVersion })
  }
}

function earlier({ unfinished, ...found }: Found, { created, name }: Fork): Found {
  return { ...found, unfinished: unfinished.filter((fork) => fork.name !== name && fork.created < created) }
}

/** Says of a fork's name that was taken meanwhile what it means. */
function taken(graph: Graph, name: string): (error: unknown) => never {
  return (error) => {
    if (isFailure(error, 'ERR_KARYON_LAYER') && findGrafts(graph).unfinished.length > 0)
      throw graftError(`${JSON.stringify(name)} is just being grafted; wait for that`, { name }, error)
    throw error
  }
}
