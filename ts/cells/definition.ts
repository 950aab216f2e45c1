import { badArgument } from '../errors.ts'
import type { Grants } from '../graph/session.ts'
import type { Context, InitContext } from './context.ts'

declare const types: unique symbol

/** A kind of message: what it carries and what answers it. */
export interface Message<Payload = void, Reply = void, Input = Payload> {
  /** Only for the compiler. */
  readonly [types]?: { readonly payload: Payload; readonly reply: Reply; readonly input: Input }
  /** Turns what is sent into what the handler gets, or throws. */
  readonly parse: ((input: unknown) => unknown) | undefined
}

/** The messages of a cell, by name. */
export type Messages<M> = { readonly [Name in keyof M]: Message<unknown, unknown, unknown> }

/** What a handler of the message gets. */
export type PayloadOf<M> = M extends { readonly [types]?: { readonly payload: infer Payload } }
  ? Payload
  : never
/** What a sender of the message gives. */
export type InputOf<M> = M extends { readonly [types]?: { readonly input: infer Input } } ? Input : never
/** What answers the message. */
export type ReplyOf<M> = M extends { readonly [types]?: { readonly reply: infer Reply } } ? Reply : never

/** A payload as arguments: a void or untyped one may be left out. */
export type PayloadArguments<M> =
  IsUntyped<InputOf<M>> extends true
    ? [payload?: Untyped]
    : [InputOf<M>] extends [void]
      ? [payload?: undefined]
      : [payload: InputOf<M>]

/** What `message()` without types carries: a JavaScript program says no types, and TypeScript must let its text pass. */
// oxlint-disable-next-line typescript/no-explicit-any -- the one place where a program asks for no checks
export type Untyped = any

type IsUntyped<T> = 0 extends 1 & T ? true : false

/** A validator of the Standard Schema (https://standardschema.dev), as many libraries have them. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[]
    }

/**
 * A kind of message: `message<Payload, Reply>()`, or `message(schema)`, `message(schema, replySchema)` with validators,
 * which check what is sent when it is sent. `message()` alone, as JavaScript writes it, is checked by nobody.
 *
 * @example
 * const messages = { learn: message<{ key: string; text: string }>(), count: message<void, number>() }
 */
export function message(): Message<Untyped, Untyped>
export function message<Payload, Reply = void>(): Message<Payload, Reply>
export function message<Input, Output, Reply = void>(
  payload: StandardSchema<Input, Output>,
  reply?: StandardSchema<unknown, Reply>,
): Message<Output, Reply, Input>
export function message(payload?: StandardSchema): Message<unknown, unknown> {
  return { parse: payload === undefined ? undefined : (input) => parse(payload, input) }
}

function parse(schema: StandardSchema, input: unknown): unknown {
  const result = schema['~standard'].validate(input)
  if (result instanceof Promise) {
    throw badArgument('the schema of a message must validate synchronously')
  }
  if (result.issues === undefined) return result.value
  const sentences = result.issues.map((issue) => issue.message).join('; ')
  throw badArgument(`the payload does not fit its schema: ${sentences}`, { issues: result.issues })
}

/** What a handler may return: the reply or a promise of it; anything where nobody gets a reply. */
export type Answer<Reply> = [Reply] extends [void] ? unknown : Reply | Promise<Reply>

/** A function for each message. */
export type Handlers<M extends Messages<M>, State, Args> = {
  readonly [Name in keyof M]: (
    ctx: Context<M, State, Args>,
    payload: PayloadOf<M[Name]>,
  ) => Answer<ReplyOf<M[Name]>>
}

/** After which ends a cell is restarted. */
export type RestartKind = 'transient' | 'permanent' | 'temporary'

/** Bounds of a cell. */
export interface CellLimits {
  /** Messages that may wait, 1 to 1,000,000; 1,000 by default. */
  readonly mailbox?: number
  /**
   * The longest a turn may take, in milliseconds of wall clock; none by default. Past it the signal is aborted, and a
   * tenth of a second later the cell is restarted.
   */
  readonly turnTimeoutMs?: number
}

/** What a cell is made of; see `cell`. */
export interface CellSpec<M extends Messages<M>, State, Args> {
  /** What it is called where nobody names it. */
  readonly name: string
  /** Labels and edge types that it may read and write; nothing by default. */
  readonly grants?: Grants
  readonly messages: M
  /** Makes the state, for each incarnation anew: this is how memory comes back. Stands before `on`. */
  readonly init?: (ctx: InitContext<M, Args>, args: Args) => State | Promise<State>
  readonly on: Handlers<NoInfer<M>, State, Args>
  /** Must hold after every turn; a turn that breaks it is undone and the cell restarts. */
  readonly invariant?: (state: State) => boolean
  readonly limits?: CellLimits
  /** `transient` by default: restarted after failures. */
  readonly restart?: RestartKind
}

/** A definition that `spawn` starts. */
export interface CellDefinition<M extends Messages<M>, Args = void> {
  readonly kind: 'cell'
  readonly name: string
  readonly messages: M
  /** Only for the compiler. */
  readonly [types]?: (args: Args) => void
}

/** A definition as the runtime reads it. */
export interface CompiledCell {
  readonly kind: 'cell'
  readonly name: string
  readonly grants: Grants
  /** Message names in the order of their codes. */
  readonly names: readonly string[]
  readonly codes: ReadonlyMap<string, number>
  readonly parsers: readonly (((input: unknown) => unknown) | undefined)[]
  readonly handlers: readonly Handler[]
  readonly init: ((ctx: unknown, args: unknown) => unknown) | undefined
  readonly invariant: ((state: unknown) => boolean) | undefined
  readonly limits: CellLimits
  readonly restart: RestartKind
}

/** A handler as the runtime calls it. */
export type Handler = (ctx: unknown, payload: unknown) => unknown

/**
 * Defines a cell: its messages, how its state is made, and what each message does. One message at a time.
 *
 * @example
 * const counter = cell({
 *   name: 'counter',
 *   messages: { add: message<number>(), total: message<void, number>() },
 *   init: () => ({ total: 0 }),
 *   on: {
 *     add: (ctx, by) => { ctx.state.total += by },
 *     total: (ctx) => ctx.state.total,
 *   },
 * })
 */
export function cell<M extends Messages<M>, State = undefined, Args = void>(
  spec: CellSpec<M, State, Args>,
): CellDefinition<M, Args> {
  checkFields(spec, 'a cell', CELL_FIELDS)
  checkFields(spec.messages, 'messages')
  checkFields(spec.on, `\`on\` of ${spec.name}`, Object.keys(spec.messages))
  checkFields(spec.limits ?? {}, `limits of ${spec.name}`, ['mailbox', 'turnTimeoutMs'])
  checkFields(spec.grants ?? {}, `grants of ${spec.name}`, ['read', 'write'])
  const names = Object.keys(spec.messages)
  const messages = spec.messages as Readonly<Record<string, Message>>
  const handlers = spec.on as unknown as Readonly<Record<string, Handler | undefined>>
  const missing = names.find((name) => typeof handlers[name] !== 'function')
  if (missing !== undefined) {
    throw badArgument(`cell ${spec.name}: message ${missing} has no handler in \`on\``)
  }
  const compiled: CompiledCell & { readonly messages: M } = {
    kind: 'cell',
    name: spec.name,
    messages: spec.messages,
    grants: spec.grants ?? {},
    names,
    codes: new Map(names.map((name, code) => [name, code])),
    parsers: names.map((name) => messages[name]?.parse),
    handlers: names.map((name) => handlers[name] as Handler),
    init: spec.init as CompiledCell['init'],
    invariant: spec.invariant as CompiledCell['invariant'],
    limits: spec.limits ?? {},
    restart: spec.restart ?? 'transient',
  }
  return Object.freeze(compiled)
}

/** How restarts of a supervisor's children are counted and delayed. */
export interface RestartSpec {
  /** Restarts allowed within the period, for all children together. */
  readonly intensity: number
  /** In milliseconds. */
  readonly periodMs: number
  /** Waits before restarts: `initialMs × factor^n`, at most `maxMs`, less a random share of up to `jitter`. */
  readonly backoff?: {
    readonly initialMs: number
    /** 2 by default. */
    readonly factor?: number
    /** 30,000 by default. */
    readonly maxMs?: number
    /** 0 to 1; 0.2 by default. */
    readonly jitter?: number
  }
}

/** A child of a supervisor; a definition alone is one too. */
export interface ChildSpec {
  /** The name of its definition by default. */
  readonly name?: string
  readonly cell: AnyCellDefinition | SupervisorDefinition
  readonly args?: unknown
}

/** Some cell's definition. */
export interface AnyCellDefinition {
  readonly kind: 'cell'
  readonly name: string
}

/** A definition that `spawn` starts, with all its children. */
export interface SupervisorDefinition {
  readonly kind: 'supervisor'
  readonly name: string
  readonly strategy: 'one_for_one'
  readonly restart: RestartSpec
  readonly children: readonly ChildSpec[]
}

/**
 * Defines a supervisor: a child that fails is restarted alone; with more restarts than its window allows, the supervisor
 * stops its children and fails itself. Where nobody supervises it, the kernel closes.
 *
 * @example
 * const crew = supervisor({
 *   name: 'crew',
 *   strategy: 'one_for_one',
 *   restart: { intensity: 5, periodMs: 10_000, backoff: { initialMs: 100 } },
 *   children: [{ name: 'reader', cell: reader, args: { path: '.' } }, writer],
 * })
 */
export function supervisor(spec: {
  readonly name: string
  readonly strategy?: 'one_for_one'
  readonly restart?: RestartSpec
  readonly children: readonly (ChildSpec | AnyCellDefinition | SupervisorDefinition)[]
}): SupervisorDefinition {
  checkFields(spec, 'a supervisor', ['name', 'strategy', 'restart', 'children'])
  checkFields(spec.restart ?? {}, `restart of ${spec.name}`, ['intensity', 'periodMs', 'backoff'])
  if (spec.strategy !== undefined && spec.strategy !== 'one_for_one') {
    throw badArgument(`supervisor ${spec.name}: the strategy is 'one_for_one', not ${String(spec.strategy)}`)
  }
  if (!Array.isArray(spec.children)) throw badArgument(`supervisor ${spec.name}: children are an array`)
  return Object.freeze({
    kind: 'supervisor',
    name: spec.name,
    strategy: spec.strategy ?? 'one_for_one',
    restart: spec.restart ?? RESTART_DEFAULT,
    children: spec.children.map((child) => ('cell' in child ? child : { cell: child })),
  })
}

const CELL_FIELDS = ['name', 'grants', 'messages', 'init', 'on', 'invariant', 'limits', 'restart']

/** Refuses a field that nobody would read: a typing error would otherwise pass for a wish that was granted. */
function checkFields(value: unknown, what: string, known?: readonly string[]): void {
  if (typeof value !== 'object' || value === null) throw badArgument(`${what}: an object is needed`)
  const unread = known && Object.keys(value).find((name) => !known.includes(name))
  if (unread !== undefined) {
    throw badArgument(`${what}: there is no field ${unread}; the fields are ${known?.join(', ')}`)
  }
}

const RESTART_DEFAULT: RestartSpec = { intensity: 5, periodMs: 10_000 }
