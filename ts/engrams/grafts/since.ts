// What has become of the facts of a node or edge since a version, and by whom.
import type { Change, Graph, Target } from '../../graph/types.ts'
import type { Version } from '../../time.ts'
import { isFailure } from './refusals.ts'

/** What a fact is called that is no label and no property. */
export const EXISTENCE = 'existence'
export const VALID = 'valid'

/** What a label is called among the facts of a node. */
export function labelFact(label: string): string {
  return `label:${label}`
}

/** What a property is called among them; without a name when an edge holds. */
export function propertyFact(property: string | undefined): string {
  return property === undefined ? VALID : `property:${property}`
}

/** Which fact a change is of. */
export function factOf({ kind, label, property }: Change): string {
  if (kind === 'created' || kind === 'removed') return EXISTENCE
  return label === undefined ? propertyFact(property) : labelFact(label)
}

/** The newest change of each fact that was changed since a version, as far back as the past is kept. */
export function changedSince(graph: Graph, target: Target, from: Version): ReadonlyMap<string, Change> {
  const newest = new Map<string, Change>()
  try {
    for (const change of graph.history(target, { from })) {
      const fact = factOf(change)
      if (!newest.has(fact)) newest.set(fact, change)
    }
  } catch (error) {
    if (!isFailure(error, 'ERR_KARYON_HORIZON')) throw error
  }
  return newest
}
