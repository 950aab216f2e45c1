// The dry run of a graft: what it would do, counted, and some of it told.
import { setImmediate as pause } from 'node:timers/promises'
import { badArgument } from '../../errors.ts'
import type { Node } from '../../graph/types.ts'
import type { Kernel } from '../../kernel.ts'
import { checkedEngram, checkedKernel } from './arguments.ts'
import { graftEngram } from './graft.ts'
import { Judge } from './judge.ts'
import { type Meeting, portions } from './meeting.ts'
import { checkedOptions } from '../../graph/arguments.ts'
import { Policies } from './policies.ts'
import type { Engram, Plan, PlanOptions } from '../types.ts'

/** How much is told of conflicts and clashes, unless it is said, and at most. */
const SAMPLES = 100
const SAMPLES_MAX = 10_000

/** Reads how much is to be told. */
export function checkedSamples(samples: number = SAMPLES): number {
  if (Number.isInteger(samples) && samples >= 0 && samples <= SAMPLES_MAX) return samples
  throw badArgument(`samples is a whole number from 0 to ${SAMPLES_MAX}`)
}

/**
 * Compares a package with a graph as it is now. Nothing is changed. Of a package with a history it is about what is there now: no graft has its past.
 *
 * Cost: a pass over the package and a look at the graph for each of its nodes, and for each edge between nodes that the graph has; memory for
 * 10,000 nodes or edges at once, some 8 MiB of each side where they are large, and what is told.
 *
 * @example
 * const plan = await planGraft(kernel, engram, { policies: { '*': 'newest-valid', title: 'keep-host' } })
 * if (plan.clashes.count === 0) await plan.graft()
 */
export async function planGraft(kernel: Kernel, engram: Engram, options: PlanOptions = {}): Promise<Plan> {
  const { policies, samples } = checkedOptions(options, 'policies', 'samples')
  const { graph } = checkedKernel(kernel)
  const { manifest } = checkedEngram(engram)
  const host = graph.snapshot()
  try {
    const decided = new Policies(policies, manifest.policies)
    const about = {
      engram,
      graph,
      version: host.version,
      policies: decided,
      samples: checkedSamples(samples),
    }
    const judge = new Judge(about)
    for (const portion of portions(engram, host)) {
      const all = 'nodes' in portion ? portion.nodes : portion.edges
      for (const meeting of all) {
        if ('nodes' in portion) judge.isClash(meeting as Meeting<Node>)
        judge.judge(meeting)
      }
      // Others have their turn.
      await pause()
    }
    const { counts, nodes, edges, bytes, conflicts, clashes } = judge
    return {
      engram,
      host: host.version,
      counts,
      nodes: { ...nodes },
      edges: { ...edges },
      bytes,
      conflicts,
      clashes,
      graft: (graftOptions = {}) =>
        graftEngram(kernel, engram, { ...graftOptions, ...(policies && { policies }) }),
    }
  } finally {
    host.close()
  }
}
