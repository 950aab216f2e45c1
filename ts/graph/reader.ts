// Reading one version, or through a transaction: keys in, encoded entities out, decoded here.
import { isUint32Array } from 'node:util/types'
import { badArgument } from '../errors.ts'
import { answer, answerBytes, putKey, putWritten } from '../exchange.ts'
import { native } from '../native.ts'
import type { ByteReader } from '../values/decode.ts'
import type { Value } from '../values/types.ts'
import { checkKey, checkName } from '../values/keys.ts'
import type { Writer } from '../values/writer.ts'
import { type PlainEdge, checkedOptions, listOf, plainEdge } from './arguments.ts'
import { Read, question } from './ask.ts'
import { REACH_MAX, encodedQuery, encodedWalk } from './query.ts'
import { Scan, type Start } from './scan.ts'
import type { NativeSession } from './session.ts'
import type {
  Edge,
  EdgeIdentity,
  Node,
  NodeQuery,
  Reached,
  Reader,
  ValidValue,
  WalkOptions,
} from './types.ts'

/** Nodes that `within` finds unless it is told otherwise. */
const WITHIN_LIMIT = 1000
/** How far `path` looks unless it is told otherwise. */
const PATH_HOPS = 16
/** The property of an edge that says when it holds; no user's has this name. */
export const HOLDS: string = '__proto__'

/** What a native function answers when it has failed. */
const FAILED = -1
/** The newest version that is visible; transactions are −2 − handle. */
export const NEWEST: number = -1

/** What `Graph`, `View` and transactions have in common. */
export abstract class BaseReader implements Reader {
  readonly session: NativeSession

  constructor(session: NativeSession) {
    this.session = session
  }

  /** Throws when it must not be read now, and says what to read from. */
  protected abstract source(): number

  /** Asks about what a source says. Returns the answer's length. */
  #ask(source: number, about: number, asked: Writer): number {
    return this.session.checked(native.read(this.session.handle, source, about, putWritten(asked)))
  }

  /** Told of every scan that begins, for readers whose state may change under it. */
  protected begun(_scan: Scan<unknown>): void {}

  get(key: string): Node | undefined {
    const source = this.source()
    checkKey(key)
    const { session } = this
    const length = session.checked(native.readNode(session.handle, source, putKey(key)))
    return length === 0 ? undefined : readNodeBody(session, answer(length), key)
  }

  getMany(keys: readonly string[]): (Node | undefined)[] {
    const wanted = listOf(keys, 'keys are an array of strings')
    wanted.forEach(checkKey)
    const source = this.source()
    const { session } = this
    const asked = question()
    asked.texts(wanted)
    const bytes = answer(this.#ask(source, Read.nodes, asked))
    return wanted.map((key) => (bytes.byte() === 0 ? undefined : readNodeBody(session, bytes, key)))
  }

  handles(keys: readonly string[]): Uint32Array {
    const wanted = listOf(keys, 'keys are an array of strings')
    wanted.forEach(checkKey)
    const source = this.source()
    const asked = question()
    asked.texts(wanted)
    return new Uint32Array(answerBytes(this.#ask(source, Read.handles, asked)))
  }

  number(handle: number, property: string): number | undefined {
    if (handle >>> 0 !== handle) throw badArgument('a handle is a number that handles() gives')
    const source = this.source()
    const { session } = this
    const name = session.nameNumber(property)
    if (name === undefined) return undefined
    const number = native.readNumber(session.handle, source, handle, name)
    if (number === null) session.checked(FAILED)
    return Number.isNaN(number) ? undefined : (number as number)
  }

  keys(handles: Uint32Array): (string | undefined)[] {
    checkHandles(handles)
    const source = this.source()
    const asked = question()
    putHandles(asked, handles)
    const bytes = answer(this.#ask(source, Read.keys, asked))
    return Array.from(handles, () => (bytes.byte() === 0 ? undefined : bytes.text()))
  }

  numbers(handles: Uint32Array, property: string): Float64Array {
    checkHandles(handles)
    const source = this.source()
    const { session } = this
    const name = session.nameNumber(property)
    if (name === undefined) return new Float64Array(handles.length).fill(NaN)
    const asked = question()
    asked.varint(name)
    putHandles(asked, handles)
    return new Float64Array(answerBytes(this.#ask(source, Read.numbers, asked)))
  }

  edge(identity: EdgeIdentity): Edge | undefined {
    const plain = plainEdge(identity)
    const source = this.source()
    const { session } = this
    const asked = question()
    putEdge(asked, plain)
    const length = this.#ask(source, Read.edge, asked)
    return length === 0 ? undefined : readEdgeBody(session, answer(length), plain)
  }

  out(key: string, type?: string): IterableIterator<Edge> {
    return this.#edges(key, false, type)
  }

  in(key: string, type?: string): IterableIterator<Edge> {
    return this.#edges(key, true, type)
  }

  #edges(key: string, incoming: boolean, type: string | undefined): IterableIterator<Edge> {
    checkKey(key)
    if (type !== undefined) checkName(type)
    return this.#scan(readEdge, (source, start) => {
      const asked = question()
      putAround(asked, incoming, key, type)
      putStart(asked, start)
      return this.#ask(source, Read.edgePage, asked)
    })
  }

  nodes(query: NodeQuery = {}): IterableIterator<Node> {
    const encoded = encodedQuery(query)
    return this.#scan(readNode, (source, start) => {
      const asked = question()
      asked.append(encoded)
      putStart(asked, start)
      return this.#ask(source, Read.nodePage, asked)
    })
  }

  #scan<T>(
    read: (session: NativeSession, bytes: ByteReader) => T,
    ask: (source: number, start: Start) => number,
  ): IterableIterator<T> {
    const { session } = this
    // One version for all pages, that of now: the newest one may move on before the caller asks for the next.
    const source = session.fixed(this.source())
    const scan = new Scan<T>((start) => {
      this.source()
      const bytes = answer(ask(source, start))
      const items = bytes.several(() => read(session, bytes))
      return { items, next: readStart(bytes) }
    })
    this.begun(scan)
    return scan.items()
  }

  count(query: NodeQuery = {}): number {
    const encoded = encodedQuery(query)
    const source = this.source()
    const asked = question()
    asked.append(encoded)
    return answer(this.#ask(source, Read.count, asked)).varint()
  }

  degree(key: string, direction: 'out' | 'in', type?: string): number {
    return answer(this.#askAround(Read.degree, key, direction, type)).varint()
  }

  neighbours(key: string, direction: 'out' | 'in', type?: string): Uint32Array {
    return new Uint32Array(answerBytes(this.#askAround(Read.neighbours, key, direction, type)))
  }

  #askAround(about: number, key: string, direction: 'out' | 'in', type: string | undefined): number {
    checkKey(key)
    if (type !== undefined) checkName(type)
    if (direction !== 'out' && direction !== 'in') throw badArgument("a direction is 'out' or 'in'")
    const source = this.source()
    const asked = question()
    putAround(asked, direction === 'in', key, type)
    return this.#ask(source, about, asked)
  }

  within(key: string, options: WalkOptions & { readonly limit?: number } = {}): readonly Reached[] {
    checkKey(key)
    const { limit = WITHIN_LIMIT, ...walk } = checkedOptions(options, 'type', 'direction', 'hops', 'limit')
    const encoded = encodedWalk(walk, limit)
    const { session } = this
    const source = this.source()
    const asked = question()
    asked.text(key)
    asked.append(encoded)
    const bytes = answer(this.#ask(source, Read.within, asked))
    return bytes.several(() => {
      const hops = bytes.varint()
      return { node: readNode(session, bytes), hops }
    })
  }

  path(from: string, to: string, options: WalkOptions = {}): readonly Edge[] | undefined {
    checkKey(from)
    checkKey(to)
    const walk = checkedOptions(options, 'type', 'direction', 'hops')
    const encoded = encodedWalk({ hops: PATH_HOPS, ...walk }, REACH_MAX)
    const { session } = this
    const source = this.source()
    const asked = question()
    asked.text(from)
    asked.text(to)
    asked.append(encoded)
    const length = this.#ask(source, Read.path, asked)
    if (length === 0) return undefined
    const bytes = answer(length)
    return bytes.several(() => readEdge(session, bytes)).toReversed()
  }
}

function checkHandles(handles: Uint32Array): void {
  if (!isUint32Array(handles)) throw badArgument('handles are the Uint32Array that handles() gives')
}

function putHandles(writer: Writer, { buffer, byteOffset, byteLength }: Uint32Array): void {
  writer.append({ bytes: Buffer.from(buffer, byteOffset, byteLength), length: byteLength })
}

/** Appends a target that `plainTarget` gave. */
export function putTarget(writer: Writer, target: string | PlainEdge): void {
  const isNode = typeof target === 'string'
  writer.byte(isNode ? 0 : 1)
  if (isNode) writer.text(target)
  else putEdge(writer, target)
}

/** Appends an edge's identity that `plainEdge` gave. */
export function putEdge(writer: Writer, { from, type, to, key }: PlainEdge): void {
  for (const part of [from, type, to, key]) writer.text(part)
}

/** Which way, of which node, along edges of which type. */
function putAround(writer: Writer, incoming: boolean, key: string, type: string | undefined): void {
  writer.byte(incoming ? 1 : 0)
  writer.text(key)
  writer.optionalText(type)
}

function putStart(writer: Writer, start: Start): void {
  writer.byte(start.length > 0 ? 1 : 0)
  for (const part of start) writer.varint(part)
}

function readStart(bytes: ByteReader): Start | undefined {
  return bytes.byte() === 0 ? undefined : [bytes.varint(), bytes.varint(), bytes.varint()]
}

/** Reads into `props` what holds always. Returns what the other properties hold when, if there are any. */
function readProperties(
  session: NativeSession,
  bytes: ByteReader,
  props: Record<string, Value>,
): Record<string, ValidValue[]> | undefined {
  let intervals: Record<string, ValidValue[]> | undefined
  for (let left = bytes.varint(); left > 0; left--) {
    const name = session.name(bytes)
    if (!hasIntervals(bytes)) props[name] = bytes.value()
    // Without a prototype, as one name is that of a prototype.
    else (intervals ??= Object.create(null) as Record<string, ValidValue[]>)[name] = readIntervalsOf(bytes)
  }
  return intervals
}

/** Whether what comes next is not held always. No value begins with this byte. */
export function hasIntervals(bytes: ByteReader): boolean {
  return bytes.peek() === 255
}

/** What one property holds when. */
export function readIntervalsOf(bytes: ByteReader): ValidValue[] {
  bytes.byte()
  return Array.from({ length: bytes.varint() }, () => {
    const bounds = bytes.byte()
    const from = (bounds & 1) > 0 && { from: bytes.time() }
    const to = (bounds & 2) > 0 && { to: bytes.time() }
    return { ...from, ...to, value: bytes.value() }
  })
}

function readNodeBody(session: NativeSession, bytes: ByteReader, key: string): Node {
  const version = BigInt(bytes.varint())
  const labels: string[] = []
  for (let left = bytes.varint(); left > 0; left--) labels.push(session.name(bytes))
  const props: Record<string, Value> = {}
  const intervals = readProperties(session, bytes, props)
  if (intervals === undefined) return { key, labels, props, version }
  return { key, labels, props, intervals: { ...intervals }, version }
}

/** Reads a node with its key. */
export function readNode(session: NativeSession, bytes: ByteReader): Node {
  return readNodeBody(session, bytes, bytes.text())
}

function readEdgeBody(session: NativeSession, bytes: ByteReader, { from, type, to, key }: PlainEdge): Edge {
  const version = BigInt(bytes.varint())
  const props: Record<string, Value> = {}
  const intervals = readProperties(session, bytes, props)
  // Field by field: a spread takes a slow path of the engine.
  if (intervals === undefined) return { from, type, to, key, props, version }
  const { [HOLDS]: holds, ...rest } = intervals
  const valid = holds?.map(({ value: _true, ...time }) => time)
  const some = Object.keys(rest).length > 0
  return { from, type, to, key, props, ...(some && { intervals: rest }), ...(valid && { valid }), version }
}

/** Reads an edge with its identity. */
export function readEdge(session: NativeSession, bytes: ByteReader): Edge {
  const from = bytes.text()
  const type = session.name(bytes)
  return readEdgeBody(session, bytes, { from, type, to: bytes.text(), key: bytes.text() })
}
