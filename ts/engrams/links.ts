// The edges of a node as they are packed: those that leave it whole, those that enter it by their identity.
import type { Edge } from '../graph/types.ts'
import { compareUtf8 } from '../values/encode.ts'
import { Writer } from '../values/writer.ts'
import type { PlainEdge } from '../graph/arguments.ts'
import type { Blocks } from './blocks.ts'
import { Cursor } from './cursor.ts'
import { STRIDE, STRIDE_BYTES, type Section } from './layout.ts'
import { LINKS_BYTES_MAX, RECORD_BYTES_MAX, checkLimit } from './limits.ts'
import type { Names } from './names.ts'
import {
  type Fact,
  type Span,
  decodeProperties,
  putProperties,
  putValid,
  readValid,
  skipProperties,
  type Held,
} from './properties.ts'

/** What is written of an edge, beside the node at this end; facts are in the order of their numbers. */
export interface LinkRecord {
  readonly type: number
  /** The key of the node at the other end. */
  readonly other: string
  readonly key: string
  readonly source: number
  readonly valid: readonly Span[] | undefined
  readonly facts: readonly Fact[]
}

/** What is written of an edge where it enters. */
export type EndRecord = Pick<LinkRecord, 'type' | 'other' | 'key'>

/** The order of edges at one node. */
export function compareEnds(a: EndRecord, b: EndRecord): number {
  return a.type - b.type || compareUtf8(a.other, b.other) || compareUtf8(a.key, b.key)
}

/** For the edges of the node that is being written: making new ones would cost more than filling them. */
const [body, sides, group, content] = [new Writer(), new Writer(), new Writer(), new Writer()]

/** Appends the edges of a node, both in order, to a writer that is empty. Returns where what each edge that leaves holds begins in it. */
export function putLinks(
  writer: Writer,
  key: string,
  out: readonly LinkRecord[],
  into: readonly EndRecord[],
  names: Names,
): readonly number[] {
  body.length = 0
  body.text(key)
  const starts = putSide(out, true, ({ source, valid, facts }) => {
    content.length = 0
    content.varint(source)
    putValid(content, valid)
    putProperties(content, facts, names)
    checkLimit(`the size of an edge of ${JSON.stringify(key)} in bytes`, content.length, RECORD_BYTES_MAX)
    return content
  })
  putSide(into, false, () => undefined)
  checkLimit(`the size of the edges of ${JSON.stringify(key)} in bytes`, body.length, LINKS_BYTES_MAX)
  writer.varint(body.length)
  const start = writer.length
  writer.append(body)
  return starts.map((at) => start + at)
}

/**
 * Appends edges in one direction: first of each type how many there are and in how many bytes, then themselves. Returns where in `body` what each holds begins.
 */
function putSide<T extends EndRecord>(
  ends: readonly T[],
  hasStrides: boolean,
  contentOf: (end: T) => Writer | undefined,
): number[] {
  const heads: number[] = []
  const starts: number[] = []
  sides.length = 0
  for (let at = 0; at < ends.length;) {
    const { type } = ends[at]!
    const [first, start] = [at, sides.length]
    group.length = 0
    const inGroup: number[] = []
    for (; at < ends.length && ends[at]!.type === type; at++) {
      if (hasStrides && at > first && (at - first) % STRIDE === 0) putStride(sides, group.length)
      group.text(ends[at]!.other)
      group.text(ends[at]!.key)
      const held = contentOf(ends[at]!)
      if (!held) continue
      group.varint(held.length)
      inGroup.push(group.length)
      group.append(held)
    }
    // Behind the offsets of some of them.
    for (const held of inGroup) starts.push(sides.length + held)
    sides.append(group)
    heads.push(type, at - first, sides.length - start)
  }
  body.varint(heads.length / 3)
  for (const number of heads) body.varint(number)
  const first = body.length
  body.append(sides)
  return starts.map((at) => first + at)
}

function putStride(writer: Writer, offset: number): void {
  writer.reserve(STRIDE_BYTES)
  writer.length = writer.bytes.writeUIntLE(offset, writer.length, STRIDE_BYTES)
}

/** The edges of one type in one direction: where they are, and how many. */
export interface Group {
  readonly type: string
  readonly count: number
  /** Where the edges begin, behind the offsets of some of them, and where they end. */
  readonly strides: number
  readonly start: number
  readonly end: number
}

/** An edge at one of its ends. */
export interface End {
  readonly type: string
  readonly other: string
  readonly key: string
  /** Where what it holds begins, and where that ends; 0 where it enters. */
  readonly start: number
  readonly end: number
}

/** Bytes of an edge that leaves at least, and of one that enters. */
const OUT_BYTES_MIN = 7
const IN_BYTES_MIN = 3

/** Where the edges of one node are. */
export class Links {
  readonly key: string
  readonly out: readonly Group[]
  readonly in: readonly Group[]
  /** Where those of the next node begin. */
  readonly next: number
  readonly #blocks: Blocks
  readonly #names: Names
  #cursor: Cursor | undefined
  /** What was read last of an edge. */
  #source = 0
  #valid: Span[] | undefined
  #held: readonly Held[] = []

  constructor(blocks: Blocks, names: Names, { offset, bytes }: Section, at: number) {
    const cursor = new Cursor(blocks, at, offset + bytes)
    if (at < offset || at >= offset + bytes) throw cursor.malformed('no edges begin there')
    const length = cursor.length()
    this.next = cursor.position + length
    cursor.reset(cursor.position, this.next)
    this.#blocks = blocks
    this.#names = names
    this.key = cursor.text()
    this.out = readGroups(cursor, names, true)
    this.in = readGroups(cursor, names, false)
    cursor.done()
    if (this.out.length === 0 && this.in.length === 0) throw cursor.malformed('a node has no edges there')
  }

  /** Those of one type, or all. */
  groups(direction: 'out' | 'in', type: string | undefined): readonly Group[] {
    const groups = direction === 'out' ? this.out : this.in
    return type === undefined ? groups : groups.filter((group) => group.type === type)
  }

  /** The edges of one type or all, without what they hold. */
  *ends(direction: 'out' | 'in', type?: string): Generator<End, void, undefined> {
    for (const group of this.groups(direction, type)) {
      const cursor = new Cursor(this.#blocks, group.start, group.end)
      let before: End | undefined
      for (let left = group.count; left > 0; left--) {
        const end = readEnd(cursor, group.type, direction === 'out')
        if (before && (compareUtf8(before.other, end.other) || compareUtf8(before.key, end.key)) >= 0) {
          throw cursor.malformed('edges are out of order')
        }
        before = end
        yield end
      }
      cursor.done()
    }
  }

  /** The edge that leaves to a node with a key, if there is one. */
  find({ type, to, key }: PlainEdge): End | undefined {
    const group = this.out.find((group) => group.type === type)
    if (!group) return undefined
    const cursor = new Cursor(this.#blocks, group.strides, group.end)
    const reaches = (end: End): number => compareUtf8(end.other, to) || compareUtf8(end.key, key)
    const read = (stride: number): End => {
      cursor.seek(strideAt(cursor, group, stride))
      return readEnd(cursor, type, true)
    }
    // The last stride that begins at the edge or before it.
    let [low, high] = [0, Math.floor((group.count - 1) / STRIDE)]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (reaches(read(middle)) <= 0) low = middle
      else high = middle - 1
    }
    cursor.seek(strideAt(cursor, group, low))
    for (let left = Math.min(STRIDE, group.count - low * STRIDE); left > 0; left--) {
      const end = readEnd(cursor, type, true)
      const order = reaches(end)
      if (order >= 0) return order === 0 ? end : undefined
    }
    return undefined
  }

  /** An edge that leaves, with what it holds. */
  edge(end: End): Edge {
    const cursor = this.#read(end)
    const { type, other: to, key } = end
    const { props, intervals } = decodeProperties(cursor, this.#held)
    const [edge, valid] = [{ from: this.key, type, to, key, props, version: 0n }, this.#valid]
    if (intervals === undefined && valid === undefined) return edge
    return { ...edge, ...(intervals && { intervals }), ...(valid && { valid }) }
  }

  /** Where an edge that leaves comes from, or one of its properties; 0 where it is not told. */
  source(end: End, property?: string): number {
    this.#read(end)
    if (property === undefined) return this.#source
    return this.#held.find(({ name }) => name === property)?.source ?? 0
  }

  /** What an edge holds stands until another is read. */
  #read({ start, end }: End): Cursor {
    const cursor = (this.#cursor ??= new Cursor(this.#blocks, start, end))
    cursor.reset(start, end)
    cursor.need(end - start)
    this.#source = cursor.varint()
    this.#valid = readValid(cursor)
    this.#held = skipProperties(cursor, this.#names)
    cursor.done()
    return cursor
  }
}

function readGroups(cursor: Cursor, names: Names, isOut: boolean): Group[] {
  const heads: { readonly type: string; readonly count: number; readonly bytes: number }[] = []
  let number = -1
  for (let left = cursor.count(3); left > 0; left--) {
    const next = cursor.varint()
    const type = names.texts[next]
    if (type === undefined || next <= number) throw cursor.malformed('types are out of order')
    number = next
    const [count, bytes] = [cursor.varint(), cursor.length()]
    const strides = isOut ? stridesOf(count) * STRIDE_BYTES : 0
    const least = count * (isOut ? OUT_BYTES_MIN : IN_BYTES_MIN)
    if (count === 0 || strides + least > bytes) throw cursor.malformed('a count of edges is beyond their end')
    heads.push({ type, count, bytes })
  }
  return heads.map(({ type, count, bytes }) => {
    const strides = cursor.position
    const end = strides + bytes
    cursor.seek(end)
    return { type, count, strides, start: strides + (isOut ? stridesOf(count) * STRIDE_BYTES : 0), end }
  })
}

/** How many edges are found without a look at those before them. */
function stridesOf(count: number): number {
  return Math.floor((count - 1) / STRIDE)
}

function strideAt(cursor: Cursor, group: Group, stride: number): number {
  if (stride === 0) return group.start
  cursor.seek(group.strides + (stride - 1) * STRIDE_BYTES)
  cursor.need(STRIDE_BYTES)
  return group.start + cursor.bytes.readUIntLE(cursor.at, STRIDE_BYTES)
}

function readEnd(cursor: Cursor, type: string, isOut: boolean): End {
  const other = cursor.text()
  if (other === '') throw cursor.malformed('an edge has an end without a key')
  const key = cursor.text()
  if (!isOut) return { type, other, key, start: 0, end: 0 }
  const length = cursor.length()
  const start = cursor.position
  cursor.seek(start + length)
  return { type, other, key, start, end: start + length }
}
