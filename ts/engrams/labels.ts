// Which nodes have a label: their offsets, as steps.
import type { Writer } from '../values/writer.ts'
import type { Blocks } from './blocks.ts'
import { Cursor } from './cursor.ts'
import { LABEL_BYTES, type Section, getLong, putLong } from './layout.ts'
import { malformed } from './refusals.ts'

/** A label, and its nodes by their places, ascending. */
export interface Labelled {
  readonly name: number
  readonly nodes: Uint32Array
}

/** The section in pieces: its table, then of each label its list. */
export function* labelsOf(
  labels: readonly Labelled[],
  offsets: Float64Array,
  sectionOffset: number,
  nodesOffset: number,
  writer: Writer,
): Generator<Writer, void, undefined> {
  const table = Buffer.alloc(labels.length * LABEL_BYTES)
  let next = sectionOffset + table.length
  labels.forEach(({ name, nodes }, at) => {
    table.writeUInt32LE(name, at * LABEL_BYTES)
    putLong(table, nodes.length, at * LABEL_BYTES + 8)
    putLong(table, next, at * LABEL_BYTES + 16)
    for (const step of steps(nodes, offsets, nodesOffset)) next += varintBytes(step)
  })
  writer.append({ bytes: table, length: table.length })
  yield writer
  for (const { nodes } of labels) {
    for (const step of steps(nodes, offsets, nodesOffset)) {
      writer.varint(step)
      if (writer.length >= PIECE_BYTES) yield writer
    }
    yield writer
  }
}

const PIECE_BYTES = 65_536

function* steps(nodes: Uint32Array, offsets: Float64Array, from: number): Generator<number, void, undefined> {
  let before = from
  for (const node of nodes) {
    yield offsets[node]! - before
    before = offsets[node]!
  }
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

/** The nodes of one label: how many, and the list of where they are. */
export interface LabelList {
  readonly count: number
  readonly start: number
  readonly end: number
}

/** The labels of an open package. */
export class Labels {
  readonly #blocks: Blocks
  readonly #section: Section
  readonly #nodes: Section

  constructor(blocks: Blocks, section: Section, nodes: Section) {
    if (section.entries * LABEL_BYTES > section.bytes)
      throw malformed('there are more labels than room for them')
    this.#blocks = blocks
    this.#section = section
    this.#nodes = nodes
  }

  /** Where the nodes of a label are listed; `undefined` where nothing has it. */
  find(name: number): LabelList | undefined {
    const { offset, bytes, entries } = this.#section
    const cursor = new Cursor(this.#blocks, offset, offset + bytes)
    let [low, high] = [0, entries]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const found = this.#row(cursor, middle)
      if (found.name === name) return this.#list(cursor, middle)
      if (found.name < name) low = middle + 1
      else high = middle
    }
    return undefined
  }

  #row(
    cursor: Cursor,
    at: number,
  ): { readonly name: number; readonly count: number; readonly start: number } {
    cursor.seek(this.#section.offset + at * LABEL_BYTES)
    cursor.need(LABEL_BYTES)
    const { bytes, at: row } = cursor
    return { name: bytes.readUInt32LE(row), count: getLong(bytes, row + 8), start: getLong(bytes, row + 16) }
  }

  #list(cursor: Cursor, at: number): LabelList {
    const { offset, bytes, entries } = this.#section
    const { count, start } = this.#row(cursor, at)
    const end = at + 1 < entries ? this.#row(cursor, at + 1).start : offset + bytes
    const isInPlace = start >= offset + entries * LABEL_BYTES && end <= offset + bytes && end >= start
    if (!isInPlace || count === 0 || count > end - start || count > this.#nodes.entries) {
      throw malformed('a list of nodes with a label is not where it has to be')
    }
    return { count, start, end }
  }

  /** The offsets of nodes on a list. */
  *offsets({ count, start, end }: LabelList): Generator<number, void, undefined> {
    const cursor = new Cursor(this.#blocks, start, end)
    const { offset, bytes } = this.#nodes
    let node = offset
    for (let read = 0; read < count; read++) {
      const step = cursor.varint()
      node += step
      if ((step === 0 && read > 0) || node >= offset + bytes)
        throw cursor.malformed('a list of nodes is out of order')
      yield node
    }
    cursor.done()
  }
}
