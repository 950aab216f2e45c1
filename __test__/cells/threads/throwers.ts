// Cells that throw errors with all that errors can hold.
import { readFile } from 'node:fs/promises'
import { createContext, runInContext } from 'node:vm'
import { KaryonError, cell, message, type CellDefinition, type Message } from '../../../ts/index.ts'

const module = import.meta.url

/** A program's own class. */
export class Declined extends RangeError {
  override readonly name = 'Declined'
  readonly amount: number

  constructor(amount: number, options?: ErrorOptions) {
    super(`declined: ${amount}`, options)
    this.amount = amount
  }

  get code(): string {
    return 'E_DECLINED'
  }
}

function saying<Fields extends object>(error: Error, fields: Fields): Error & Fields {
  return Object.assign(error, fields)
}

function chain(length: number): Error {
  let error = new Error(`cause 0`)
  for (let at = 1; at < length; at++) error = new Error(`cause ${at}`, { cause: error })
  return error
}

const circular = (): Error => {
  const error = new Error('round')
  error.cause = new TypeError('and round', { cause: error })
  return saying(error, { self: error, list: [error] })
}

/** What can be thrown, by name. */
export const ERRORS: Readonly<Record<string, () => unknown>> = {
  file: () => readFile('/no/such/file'),
  own: () => new Declined(7, { cause: new SyntaxError('why') }),
  aggregate: () => new AggregateError([new TypeError('one'), new Declined(2), 'three'], 'many'),
  aborted: () => AbortSignal.abort().reason,
  timedOut: () => new DOMException('late', 'TimeoutError'),
  ours: () =>
    new KaryonError('ERR_KARYON_BUSY', 'busy', {
      details: { limit: 3 },
      cause: saying(new Error('below'), { code: 'E_BELOW' }),
    }),
  fields: () => saying(new Error('fields'), { when: new Date(7), map: new Map([['a', [1]]]), call: () => 1 }),
  instance: () => saying(new Error('instance'), { socket: new URL('net://here'), kept: 1 }),
  getter: () =>
    Object.defineProperty(saying(new Error('getter'), { kept: 1 }), 'broken', {
      enumerable: true,
      get() {
        throw new Error('not to be looked at')
      },
    }),
  rude: () =>
    Object.defineProperties(new TypeError('rude'), {
      message: {
        get() {
          throw new Error('no message')
        },
      },
      code: {
        enumerable: true,
        get() {
          throw new Error('no code')
        },
      },
    }),
  proxy: () =>
    new Proxy(new Error('proxied'), {
      getPrototypeOf() {
        throw new Error('no prototype')
      },
    }),
  hidden: () => saying(new Error('hidden'), { proxy: new Proxy({}, {}), kept: 1 }),
  circular,
  deep: () => chain(5_000),
  wide: () =>
    saying(
      new AggregateError(
        Array.from({ length: 5_000 }, (_, at) => new Error(`part ${at}`)),
        'wide',
      ),
      Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`field${at}`, at])),
    ),
  realm: () => runInContext(`new RangeError('elsewhere')`, createContext()),
  old: () => Object.create(Error.prototype, { message: { value: 'old' }, code: { value: 'E_OLD' } }),
  list: () => ({ errors: [new Declined(1), new Declined(2), AbortSignal.abort().reason] }),
}

/** What throwers understand. */
export type Thrower = {
  readonly throws: Message<string>
  readonly rejects: Message<string>
  readonly works: Message<string>
  readonly answers: Message<string, unknown>
  readonly leaves: Message<string>
}

const throwerOf = (
  isolation: 'inline' | 'thread',
): CellDefinition<Thrower, { readonly init: string } | void> =>
  cell({
    name: `thrower-${isolation}`,
    module,
    isolation,
    messages: {
      throws: message<string>(),
      rejects: message<string>(),
      works: message<string>(),
      answers: message<string, unknown>(),
      leaves: message<string>(),
    },
    init: async (_ctx, args: { readonly init: string } | void) => {
      if (args !== undefined) throw await ERRORS[args.init]?.()
      return {}
    },
    on: {
      throws: (_ctx, name) => {
        const thrown = ERRORS[name]?.()
        if (thrown instanceof Promise) return thrown as Promise<never>
        throw thrown
      },
      rejects: async (_ctx, name) => {
        throw await ERRORS[name]?.()
      },
      works: (ctx, name) => {
        // Later than the turn.
        void ctx.run(async () => {
          await new Promise((resolve) => setImmediate(resolve))
          throw await ERRORS[name]?.()
        })
      },
      answers: (_ctx, name) => ERRORS[name]?.(),
      leaves: (_ctx, name) => {
        setImmediate(() => {
          throw ERRORS[name]?.()
        })
      },
    },
    limits: { mailbox: 100 },
  })

/** Throws what it is told to. */
export const inlineThrower: CellDefinition<Thrower, { readonly init: string } | void> = throwerOf('inline')
export const threadThrower: CellDefinition<Thrower, { readonly init: string } | void> = throwerOf('thread')
