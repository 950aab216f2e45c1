// Reading one version, or through a transaction: keys in, encoded entities out, decoded here.
import { badArgument } from '../errors.ts'
import { answer, putKey, putWritten } from '../exchange.ts'
import { native } from '../native.ts'
import type { ByteReader } from '../values/decode.ts'
import type { Value } from '../values/types.ts'
import { Writer } from '../values/writer.ts'
import type { NativeSession } from './session.ts'
import type { Edge, EdgeIdentity, Node, Reader, Target } from './types.ts'

/** Items of one page of a scan. */
const PAGE_ITEMS = 256

/** The newest version that is visible; transactions are −2 − handle. */
export const NEWEST: number = -1

const scratch = new Writer()

/** Starts a question for the native side. */
export function question(): Writer {
  scratch.length = 0
  return scratch
}

/** What `Graph`, `View` and transactions have in common. */
export abstract class BaseReader implements Reader {
  readonly session: NativeSession

  constructor(session: NativeSession) {
    this.session = session
  }

  /** Throws when it must not be read now, and says what to read from. */
  protected abstract source(): number

  get(key: string): Node | undefined {
    const source = this.source()
    checkKey(key)
    const { session } = this
    const length = session.checked(native.readNode(session.handle, source, putKey(key)))
    return length === 0 ? undefined : readNodeBody(session, answer(length), key)
  }

  getMany(keys: readonly string[]): (Node | undefined)[] {
    const source = this.source()
    const { session } = this
    const asked = question()
    asked.varint(keys.length)
    for (const key of keys) {
      checkKey(key)
      asked.text(key)
    }
    const length = session.checked(native.readNodes(session.handle, source, putWritten(asked)))
    const bytes = answer(length)
    return keys.map((key) => (bytes.byte() === 0 ? undefined : readNodeBody(session, bytes, key)))
  }

  edge(identity: EdgeIdentity): Edge | undefined {
    const source = this.source()
    const { session } = this
    const asked = question()
    putEdge(asked, identity)
    const length = session.checked(native.readEdge(session.handle, source, putWritten(asked)))
    if (length === 0) return undefined
    const bytes = answer(length)
    const version = BigInt(bytes.varint())
    const { from, type, to, key = '' } = identity
    return { from, type, to, key, props: readProperties(session, bytes), version }
  }

  out(key: string, type?: string): IterableIterator<Edge> {
    return this.#edges(key, false, type)
  }

  in(key: string, type?: string): IterableIterator<Edge> {
    return this.#edges(key, true, type)
  }

  *#edges(key: string, incoming: boolean, type: string | undefined): IterableIterator<Edge> {
    checkKey(key)
    const { session } = this
    // One version for all pages: the newest one may move on while the caller awaits in between.
    const source = session.fixed(this.source())
    let start: readonly number[] | undefined = []
    while (start) {
      this.source()
      const asked = question()
      asked.text(key)
      putOptional(asked, type)
      putStart(asked, start)
      const written = putWritten(asked)
      const length = session.checked(native.pageEdges(session.handle, source, incoming, PAGE_ITEMS, written))
      const bytes = answer(length)
      const page: Edge[] = []
      while (bytes.byte() === 1) page.push(readEdge(session, bytes))
      start = readStart(bytes)
      yield* page
    }
  }

  *nodes(options: { readonly label?: string } = {}): IterableIterator<Node> {
    const { session } = this
    const source = session.fixed(this.source())
    let start: readonly number[] | undefined = []
    while (start) {
      this.source()
      const asked = question()
      putOptional(asked, options.label)
      putStart(asked, start)
      const length = session.checked(native.pageNodes(session.handle, source, PAGE_ITEMS, putWritten(asked)))
      const bytes = answer(length)
      const page: Node[] = []
      while (bytes.byte() === 1) page.push(readNode(session, bytes))
      start = readStart(bytes)
      yield* page
    }
  }

  count(options: { readonly label?: string } = {}): number {
    const source = this.source()
    const asked = question()
    putOptional(asked, options.label)
    return this.session.checked(native.countNodes(this.session.handle, source, putWritten(asked)))
  }

  degree(key: string, direction: 'out' | 'in', type?: string): number {
    const source = this.source()
    checkKey(key)
    const asked = question()
    asked.text(key)
    putOptional(asked, type)
    const written = putWritten(asked)
    return this.session.checked(native.countEdges(this.session.handle, source, direction === 'in', written))
  }
}

/** Refuses what is no key. */
export function checkKey(key: unknown): asserts key is string {
  if (typeof key !== 'string')
    throw badArgument(`a key is a string, not ${key === null ? 'null' : typeof key}`)
}

/** Appends a target. */
export function putTarget(writer: Writer, target: Target): void {
  if (typeof target === 'string') {
    writer.byte(0)
    writer.text(target)
    return
  }
  if (typeof target !== 'object' || target === null) {
    throw badArgument('a target is a node’s key or { from, type, to, key }')
  }
  writer.byte(1)
  putEdge(writer, target)
}

/** Appends an edge's identity. */
export function putEdge(writer: Writer, edge: EdgeIdentity): void {
  const { from, type, to, key = '' } = edge
  for (const text of [from, type, to, key]) {
    checkKey(text)
    writer.text(text)
  }
}

/** Appends a byte 0, or 1 and a text. */
export function putOptional(writer: Writer, text: string | undefined): void {
  if (text === undefined) {
    writer.byte(0)
    return
  }
  checkKey(text)
  writer.byte(1)
  writer.text(text)
}

function putStart(writer: Writer, start: readonly number[]): void {
  writer.byte(start.length > 0 ? 1 : 0)
  for (const part of start) writer.varint(part)
}

function readStart(bytes: ByteReader): readonly number[] | undefined {
  return bytes.byte() === 0 ? undefined : [bytes.varint(), bytes.varint(), bytes.varint()]
}

function readProperties(session: NativeSession, bytes: ByteReader): Record<string, Value> {
  const props: Record<string, Value> = {}
  for (let left = bytes.varint(); left > 0; left--) {
    const name = session.name(bytes)
    props[name] = bytes.value()
  }
  return props
}

function readNodeBody(session: NativeSession, bytes: ByteReader, key: string): Node {
  const version = BigInt(bytes.varint())
  const labels: string[] = []
  for (let left = bytes.varint(); left > 0; left--) labels.push(session.name(bytes))
  return { key, labels, props: readProperties(session, bytes), version }
}

/** Reads a node with its key. */
export function readNode(session: NativeSession, bytes: ByteReader): Node {
  return readNodeBody(session, bytes, bytes.text())
}

/** Reads an edge with its identity. */
export function readEdge(session: NativeSession, bytes: ByteReader): Edge {
  const from = bytes.text()
  const type = session.name(bytes)
  const to = bytes.text()
  const key = bytes.text()
  const version = BigInt(bytes.varint())
  return { from, type, to, key, props: readProperties(session, bytes), version }
}
