// One commit of the past of a node or edge, as it is packed: who wrote it, when, and what was held from then on.
import type { Value } from '../values/types.ts'
import type { ValidValue } from '../graph/types.ts'
import { Writer } from '../values/writer.ts'
import type { Cursor } from './cursor.ts'
import { NAMES_MAX, RECORD_BYTES_MAX, checkLimit } from './limits.ts'
import type { Names } from './names.ts'
import { decodeHeld, putHeld, putValid, readValid, skipHeld } from './properties.ts'
import type { PackedChange } from './types.ts'

/** What changes: whether something is there, whether it has a label, when an edge holds, what a property holds. */
const EXISTENCE = 0
const LABEL = 1
const TIMES = 2
const PROPERTY = 3
/** Added to those where nothing is held from then on. */
const NOTHING = 4

/** What the changes are called: when nothing is held from then on, and when something is. */
const KINDS = [
  ['removed', 'created'],
  ['unlabelled', 'labelled'],
  ['unset', 'set'],
  ['unset', 'set'],
] as const

/** One number for what changes and its name: they are in its order in a commit. */
export function slotOf({ kind, label, property }: PackedChange, names: Names): number {
  if (kind === 'created' || kind === 'removed') return EXISTENCE
  if (label !== undefined) return LABEL * NAMES_MAX + names.number(label)!
  return property === undefined ? TIMES * NAMES_MAX : PROPERTY * NAMES_MAX + names.number(property)!
}

/** That of a property; of a name that is not there it is that of nothing. */
export function propertySlot(property: string, names: Names): number {
  const number = names.number(property)
  return number === undefined ? -1 : PROPERTY * NAMES_MAX + number
}

/** What changes. */
export function kindOf(slot: number): number {
  return Math.floor(slot / NAMES_MAX)
}

/** Whether what it held before is told of a change. */
export function isValued(slot: number): boolean {
  return kindOf(slot) >= TIMES
}

/** A change: what is held from then on, as it is encoded, or nothing. */
export interface SlotChange {
  readonly slot: number
  readonly held: Buffer | undefined
}

const EMPTY = Buffer.alloc(0)
const [encoded, body] = [new Writer(), new Writer()]

/** What is held from a change on. */
export function heldAfter(change: PackedChange, slot: number): Buffer | undefined {
  const { kind, after, intervalsAfter } = change
  if (!isValued(slot)) return kind === 'created' || kind === 'labelled' ? EMPTY : undefined
  return encode(slot, after, intervalsAfter)
}

/** What was held before it, as far as it is told. */
export function heldBefore({ before, intervalsBefore }: PackedChange, slot: number): Buffer | undefined {
  return encode(slot, before, intervalsBefore)
}

function encode(
  slot: number,
  value: Value | undefined,
  intervals: readonly ValidValue[] | undefined,
): Buffer | undefined {
  if (value === undefined && intervals === undefined) return undefined
  encoded.length = 0
  if (kindOf(slot) === TIMES) putValid(encoded, intervals)
  else {
    const held = intervals ?? value!
    putHeld(encoded, { held, isTemporal: intervals !== undefined }, 'a value of the past')
  }
  return Buffer.from(encoded.bytes.subarray(0, encoded.length))
}

/** Who wrote a commit, and when; nobody where that is not told. */
export interface Author {
  readonly principal: number
  readonly micros: bigint
}

/** Appends a commit, its changes in the order of their slots. */
export function putCommit(writer: Writer, author: Author | undefined, changes: readonly SlotChange[]): void {
  body.length = 0
  body.varint(changes.length)
  for (const { slot, held } of changes) {
    const kind = kindOf(slot)
    body.byte(held ? kind : kind + NOTHING)
    if (kind === LABEL || kind === PROPERTY) body.varint(slot % NAMES_MAX)
    if (held) body.append({ bytes: held, length: held.length })
  }
  checkLimit('the size of one commit of the past of a node or edge, in bytes,', body.length, RECORD_BYTES_MAX)
  writer.varint(author ? author.principal + 1 : 0)
  if (author) writer.signedBig(author.micros)
  writer.varint(body.length)
  writer.append(body)
}

/** A change that was passed over: where in the file what is held from then on is, and how long that is; 0 where nothing is. */
export interface Passed {
  readonly slot: number
  readonly position: number
  readonly length: number
}

/** Bytes of a change at least. */
const CHANGE_BYTES_MIN = 1

/** Passes over the changes of a commit, which begin at the cursor. */
export function* passChanges(
  cursor: Cursor,
  names: Names,
  isNode: boolean,
): Generator<Passed, void, undefined> {
  const bytes = cursor.length()
  cursor.need(bytes)
  const end = cursor.position + bytes
  let before = -1
  const count = cursor.count(CHANGE_BYTES_MIN)
  if (count === 0) throw cursor.malformed('a commit has changed nothing')
  for (let left = count; left > 0; left--) {
    const passed = passChange(cursor, names, isNode)
    if (passed.slot <= before) throw cursor.malformed('changes are out of order')
    before = passed.slot
    yield passed
  }
  if (cursor.position !== end) throw cursor.malformed('a commit does not end where it says')
}

function passChange(cursor: Cursor, names: Names, isNode: boolean): Passed {
  const said = cursor.byte()
  const kind = said % NOTHING
  if (said >= 2 * NOTHING || kind === (isNode ? TIMES : LABEL))
    throw cursor.malformed('a change is of no known kind')
  const number = kind === LABEL || kind === PROPERTY ? cursor.varint() : 0
  if (number > 0 && names.texts[number] === undefined) throw cursor.malformed('a number stands for no name')
  const position = cursor.position
  if (said < NOTHING && kind === PROPERTY) skipHeld(cursor)
  if (said < NOTHING && kind === TIMES && readValid(cursor) === undefined) {
    throw cursor.malformed('an edge that holds always is said to hold at times')
  }
  // Of what has no value a byte stands for that it is there.
  const length = said >= NOTHING ? 0 : isValued(kind * NAMES_MAX) ? cursor.position - position : 1
  return { slot: kind * NAMES_MAX + number, position, length }
}

/** What a change is called, and of what it is. */
export function nameOf(
  { slot, length }: Passed,
  names: Names,
): Pick<PackedChange, 'kind' | 'label' | 'property'> {
  const kind = kindOf(slot)
  const name = names.texts[slot % NAMES_MAX]!
  return {
    kind: KINDS[kind as 0][length > 0 ? 1 : 0] as PackedChange['kind'],
    ...(kind === LABEL && { label: name }),
    ...(kind === PROPERTY && { property: name }),
  }
}

/** What is told to be held, under the name of a value or that of intervals. */
export function decodeSide(
  cursor: Cursor,
  slot: number,
  length: number,
  [value, intervals]: readonly [string, string],
): Readonly<Record<string, unknown>> {
  cursor.need(length)
  if (kindOf(slot) === TIMES) {
    return { [intervals]: readValid(cursor)!.map((span) => ({ ...span, value: true })) }
  }
  const start = cursor.at
  const isTemporal = skipHeld(cursor)
  return { [isTemporal ? intervals : value]: decodeHeld(cursor, start, isTemporal) }
}
