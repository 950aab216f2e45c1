// Calls: what a worker asks of main and waits for, because it answers at once wherever else it is asked.
import type { Incarnation } from '../cells/cell.ts'
import { isDefinition, type ChildSpec, type CompiledCell, type Isolation } from '../cells/definition.ts'
import { Reference, type AnyRef } from '../cells/ref.ts'
import type { CellRuntime } from '../cells/runtime.ts'
import { spawnBelow, type Definition, type SpawnOptions } from '../cells/spawn.ts'
import type { Monitor, MonitorOptions } from '../cells/context.ts'
import { link, monitor } from '../cells/watching.ts'
import { badArgument } from '../errors.ts'
import { definitionOf } from './modules.ts'
import { messagesOf } from './parcels.ts'

/** A definition as it travels. */
export interface DefinitionFacts {
  readonly kind: 'cell' | 'supervisor'
  readonly module: string
  readonly name: string
  readonly isolation: Isolation | undefined
}

/** What is called. `seat` is the caller's. */
export type Call =
  | {
      readonly what: 'spawn'
      readonly seat: number
      readonly definition: DefinitionFacts
      readonly options: SpawnOptions
    }
  | {
      readonly what: 'monitor'
      readonly seat: number
      readonly ref: Reference
      readonly name: string
      readonly options: MonitorOptions
    }
  | { readonly what: 'link'; readonly seat: number; readonly ref: Reference }
  | { readonly what: 'subscribe'; readonly seat: number; readonly topic: string; readonly name: string }
  | { readonly what: 'cancel'; readonly seat: number; readonly watch: number }
  | {
      readonly what: 'publish'
      readonly topic: string
      readonly payload: unknown
      readonly trace: string | undefined
    }
  | { readonly what: 'parse'; readonly ref: Reference; readonly code: number; readonly payload: unknown }
  | { readonly what: 'describe'; readonly ref: Reference }
  | {
      readonly what: 'children'
      readonly ref: Reference
      readonly act: ChildAct
      readonly name: string
      readonly child: ChildFacts | undefined
    }

/** What a supervisor is asked for. */
export type ChildAct = 'get' | 'list' | 'start' | 'restart' | 'delete'

/** A child that is to be started. */
export interface ChildFacts {
  readonly definition: DefinitionFacts | undefined
  readonly rest: Omit<Partial<ChildSpec>, 'cell'>
}

/** What came of a call. */
export type CallAnswer = { readonly value: unknown } | { readonly error: unknown }

/** Watches that are not over, by number, of the incarnation that set them. */
export const watches: WeakMap<Incarnation, Map<number, Monitor>> = new WeakMap()
let watched = 0

/** Carries a call out. Never rejects. */
export async function answerCall(
  runtime: CellRuntime,
  incarnationAt: (seat: number) => Incarnation | undefined,
  call: Call,
): Promise<CallAnswer> {
  try {
    return { value: await carryOut(runtime, incarnationAt, call) }
  } catch (error) {
    return { error }
  }
}

function carryOut(
  runtime: CellRuntime,
  incarnationAt: (seat: number) => Incarnation | undefined,
  call: Call,
): unknown {
  const living = (seat: number): Incarnation => {
    const incarnation = incarnationAt(seat)
    if (incarnation?.alive) return incarnation
    throw incarnation?.deadError() ?? badArgument('the caller is gone')
  }
  const watch = (seat: number, make: (by: Incarnation, over: () => void) => Monitor): number => {
    const incarnation = living(seat)
    const own = watches.get(incarnation) ?? new Map<number, Monitor>()
    watches.set(incarnation, own)
    const number = ++watched
    let isOver = false
    const made = make(incarnation, () => {
      isOver = true
      own.delete(number)
    })
    if (!isOver) own.set(number, made)
    return number
  }
  switch (call.what) {
    case 'spawn':
      return found(call.definition).then((definition) =>
        spawnBelow(living(call.seat).cell, definition, call.options),
      )
    case 'monitor':
      return watch(call.seat, (by, over) => monitor(by, call.ref as AnyRef, call.name, call.options, over))
    case 'link':
      return watch(call.seat, (by, over) => link(by, call.ref as AnyRef, over))
    case 'subscribe': {
      const topic = { name: call.topic, message: { parse: undefined } } as never
      return watch(call.seat, (by, over) => {
        const { cancel } = runtime.topics.subscribe(by, topic, call.name)
        return { cancel: () => (over(), cancel()) }
      })
    }
    case 'cancel':
      return watches.get(living(call.seat))?.get(call.watch)?.cancel() ?? false
    case 'publish':
      return runtime.topics.publish(
        { name: call.topic, message: { parse: undefined } } as never,
        call.payload,
        call.trace,
      )
    case 'parse':
      return Reference.cellOf(call.ref).definition?.parsers[call.code]?.(call.payload)
    case 'describe': {
      const { definition } = Reference.cellOf(call.ref)
      return definition && messagesOf(definition)
    }
    case 'children':
      return children(call)
  }
}

function found({ module, ...sought }: DefinitionFacts): Promise<Definition> {
  return definitionOf(module, sought)
}

async function children({
  ref,
  act,
  name,
  child,
}: Extract<Call, { readonly what: 'children' }>): Promise<unknown> {
  const { children: own, path } = Reference.cellOf(ref)
  if (own === undefined) throw badArgument(`${path} is no supervisor`, { path })
  switch (act) {
    case 'get':
      return own.get(name).ref
    case 'list':
      return own.list()
    case 'restart':
      return own.restart(name)
    case 'delete':
      return own.delete(name)
    case 'start': {
      const { definition, rest = {} } = child ?? {}
      const cell = definition === undefined ? {} : { cell: await found(definition) }
      return own.start({ ...rest, ...cell } as ChildSpec)
    }
  }
}

/** A definition as it travels; throws if it cannot. */
export function definitionFacts(definition: unknown): DefinitionFacts {
  if (!isDefinition(definition)) throw badArgument('spawn takes what cell() or supervisor() made')
  const { kind, name, module } = definition as Definition
  const { isolation } = definition as CompiledCell
  if (module !== undefined) return { kind, name, module, isolation }
  const message = `${kind} ${name} is spawned from another isolate: it has to be a named export and to say \`module: import.meta.url\``
  throw badArgument(message, { name })
}
