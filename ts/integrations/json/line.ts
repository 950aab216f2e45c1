// One line of a graph as JSON lines: a node, or an edge.
import { KaryonError, type Edge, type Intervals, type Node, type ValidTime, type Value } from '../../index.ts'
import { badArgument, wrongAt } from '../failures.ts'
import { isLineInBounds, LINE_BYTES_MAX } from '../limits.ts'
import { byName } from '../order.ts'
import type { Fact } from '../portions.ts'
import { faultOf } from './fault.ts'
import { fromJson, isObject, toJson, type Json } from './tagged.ts'

type JsonObject = { readonly [name: string]: Json }

/** A value, and when it holds. */
export interface Held extends ValidTime {
  readonly value: Value
}

/** What a line says that nodes and edges have in common. */
interface Content extends Fact {
  readonly props: Readonly<Record<string, Value>>
  /** What the properties hold that do not hold one value always. */
  readonly intervals: readonly (readonly [property: string, held: readonly Held[]])[]
}

/** A node, as a line says it. */
export interface NodeFact extends Content {
  readonly kind: 'node'
  readonly key: string
  readonly labels: readonly string[]
}

/** An edge, as a line says it. */
export interface EdgeFact extends Content {
  readonly kind: 'edge'
  readonly from: string
  readonly type: string
  readonly to: string
  readonly key: string
  /** When it holds; `undefined` for always. */
  readonly valid: readonly ValidTime[] | undefined
}

/** A node as a line, with its end. */
export function lineOfNode(node: Node): string {
  const { key, labels, props, intervals } = node
  return line({ node: key, ...(labels.length > 0 ? { labels: labels.toSorted() } : {}) }, props, intervals)
}

/** An edge as a line, with its end. */
export function lineOfEdge(edge: Edge): string {
  const { from, type, to, key, props, intervals, valid } = edge
  const head = { edge: [from, type, to], ...(key === '' ? {} : { key }) }
  return line({ ...head, ...(valid ? { valid: valid.map(timeToJson) } : {}) }, props, intervals)
}

function line(head: JsonObject, props: Node['props'], intervals: Intervals | undefined): string {
  const body: Record<string, Json> = { ...head }
  const values = byName(props).map(([name, value]) => [name, toJson(value)] as const)
  if (values.length > 0) body['props'] = Object.fromEntries(values)
  if (intervals) {
    const held = byName(intervals).map(([name, values]) => [name, values.map(heldToJson)] as const)
    body['intervals'] = Object.fromEntries(held)
  }
  const text = textOf(body)
  if (text !== undefined && isLineInBounds(text)) return `${text}\n`
  const what = JSON.stringify(head['node'] ?? head['edge'])
  const message = `the line of ${what} would be over the limit of ${LINE_BYTES_MAX} bytes; split its values over several nodes`
  throw new KaryonError('ERR_KARYON_VALUE_SIZE', message, { details: { limit: LINE_BYTES_MAX } })
}

function textOf(body: JsonObject): string | undefined {
  try {
    return JSON.stringify(body)
  } catch (error) {
    // Longer than any string.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function timeToJson({ from, to }: { readonly from?: Date; readonly to?: Date }): JsonObject {
  return { ...(from ? { from: from.toISOString() } : {}), ...(to ? { to: to.toISOString() } : {}) }
}

function heldToJson(held: NonNullable<Intervals[string]>[number]): JsonObject {
  return { ...timeToJson(held), value: toJson(held.value) }
}

/** What a line says; `undefined` for one that is blank. */
export function factOf(text: string, line: number): NodeFact | EdgeFact | undefined {
  if (/^[ \t]*$/.test(text)) return undefined
  const json = parse(text, line)
  if (isObject(json)) {
    if ('node' in json) return nodeOf(json, text.length, line)
    if ('edge' in json) return edgeOf(json, text.length, line)
  }
  throw badArgument('a line is {"node": key, …} or {"edge": [from, type, to], …}')
}

function parse(text: string, line: number): Json {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    const column = faultOf(text) + 1
    const what = column > text.length ? 'the line ends before its JSON does' : 'this is not JSON'
    throw wrongAt({ line, column }, what, 'ERR_KARYON_ARGUMENT', { reason: (error as Error).message })
  }
}

function nodeOf(json: JsonObject, length: number, line: number): NodeFact {
  const { node, labels = [], ...rest } = json
  checkFields(rest, 'a node', ['props', 'intervals'])
  if (typeof node !== 'string') throw badArgument('"node" is a key, a string')
  if (!isTexts(labels)) throw badArgument('"labels" are a list of strings')
  return { kind: 'node', key: node, labels, ...contentOf(rest, length, line) }
}

function edgeOf(json: JsonObject, length: number, line: number): EdgeFact {
  const { edge, key = '', valid, ...rest } = json
  checkFields(rest, 'an edge', ['props', 'intervals'])
  if (!isTexts(edge) || edge.length !== 3) throw badArgument('"edge" is [from, type, to], three strings')
  if (typeof key !== 'string') throw badArgument('"key" is a string')
  const [from, type, to] = edge as readonly [string, string, string]
  const times =
    valid === undefined ? undefined : listOf(valid, '"valid"').map((time) => timeOf(time, '"valid"'))
  if (times?.length === 0)
    throw badArgument('"valid" is empty: an edge that never holds is none; leave it away')
  const content = contentOf(rest, length, line)
  const weight = content.weight + (times?.length ?? 1) - 1
  return { kind: 'edge', from, type, to, key, valid: times, ...content, weight }
}

function contentOf(json: JsonObject, length: number, line: number): Content {
  const { props = {}, intervals = {} } = json
  if (!isObject(props)) throw badArgument('"props" is an object of values by name')
  if (!isObject(intervals)) throw badArgument('"intervals" is an object of lists by name')
  const values = Object.entries(props).map(([name, value]) => [name, fromJson(value, `props.${name}`)])
  let weight = 1
  const held = Object.entries(intervals).map(([name, list]) => {
    const where = `intervals.${name}`
    const values = listOf(list, where).map((each) => heldOf(each, where))
    weight += values.length
    return [name, values] as const
  })
  return { line, length, weight, props: Object.fromEntries(values) as Content['props'], intervals: held }
}

function heldOf(json: Json, where: string): Held {
  if (!isObject(json) || json['value'] === undefined) {
    throw badArgument(`${where} is a list of {"from", "to", "value"}`)
  }
  const { value, ...time } = json
  return { ...timeOf(time, where), value: fromJson(value as Json, where) }
}

function timeOf(json: Json, where: string): ValidTime {
  if (!isObject(json)) throw badArgument(`${where} is a list of objects with "from" and "to"`)
  checkFields(json, where, ['from', 'to'])
  for (const bound of Object.values(json)) {
    if (typeof bound !== 'string') throw badArgument(`"from" and "to" in ${where} are ISO 8601 times`)
  }
  return json as ValidTime
}

function listOf(json: Json, where: string): readonly Json[] {
  if (Array.isArray(json)) return json as readonly Json[]
  throw badArgument(`${where} is a list`)
}

function isTexts(json: Json | undefined): json is readonly string[] {
  return Array.isArray(json) && json.every((each) => typeof each === 'string')
}

function checkFields(json: JsonObject, what: string, fields: readonly string[]): void {
  const unknown = Object.keys(json).find((field) => !fields.includes(field))
  if (unknown === undefined) return
  throw badArgument(`${what} has no field ${JSON.stringify(unknown)}; write it into "props"`)
}
