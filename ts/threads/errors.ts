// Errors as they travel: of one that it clones the engine keeps the message, the stack and seven classes, and drops all else.
import { failure } from '../cells/failures.ts'
import { peek } from '../cells/foreign.ts'
import { isError, isSendable } from '../cells/sendable.ts'
import { KaryonError, type ErrorDetails } from '../errors.ts'

/** Errors that one brings along at most: its causes, theirs, and those that it stands for. */
export const ERRORS_MAX = 64
/** Fields that an error keeps at most, those of `FIELDS` first. */
const FIELDS_MAX = 32
/** What errors are told by, wherever they have it. */
const FIELDS = ['name', 'stack', 'code', 'errno', 'syscall', 'cause', 'errors'] as const

/** The classes of the language that are special. */
const SPECIAL = [AggregateError, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]
/** Those that are the same everywhere. One of a class of the program's is one of that below it. */
const CLASSES = [KaryonError, DOMException, ...SPECIAL]

/** An error as it travels. */
export interface ErrorFacts {
  /** The name of its class. */
  readonly kind: string
  readonly message: string
  /** What else it says. */
  readonly fields: readonly { readonly name: string; readonly shown: boolean; readonly value: unknown }[]
}

/**
 * What is said of an error: what cannot be sent is left out, and so is what throws when it is looked at. `copy` makes what it holds ready to
 * be sent.
 */
export function factsOf(error: Error, copy: (item: unknown) => unknown): ErrorFacts {
  const look = (name: string): unknown => peek(() => (error as unknown as Record<string, unknown>)[name])
  const text = (name: string): string => peek(() => String(look(name) ?? '')) ?? ''
  const brought = (item: unknown): unknown => copy(isError(item) || isSendable(item) ? item : standIn(item))
  const valueOf = (name: string): unknown => {
    if (name === 'name' || name === 'stack') return text(name)
    const value = look(name)
    if (name === 'cause') return brought(value)
    if (Array.isArray(value) && value.some(isError))
      return value.map(brought).filter((item) => item !== undefined)
    return isError(value) || isSendable(value) ? copy(value) : undefined
  }
  const own = new Set(Object.keys(error))
  const fields = [...new Set([...FIELDS, ...own])]
    .filter((name) => name !== 'message')
    .slice(0, FIELDS_MAX)
    .map((name) => ({ name, shown: own.has(name), value: valueOf(name) }))
    .filter(({ value }) => value !== undefined)
  const is = CLASSES.find((one) => error instanceof one) ?? CLASSES.find(({ name }) => name === text('name'))
  return { kind: is?.name ?? 'Error', message: text('message'), fields }
}

/** The error that facts are of, with nothing of its own yet: see `complete`. */
export function errorOf({ kind, message, fields }: ErrorFacts): Error {
  if (kind === 'KaryonError') return new KaryonError('ERR_KARYON_PANIC', message)
  const name = fields.find((field) => field.name === 'name')?.value
  if (kind === 'DOMException') return new DOMException(message, name as string)
  return Reflect.construct(Error, [message], SPECIAL.find((one) => one.name === kind) ?? Error) as Error
}

/** Has an error say what was said of it. `back` makes what was sent what it was. */
export function complete(error: Error, { fields }: ErrorFacts, back: (item: unknown) => unknown): void {
  for (const { name, shown, value } of fields) define(error, name, back(value), shown)
}

/** Gives an object something of its own, whatever it is called. */
export function define(object: object, name: string, value: unknown, enumerable = true): void {
  Object.defineProperty(object, name, { value, enumerable, writable: true, configurable: true })
}

/** What is refused because it cannot leave. */
export function notSendable(what: string, cause: unknown, details: ErrorDetails = {}): KaryonError {
  const message = `${what} holds what cannot leave its isolate; send plain data, or a key`
  return failure('ERR_KARYON_NOT_SENDABLE', message, details, cause)
}

/** Says what was thrown; where it holds what no clone can, or what fails when it is looked at, what stands for it. */
export function sayThrown<T>(thrown: unknown, say: (thrown: unknown) => T): T {
  try {
    return say(thrown)
  } catch {
    return say(standIn(thrown))
  }
}

/** What is left of what no clone can hold. */
function standIn(thrown: unknown): KaryonError {
  const message = peek(() => (thrown instanceof Error ? thrown.message : String(thrown))) ?? 'unknown'
  const error = new KaryonError('ERR_KARYON_NOT_SENDABLE', message)
  const stack = peek(() => (thrown instanceof Error ? thrown.stack : undefined))
  if (typeof stack === 'string') error.stack = stack
  return error
}
