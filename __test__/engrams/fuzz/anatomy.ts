// A package taken apart into what may be changed one by one, and put together again so that lengths, offsets, lookup and hashes are right.
import {
  type Section,
  type Sections,
  aligned,
  encodeHead,
  firstSection,
  formatOf,
  sectionsOf as sectionsIn,
} from '../../../ts/engrams/layout.ts'
import { rowsFor, tableOf } from '../../../ts/engrams/lookup.ts'
import { Cursor } from '../../../ts/engrams/cursor.ts'
import { encodeManifest } from '../../../ts/engrams/manifest.ts'
import { skipProperties } from '../../../ts/engrams/properties.ts'
import { Names } from '../../../ts/engrams/names.ts'
import { levelsOver } from '../../../ts/engrams/tree.ts'
import { RECALL_ROW_WORDS, TABLE_HEAD_BYTES, WORD_BYTES } from '../../../ts/engrams/recalls/layout.ts'
import type { Manifest, PackedRecall } from '../../../ts/engrams/types.ts'
import { ByteReader } from '../../../ts/values/decode.ts'
import { KEY_BYTES_MAX } from '../../../ts/values/limits.ts'
import { Writer } from '../../../ts/values/writer.ts'
import { sectionsOf } from '../forge.ts'
import { skipSpan } from './facts.ts'

const ROW_BYTES = RECALL_ROW_WORDS * WORD_BYTES

/** An edge at one of its ends; what it holds stands where it leaves. */
export interface EndPart {
  other: Buffer
  key: Buffer
  content: Buffer
}

/** The edges of one type in one direction. */
export interface GroupPart {
  type: number
  ends: EndPart[]
}

/** The edges of a node. */
export interface LinksPart {
  key: Buffer
  out: GroupPart[]
  in: GroupPart[]
}

/** A node: its key, and what follows it. */
export interface NodePart {
  key: Buffer
  rest: Buffer
}

/** A recall table: its head, its rows by the places of their nodes with what they say, and all slots. */
export interface TablePart {
  head: Buffer
  rows: { node: number; said: Buffer }[]
  slots: Buffer
}

/** Everything that a package is made of, but its past. */
export interface Anatomy {
  manifest: Record<string, unknown>
  names: Buffer[]
  sources: Buffer
  /** How many sources there are. */
  cited: number
  nodes: NodePart[]
  links: LinksPart[]
  /** The labels by the numbers of their names, each with the places of its nodes. */
  labels: { name: number; nodes: number[] }[]
  tables: TablePart[]
}

/** Takes a package apart that is well formed. */
export function apart(body: Buffer): Anatomy {
  const sections = sectionsOf(body)
  const bytesOf = ({ offset, bytes }: Section): Buffer => body.subarray(offset, offset + bytes)
  const { nodes, places } = nodesOf(bytesOf(sections.nodes))
  const manifest = JSON.parse(bytesOf(sections.manifest).toString()) as Record<string, unknown>
  const recalls = (manifest as Partial<Manifest>).recall?.tables ?? []
  return {
    manifest,
    names: read(bytesOf(sections.names), text),
    sources: bytesOf(sections.sources),
    cited: sections.sources.entries,
    nodes,
    links: read(bytesOf(sections.links), (reader, bytes) => linksOf(block(reader, bytes))),
    labels: labelsOf(bytesOf(sections.labels), sections, places),
    tables: sections.recall ? tablesOf(bytesOf(sections.recall), recalls, sections.nodes.offset, places) : [],
  }
}

function tablesOf(
  bytes: Buffer,
  recalls: readonly PackedRecall[],
  nodes: number,
  places: ReadonlyMap<number, number>,
): TablePart[] {
  let next = 0
  return recalls.map(({ texts }) => {
    const table = bytes.subarray(next, (next += bytes.readUIntLE(next + 24, 6)))
    const slots = TABLE_HEAD_BYTES + texts * ROW_BYTES
    const rows = Array.from({ length: texts }, (_, row) => {
      const at = TABLE_HEAD_BYTES + row * ROW_BYTES
      return {
        node: places.get(table.readUIntLE(at, 6) - nodes)!,
        said: table.subarray(at + 6, at + ROW_BYTES),
      }
    })
    return { head: table.subarray(0, TABLE_HEAD_BYTES), rows, slots: table.subarray(slots) }
  })
}

function putTable({ head, rows, slots }: TablePart, at: readonly number[]): Buffer {
  const bytes = rows.map(({ node, said }) => {
    const row = Buffer.alloc(6)
    row.writeUIntLE(at[node] ?? 0, 0, 6)
    return Buffer.concat([row, said])
  })
  const own = Buffer.alloc(TABLE_HEAD_BYTES)
  head.copy(own, 0, 0, 24)
  // Of a table that has other bytes than it had, the head says how many.
  own.writeUIntLE(TABLE_HEAD_BYTES + rows.length * ROW_BYTES + slots.length, 24, 6)
  return Buffer.concat([own, ...bytes, slots])
}

function read<T>(bytes: Buffer, one: (reader: ByteReader, bytes: Buffer) => T): T[] {
  const reader = new ByteReader(bytes)
  const all: T[] = []
  while (reader.at < bytes.length) all.push(one(reader, bytes))
  return all
}

/** A length, and as many bytes. */
function block(reader: ByteReader, bytes: Buffer): Buffer {
  const length = reader.varint()
  reader.at += length
  return bytes.subarray(reader.at - length, reader.at)
}

const text = block

function nodesOf(bytes: Buffer): { nodes: NodePart[]; places: Map<number, number> } {
  const places = new Map<number, number>()
  const nodes = read(bytes, (reader) => {
    places.set(reader.at, places.size)
    const record = block(reader, bytes)
    const inner = new ByteReader(record)
    const key = text(inner, record)
    return { key, rest: record.subarray(inner.at) }
  })
  return { nodes, places }
}

function linksOf(record: Buffer): LinksPart {
  const reader = new ByteReader(record)
  const key = text(reader, record)
  const heads = (): [number, number][] =>
    Array.from({ length: reader.varint() }, () => {
      const [type, count] = [reader.varint(), reader.varint()]
      reader.varint()
      return [type, count]
    })
  const side = (isOut: boolean): GroupPart[] => {
    const all = heads()
    return all.map(([type, count]) => {
      if (isOut) reader.at += 6 * Math.floor((count - 1) / 64)
      const ends = Array.from({ length: count }, () => ({
        other: text(reader, record),
        key: text(reader, record),
        content: isOut ? block(reader, record) : Buffer.alloc(0),
      }))
      return { type, ends }
    })
  }
  return { key, out: side(true), in: side(false) }
}

function labelsOf(
  bytes: Buffer,
  { labels }: Sections,
  places: ReadonlyMap<number, number>,
): Anatomy['labels'] {
  return Array.from({ length: labels.entries }, (_, at) => {
    const row = at * 24
    const reader = new ByteReader(bytes)
    reader.at = bytes.readUIntLE(row + 16, 6) - labels.offset
    let offset = 0
    const nodes = Array.from({ length: bytes.readUIntLE(row + 8, 6) }, () => {
      offset += reader.varint()
      return places.get(offset)!
    })
    return { name: bytes.readUInt32LE(row), nodes }
  })
}

/** Puts it together: head and sections, without the tree. What is in no order stays in none. */
export function together(anatomy: Anatomy): Buffer {
  const { manifest, names, sources, cited, nodes, links, labels, tables } = anatomy
  const format = formatOf(false, tables.length > 0)
  const data: Record<string, Buffer> = {
    manifest: encodeManifest(manifest as unknown as Manifest),
    names: written((writer) => names.forEach((name) => writer.block(name, name.length))),
    sources,
  }
  const offsets = new Map<string, number>()
  let next = firstSection(format)
  const place = (name: string): number => {
    const offset = next
    offsets.set(name, offset)
    next = aligned(offset + data[name]!.length)
    return offset
  }
  for (const name of ['manifest', 'names', 'sources']) place(name)

  const at: number[] = []
  data['nodes'] = written((writer) => {
    for (const { key, rest } of nodes) {
      at.push(next + writer.length)
      const record = written((inner) => {
        inner.block(key, key.length)
        inner.append({ bytes: rest, length: rest.length })
      })
      writer.block(record, record.length)
    }
  })
  const nodesOffset = place('nodes')
  const edgesOf = new Map<string, number>()
  data['links'] = written((writer) => {
    for (const part of links) {
      edgesOf.set(part.key.toString(), next + writer.length)
      const record = putLinks(part)
      writer.block(record, record.length)
    }
  })
  place('links')
  // Nobody looks for a key that is too long.
  const keys = nodes
    .map(({ key }) => key.toString())
    .map((key) => (Buffer.byteLength(key) > KEY_BYTES_MAX ? '' : key))
  data['keys'] = Buffer.concat([
    ...tableOf(
      keys,
      Float64Array.from(at),
      Float64Array.from(keys, (key) => edgesOf.get(key) ?? 0),
    ),
  ])
  place('keys')
  data['labels'] = putLabels(labels, at, nodesOffset, next)
  place('labels')
  if (tables.length > 0) {
    data['history'] = Buffer.alloc(0)
    place('history')
    data['recall'] = Buffer.concat(tables.map((table) => putTable(table, at)))
    place('recall')
  }

  const entries: Record<keyof Sections, number> = {
    manifest: 1,
    names: names.length,
    sources: cited,
    nodes: nodes.length,
    links: links.length,
    keys: rowsFor(nodes.length),
    labels: labels.length,
    history: 0,
    recall: tables.length,
  }
  const table = Object.fromEntries(
    sectionsIn(format).map((name) => [
      name,
      { offset: offsets.get(name)!, bytes: data[name]!.length, entries: entries[name] },
    ]),
  ) as Record<keyof Sections, Section>
  const body = Buffer.alloc(next)
  encodeHead({ format, bytes: next, levels: levelsOver(next).length }, table).copy(body)
  for (const name of sectionsIn(format)) data[name]!.copy(body, offsets.get(name))
  return body
}

function written(write: (writer: Writer) => void): Buffer {
  const writer = new Writer()
  write(writer)
  return writer.bytes.subarray(0, writer.length)
}

function putLinks({ key, out, in: into }: LinksPart): Buffer {
  return written((writer) => {
    writer.block(key, key.length)
    for (const groups of [out, into]) {
      const sides = groups.map(({ ends }) => putGroup(ends, groups === out))
      writer.varint(groups.length)
      groups.forEach(({ type, ends }, at) =>
        [type, ends.length, sides[at]!.length].forEach((number) => writer.varint(number)),
      )
      for (const side of sides) writer.append({ bytes: side, length: side.length })
    }
  })
}

function putGroup(ends: readonly EndPart[], isOut: boolean): Buffer {
  const strides: number[] = []
  const group = written((writer) =>
    ends.forEach(({ other, key, content }, at) => {
      if (isOut && at > 0 && at % 64 === 0) strides.push(writer.length)
      for (const part of isOut ? [other, key, content] : [other, key]) writer.block(part, part.length)
    }),
  )
  const places = strides.map((stride) => {
    const bytes = Buffer.alloc(6)
    bytes.writeUIntLE(stride, 0, 6)
    return bytes
  })
  return Buffer.concat([...places, group])
}

function putLabels(
  labels: Anatomy['labels'],
  at: readonly number[],
  nodesOffset: number,
  offset: number,
): Buffer {
  const lists = labels.map(({ nodes }) =>
    written((writer) => {
      let before = nodesOffset
      for (const node of nodes) {
        // What goes back cannot be said, and is said as something else.
        writer.varint(Math.abs((at[node] ?? 0) - before))
        before = at[node] ?? 0
      }
    }),
  )
  const table = Buffer.alloc(labels.length * 24)
  let next = offset + table.length
  labels.forEach(({ name, nodes }, row) => {
    table.writeUInt32LE(name, row * 24)
    table.writeUInt32LE(nodes.length, row * 24 + 8)
    table.writeUIntLE(next, row * 24 + 16, 6)
    next += lists[row]!.length
  })
  return Buffer.concat([table, ...lists])
}

/** Makes the manifest count what there is, as far as what there is can be read. */
export function recount(anatomy: Anatomy): void {
  const names = anatomy.names.map((name) => name.toString())
  const tally: Record<'labels' | 'properties' | 'types', Record<string, number>> = {
    labels: {},
    properties: {},
    types: {},
  }
  const add = (of: keyof typeof tally, name: string | undefined, count = 1): void => {
    if (name === undefined) return
    // A name may be that of what every object has.
    const before = Object.hasOwn(tally[of], name) ? tally[of][name]! : 0
    tally[of][name] = before + count
  }
  const known = new Names(names)
  const properties = (bytes: Buffer, before: (cursor: Cursor) => void): void => {
    try {
      const cursor = new Cursor({ block: () => bytes }, 0, bytes.length)
      before(cursor)
      for (const { name } of skipProperties(cursor, known)) add('properties', name)
    } catch {
      // It is refused anyway.
    }
  }
  for (const { rest } of anatomy.nodes) {
    properties(rest, (cursor) => {
      cursor.varint()
      for (let left = cursor.count(1); left > 0; left--) add('labels', names[cursor.varint()])
    })
  }
  let edges = 0
  for (const { out } of anatomy.links) {
    for (const { type, ends } of out) {
      add('types', names[type], ends.length)
      edges += ends.length
      for (const { content } of ends) {
        properties(content, (cursor) => {
          cursor.varint()
          for (let left = cursor.count(1); left > 0; left--) skipSpan(cursor)
        })
      }
    }
  }
  const sum = (counts: Record<string, number>): number =>
    Object.values(counts).reduce((total, count) => total + count, 0)
  const nodes = anatomy.nodes.length
  const facts = nodes + edges + sum(tally.labels) + sum(tally.properties)
  anatomy.manifest['counts'] = { edges, facts, nodes, sources: anatomy.cited }
  anatomy.manifest['schema'] = tally
  // What the manifest says there may be anything by now.
  const recall: unknown = anatomy.manifest['recall']
  const tables: unknown = isObject(recall) ? recall['tables'] : undefined
  for (const [at, { rows }] of anatomy.tables.entries()) {
    const table: unknown = isObject(tables) ? tables[at] : undefined
    if (isObject(table)) table['texts'] = rows.length
  }
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null
}
