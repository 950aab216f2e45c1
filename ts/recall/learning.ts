// Learning: what helped counts more from then on, and what misled less.
import { badArgument } from '../errors.ts'
import type { Graph, Target, Transaction } from '../graph/types.ts'

/**
 * Adds to a weight: a property of a node or an edge, 1 where it is absent. Nothing else changes; it has history and blame, and is reverted and merged, as
 * any other.
 *
 * `by` is finite and more than 0, else `ERR_KARYON_ARGUMENT`. Rejects with `ERR_KARYON_NODE_MISSING` or `ERR_KARYON_EDGE_MISSING` where there is nothing of that
 * identity, and with `ERR_KARYON_VALUE_TYPE` for what is no number, or holds different values at different times. Cost: one small commit, however large the graph.
 *
 * @example
 * await reinforce(graph, 'fact/17', 'weight', 0.5)
 * await reinforce(graph, { from: 'ann', type: 'TRUSTS', to: 'bob' }, 'weight', 0.5)
 */
export async function reinforce(graph: Graph, target: Target, weight: string, by: number): Promise<void> {
  checkAmount(by)
  await graph.write((tx) => {
    const held = weightOf(tx, target, weight)
    if (held === undefined) tx.patch(target, { props: { [weight]: ABSENT + by } })
    else tx.increment(target, weight, by)
  })
}

/**
 * Takes away from a weight what `reinforce` adds, and leaves no less than 0: a weight multiplies, so that 0 says all that can be said against something, and
 * what is reinforced after that counts at once. One that is below 0 already stays as it is. Otherwise as `reinforce`.
 *
 * @example
 * await weaken(graph, 'fact/17', 'weight', 0.5)
 */
export async function weaken(graph: Graph, target: Target, weight: string, by: number): Promise<void> {
  checkAmount(by)
  await graph.write((tx) => {
    const held = weightOf(tx, target, weight)
    if (held === undefined) tx.patch(target, { props: { [weight]: Math.max(ABSENT - by, 0) } })
    else if (typeof held !== 'number' || held >= by) tx.increment(target, weight, -by)
    else if (held > 0) tx.patch(target, { props: { [weight]: 0 } })
  })
}

/** What a weight is where there is none. */
const ABSENT = 1

/** What the property holds; `undefined` where it is to be set. What cannot be told here is left to `increment` to refuse. */
function weightOf(tx: Transaction, target: Target, weight: string): unknown {
  if (typeof weight !== 'string') throw badArgument('a weight is the name of a property')
  const entity = typeof target === 'string' ? tx.get(target) : tx.edge(target)
  if (entity === undefined || Object.hasOwn(entity.intervals ?? {}, weight)) return REFUSED
  return Object.hasOwn(entity.props, weight) ? entity.props[weight] : undefined
}

const REFUSED = Symbol('not a weight')

function checkAmount(by: number): void {
  if (typeof by === 'number' && by > 0 && Number.isFinite(by)) return
  throw badArgument('a weight is changed by a finite number above 0; weaken takes away', { by })
}
