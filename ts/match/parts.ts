// What a pattern says, read and checked, for the planner.
import type { Condition, Edge, EdgeIdentity, Node } from '../graph/types.ts'
import type { AnyRow, EdgePattern, NodePattern } from './types.ts'
import { badPattern, checkedText, onlyFields } from './arguments.ts'
import { conditionsOf, testOf } from './conditions.ts'

/** Edges of one path, so that a pattern that never ends is seen for what it is. */
const HOPS_MAX = 16

export type Direction = 'out' | 'in' | 'both'

/** A mention of a node. */
export interface NodePart {
  readonly kind: 'node'
  readonly name: string
  readonly key: string | undefined
  readonly label: string | undefined
  readonly where: readonly Condition[]
  /** Whether a node is what is said here. */
  readonly meets: (node: Node) => boolean
}

/** An edge, or a path, between two nodes that are mentioned. */
export interface EdgePart {
  readonly kind: 'edge'
  /** Its name in the rows. */
  readonly name: string | undefined
  readonly type: string | undefined
  readonly key: string | undefined
  /** Whether an edge is what is said here, its direction aside. */
  readonly meets: (edge: Edge) => boolean
  readonly direction: Direction
  /** The node it was drawn from, and the one it was drawn to. */
  readonly ends: readonly [left: string, right: string]
  /** For a path. */
  readonly hops: readonly [least: number, most: number] | undefined
}

/** A question to the rows. */
export interface FilterPart {
  readonly kind: 'filter'
  readonly holds: (row: AnyRow) => boolean
  /** The names that it may ask for. */
  readonly needs: readonly string[]
}

/** Parts that may be missing together. */
export interface OptionalPart {
  readonly kind: 'optional'
  readonly parts: readonly Part[]
  /** The names that are its own. */
  readonly names: readonly string[]
}

export type Part = NodePart | EdgePart | FilterPart | OptionalPart

/** Reads what is said of a node. */
export function nodePart(name: string, said: NodePattern): NodePart {
  const { key, label, where } = onlyFields(said, 'a node', 'key', 'label', 'where')
  if (key !== undefined) checkedText(key, 'a node’s key')
  if (label !== undefined) checkedText(label, 'a label')
  const conditions = conditionsOf(where)
  const tests = conditions.map(testOf)
  const meets = (node: Node): boolean =>
    (key === undefined || node.key === key) &&
    (label === undefined || node.labels.includes(label)) &&
    tests.every((test) => test(node.props))
  return { kind: 'node', name, key, label, where: conditions, meets }
}

/** Reads what is said of an edge; a string is its type. */
export function edgePart(
  said: string | object,
  direction: Direction,
  ends: readonly [string, string],
): EdgePart {
  const plain: EdgePattern & { readonly as?: string } = typeof said === 'string' ? { type: said } : said
  const {
    as: name,
    type,
    key,
    where,
    hops,
  } = onlyFields(plain, 'an edge', 'as', 'type', 'key', 'where', 'hops')
  if (type !== undefined) checkedText(type, 'an edge’s type')
  if (key !== undefined && typeof key !== 'string') throw badPattern('an edge’s key is a string')
  const tests = conditionsOf(where).map(testOf)
  const meets = (edge: Edge): boolean =>
    (key === undefined || edge.key === key) && tests.every((test) => test(edge.props))
  return { kind: 'edge', name, type, key, meets, direction, ends, hops: hops && hopsOf(hops) }
}

function hopsOf(hops: readonly number[]): readonly [number, number] {
  const [least, most, ...more] = Array.isArray(hops) ? (hops as readonly number[]) : []
  const right = isCount(least) && isCount(most) && least <= most && most > 0 && more.length === 0
  if (right && most <= HOPS_MAX) return [least, most]
  const message = `hops are [least, most], counts of edges, from 0 to ${HOPS_MAX}`
  throw badPattern(message, { limit: HOPS_MAX })
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Whether two edges are one. */
export function isSameEdge(a: EdgeIdentity, b: EdgeIdentity): boolean {
  return a.from === b.from && a.to === b.to && a.type === b.type && a.key === b.key
}
