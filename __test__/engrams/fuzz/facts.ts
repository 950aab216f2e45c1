// What nodes and edges hold, taken apart: labels and properties, each with its own bytes.
import { Cursor } from '../../../ts/engrams/cursor.ts'
import { Names } from '../../../ts/engrams/names.ts'
import { skipProperties } from '../../../ts/engrams/properties.ts'
import { Writer } from '../../../ts/values/writer.ts'

/** A property: its name and source by their numbers, its value as it is encoded. */
export interface FactPart {
  name: number
  source: number
  value: Buffer
}

/** Everything that follows a node's key, or an edge's length. */
export interface FactsPart {
  source: number
  /** The labels of a node. */
  labels: number[]
  /** When an edge holds, with how many times there are. */
  valid: Buffer
  facts: FactPart[]
}

/** Takes apart what a node or an edge holds; `undefined` where a change before has made it something else. */
export function factsOf(bytes: Buffer, names: readonly Buffer[], of: 'node' | 'edge'): FactsPart | undefined {
  try {
    const cursor = new Cursor({ block: () => bytes }, 0, bytes.length)
    const source = cursor.varint()
    const count = cursor.count(1)
    const labels = of === 'node' ? Array.from({ length: count }, () => cursor.varint()) : []
    const start = cursor.at
    if (of === 'edge') for (let left = count; left > 0; left--) skipSpan(cursor)
    const valid = Buffer.from(bytes.subarray(start, cursor.at))
    const texts = names.map((name) => name.toString())
    const held = skipProperties(cursor, new Names(texts))
    const facts = held.map(({ name, source, start, end }) => ({
      name: texts.indexOf(name),
      source,
      value: Buffer.from(bytes.subarray(start, end)),
    }))
    const spans = new Writer()
    spans.varint(count)
    return { source, labels, valid: Buffer.concat([spans.bytes.subarray(0, spans.length), valid]), facts }
  } catch {
    return undefined
  }
}

/** Passes over when something holds. */
export function skipSpan(cursor: Cursor): void {
  for (let bounds = cursor.byte(); bounds > 0; bounds &= bounds - 1) cursor.time()
}

/** Puts it together again. */
export function putFacts({ source, labels, valid, facts }: FactsPart, of: 'node' | 'edge'): Buffer {
  const writer = new Writer()
  writer.varint(source)
  if (of === 'node') {
    writer.varint(labels.length)
    for (const label of labels) writer.varint(label)
  } else writer.append({ bytes: valid, length: valid.length })
  writer.varint(facts.length)
  for (const { name, source, value } of facts) {
    writer.varint(name)
    writer.varint(source)
    writer.append({ bytes: value, length: value.length })
  }
  return Buffer.from(writer.bytes.subarray(0, writer.length))
}
