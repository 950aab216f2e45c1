// The facts of a node or edge, and what is to be written so that the host has them.
import type { Edge, Intervals, Node, Transaction } from '../../graph/types.ts'
import type { Properties, Value } from '../../values/types.ts'
import { type Held, sameHeld } from './policies.ts'
import { microsOf } from './same.ts'
import type { Timed } from '../types.ts'

/** Bytes that a node, an edge or a property takes beside its text, in a fork. */
const NODE_BYTES = 150
const EDGE_BYTES = 115
const PROPERTY_BYTES = 2
/** Bytes that a number, a timestamp or the head of a value takes at most. */
const SCALAR_BYTES = 9

const ALWAYS: readonly [{ readonly from?: Date; readonly to?: Date }] = [{}]

const NONE: readonly string[] = []

/** A node or edge, as far as both are alike. */
export type Entity = Node | Edge

/** Whether it is a node. */
export function isNode(entity: Entity): entity is Node {
  return 'labels' in entity
}

/** What one of its properties holds; without a name when the edge itself holds. */
export function held(entity: Entity, property: string | undefined): Held | undefined {
  if (property === undefined) return { times: isNode(entity) ? undefined : entity.valid }
  const value = own(entity.props, property)
  if (value !== undefined) return { value }
  const times = entity.intervals && own(entity.intervals, property)
  return times && { times }
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  // The name comes from a package, and may be that of what every object has.
  return Object.hasOwn(record, name) ? record[name] : undefined
}

/** The names of its properties. */
export function properties(entity: Entity): string[] {
  const names = Object.keys(entity.props)
  return entity.intervals ? [...names, ...Object.keys(entity.intervals)] : names
}

/** How many facts it is: its existence, its labels and its properties. */
export function factsOf(entity: Entity): number {
  return 1 + (isNode(entity) ? entity.labels.length : 0) + countOf(entity.props) + countOf(entity.intervals)
}

function countOf(record: object = {}): number {
  let count = 0
  for (const _ in record) count++
  return count
}

/** About how many bytes it takes. */
export function bytesOf(entity: Entity): number {
  let bytes = isNode(entity) ? NODE_BYTES + 2 * entity.key.length : EDGE_BYTES + entity.key.length
  for (const name in entity.props) bytes += PROPERTY_BYTES + sizeOf(entity.props[name]!)
  for (const name in entity.intervals) bytes += timesBytes(entity.intervals[name]!)
  return bytes
}

/** About how many bytes what a property holds takes. */
export function heldBytes({ value, times }: Held): number {
  return value === undefined ? timesBytes(times ?? []) : sizeOf(value)
}

function timesBytes(times: readonly Timed[]): number {
  const each = (timed: Timed): number => ('value' in timed ? sizeOf(timed.value) : 0)
  return times.reduce((bytes, timed) => bytes + 2 * SCALAR_BYTES + each(timed), 0)
}

/** About how many bytes a value takes; a third of it at least. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null || value instanceof Date) return SCALAR_BYTES
  if (ArrayBuffer.isView(value)) return value.byteLength + SCALAR_BYTES
  let bytes = SCALAR_BYTES
  for (const [name, item] of Object.entries(value)) {
    bytes += Array.isArray(value) ? 0 : name.length
    if (item !== undefined) bytes += sizeOf(item as Value)
  }
  return bytes
}

/** What is to be written of a node or edge. */
export interface Writing {
  readonly of: Entity
  /** It is not there yet. */
  readonly created: boolean
  /** Labels that it does not have. */
  readonly labels: readonly string[]
  readonly props: Properties
  readonly intervals: Intervals | undefined
  /** When the edge holds, if that is to be written: empty where that is always. */
  readonly valid: readonly Timed[] | undefined
}

/** All of it is to be written. */
export function whole(of: Entity): Writing {
  const { props, intervals } = of
  if (isNode(of)) return { of, created: true, labels: of.labels, props, intervals, valid: undefined }
  return { of, created: true, labels: NONE, props, intervals, valid: of.valid }
}

/** Some of it is to be written; undefined where that is nothing, unless it is made. An edge that is made holds when it says. */
export function part(
  of: Entity,
  labels: readonly string[],
  contents: ReadonlyMap<string | undefined, Held>,
  created: boolean = false,
): Writing | undefined {
  if (!created && labels.length === 0 && contents.size === 0) return undefined
  const [props, intervals]: [Record<string, Value>, Record<string, Intervals[string]>] = [{}, {}]
  for (const [name, { value, times }] of contents) {
    if (name === undefined) continue
    if (value !== undefined) props[name] = value
    else intervals[name] = times as Intervals[string]
  }
  const always = created && !isNode(of) ? of.valid : undefined
  const valid = contents.has(undefined) ? (contents.get(undefined)!.times ?? []) : always
  return { of, created, labels, props, intervals, valid }
}

/** How many verbs it takes to write it, at most. */
export function verbsOf({ intervals, valid }: Writing): number {
  let verbs = 1 + 2 * (valid?.length ?? 0)
  for (const name in intervals) verbs += 1 + intervals[name]!.length
  return verbs
}

/** About how many bytes its properties take. */
export function writtenBytes({ props, intervals = {} }: Writing): number {
  let bytes = 0
  for (const value of Object.values(props)) bytes += PROPERTY_BYTES + sizeOf(value)
  for (const times of Object.values(intervals)) bytes += timesBytes(times)
  return bytes
}

/** Writes it. */
export function write(tx: Transaction, { of, created, labels, props, intervals, valid }: Writing): void {
  if (isNode(of)) {
    if (created) tx.put(of.key, { labels, props })
    else if (labels.length > 0 || countOf(props) > 0) tx.patch(of.key, { labels, props })
  } else if (created && valid === undefined) {
    tx.link(of.from, of.type, of.to, { key: of.key, props })
  } else {
    if (valid !== undefined) writeValid(tx, of, valid, created)
    if (countOf(props) > 0) tx.patch(of, { props })
  }
  for (const name in intervals) writeTimes(tx, of, name, intervals[name]!, created)
}

/** A property holds this, when, and nothing else. */
function writeTimes(
  tx: Transaction,
  of: Entity,
  name: string,
  times: Intervals[string],
  created: boolean,
): void {
  const target = isNode(of) ? of.key : of
  if (!created) tx.patch(target, { props: { [name]: undefined } })
  for (const { from, to, value } of times) {
    tx.patch(target, { props: { [name]: value }, valid: { ...(from && { from }), ...(to && { to }) } })
  }
}

/** An edge holds then, and at no other time. It is never removed for that: what it has stays. */
function writeValid(tx: Transaction, edge: Edge, valid: readonly Timed[], created: boolean): void {
  const { from, type, to, key } = edge
  for (const time of valid.length === 0 ? ALWAYS : valid) {
    const bounds = { ...(time.from && { from: time.from }), ...(time.to && { to: time.to }) }
    tx.link(from, type, to, { key, ...((time.from || time.to) && { valid: bounds }) })
  }
  if (created) return
  for (const gap of gapsOf(valid)) tx.unlink(from, type, to, { key, valid: gap })
}

/** The times between, before and after. */
function gapsOf(valid: readonly Timed[]): { from?: Date; to?: Date }[] {
  const gaps: { from?: Date; to?: Date }[] = []
  let open: Date | undefined
  for (const [at, { from, to }] of valid.entries()) {
    const begins = at > 0 && microsOf(open) === microsOf(from)
    if (from && !begins) gaps.push({ ...(open && { from: open }), to: from })
    open = to
  }
  if (open) gaps.push({ from: open })
  return gaps
}

/** What host and package say of one node or edge. */
export interface Comparison {
  /** Labels that the host does not have. */
  readonly labels: readonly string[]
  /** What the host does not have. */
  readonly added: ReadonlyMap<string | undefined, Held>
  /** Where they differ; without a name where the edge itself holds at other times. */
  readonly differing: readonly (string | undefined)[]
  /** How many facts the host has already. */
  readonly same: number
}

/** The same in several that are written one after the other, none of which is much larger than so many bytes; labels come with the last. */
export function* pieces(writing: Writing, most: number): IterableIterator<Writing> {
  const { of, labels, valid } = writing
  let { created } = writing
  let props: Record<string, Value> = {}
  let bytes = 0
  for (const [name, value] of Object.entries(writing.props)) {
    props[name] = value
    bytes += sizeOf(value)
    if (bytes < most) continue
    yield { of, created, labels: [], props, intervals: undefined, valid: created ? valid : undefined }
    created = false
    props = {}
    bytes = 0
  }
  for (const [name, times] of Object.entries(writing.intervals ?? {})) {
    yield { of, created, labels: [], props, intervals: { [name]: times }, valid: created ? valid : undefined }
    created = false
    props = {}
  }
  yield {
    of,
    created,
    labels,
    props,
    intervals: undefined,
    valid: writing.created && !created ? undefined : valid,
  }
}

/** Compares what both have. */
export function compare(entity: Entity, host: Entity): Comparison {
  const added = new Map<string | undefined, Held>()
  const differing: (string | undefined)[] = []
  const labels = isNode(entity) ? entity.labels.filter((label) => !(host as Node).labels.includes(label)) : []
  let same = isNode(entity) ? 1 + entity.labels.length - labels.length : 0
  const names: (string | undefined)[] = properties(entity)
  for (const name of isNode(entity) ? names : [undefined, ...names]) {
    const [there, here] = [held(host, name), held(entity, name)!]
    if (there === undefined) added.set(name, here)
    else if (sameHeld(here, there)) same++
    else differing.push(name)
  }
  return { labels, added, differing, same }
}

/** Whether both have labels, and none in common: most likely they are two things. */
export function clash(node: Node, host: Node): boolean {
  const some = node.labels.length > 0 && host.labels.length > 0
  return some && !node.labels.some((label) => host.labels.includes(label))
}
