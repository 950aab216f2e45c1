// What the engine clones: with references to cells and Karyon's errors in it, which it would make plain objects of.
import { types } from 'node:util'
import { Cell, Incarnation } from '../cells/cell.ts'
import type { CompiledCell } from '../cells/definition.ts'
import type { CellRuntime } from '../cells/runtime.ts'
import { KaryonError, type KaryonErrorCode } from '../errors.ts'
import type { DownReason } from '../events.ts'
import { peek } from '../cells/foreign.ts'
import { Reference } from '../cells/ref.ts'
import { PAYLOAD_DEPTH_MAX, tooDeep } from '../cells/sendable.ts'
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

/** An error of Karyon's. */
interface ErrorFacts {
  readonly code: KaryonErrorCode
  readonly message: string
  readonly stack: string
  readonly details: unknown
  readonly cause?: unknown
}

type StandIn = NonNullable<Parcel['standIns']>[number]

/** Makes a value ready for the engine. Throws what is wrong with one that is nested too deep. */
export function pack(value: unknown, passage: Passage): Parcel {
  if (!holdsOurs(value)) return { value }
  const standIns: StandIn[] = []
  return { value: replaced(value, passage, standIns, new Map()), standIns }
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
  // A cause may be another of them: each before those that hold it.
  for (const { at, is } of standIns) {
    made.set(at, 'code' in is ? errorOf(is, back) : passage.in(is))
  }
  return back(value)
}

function isOurs(value: unknown): value is Reference | KaryonError {
  return value instanceof Reference || value instanceof KaryonError
}

/** The plain containers, in which there may be something of ours. */
function below(value: object): Iterable<unknown> | undefined {
  if (types.isProxy(value)) return undefined
  if (types.isMap(value)) return [...value].flat()
  if (types.isSet(value)) return value
  if (Array.isArray(value)) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return Object.values(value)
  return types.isNativeError(value) ? [value.cause] : undefined
}

/** Whether there is something of ours in the plain containers of a value. Looks at all of it, for how deep it goes. */
function holdsOurs(value: unknown, depth = 0, seen: Set<unknown> = new Set()): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false
  if (isOurs(value)) return true
  if (depth >= PAYLOAD_DEPTH_MAX) throw tooDeep()
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

/** A copy with stand-ins; only of what has them somewhere below. */
function replaced(
  value: unknown,
  passage: Passage,
  standIns: StandIn[],
  copies: Map<unknown, unknown>,
): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (copies.has(value)) return copies.get(value)
  const copy = (item: unknown): unknown => replaced(item, passage, standIns, copies)
  if (isOurs(value)) {
    const at = {}
    copies.set(value, at)
    const is = value instanceof Reference ? passage.out(value) : factsOf(value, copy)
    standIns.push({ at, is })
    return at
  }
  if (below(value) === undefined) return value
  if (types.isNativeError(value)) {
    const { cause } = value
    const made: Error = peek(() => structuredClone(value)) ?? standIn(value)
    copies.set(value, made)
    if (cause !== undefined) made.cause = copy(cause)
    return made
  }
  if (types.isMap(value)) {
    const map = new Map<unknown, unknown>()
    copies.set(value, map)
    for (const [key, item] of value) map.set(copy(key), copy(item))
    return map
  }
  if (types.isSet(value)) {
    const set = new Set<unknown>()
    copies.set(value, set)
    for (const item of value) set.add(copy(item))
    return set
  }
  const made: Record<string, unknown> | unknown[] = Array.isArray(value) ? [] : {}
  if (Array.isArray(made)) made.length = (value as readonly unknown[]).length
  copies.set(value, made)
  for (const name of Object.keys(value)) {
    const item = copy((value as Record<string, unknown>)[name])
    Object.defineProperty(made, name, { value: item, enumerable: true, writable: true, configurable: true })
  }
  return made
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
  } else if (types.isNativeError(value)) {
    if (value.cause !== undefined) value.cause = back(value.cause)
  } else if (below(value) !== undefined) {
    const object = value as Record<string, unknown>
    for (const name of Object.keys(object)) {
      const item = object[name]
      if (typeof item === 'object' && item !== null) object[name] = back(item)
    }
  }
}

function factsOf(error: KaryonError, copy: (item: unknown) => unknown): ErrorFacts {
  const { code, message, stack = '', details, cause } = error
  return {
    code,
    message,
    stack,
    details: copy(clonable(details)),
    ...(cause !== undefined && { cause: copy(clonable(cause)) }),
  }
}

function errorOf(
  { code, message, stack, details, ...rest }: ErrorFacts,
  back: (item: unknown) => unknown,
): KaryonError {
  const error = new KaryonError(code, message, {
    details: back(details) as KaryonError['details'],
    ...('cause' in rest && { cause: back(rest.cause) }),
  })
  error.stack = stack
  return error
}

/** Says what was thrown; where it holds what no clone can, or what fails when it is looked at, what stands for it. */
export function sayThrown<T>(thrown: unknown, say: (thrown: unknown) => T): T {
  try {
    return say(thrown)
  } catch {
    return say(standIn(thrown))
  }
}

/** What belongs to an error of ours, or what stands for it: the error itself is to arrive whatever that holds. */
function clonable(value: unknown): unknown {
  const fits = peek(() => {
    if (!holdsOurs(value)) structuredClone(value)
    return true
  })
  return fits ? value : standIn(value)
}

/** What is left of what no clone can hold. */
function standIn(thrown: unknown): KaryonError {
  const message = peek(() => (thrown instanceof Error ? thrown.message : String(thrown))) ?? 'unknown'
  const error = new KaryonError('ERR_KARYON_NOT_SENDABLE', message)
  const stack = peek(() => (thrown instanceof Error ? thrown.stack : undefined))
  if (typeof stack === 'string') error.stack = stack
  return error
}
