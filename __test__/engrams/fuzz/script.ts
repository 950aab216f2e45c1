// Bytes as a list of changes to a package: first to what it is made of, so that lengths and hashes are right again, then to bytes of the whole.
import { FORMAT, sectionsOf as sectionsIn } from '../../../ts/engrams/layout.ts'
import { rowOf, sectionsOf } from '../forge.ts'
import { factsOf, putFacts } from './facts.ts'
import {
  type Anatomy,
  type EndPart,
  type GroupPart,
  type TablePart,
  apart,
  recount,
  together,
} from './anatomy.ts'

/** Changes that one script makes at most: a longer one says no more. */
const CHANGES_MAX = 48
/** Bytes that one change puts in at most. */
const INSERTED_MAX = 64

/** Reads a script; behind its end there are zeros. */
class Script {
  readonly #bytes: Uint8Array
  at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.at
  }

  byte(): number {
    return this.#bytes[this.at++] ?? 0
  }

  /** A number below a bound, from two bytes: 0 where the bound is. */
  below(bound: number): number {
    const number = this.byte() | (this.byte() << 8)
    return bound > 0 ? number % bound : 0
  }

  pick<T>(from: readonly T[]): T {
    return from[this.byte() % from.length] as T
  }

  take(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.byte()))
  }
}

/** Numbers with which something ends, in their varints: the last ones are too large, too long, or have no end. */
const VARINTS: readonly Buffer[] = [
  '00',
  '01',
  '7f',
  '8001',
  'ff7f',
  '80808010',
  'ffffffff0f',
  'ffffffffffffff0f',
  '8080808080808010',
  'ffffffffffffffffff01',
  '8000',
  'ffffffffffffffffffff',
].map((hex) => Buffer.from(hex, 'hex'))

/** Values in all forms, the last ones in forms that nobody writes; and what stands around them. */
const SNIPPETS: readonly Buffer[] = [
  '00',
  '0302',
  '05ffffffffffffffffff01',
  '06036162c3',
  '0602c3a9',
  '0700',
  '0802',
  '0900',
  '09ffffff07',
  '0a00',
  '0a0161',
  '0a010161000a',
  '0a02016200016100',
  '0a01095f5f70726f746f5f5f5f00',
  '0b010000003f',
  '0bffff7f',
  '04000000000000f87f',
  '04010000000000f87f',
  '04000000000000f03f',
  '040000000000000080',
  'ff0101020303',
  'ff020103040103050402',
  'ff01000302',
  'ff00',
  '08ffffffffffffffffff01',
  '0affffffff0f',
  '09'.repeat(40),
  '0901'.repeat(31) + '0900',
  '0901'.repeat(33) + '0900',
  '0a0100'.repeat(33) + '00',
].map((hex) => Buffer.from(hex, 'hex'))

/** Changes one part. */
function edited(bytes: Buffer, script: Script): Buffer {
  const at = script.below(bytes.length + 1)
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
  switch (script.byte() % 9) {
    case 0:
      return Buffer.concat([before, script.take(1), after.subarray(1)])
    case 1:
      return Buffer.concat([
        before,
        Buffer.of((after[0] ?? 0) ^ (1 << (script.byte() % 8))),
        after.subarray(1),
      ])
    case 2:
      return Buffer.concat([before, script.take(1 + (script.byte() % INSERTED_MAX)), after])
    case 3:
      return Buffer.concat([before, after.subarray(1 + (script.byte() % 16))])
    case 4:
      return Buffer.concat([before, script.pick(VARINTS), after.subarray(1)])
    case 5:
      return Buffer.concat([before, script.pick(SNIPPETS), after.subarray(script.byte() % 16)])
    case 6:
      return Buffer.concat([
        before,
        bytes.subarray(script.below(bytes.length + 1)).subarray(0, INSERTED_MAX),
        after,
      ])
    case 7:
      // The same number, one byte longer.
      return Buffer.concat([before, Buffer.of((after[0] ?? 0) | 0x80, 0), after.subarray(1)])
    default:
      return Buffer.concat([before, Buffer.alloc(script.byte() % INSERTED_MAX, script.byte()), after])
  }
}

/** Drops one of a list, doubles it, or puts it where another one is. */
function shuffled(list: unknown[], script: Script): void {
  if (list.length === 0) return
  const [one, other] = [script.below(list.length), script.below(list.length)]
  switch (script.byte() % 4) {
    case 0:
      list.splice(one, 1)
      break
    case 1:
      list.splice(one, 0, copyOf(list[one]))
      break
    case 2:
      list.splice(other, 0, ...list.splice(one, 1))
      break
    default:
      list[one] = copyOf(list[other])
  }
}

/** A part that is changed alone; its bytes are never written into. */
function copyOf(part: unknown): unknown {
  if (Buffer.isBuffer(part) || typeof part !== 'object' || part === null) return part
  if (Array.isArray(part)) return part.map(copyOf)
  return Object.fromEntries(Object.entries(part).map(([name, held]) => [name, copyOf(held)]))
}

function someGroups(anatomy: Anatomy, script: Script): GroupPart[] {
  const part = anatomy.links[script.below(anatomy.links.length)]
  return part ? (script.byte() % 2 === 0 ? part.out : part.in) : []
}

function someEnds(anatomy: Anatomy, script: Script): EndPart[] {
  const groups = someGroups(anatomy, script)
  return groups[script.byte() % Math.max(1, groups.length)]?.ends ?? []
}

function editField<T extends string>(part: Record<T, Buffer> | undefined, field: T, script: Script): void {
  if (part) part[field] = edited(Buffer.from(part[field]), script)
}

/** Changes the labels or the properties of a node or an edge, whole ones or the bytes of one. */
function changeFacts({ names }: Anatomy, bytes: Buffer, of: 'node' | 'edge', script: Script): Buffer {
  const part = factsOf(bytes, names, of)
  if (part === undefined) return bytes
  const fact = part.facts[script.byte() % Math.max(1, part.facts.length)]
  switch (script.byte() % 6) {
    case 0:
      shuffled(part.labels, script)
      break
    case 1:
      part.labels.splice(script.byte() % (part.labels.length + 1), 0, script.byte() % (names.length + 1))
      break
    case 2:
      shuffled(part.facts, script)
      break
    case 3:
      if (fact) fact.name = script.byte() % (names.length + 1)
      break
    case 4:
      if (fact) fact.source = script.byte() % 4
      else part.source = script.byte() % 4
      break
    default:
      if (fact) fact.value = script.byte() % 2 === 0 ? script.pick(SNIPPETS) : edited(fact.value, script)
  }
  return putFacts(part, of)
}

type Change = (anatomy: Anatomy, script: Script) => void

const someNode: (anatomy: Anatomy, script: Script) => Anatomy['nodes'][number] | undefined = (
  { nodes },
  script,
) => nodes[script.below(nodes.length)]

const someEnd = (anatomy: Anatomy, script: Script): EndPart | undefined => {
  const ends = someEnds(anatomy, script)
  return ends[script.below(ends.length)]
}

/** What may be changed of what a package is made of. */
const CHANGES: readonly Change[] = [
  (anatomy, script) => editField(someNode(anatomy, script), 'rest', script),
  (anatomy, script) => editField(someNode(anatomy, script), 'rest', script),
  (anatomy, script) => {
    const node = someNode(anatomy, script)
    if (node) node.rest = changeFacts(anatomy, node.rest, 'node', script)
  },
  (anatomy, script) => {
    const end = someEnd(anatomy, script)
    if (end) end.content = changeFacts(anatomy, end.content, 'edge', script)
  },
  (anatomy, script) => editField(someNode(anatomy, script), 'key', script),
  (anatomy, script) => editField(someEnd(anatomy, script), 'content', script),
  (anatomy, script) => editField(someEnd(anatomy, script), 'content', script),
  (anatomy, script) => editField(someEnd(anatomy, script), 'other', script),
  (anatomy, script) => editField(someEnd(anatomy, script), 'key', script),
  ({ links }, script) => editField(links[script.below(links.length)], 'key', script),
  (anatomy, script) => editField(anatomy, 'sources', script),
  ({ names }, script) => {
    const at = script.below(names.length)
    if (names[at]) names[at] = edited(names[at], script)
  },
  ({ nodes }, script) => shuffled(nodes, script),
  ({ links }, script) => shuffled(links, script),
  ({ names }, script) => shuffled(names, script),
  (anatomy, script) => shuffled(someGroups(anatomy, script), script),
  (anatomy, script) => shuffled(someEnds(anatomy, script), script),
  (anatomy, script) => {
    const groups = someGroups(anatomy, script)
    const group = groups[script.byte() % Math.max(1, groups.length)]
    if (group) group.type = script.byte() % (anatomy.names.length + 2)
  },
  (anatomy, script) => {
    // Edges of one place in another.
    const [ends, others] = [someEnds(anatomy, script), someEnds(anatomy, script)]
    const end = ends[script.below(ends.length)]
    if (end) others.splice(script.below(others.length), 0, { ...end })
  },
  ({ labels }, script) => shuffled(labels, script),
  ({ labels }, script) => shuffled(labels[script.byte() % Math.max(1, labels.length)]?.nodes ?? [], script),
  ({ labels, names, nodes }, script) => {
    const label = labels[script.byte() % Math.max(1, labels.length)]
    if (!label) return
    if (script.byte() % 2 === 0) label.name = script.byte() % (names.length + 2)
    else label.nodes.push(script.below(nodes.length + 1))
  },
  (anatomy, script) => {
    anatomy.cited += (script.byte() % 5) - 2
    anatomy.cited = Math.max(0, anatomy.cited)
  },
  ({ manifest }, script) => changeManifest(manifest, script),
  ({ tables }, script) => changeTable(tables[script.byte() % Math.max(1, tables.length)], script),
  ({ tables }, script) => changeTable(tables[script.byte() % Math.max(1, tables.length)], script),
]

/** Changes the head, a row or some bytes of the slots of a table: in slots most of all those that are looked into. */
function changeTable(table: TablePart | undefined, script: Script): void {
  if (!table) return
  const row = table.rows[script.below(table.rows.length)]
  switch (script.byte() % 6) {
    case 0:
      table.head = Buffer.from(table.head)
      table.head[script.below(24)] = script.byte()
      break
    case 1:
      shuffled(table.rows, script)
      break
    case 2:
      if (row) row.node += (script.byte() % 5) - 2
      break
    case 3:
      if (row) row.said = Buffer.from(row.said).fill(script.byte(), script.byte() % 6)
      break
    default: {
      // The groups begin behind a number for each 32 of 8 × 4,096 slots.
      const groups = script.byte() % 4 === 0 ? 0 : 4_096
      const at = groups + script.below(table.slots.length - groups)
      table.slots = Buffer.from(table.slots)
      table.slots[at] =
        script.byte() % 2 === 0 ? script.byte() : table.slots[at]! ^ (1 << (script.byte() % 8))
    }
  }
}

const FIELDS: readonly unknown[] = [
  0,
  1,
  -1,
  2 ** 53,
  1e300,
  '',
  '1.0.0',
  '__proto__',
  [],
  {},
  null,
  [['a']],
  true,
]

/** A count that is another, or a field that is something else. */
function changeManifest(manifest: Record<string, unknown>, script: Script): void {
  let holder = manifest
  for (let depth = script.byte() % 3; depth > 0; depth--) {
    const inner = Object.values(holder).filter((held) => typeof held === 'object' && held !== null)
    if (inner.length > 0) holder = script.pick(inner) as Record<string, unknown>
  }
  const names = Object.keys(holder)
  const name =
    names.length > 0 && script.byte() % 8 > 0 ? script.pick(names) : script.take(2).toString('latin1')
  const held = holder[name]
  if (typeof held === 'number' && script.byte() % 2 === 0) holder[name] = held + (script.byte() % 5) - 2
  else if (script.byte() % 8 === 0) delete holder[name]
  else holder[name] = copyOf(script.pick(FIELDS))
}

const LONGS = [0n, 1n, 63n, 64n, 2n ** 32n, 2n ** 48n - 64n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]

/** Changes bytes of the whole: those of the table of sections, rows of the lookup, whatever stands anywhere. */
function changeRaw(body: Buffer, script: Script): void {
  const name = script.pick(sectionsIn(FORMAT))
  const section = sectionsBefore(body)[name]
  if (section === undefined || section.bytes === 0) return
  const at = section.offset + script.below(section.bytes)
  const room = section.offset + section.bytes - at
  switch (script.byte() % 7) {
    case 0:
      body[at] = script.byte()
      break
    case 1:
      body[at] = (body[at] as number) ^ (1 << (script.byte() % 8))
      break
    case 2:
      body.fill(script.byte(), at, at + Math.min(room, script.byte() % 16))
      break
    case 3: {
      const rows = Math.floor(section.bytes / 32)
      const [from, to] = [script.below(rows), script.below(rows)]
      if (rows > 0)
        body.copyWithin(section.offset + to * 32, section.offset + from * 32, section.offset + from * 32 + 32)
      break
    }
    case 4: {
      // Where rows lead to: another row's, or anywhere near.
      if (name !== 'keys') break
      const row = section.offset + script.below(section.bytes / 32) * 32
      const field = row + script.pick([16, 22])
      const was = body.readUIntLE(field, 6)
      body.writeUIntLE(Math.max(0, was + script.pick([-64, -2, -1, 1, 2, 64, -was])), field, 6)
      break
    }
    case 5: {
      const field = rowOf(name) + script.pick([8, 16, 24])
      const was = body.readBigUInt64LE(field)
      const value = script.byte() % 2 === 0 ? script.pick(LONGS) : was + BigInt(script.byte() - 128)
      body.writeBigUInt64LE(BigInt.asUintN(64, value), field)
      break
    }
    default:
      script.pick(VARINTS).copy(body, at, 0, room)
  }
}

/** The sections, unless a change before has made them none. */
function sectionsBefore(body: Buffer): Partial<ReturnType<typeof sectionsOf>> {
  try {
    return sectionsOf(body)
  } catch {
    return {}
  }
}

/** What a script makes of one of some packages: head and sections, without the tree. */
export function forged(bases: readonly Buffer[], bytes: Uint8Array): Buffer {
  const script = new Script(bytes)
  const base = script.pick(bases)
  const flags = script.byte()
  const anatomy = apart(Buffer.from(base))
  const raw = flags % 4 === 0 ? 1 : flags % 4 === 1 ? 3 : 0
  for (let left = CHANGES_MAX; left > 0 && script.left > raw * 8; left--)
    script.pick(CHANGES)(anatomy, script)
  if (flags % 8 < 6) recount(anatomy)
  const body = together(anatomy)
  for (let left = raw; left > 0 && script.left > 0; left--) changeRaw(body, script)
  return body
}
