import { badArgument } from '../errors.ts'
import { checkedGrants } from '../graph/arguments.ts'
import type { Grants } from '../graph/session.ts'
import { metered, type Budget, type Lease } from './apoptosis.ts'
import type { Context, InitContext } from './context.ts'
import { bounded, checkedName } from './failures.ts'
import { disown, isThenable, ownOf } from './foreign.ts'
import { LIMITS } from './scheduler.ts'
import { stoppable } from './watchdog.ts'

declare const types: unique symbol

/** A kind of message: what it carries and what answers it. */
export interface Message<Payload = void, Reply = void, Input = Payload, Answered = Reply> {
  /** Only for the compiler. */
  readonly [types]?: {
    readonly payload: Payload
    readonly reply: Reply
    readonly input: Input
    readonly answered: Answered
  }
  /** Turns what is sent into what the handler gets, or throws. */
  readonly parse: ((input: unknown) => unknown) | undefined
  /** Turns what the handler answers into what the asker gets, or throws. */
  readonly parseReply: ((answer: unknown) => unknown) | undefined
  /** It goes before those that are not. */
  readonly control?: boolean
}

/** A kind of message that goes before others: what `control` makes. */
export type ControlMessage<Payload = void, Input = Payload> = Message<Payload, void, Input> & {
  readonly control: true
}

/** The names of the messages of a cell that can be asked: those of control are sent. */
export type AskedName<M> = Exclude<
  keyof M & string,
  { [Name in keyof M]: M[Name] extends { readonly control: true } ? Name : never }[keyof M]
>

/** The messages of a cell, by name. */
export type Messages<M> = { readonly [Name in keyof M]: Message<unknown, unknown, unknown, unknown> }

/** What a handler of the message gets. */
export type PayloadOf<M> = M extends { readonly [types]?: { readonly payload: infer Payload } }
  ? Payload
  : never
/** What a sender of the message gives. */
export type InputOf<M> = M extends { readonly [types]?: { readonly input: infer Input } } ? Input : never
/** What answers the message. */
export type ReplyOf<M> = M extends { readonly [types]?: { readonly reply: infer Reply } } ? Reply : never

/** What a handler of the message answers. */
export type AnsweredOf<M> = M extends { readonly [types]?: { readonly answered: infer Answered } }
  ? Answered
  : never

/** The payload of a message as arguments. */
export type PayloadArguments<M> = InputArguments<InputOf<M>>

/** What is sent as arguments: what is void or untyped may be left out. */
export type InputArguments<Input> =
  IsUntyped<Input> extends true
    ? [payload?: Untyped]
    : [Input] extends [void]
      ? [payload?: undefined]
      : [payload: Input]

/** What `message()` without types carries: a JavaScript program says no types, and TypeScript must let its text pass. */
// oxlint-disable-next-line typescript/no-explicit-any -- the one place where a program asks for no checks
export type Untyped = any

type IsUntyped<T> = 0 extends 1 & T ? true : false

/** Messages of which no types are said. */
export type UntypedMessages = Readonly<Record<string, Message<Untyped, Untyped>>>

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
 * which check what is sent when it is sent, and what is answered before the asker gets it: an answer that does not fit
 * fails the turn. `message()` alone, as JavaScript writes it, is checked by nobody.
 *
 * @example
 * const messages = { learn: message<{ key: string; text: string }>(), count: message<void, number>() }
 */
export function message(): Message<Untyped, Untyped>
export function message<Payload, Reply = void>(): Message<Payload, Reply>
export function message<Input, Output, Answered = void, Reply = Answered>(
  payload: StandardSchema<Input, Output>,
  reply?: StandardSchema<Answered, Reply>,
): Message<Output, Reply, Input, Answered>
export function message(payload?: StandardSchema, reply?: StandardSchema): Message<unknown, unknown> {
  return { parse: parser(payload, 'payload'), parseReply: parser(reply, 'reply') }
}

/**
 * The same kind of message as one of control: it goes before all that are not, in its own order, and needs no room in the mailbox, of which
 * at most 1,000 wait. Of what is more `send` says true all the same, as how many wait is not known where it is called; it is refused later, which
 * the event `message.refused` tells, and the counts. It is sent or delivered, never asked.
 *
 * @example
 * const messages = { job: message<string>(), drain: control(message()) }
 */
export function control<Payload, Input>(kind: Message<Payload, void, Input>): ControlMessage<Payload, Input> {
  return { ...kind, control: true }
}

function parser(schema: StandardSchema | undefined, what: string): ((input: unknown) => unknown) | undefined {
  if (schema === undefined) return undefined
  if (typeof schema?.['~standard']?.validate !== 'function')
    throw badArgument(`message takes a Standard Schema for its ${what}: an object with '~standard'`)
  return (input) => {
    const result = schema['~standard'].validate(input)
    if (isThenable(result)) {
      disown(result)
      throw badArgument(`the schema of a ${what} must validate synchronously`)
    }
    if (result.issues === undefined) return result.value
    const sentences = result.issues.map((issue) => issue.message).join('; ')
    throw badArgument(`the ${what} does not fit its schema: ${sentences}`, { issues: result.issues })
  }
}

/** What a handler may return: the reply or a promise of it; anything where nobody gets a reply. */
export type Answer<Reply> = [Reply] extends [void] ? unknown : Reply | Promise<Reply>

/** A function for each message. */
export type Handlers<M extends Messages<M>, State, Args> = {
  readonly [Name in keyof M]: (
    ctx: Context<M, State, Args>,
    payload: PayloadOf<M[Name]>,
  ) => Answer<AnsweredOf<M[Name]>>
}

/**
 * After which ends a cell is restarted: after failures, after all but a stop, or never. What is no failure of its own restarts any cell, and is not
 * counted: a conflict, after which its message comes again, and the loss of its worker by somebody else's doing (`collateral`).
 */
export type RestartKind = 'transient' | 'permanent' | 'temporary'

/** Bounds of a cell. */
export interface CellLimits {
  /** Messages that may wait, 1 to 1,000,000; 1,000 by default. */
  readonly mailbox?: number
  /**
   * The longest a turn may take, in milliseconds of wall clock; none by default. Past it the signal is aborted, and a
   * tenth of a second later the cell is restarted. A turn that does not let its worker turn is ended with that, at the latest when it has
   * taken twice as long; an inline one that does not let the event loop turn cannot be ended, and is not looked at.
   */
  readonly turnTimeoutMs?: number
  /**
   * The longest that a turn, or `init`, may run until it first awaits or returns, with what follows of that at once (invariant, reply,
   * commit): in milliseconds of CPU time of its thread, 1 to 2,147,483,647; 1,000 by default; 0 is no limit. Found by a thread of its own, an
   * eighth of the limit late at most (on Windows, which counts in ticks, 16 ms more), while the event loop stands still: it writes to stderr, and the event `cell.stalled` follows when the loop
   * turns again. Time in which the thread sleeps, or the machine does something else, does not count. What runs after an `await` is watched for the
   * isolate as a whole: see the event `isolate.stalled`. Of a cell of `isolation: 'thread'` the worker is replaced: at the limit; of what runs
   * after an `await` at the latest when it has used a second and a half, or twice the limit if that is more.
   */
  readonly turnCpuMs?: number
  /**
   * Stops a turn that goes past `turnCpuMs` where it stands, if it has not returned a promise yet; false by default. The turn fails with
   * `ERR_KARYON_TURN_CPU`, and nothing that it wrote through `ctx.tx` is committed. No `catch`, no `finally`, no `using` of it runs: what it
   * shares with others outside of Karyon (objects, a module that it is just loading, a rejection that it is just handling) it leaves half-way.
   * `init`, and what runs after an `await`, is never stopped. A turn costs 0.3 µs more. In a worker the neighbours do not notice, and the worker
   * is replaced only if the turn goes on until twice its limit. Where Node does not export what it takes, and in simulations, turns are treated as
   * those of other cells; see `kernel.stats().cells.stopInPlace`.
   */
  readonly stopInPlace?: boolean
  /**
   * What a full mailbox does: it refuses the new message, which is the default, or drops its oldest one, a dead letter then, so that `send`
   * and `deliver` always succeed.
   */
  readonly overflow?: 'refuse' | 'drop-oldest'
  /** How long it lives without progress; for ever by default. */
  readonly lease?: Lease
  /** What each incarnation may use; any amount by default. */
  readonly budget?: Budget
}

/** What an invariant sees of a turn that is about to be committed. */
export type TurnFacts<M extends Messages<M>> = {
  readonly [Name in keyof M & string]: {
    readonly message: Name
    readonly payload: PayloadOf<M[Name]>
    /** What the handler has answered. */
    readonly reply: ReplyOf<M[Name]>
  }
}[keyof M & string]

/** What a cell is made of; see `cell`. */
export type CellSpec<M extends Messages<M>, State, Args> = CellParts<M, State, Args> &
  ({ readonly isolation?: 'inline' } | { readonly isolation: 'thread'; readonly module: string })

interface CellParts<M extends Messages<M>, State, Args> {
  /** What it is called where nobody names it. */
  readonly name: string
  /** Labels and edge types that it may read and write; nothing by default. */
  readonly grants?: Grants
  readonly messages: M
  /** Makes the state, for each incarnation anew: this is how memory comes back. Stands before `on`. */
  readonly init?: (ctx: InitContext<M, Args>, args: Args) => State | Promise<State>
  readonly on: Handlers<NoInfer<M>, State, Args>
  /**
   * Whether the state is kept in the graph, in the commit of the turn that changed it; false by default. It is a `Value` then. After a crash
   * of the cell or the program it is that of the last committed turn, found by the cell's path, and `init` only makes the first.
   */
  readonly persist?: boolean
  /** Called in the place of `init` where a state was kept: to set timers and watches again, or to answer with a newer shape of it. */
  readonly resume?: (
    ctx: InitContext<M, Args>,
    saved: NoInfer<State>,
    args: Args,
  ) => NoInfer<State> | void | Promise<NoInfer<State> | void>
  /**
   * Must hold at the end of every turn, before its transaction is committed: of the state, the message and the reply. A turn that breaks it is
   * undone, and the cell restarts.
   */
  readonly invariant?: (state: State, turn: TurnFacts<NoInfer<M>>) => boolean
  readonly limits?: CellLimits
  /** `transient` by default: restarted after failures. */
  readonly restart?: RestartKind
  /**
   * Where its turns run; `'inline'` by default.
   *
   * - `'inline'`: in the isolate of its kernel. Throws, rejections, broken invariants, lost leases and promises that never settle are
   *   contained; an endless loop stops all cells of the isolate, and heap exhaustion ends the process. Under a microsecond, and hundreds of bytes.
   * - `'thread'`: in a worker, beside other cells. Of an endless loop, of `process.exit` and of an error that nobody catches the worker is
   *   replaced within milliseconds, and its other cells begin anew with reason `collateral`; a heap that is exhausted ends the process, unless it
   *   fills up so slowly that Node can end the worker alone, and so does a native fault. About 35 ms and 8 MB for each worker. Accidents are
   *   contained, not hostile code. Needs `module`.
   */
  readonly isolation?: Isolation
  /**
   * `import.meta.url` of the module that exports this definition by a name, for what leaves its isolate: other isolates import it and find it
   * by its own name.
   */
  readonly module?: string
}

/** Where the turns of a cell run. */
export type Isolation = 'inline' | 'thread'

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
  readonly replies: readonly (((answer: unknown) => unknown) | undefined)[]
  /** The codes of its control messages, if it has any. */
  readonly controls: ReadonlySet<number> | undefined
  readonly handlers: readonly Handler[]
  readonly init: ((ctx: unknown, args: unknown) => unknown) | undefined
  readonly resume: ((ctx: unknown, saved: unknown, args: unknown) => unknown) | undefined
  readonly persist: boolean
  /** Something is to be done before its first message. */
  readonly begins: boolean
  readonly invariant: ((state: unknown, turn: unknown) => boolean) | undefined
  readonly limits: CompiledLimits
  readonly restart: RestartKind
  readonly isolation: Isolation
  readonly module: string | undefined
}

/** Bounds, with what is not said. */
export interface CompiledLimits {
  readonly mailbox: number
  readonly turnTimeoutMs: number
  readonly turnCpuMs: number
  readonly stopInPlace: boolean
  readonly dropOldest: boolean
  readonly lease: Lease | undefined
  readonly budget: Budget | undefined
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
  const { grants = {}, limits = {}, restart = 'transient', persist = false, isolation = 'inline' } = spec
  const name = checkedName(spec.name, 'a cell')
  checkFields(spec.messages, `messages of ${name}`)
  checkFields(spec.on, `\`on\` of ${name}`, Object.keys(spec.messages))
  oneOf(RESTARTS, restart, `restart of cell ${name}`)
  if (typeof persist !== 'boolean') throw badArgument(`cell ${name}: persist is true or false`)
  if (spec.resume !== undefined && !persist)
    throw badArgument(`cell ${name}: resume is for cells that persist`)
  oneOf(ISOLATIONS, isolation, `isolation of cell ${name}`)
  const module = checkedModule(spec.module, name)
  if (isolation === 'thread' && module === undefined)
    throw badArgument(
      `cell ${name} leaves its isolate: it is a named export that says \`module: import.meta.url\``,
    )
  for (const part of ['init', 'resume', 'invariant'] as const) {
    if (spec[part] !== undefined && typeof spec[part] !== 'function')
      throw badArgument(`cell ${name}: ${part} is a function`)
  }
  const names = Object.keys(spec.messages)
  const messages = spec.messages as Readonly<Record<string, Message>>
  const handlers = spec.on as unknown as Readonly<Record<string, Handler | undefined>>
  const missing = names.find((name) => typeof ownOf(handlers, name) !== 'function')
  if (missing !== undefined) {
    throw badArgument(`cell ${name}: message ${missing} has no handler in \`on\``)
  }
  const foreign = names.find((each) => !('parseReply' in Object(messages[each])))
  if (foreign !== undefined) throw badArgument(`cell ${name}: message ${foreign} is made by message()`)
  const bounds = limitsOf(limits, name)
  const compiled: CompiledCell & { readonly messages: M } = {
    kind: 'cell',
    name,
    messages: spec.messages,
    grants: checkedGrants(grants),
    names,
    codes: new Map(names.map((name, code) => [name, code])),
    parsers: names.map((name) => messages[name]?.parse),
    replies: names.map((name) => messages[name]?.parseReply),
    controls: controlsOf(names.map((name) => messages[name]?.control ?? false)),
    handlers: names.map((name) => handlerOf(handlers[name] as Handler, bounds)),
    init: spec.init as CompiledCell['init'],
    invariant: spec.invariant as CompiledCell['invariant'],
    limits: bounds,
    resume: spec.resume as CompiledCell['resume'],
    persist,
    begins: spec.init !== undefined || persist || bounds.lease?.idle === true,
    restart,
    isolation,
    module,
  }
  return definition(compiled)
}

/** A handler as it is called: under a guard if it may be stopped, and measured if its CPU time has a budget. */
export function handlerOf(handler: Handler, { stopInPlace, budget }: CompiledLimits): Handler {
  const guarded = stopInPlace ? stoppable(handler) : handler
  return budget?.cpuMs === undefined ? guarded : metered(guarded)
}

function checkedModule(module: string | undefined, name: string): string | undefined {
  if (module === undefined || (typeof module === 'string' && URL.canParse(module))) return module
  throw badArgument(`module of ${name} is the URL of the module that exports it: import.meta.url`, { module })
}

function controlsOf(controls: readonly boolean[]): ReadonlySet<number> | undefined {
  return controls.includes(true)
    ? new Set(controls.flatMap((control, code) => (control ? code : [])))
    : undefined
}

function limitsOf(limits: CellLimits, name: string): CompiledLimits {
  const fields = ['mailbox', 'turnTimeoutMs', 'turnCpuMs', 'stopInPlace', 'overflow', 'lease', 'budget']
  checkFields(limits, `limits of ${name}`, fields)
  const { mailbox = LIMITS.mailboxDefault, turnTimeoutMs = 0, overflow = 'refuse', lease, budget } = limits
  const { turnCpuMs = LIMITS.turnCpuDefaultMs, stopInPlace = false } = limits
  bounded('limits.mailbox', mailbox, 1, LIMITS.mailboxMax)
  bounded('limits.turnTimeoutMs', turnTimeoutMs, 0, LIMITS.delayMaxMs)
  bounded('limits.turnCpuMs', turnCpuMs, 0, LIMITS.delayMaxMs)
  if (typeof stopInPlace !== 'boolean') throw badArgument('limits.stopInPlace is true or false')
  if (stopInPlace && turnCpuMs === 0)
    throw badArgument('limits.stopInPlace needs a limit: turnCpuMs is 0, which is none')
  oneOf(['refuse', 'drop-oldest'], overflow, `limits.overflow of ${name}`)
  if (lease !== undefined) {
    checkFields(lease, `limits.lease of ${name}`, ['periodMs', 'idle'])
    bounded('lease.periodMs', lease.periodMs, 2, LIMITS.delayMaxMs)
    if (typeof (lease.idle ?? false) !== 'boolean') throw badArgument('lease.idle is true or false')
  }
  if (budget !== undefined) {
    checkFields(budget, `limits.budget of ${name}`, ['messages', 'cpuMs'])
    bounded('budget.messages', budget.messages ?? 1, 1, Number.MAX_SAFE_INTEGER)
    bounded('budget.cpuMs', budget.cpuMs ?? 1, 1, Number.MAX_SAFE_INTEGER)
  }
  return {
    mailbox,
    turnTimeoutMs,
    turnCpuMs,
    stopInPlace,
    dropOldest: overflow === 'drop-oldest',
    lease,
    budget,
  }
}

/** How restarts of a supervisor's children are counted and delayed. */
export interface RestartSpec {
  /** Restarts allowed within the period, for all children together; 5 by default. */
  readonly intensity?: number
  /** In milliseconds; 10,000 by default. */
  readonly periodMs?: number
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

/** What a definition takes as `args`: of one of several kinds, what suits all of them. */
export type ArgsOf<D> = [D] extends [{ readonly kind: string; readonly [types]?: (args: infer Args) => void }]
  ? Args
  : unknown

/** The `args` of a start, which may be left out where `init` takes none. */
export type ArgsOption<Args> = undefined extends Args ? { readonly args?: Args } : { readonly args: Args }

/**
 * A child of a supervisor. With its definition, `ChildSpec<typeof reader>`, the compiler knows which `args` it takes; `ChildSpec` alone is one
 * of which nobody says that.
 */
export type ChildSpec<D = AnyDefinition> = ChildTerms<D> & ArgsOption<ArgsOf<D>>

interface ChildTerms<D> {
  /** The name of its definition by default. */
  readonly name?: string
  readonly cell: D
  /** That of its definition by default; of a supervisor `permanent`. */
  readonly restart?: RestartKind
  /** Whether its end, by itself, counts for `autoShutdown`; false by default. Not for permanent children, which have no such end. */
  readonly significant?: boolean
  /**
   * How long its turn may go on after it was told to stop, in milliseconds; 5,000 by default. 0 cuts the turn short at once,
   * `Infinity` waits for it. Not for a supervisor, which takes as long as its children do.
   */
  readonly shutdownMs?: [D] extends [SupervisorDefinition] ? undefined : number
}

/** A definition that is a child by itself: it needs no `args`. */
export interface NeedsNoArgs extends AnyDefinition {
  readonly [types]?: (args: undefined) => unknown
}

/** One more child of a `simple_one_for_one`, which is of the one kind that its definition names. */
export type KindredSpec<D> = Pick<ChildTerms<D>, 'name'> &
  ArgsOption<ArgsOf<D>> & { readonly cell?: undefined; readonly kind?: undefined }

/**
 * Who is restarted together with a child that failed: nobody, all its siblings, those that stand behind it. Whoever of them was terminated or has
 * ended by itself is started, too, as a new cell in its old place; one that is terminated while the others come down stays away this once.
 * Temporary ones come down and are forgotten. Under `simple_one_for_one` all children are of the one kind that the definition names, and are
 * started by `startChild` alone; they stop all at once.
 */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'simple_one_for_one'

/** When a supervisor stops because significant children have ended by themselves: never, when one has, when all have. */
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant'

/** Some definition. */
export interface AnyDefinition {
  readonly kind: DefinitionKind
  readonly name: string
}

/** A definition that `spawn` starts, with all its children. `Kind` is what a `simple_one_for_one` has children of. */
export interface SupervisorDefinition<Kind = AnyDefinition | undefined> {
  readonly kind: 'supervisor'
  readonly name: string
  readonly strategy: Strategy
  readonly autoShutdown: AutoShutdown
  readonly restart: RestartSpec & typeof RESTART_DEFAULT
  readonly children: readonly ChildSpec[]
  readonly module: string | undefined
  /** Only for the compiler. */
  readonly [types]?: (args: undefined) => Kind
}

/** What a supervisor is made of. */
export interface SupervisorSpec<Children = readonly unknown[]> {
  readonly name: string
  /** `one_for_one` by default. */
  readonly strategy?: Strategy
  /** `never` by default. */
  readonly autoShutdown?: AutoShutdown
  /** 5 restarts in 10 seconds by default. */
  readonly restart?: RestartSpec
  /** In the order in which they start; of `simple_one_for_one` the one kind of all that are started. */
  readonly children: Children
  /** `import.meta.url` of the module that exports this by a name: for one that a cell in a worker is to spawn. */
  readonly module?: string
}

/** A kind for which its supervisor has `args`: it may be started without. */
export type Provided<Kind> =
  Kind extends CellDefinition<infer M, infer Args> ? CellDefinition<M, Args | undefined> : Kind

/**
 * Defines a supervisor, as Erlang/OTP knows them. Children start in their order, each when the one before it is up, and come down from the
 * last to the first. A child that fails is restarted, alone or with others, as the strategy says; with more restarts than its
 * window allows, the supervisor brings its children down and fails itself. Where nobody supervises it, the kernel closes.
 * A child that waits for its restart holds up those that start behind it in the same group, and nobody else; another failure shortens no such
 * wait, but where the supervisor itself is restarted, it begins anew without any.
 *
 * @example
 * const crew = supervisor({
 *   name: 'crew',
 *   strategy: 'one_for_one',
 *   restart: { intensity: 5, periodMs: 10_000, backoff: { initialMs: 100 } },
 *   children: [{ name: 'reader', cell: reader, args: { path: '.' } }, writer],
 * })
 */
export function supervisor<Kind extends AnyDefinition, Args extends ArgsOf<Kind> | undefined = undefined>(
  spec: SupervisorSpec<readonly [Kind | (ChildTerms<Kind> & { readonly args?: Args })]> & {
    readonly strategy: 'simple_one_for_one'
  },
): SupervisorDefinition<undefined extends Args ? Kind : Provided<Kind>>
export function supervisor<Kinds extends readonly unknown[]>(
  spec: SupervisorSpec<readonly [...{ [At in keyof Kinds]: ChildSpec<Kinds[At]> | NeedsNoArgs }]> & {
    readonly strategy?: Exclude<Strategy, 'simple_one_for_one'>
  },
): SupervisorDefinition<undefined>
export function supervisor(spec: SupervisorSpec): SupervisorDefinition<never> {
  checkFields(spec, 'a supervisor', ['name', 'strategy', 'autoShutdown', 'restart', 'children', 'module'])
  const { strategy = 'one_for_one', autoShutdown = 'never', restart: asked = {}, children } = spec
  const name = checkedName(spec.name, 'a supervisor')
  checkFields(asked, `restart of ${name}`, ['intensity', 'periodMs', 'backoff'])
  const restart = { ...RESTART_DEFAULT, ...asked }
  bounded('restart.intensity', restart.intensity, 0, LIMITS.intensityMax)
  bounded('restart.periodMs', restart.periodMs, 1, LIMITS.delayMaxMs)
  const { initialMs, factor, maxMs, jitter } = backoffOf(restart)
  checkFields(restart.backoff ?? {}, `backoff of ${name}`, ['initialMs', 'factor', 'maxMs', 'jitter'])
  bounded('backoff.initialMs', initialMs, 0, LIMITS.delayMaxMs, false)
  bounded('backoff.factor', factor, 1, Number.MAX_VALUE, false)
  bounded('backoff.maxMs', maxMs, 0, LIMITS.delayMaxMs, false)
  bounded('backoff.jitter', jitter, 0, 1, false)
  oneOf(STRATEGIES, strategy, `the strategy of ${name}`)
  oneOf(AUTO_SHUTDOWNS, autoShutdown, `autoShutdown of ${name}`)
  if (!Array.isArray(children)) throw badArgument(`supervisor ${name}: children are an array`)
  if (strategy === 'simple_one_for_one' && children.length !== 1)
    throw badArgument(
      `supervisor ${name}: simple_one_for_one has one child, the kind of all that are started`,
    )
  const checked = children.map((child) => checkedChild(child as ChildSpec, name, autoShutdown))
  const names = new Set<string>()
  for (const { name: given, cell } of checked) {
    const own = given ?? cell.name
    if (names.has(own))
      throw badArgument(`supervisor ${name}: two children are called ${own}; give one of them a \`name\``, {
        name: own,
      })
    names.add(own)
  }
  const module = checkedModule(spec.module, name)
  return definition({ kind: 'supervisor', name, strategy, autoShutdown, restart, children: checked, module })
}

/** The waits of a supervisor, with what it does not say. */
export function backoffOf({ backoff }: RestartSpec): Required<NonNullable<RestartSpec['backoff']>> {
  return { initialMs: 0, factor: 2, maxMs: 30_000, jitter: 0.2, ...backoff }
}

/** Whether `cell` or `supervisor` made it. */
export function isDefinition(value: unknown): value is AnyDefinition {
  return definitions.has(Object(value))
}

const definitions = new WeakSet<object>()

export type DefinitionKind = 'cell' | 'supervisor'

/** Definitions that are remembered by their module; those above that are found once their module is loaded. */
const DECLARED_MAX = 10_000

/** By module, kind and name: what was made here; of what was made twice it is not known which one is meant. */
const declared = new Map<string, unknown>()
const TWICE = Symbol('twice')

function definition<
  T extends { readonly kind: DefinitionKind; readonly name: string; readonly module: string | undefined },
>(made: T): T {
  definitions.add(made)
  const { kind, name, module } = made
  if (module !== undefined && declared.size < DECLARED_MAX) {
    const key = declaredKey(module, kind, name)
    declared.set(key, declared.has(key) ? TWICE : made)
  }
  return Object.freeze(made)
}

function declaredKey(module: string, kind: DefinitionKind, name: string): string {
  return `${module} ${kind} ${name}`
}

/** The one definition that this isolate has made for a module, also while that is still being evaluated. */
export function declaredBy(
  module: string,
  kind: DefinitionKind,
  name: string,
): CompiledCell | SupervisorDefinition | undefined {
  const made = declared.get(declaredKey(module, kind, name))
  return made === TWICE ? undefined : (made as CompiledCell | SupervisorDefinition | undefined)
}

/** Reads what is said of a child of a supervisor. */
export function checkedChild(
  child: ChildSpec | AnyDefinition,
  parent: string,
  autoShutdown: AutoShutdown,
): ChildSpec {
  const made: ChildSpec = isDefinition(child) ? { cell: child } : child
  const what = `a child of ${parent}`
  checkFields(made, what, ['name', 'cell', 'args', 'restart', 'significant', 'shutdownMs'])
  if (!isDefinition(made.cell))
    throw badArgument(`${what} is what cell() or supervisor() made, or { name, cell, args, restart, … }`)
  if (made.name !== undefined) checkedName(made.name, what)
  const { significant = false, shutdownMs } = made
  if (made.restart !== undefined) oneOf(RESTARTS, made.restart, `restart of ${what}`)
  if (typeof significant !== 'boolean') throw badArgument(`significant of ${what} is a boolean`)
  if (significant && (restartOf(made) === 'permanent' || autoShutdown === 'never')) {
    throw badArgument(`${what} is significant: it is not permanent then, and autoShutdown is not 'never'`)
  }
  if (made.cell.kind === 'supervisor' && (shutdownMs ?? made.args) !== undefined)
    throw badArgument(`${what} is a supervisor: it has no args, and no shutdownMs, but those of its children`)
  if (shutdownMs !== undefined && shutdownMs !== Infinity)
    bounded(`shutdownMs of ${what}`, shutdownMs, 0, LIMITS.delayMaxMs)
  return made
}

/** After which ends a child is restarted. */
export function restartOf({ restart, cell }: ChildSpec): RestartKind {
  return restart ?? (cell.kind === 'cell' ? (cell as CompiledCell).restart : 'permanent')
}

function oneOf<T>(known: readonly T[], value: T, what: string): void {
  if (!known.includes(value)) throw badArgument(`${what} is one of ${known.join(', ')}`)
}

const ISOLATIONS: readonly Isolation[] = ['inline', 'thread']
const RESTARTS: readonly RestartKind[] = ['transient', 'permanent', 'temporary']
/** In the order of their numbers. */
export const STRATEGIES: readonly Strategy[] = [
  'one_for_one',
  'one_for_all',
  'rest_for_one',
  'simple_one_for_one',
]
/** In the order of their numbers. */
export const AUTO_SHUTDOWNS: readonly AutoShutdown[] = ['never', 'any_significant', 'all_significant']
const CELL_FIELDS = [
  'name',
  'grants',
  'messages',
  'init',
  'persist',
  'resume',
  'on',
  'invariant',
  'limits',
  'restart',
  'isolation',
  'module',
]

/** Refuses a field that nobody would read: a typing error would otherwise pass for a wish that was granted. */
export function checkFields(value: unknown, what: string, known?: readonly string[]): void {
  if (typeof value !== 'object' || value === null) throw badArgument(`${what}: an object is needed`)
  const unread = known && Object.keys(value).find((name) => !known.includes(name))
  if (unread !== undefined) {
    throw badArgument(`${what}: there is no field ${unread}; the fields are ${known?.join(', ')}`)
  }
}

const RESTART_DEFAULT = { intensity: 5, periodMs: 10_000 }
