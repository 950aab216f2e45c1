// Moments: versions and times.
import { KaryonError } from './errors.ts'

/** The dense number of a commit: a bigint, so that it is never mistaken for a time. */
export type Version = bigint

/**
 * A version, or a time that stands for the newest commit at or before it: a `Date` (an `Instant` with its microseconds) or an
 * ISO string (without an offset it is UTC). A bare number is refused: nobody can tell what it counts.
 */
export type Moment = Version | Date | string

const MICROS_PER_MS = 1000n

/**
 * A `Date` that knows its microseconds, as commits do.
 *
 * @example
 * const before = kernel.now()
 * before.toISOString()   // '2026-11-23T21:14:03.123456Z'
 */
export class Instant extends Date {
  /** Microseconds since 1970. */
  readonly micros: bigint

  /** From microseconds since 1970. */
  static fromMicros(micros: bigint): Instant {
    return new Instant(micros)
  }

  private constructor(micros: bigint) {
    super(Number((micros - belowMs(micros)) / MICROS_PER_MS))
    this.micros = micros
  }

  /** ISO 8601 in UTC with six decimals, which `at` and its kin understand. */
  override toISOString(): string {
    return super.toISOString().replace(/Z$/, `${String(belowMs(this.micros)).padStart(3, '0')}Z`)
  }

  /** As `toISOString`, so that JSON keeps the microseconds. */
  override toJSON(): string {
    return this.toISOString()
  }
}

/** The microseconds below the millisecond, also before 1970. */
function belowMs(micros: bigint): bigint {
  return ((micros % MICROS_PER_MS) + MICROS_PER_MS) % MICROS_PER_MS
}

/** A moment as the native side takes it. */
export interface NativeMoment {
  readonly isTime: boolean
  readonly value: number
}

const ISO =
  /^([+-]\d{6}|\d{4})-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?$/i

/** Microseconds since 1970 of a time; throws `ERR_KARYON_TIME` for what is none. */
export function microsOf(time: Date | string): number {
  if (time instanceof Instant) return Number(time.micros)
  if (time instanceof Date) {
    const ms = time.getTime()
    if (Number.isNaN(ms)) throw timeError('the date is invalid')
    return ms * 1000
  }
  const match = ISO.exec(time.trim())
  if (!match) throw timeError(`${JSON.stringify(time)} is no ISO 8601 time`)
  const [whole, , fraction = '', offset] = match
  // Date reads milliseconds; what lies below is added by hand.
  const base = whole.replace(/[.,]\d+/, '').replace(' ', 'T')
  const dated = /T/i.test(base) && !offset ? `${base}Z` : base
  const ms = Date.parse(dated)
  if (Number.isNaN(ms)) throw timeError(`${JSON.stringify(time)} is no time that exists`)
  return ms * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'))
}

/** A moment for the native side. */
export function nativeMoment(moment: Moment): NativeMoment {
  if (typeof moment === 'bigint') {
    if (moment < 0n || moment > BigInt(Number.MAX_SAFE_INTEGER)) throw timeError(`${moment} is no version`)
    return { isTime: false, value: Number(moment) }
  }
  if (typeof moment === 'string' || moment instanceof Date) return { isTime: true, value: microsOf(moment) }
  throw timeError(`a moment is a version (bigint), a Date or an ISO string, not ${describe(moment)}`)
}

function describe(value: unknown): string {
  return typeof value === 'number'
    ? `the number ${value}: wrap a time in new Date(…), write a version as ${Math.trunc(value)}n`
    : typeof value
}

function timeError(message: string): KaryonError {
  return new KaryonError('ERR_KARYON_TIME', message)
}
