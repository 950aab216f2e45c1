// The full set of questions about knowledge: asked of a reader, and answered from plain lists and maps.
import { createHash } from 'node:crypto'
import { match, type Edge, type EdgeIdentity, type Node, type Reader, type Value } from '../../ts/index.ts'
import { compareUtf8, encodeValue } from '../../ts/values/encode.ts'
import { Writer } from '../../ts/values/writer.ts'
import { texts } from '../match/rows.ts'
import type { Knowledge } from './knowledge.ts'
import { byIdentity } from './worlds.ts'

/** What is asked for; plain JSON, so that another process can be told. */
export interface Asked {
  /** Those that are there, and some that are not. */
  readonly keys: readonly string[]
  readonly labels: readonly string[]
  readonly types: readonly string[]
  readonly names: readonly string[]
  readonly edges: readonly Required<EdgeIdentity>[]
}

/** What there is to ask about some knowledge. */
export function askedOf({ nodes, edges }: Knowledge): Asked {
  const all = [...nodes.values(), ...edges]
  const names = all.flatMap(({ props, intervals = {} }) => [...Object.keys(props), ...Object.keys(intervals)])
  const unique = (list: readonly string[]): string[] => [...new Set(list)].toSorted(compareUtf8)
  return {
    keys: [...nodes.keys(), 'nobody', 'aa', 'k'.repeat(1023), '\ue000'],
    labels: unique([...[...nodes.values()].flatMap(({ labels }) => labels), 'NONE']),
    types: unique([...edges.map(({ type }) => type), 'NONE']),
    names: unique([...names, 'none']),
    edges: [
      ...edges.map(({ from, type, to, key }) => ({ from, type, to, key })),
      ...edges.map(({ from, type, to }) => ({ from, type, to, key: 'none' })),
      ...edges.map(({ from, to, key }) => ({ from, type: 'NONE', to, key })),
    ],
  }
}

/** An answer to each question, by what was asked. */
export type Answers = ReadonlyMap<string, unknown>

function plainNode({ key, labels, props, intervals }: Node): object {
  return { key, labels: labels.toSorted(compareUtf8), props, intervals: intervals ?? null }
}

function plainEdge({ from, type, to, key, props, intervals, valid }: Edge): object {
  return { from, type, to, key, props, intervals: intervals ?? null, valid: valid ?? null }
}

const byKey = (a: Node, b: Node): number => compareUtf8(a.key, b.key)

/** Asks a reader everything. */
export function answersOf(reader: Reader, { keys, labels, types, names, edges }: Asked): Answers {
  const answers = new Map<string, unknown>()
  const nodes = (found: Iterable<Node>): object[] => [...found].toSorted(byKey).map(plainNode)
  const linked = (found: Iterable<Edge>): object[] => [...found].toSorted(byIdentity).map(plainEdge)
  answers.set('nodes', nodes(reader.nodes()))
  answers.set('count', reader.count())
  answers.set(
    'many',
    reader.getMany(keys).map((node) => (node ? plainNode(node) : null)),
  )
  const handles = reader.handles(keys)
  answers.set(
    'handles',
    reader.keys(handles).map((key) => key ?? null),
  )
  for (const name of names) {
    answers.set(`numbers ${name}`, [...reader.numbers(handles, name)])
    answers.set(`from 0 ${name}`, nodes(reader.nodes({ where: { property: name, from: 0 } })))
    answers.set(`a… ${name}`, reader.count({ where: { property: name, prefix: 'a' } }))
    answers.set(`null ${name}`, nodes(reader.nodes({ where: { property: name, equals: null } })))
  }
  for (const label of labels) {
    answers.set(`label ${label}`, nodes(reader.nodes({ label })))
    answers.set(`count ${label}`, reader.count({ label }))
    for (const type of types) {
      const rows = match(reader).node('a', { label }).out({ as: 'e', type }, 'b').rows()
      answers.set(`match ${label} ${type}`, texts(rows))
    }
  }
  for (const key of keys) {
    const node = reader.get(key)
    answers.set(`get ${key}`, node ? plainNode(node) : null)
    for (const direction of ['out', 'in'] as const) {
      answers.set(`${direction} ${key}`, linked(reader[direction](key)))
      for (const type of types) {
        answers.set(`${direction} ${key} ${type}`, linked(reader[direction](key, type)))
        answers.set(`degree ${direction} ${key} ${type}`, reader.degree(key, direction, type))
        const others = reader.keys(reader.neighbours(key, direction, type)) as string[]
        answers.set(`neighbours ${direction} ${key} ${type}`, others.toSorted(compareUtf8))
      }
    }
    const near = reader.within(key, { hops: 2, direction: 'both' })
    const told = near.map(({ node, hops }) => `${hops} ${node.key}`)
    answers.set(`within ${key}`, told.toSorted(compareUtf8))
    answers.set(`path ${key}`, reader.path(key, keys[0]!)?.length ?? null)
  }
  for (const edge of edges) {
    const found = reader.edge(edge)
    answers.set(`edge ${JSON.stringify(edge)}`, found ? plainEdge(found) : null)
  }
  return answers
}

/** What is to be answered. */
export function expected(knowledge: Knowledge, { keys, labels, types, names, edges }: Asked): Answers {
  const answers = new Map<string, unknown>()
  const known = [...knowledge.nodes.values()].toSorted(byKey)
  const nodes = (filter: (node: Node) => boolean): object[] => known.filter(filter).map(plainNode)
  const linked = (filter: (edge: Edge) => boolean): object[] => knowledge.edges.filter(filter).map(plainEdge)
  const node = (key: string): object | null => nodes((node) => node.key === key)[0] ?? null
  answers.set(
    'nodes',
    nodes(() => true),
  )
  answers.set('count', known.length)
  answers.set('many', keys.map(node))
  answers.set(
    'handles',
    keys.map((key) => (node(key) ? key : null)),
  )
  const held = (of: Node | undefined, name: string): Value | undefined =>
    of && Object.hasOwn(of.props, name) ? of.props[name] : undefined
  for (const name of names) {
    const number = (value: unknown): number => (typeof value === 'number' ? value : Number.NaN)
    answers.set(
      `numbers ${name}`,
      keys.map((key) => number(held(knowledge.nodes.get(key), name))),
    )
    answers.set(
      `from 0 ${name}`,
      nodes((node) => isFromZero(held(node, name))),
    )
    const begins = (value: unknown): boolean => typeof value === 'string' && value.startsWith('a')
    answers.set(`a… ${name}`, nodes((node) => begins(held(node, name))).length)
    answers.set(
      `null ${name}`,
      nodes((node) => held(node, name) === null),
    )
  }
  for (const label of labels) {
    const labelled = nodes((node) => node.labels.includes(label))
    answers.set(`label ${label}`, labelled)
    answers.set(`count ${label}`, labelled.length)
    for (const type of types) {
      const rows = knowledge.edges
        .filter((edge) => edge.type === type && knowledge.nodes.get(edge.from)!.labels.includes(label))
        .map((e) => ({ a: knowledge.nodes.get(e.from)!, e, b: knowledge.nodes.get(e.to)! }))
      answers.set(`match ${label} ${type}`, texts(rows))
    }
  }
  for (const key of keys) {
    answers.set(`get ${key}`, node(key))
    for (const [direction, here, there] of [
      ['out', 'from', 'to'],
      ['in', 'to', 'from'],
    ] as const) {
      answers.set(
        `${direction} ${key}`,
        linked((edge) => edge[here] === key),
      )
      for (const type of types) {
        const found = knowledge.edges.filter((edge) => edge[here] === key && edge.type === type)
        answers.set(`${direction} ${key} ${type}`, found.map(plainEdge))
        answers.set(`degree ${direction} ${key} ${type}`, found.length)
        const others = found.map((edge) => edge[there])
        answers.set(`neighbours ${direction} ${key} ${type}`, others.toSorted(compareUtf8))
      }
    }
    const near = knowledge.nodes.has(key) ? distances(knowledge, key, true) : new Map<string, number>()
    const told = [...near]
      .filter(([, hops]) => hops > 0 && hops <= 2)
      .map(([other, hops]) => `${hops} ${other}`)
    answers.set(`within ${key}`, told.toSorted(compareUtf8))
    const hops = knowledge.nodes.has(key) ? distances(knowledge, key, false).get(keys[0]!) : undefined
    answers.set(`path ${key}`, hops === undefined || hops > 16 ? null : hops)
  }
  for (const edge of edges) {
    answers.set(
      `edge ${JSON.stringify(edge)}`,
      linked((other) => byIdentity(other, { ...edge, props: {}, version: 0n }) === 0)[0] ?? null,
    )
  }
  return answers
}

/** What is no number is above all numbers. */
function isFromZero(value: Value | undefined): boolean {
  return (
    (typeof value === 'number' && (value >= 0 || Number.isNaN(value))) ||
    (typeof value === 'bigint' && value >= 0n)
  )
}

/** How far every node is from one, along the edges or also against them. */
function distances({ edges }: Knowledge, start: string, isBoth: boolean): Map<string, number> {
  const hops = new Map([[start, 0]])
  for (const [key, distance] of hops) {
    for (const { from, to } of edges) {
      for (const [here, there] of isBoth
        ? [
            [from, to],
            [to, from],
          ]
        : [[from, to]]) {
        if (here === key && !hops.has(there!)) hops.set(there!, distance + 1)
      }
    }
  }
  return hops
}

/** The answers as digests of their canonical bytes, so that processes can tell each other. */
export function digestsOf(answers: Answers): Record<string, string> {
  const writer = new Writer()
  return Object.fromEntries(
    [...answers].map(([question, answer]) => {
      writer.length = 0
      encodeValue(writer, answer, question)
      return [question, createHash('sha256').update(writer.bytes.subarray(0, writer.length)).digest('hex')]
    }),
  )
}

/** The questions that are answered otherwise. */
export function wrongIn(answers: Answers, right: Answers): string[] {
  const [own, theirs] = [digestsOf(answers), digestsOf(right)]
  return [...new Set([...Object.keys(own), ...Object.keys(theirs)])].filter(
    (question) => own[question] !== theirs[question],
  )
}
