// A node as it is packed: its key, who made it, its labels and properties.
import type { Node } from '../graph/types.ts'
import { LABELS_MAX } from '../values/limits.ts'
import { Writer } from '../values/writer.ts'
import type { Blocks } from './blocks.ts'
import { Cursor } from './cursor.ts'
import type { Section } from './layout.ts'
import { RECORD_BYTES_MAX, checkLimit } from './limits.ts'
import type { Names } from './names.ts'
import { type Fact, type Held, decodeProperties, putProperties, skipProperties } from './properties.ts'

/** What is written of a node; labels and facts are in the order of their numbers. */
export interface NodeRecord {
  readonly key: string
  /** Who made it; 0 where that is not told. */
  readonly source: number
  readonly labels: readonly number[]
  readonly facts: readonly Fact[]
}

const body = new Writer()

/** Encodes a node, in a writer that holds it until the next one is. Its length goes before it. */
export function nodeBody({ key, source, labels, facts }: NodeRecord, names: Names): Writer {
  body.length = 0
  body.text(key)
  body.varint(source)
  body.varint(labels.length)
  for (const label of labels) body.varint(label)
  putProperties(body, facts, names)
  checkLimit(`the size of the node ${JSON.stringify(key)} in bytes`, body.length, RECORD_BYTES_MAX)
  return body
}

/** Reads nodes, one after the other or one at a place. What was read last stands until the next is. */
export class NodeReader {
  readonly #names: Names
  readonly #end: number
  readonly #start: number
  readonly #cursor: Cursor
  key = ''
  source = 0
  labels: string[] = []
  held: Held[] = []
  /** Where the next one begins. */
  next: number

  constructor(blocks: Blocks, names: Names, { offset, bytes }: Section) {
    this.#names = names
    this.#start = offset
    this.#end = offset + bytes
    this.#cursor = new Cursor(blocks, offset, offset)
    this.next = offset
  }

  /** Reads the node at an offset. */
  read(offset: number): void {
    const cursor = this.#cursor
    cursor.reset(offset, this.#end)
    if (offset < this.#start || offset >= this.#end) throw cursor.malformed('no node begins there')
    const length = cursor.length()
    cursor.need(length)
    this.next = cursor.position + length
    cursor.reset(cursor.position, this.next)
    this.key = cursor.text()
    if (this.key === '') throw cursor.malformed('a node has an empty key')
    this.source = cursor.varint()
    this.labels = this.#readLabels(cursor)
    this.held = skipProperties(cursor, this.#names)
    cursor.done()
  }

  #readLabels(cursor: Cursor): string[] {
    const count = cursor.count(1)
    if (count > LABELS_MAX) throw cursor.malformed(`a node has more than ${LABELS_MAX} labels`)
    const labels: string[] = []
    for (let before = -1, left = count; left > 0; left--) {
      const number = cursor.varint()
      const label = this.#names.texts[number]
      if (label === undefined || number <= before) throw cursor.malformed('labels are out of order')
      before = number
      labels.push(label)
    }
    return labels
  }

  /** Whether there is another one behind the one that was read last. */
  get hasNext(): boolean {
    return this.next < this.#end
  }

  /** A property as it is encoded, if it holds one value always. */
  encoded(property: string): Buffer | undefined {
    const found = this.held.find(({ name, isTemporal }) => name === property && !isTemporal)
    return found && this.#cursor.bytes.subarray(found.start, found.end)
  }

  /** The node that was read last. */
  node(): Node {
    const { key, labels } = this
    return { key, labels, ...decodeProperties(this.#cursor, this.held), version: 0n }
  }
}
