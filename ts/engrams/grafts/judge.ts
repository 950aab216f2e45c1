// What becomes of a package's facts in a host: counted, decided, and some of it told.
import type { Edge, Graph, Node, Target } from '../../graph/types.ts'
import type { Version } from '../../time.ts'
import {
  clash,
  compare,
  type Entity,
  factsOf,
  held,
  heldBytes,
  isNode,
  part,
  whole,
  type Writing,
} from './facts.ts'
import type { Meeting } from './meeting.ts'
import { type Held, type Policies, resolve } from './policies.ts'
import { microsOf } from './same.ts'
import { EXISTENCE, factOf, VALID } from './since.ts'
import type { ConflictPolicy, Engram, PlanCounts, PlannedConflict, Timed } from '../types.ts'

/** Bytes of the values of conflicts that are told in full. */
const SAMPLE_BYTES_MAX = 16 * 1024 * 1024

/** Counts facts while they come. */
export class Count implements PlanCounts {
  added = 0
  same = 0
  conflicting = 0
}

/** Whose facts are judged, and how. */
export interface Case {
  readonly engram: Engram
  /** The host, and the version of it that counts. */
  readonly graph: Graph
  readonly version: Version
  readonly policies: Policies
  /** How many conflicts and clashes are told. */
  readonly samples: number
  /** Conflicts of which policy are told; of all by default. */
  readonly only?: ConflictPolicy
}

/** Decides. */
export class Judge {
  readonly nodes: Count = new Count()
  readonly edges: Count = new Count()
  /** About how many bytes would be written. */
  bytes = 0
  readonly conflicts: PlannedConflict[] = []
  /** How many conflicts have a policy that refuses them. */
  rejected = 0
  readonly clashes: { count: number; keys: string[] } = { count: 0, keys: [] }
  readonly #case: Case
  #sampleBytes = 0

  constructor(about: Case) {
    this.#case = about
  }

  /** Of nodes and edges together. */
  get counts(): PlanCounts {
    const { nodes, edges } = this
    const [added, same] = [nodes.added + edges.added, nodes.same + edges.same]
    return { added, same, conflicting: nodes.conflicting + edges.conflicting }
  }

  /** Whether a node is most likely another thing than the host's; such are counted. */
  isClash(meeting: Meeting<Node>): boolean {
    const { entity, host } = meeting
    if (host === undefined || !clash(entity, host)) return false
    this.clashes.count++
    if (this.clashes.keys.length < this.#case.samples) this.clashes.keys.push(entity.key)
    return true
  }

  /** What is to be written of a node or edge; undefined where that is nothing. */
  judge({ entity, host, bytes }: Meeting<Node> | Meeting<Edge>): Writing | undefined {
    const count = isNode(entity) ? this.nodes : this.edges
    if (host === undefined) {
      count.added += factsOf(entity)
      this.bytes += bytes
      return whole(entity)
    }
    const { labels, added, differing, same } = compare(entity, host)
    count.same += same
    count.added += labels.length + added.size
    count.conflicting += differing.length
    const contents = new Map(added)
    for (const property of differing) {
      const [here, there] = [held(entity, property)!, held(host, property)!]
      const outcome = this.#resolve(entity, property, there, here)
      if (outcome !== there) contents.set(property, outcome)
    }
    for (const content of contents.values()) this.bytes += heldBytes(content)
    return part(entity, labels, contents)
  }

  #resolve(entity: Entity, property: string | undefined, host: Held, other: Held): Held {
    const policy = this.#case.policies.of(property)
    const target = targetOf(entity)
    const resolved = resolve(policy, host, other, () => this.#isNewer(target, property))
    if (resolved === undefined) this.rejected++
    const outcome = resolved ?? host
    this.#tell(toldOf(target, property, policy, { host, package: other, outcome }), [host, other, outcome])
    return outcome
  }

  #tell(conflict: PlannedConflict, sides: readonly Held[]): void {
    const { samples, only = conflict.policy } = this.#case
    if (conflict.policy !== only || this.conflicts.length >= samples) return
    const bytes = sides.reduce((bytes, side) => bytes + heldBytes(side), this.#sampleBytes)
    if (bytes > SAMPLE_BYTES_MAX) return
    this.#sampleBytes = bytes
    this.conflicts.push(conflict)
  }

  /** Whether what the package says is newer than what the host says, as far as both say when they wrote it. */
  #isNewer(target: Target, property: string | undefined): boolean {
    const { engram, graph, version } = this.#case
    const source = engram.source(target, property)
    if (source === undefined) return false
    const time = writtenAt(graph, version, target, property)
    return time !== undefined && microsOf(source.time)! > microsOf(time)!
  }
}

/** What says when an edge holds. */
const TIMES: readonly string[] = [EXISTENCE, VALID]

/** When what a version holds was written. */
function writtenAt(
  graph: Graph,
  version: Version,
  target: Target,
  property: string | undefined,
): Date | undefined {
  if (property !== undefined) {
    const newest = graph.blame(target, property)
    if (newest !== undefined && newest.version <= version) return newest.time
  }
  const options = { to: version, ...(property !== undefined && { property }) }
  // Of an edge it is when that was last changed when it holds.
  for (const change of graph.history(target, options))
    if (property !== undefined || TIMES.includes(factOf(change))) return change.time
  return undefined
}

/** What it is called. */
export function targetOf(entity: Entity): Target {
  if (isNode(entity)) return entity.key
  const { from, type, to, key } = entity
  return { from, type, to, key }
}

/** A conflict, as it is told. */
export function toldOf(
  target: Target,
  property: string | undefined,
  policy: PlannedConflict['policy'],
  sides: Readonly<Record<'host' | 'package' | 'outcome', Held>>,
): PlannedConflict {
  const all = Object.entries(sides)
  const values = all.filter(([, side]) => side.value !== undefined).map(([name, side]) => [name, side.value])
  const times = all
    .filter(([, side]) => side.value === undefined)
    .map(([name, side]): [string, readonly Timed[]] => [name, side.times ?? []])
  return {
    target,
    ...(property !== undefined && { property }),
    ...Object.fromEntries(values),
    ...(times.length > 0 && { intervals: Object.fromEntries(times) }),
    policy,
  } as PlannedConflict
}
