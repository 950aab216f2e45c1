// What the engine clones: with references to cells and errors in it, of which it would leave little.
import { types } from 'node:util'
import { Cell, Incarnation } from '../cells/cell.ts'
import type { CompiledCell } from '../cells/definition.ts'
import type { CellRuntime } from '../cells/runtime.ts'
import type { DownReason } from '../events.ts'
import { Reference } from '../cells/ref.ts'
import { PAYLOAD_DEPTH_MAX, isError, tooDeep } from '../cells/sendable.ts'
import { ERRORS_MAX, complete, define, errorOf, factsOf, type ErrorFacts } from './errors.ts'
import type { Passage } from './values.ts'

/** What is said of a reference. */
export interface ReferenceFacts {
  readonly id: number
  readonly path: string
  readonly incarnation: number
  readonly kind: 'cell' | 'owned' | 'supervisor'
  /** Why it is gone, if it is. */
  readonly gone: DownReason | undefined
  /** What it understands, where the other side may not know it. */
  readonly messages?: {
    readonly definition: string
    readonly module: string | undefined
    readonly names: readonly string[]
    /** Which of them have a schema. */
    readonly checked: readonly boolean[]
    readonly controls: readonly number[]
    readonly dropOldest: boolean
    readonly mailbox: number
    readonly persist: boolean
  }
}

/** A cell that is not here: all that is known of it is what was said. */
export function cellElsewhere(runtime: CellRuntime, { id, path, incarnation, gone }: ReferenceFacts): Cell {
  const cell = new Cell(runtime, id, path)
  cell.incarnation = new Incarnation(cell, incarnation)
  if (gone === undefined) return cell
  cell.close()
  cell.tellEnd(gone)
  cell.incarnation.die()
  return cell
}

/** What a cell of this definition understands. */
export function messagesOf(definition: CompiledCell | undefined): NonNullable<ReferenceFacts['messages']> {
  const { name = '', module, names = [], parsers = [], controls, limits, persist } = definition ?? {}
  return {
    definition: name,
    module,
    names,
    checked: parsers.map((parser) => parser !== undefined),
    controls: [...(controls ?? [])],
    dropOldest: limits?.dropOldest ?? false,
    mailbox: limits?.mailbox ?? 0,
    persist: persist ?? false,
  }
}

/** A value as it travels. The stand-ins in it are known by their identity, which a clone keeps. */
export interface Parcel {
  readonly value: unknown
  readonly standIns?: readonly { readonly at: object; readonly is: ReferenceFacts | ErrorFacts }[]
}

type StandIn = NonNullable<Parcel['standIns']>[number]

/** Makes a value ready for the engine. Throws what is wrong with one that is nested too deep. */
export function pack(value: unknown, passage: Passage): Parcel {
  if (!holdsOurs(value)) return { value }
  const packer = new Packer(passage)
  return { value: packer.copy(value), standIns: packer.standIns }
}

/** Makes what the engine has cloned what it was. */
export function unpack({ value, standIns }: Parcel, passage: Passage): unknown {
  if (standIns === undefined) return value
  const made = new Map<unknown, unknown>()
  const back = (object: unknown): unknown => {
    if (typeof object !== 'object' || object === null) return object
    if (made.has(object)) return made.get(object)
    made.set(object, object)
    restore(object, back)
    return object
  }
  // All of them first: an error may hold any other, and itself.
  for (const { at, is } of standIns) made.set(at, 'fields' in is ? errorOf(is) : passage.in(is))
  for (const { at, is } of standIns) if ('fields' in is) complete(made.get(at) as Error, is, back)
  return back(value)
}

/** The same value with nothing of the program's in it that would run when it is looked at. Throws what the engine refuses to clone. */
export function copyOf(value: unknown, passage: Passage): unknown {
  return unpack(structuredClone(pack(value, passage)), passage)
}

function isOurs(value: unknown): value is Reference | Error {
  return !types.isProxy(value) && (value instanceof Reference || isError(value))
}

/** The plain containers, in which there may be something of ours. */
function below(value: object): Iterable<unknown> | undefined {
  if (types.isProxy(value)) return undefined
  if (types.isMap(value)) return [...value].flat()
  if (types.isSet(value)) return value
  if (Array.isArray(value)) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? Object.values(value) : undefined
}

/** Whether there is something of ours in the plain containers of a value. Looks at all of it, for how deep it goes. */
function holdsOurs(value: unknown, depth = 0, seen: Set<unknown> = new Set()): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false
  if (isOurs(value)) return true
  if (depth >= PAYLOAD_DEPTH_MAX) throw tooDeep('what is sent')
  seen.add(value)
  const plain = below(value)
  let holds = false
  for (const item of plain ?? inside(value)) if (holdsOurs(item, depth + 1, seen)) holds = true
  return holds && plain !== undefined
}

/** What the engine goes into of an instance of a class. */
function inside(value: object): Iterable<unknown> {
  const is = types.isProxy(value) || ArrayBuffer.isView(value) || types.isBoxedPrimitive(value)
  return is ? [] : Object.values(value)
}

/** Copies with stand-ins. */
class Packer {
  readonly standIns: StandIn[] = []
  readonly #passage: Passage
  readonly #copies = new Map<unknown, unknown>()
  /** Stand-ins that what is copied now is part of, and how many errors the outermost of them has brought. */
  #around = 0
  #brought = 0

  constructor(passage: Passage) {
    this.#passage = passage
  }

  copy(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value
    if (this.#copies.has(value)) return this.#copies.get(value)
    if (isOurs(value)) return this.#standIn(value)
    if (below(value) === undefined) return value
    if (types.isMap(value)) {
      const map = new Map<unknown, unknown>()
      this.#copies.set(value, map)
      for (const [key, item] of value) map.set(this.copy(key), this.copy(item))
      return map
    }
    if (types.isSet(value)) {
      const set = new Set<unknown>()
      this.#copies.set(value, set)
      for (const item of value) set.add(this.copy(item))
      return set
    }
    const made: Record<string, unknown> | unknown[] = Array.isArray(value) ? [] : {}
    if (Array.isArray(made)) made.length = (value as readonly unknown[]).length
    this.#copies.set(value, made)
    for (const name of Object.keys(value))
      define(made, name, this.copy((value as Record<string, unknown>)[name]))
    return made
  }

  /** What stands for something of ours; nothing for an error that is one too many. */
  #standIn(value: Reference | Error): object | undefined {
    const isReference = value instanceof Reference
    if (this.#around === 0) this.#brought = 0
    else if (!isReference && ++this.#brought > ERRORS_MAX) return undefined
    const at = {}
    this.#copies.set(value, at)
    this.#around++
    const is = isReference ? this.#passage.out(value) : factsOf(value, (item) => this.copy(item))
    this.#around--
    this.standIns.push({ at, is })
    return at
  }
}

/** Puts back into a container what belongs there. */
function restore(value: object, back: (item: unknown) => unknown): void {
  if (types.isMap(value)) {
    const entries = [...value]
    value.clear()
    for (const [key, item] of entries) value.set(back(key), back(item))
  } else if (types.isSet(value)) {
    const items = [...value]
    value.clear()
    for (const item of items) value.add(back(item))
  } else if (below(value) !== undefined) {
    const object = value as Record<string, unknown>
    for (const name of Object.keys(object)) {
      const item = object[name]
      if (typeof item === 'object' && item !== null) object[name] = back(item)
    }
  }
}
