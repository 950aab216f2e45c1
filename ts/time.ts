// Moments: versions and times.
import { isDate } from 'node:util/types'
import { KaryonError } from './errors.ts'

/** The dense number of a commit: a bigint, so that it is never mistaken for a time. */
export type Version = bigint

/**
 * A version, or a time that stands for the newest commit at or before it: a `Date` (an `Instant` with its microseconds) or an
 * ISO string (without an offset it is UTC). A bare number is refused: nobody can tell what it counts.
 */
export type Moment = Version | Date | string

const MICROS_PER_MS = 1000n
/** A `Date` holds 100,000,000 days on either side of 1970. */
const MICROS_MAX = 8_640_000_000_000_000n * MICROS_PER_MS

/**
 * A `Date` that knows its microseconds, as commits do.
 *
 * @example
 * const before = kernel.now()
 * before.toISOString()   // '2026-11-23T21:14:03.123456Z'
 */
export class Instant extends Date {
  readonly #exact: bigint

  /** From microseconds since 1970; throws `ERR_KARYON_TIME` beyond what a `Date` holds. */
  static fromMicros(micros: bigint): Instant {
    if (typeof micros !== 'bigint') throw timeError(`microseconds are a bigint, not a ${typeof micros}`)
    if (micros > MICROS_MAX || micros < -MICROS_MAX)
      throw timeError(`${micros} µs is beyond what a Date holds`)
    return new Instant(micros)
  }

  private constructor(micros: bigint) {
    super(msOf(micros))
    this.#exact = micros
  }

  /** Microseconds since 1970. Once a setter of `Date` has moved it, it is a whole number of milliseconds. */
  get micros(): bigint {
    const ms = this.getTime()
    if (ms === msOf(this.#exact)) return this.#exact
    if (Number.isNaN(ms)) throw timeError('the date is invalid')
    return BigInt(ms) * MICROS_PER_MS
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

/** The whole milliseconds of a time, also before 1970. */
function msOf(micros: bigint): number {
  const exact = Number(micros)
  // Arithmetic of bigints is dear, and every commit has a time.
  if (Number.isSafeInteger(exact)) return Math.floor(exact / 1e3)
  return Number((micros - belowMs(micros)) / MICROS_PER_MS)
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

const DATE = /^([+-]\d{6}|\d{4})-(\d{2})-(\d{2})/
const TIME = /^[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)? ?(?:Z|([+-])(\d{2}):?(\d{2})?)?$/i

/** Microseconds since 1970 of a time; throws `ERR_KARYON_TIME` for what is none. */
export function microsOf(time: Date | string): number {
  if (time instanceof Instant) return Number(time.micros)
  if (typeof time === 'string') return microsOfText(time.trim())
  const ms = Date.prototype.getTime.call(time)
  if (Number.isNaN(ms)) throw timeError('the date is invalid')
  return ms * 1000
}

// Not with `Date.parse`: it takes the 30th of February for a day of March, knows no microseconds, and reads a time without an
// offset as local.
function microsOfText(text: string): number {
  const date = DATE.exec(text)
  const time = date && TIME.exec(text.slice(date[0].length))
  if (!date || (!time && text.length > date[0].length)) {
    throw timeError(`${JSON.stringify(text)} is no ISO 8601 time`)
  }
  const [year, month, day] = date.slice(1).map(Number) as [number, number, number]
  const [hour, minute, second] = [1, 2, 3].map((part) => Number(time?.[part] ?? 0)) as [
    number,
    number,
    number,
  ]
  const [offsetHour, offsetMinute] = [Number(time?.[6] ?? 0), Number(time?.[7] ?? 0)]
  const midnight = new Date(0).setUTCFullYear(year, month - 1, day)
  const exists = new Date(midnight).getUTCMonth() === month - 1 && new Date(midnight).getUTCDate() === day
  const isEndOfDay = hour === 24 && minute === 0 && second === 0 && !Number(time?.[4] ?? 0)
  if (
    !exists ||
    (hour > 23 && !isEndOfDay) ||
    minute > 59 ||
    second > 59 ||
    offsetHour > 23 ||
    offsetMinute > 59
  ) {
    throw timeError(`${JSON.stringify(text)} is no time that exists`)
  }
  const east = time?.[5] === '-' ? -1 : 1
  const minutes = (hour - east * offsetHour) * 60 + minute - east * offsetMinute
  const micros = Number((time?.[4] ?? '').slice(0, 6).padEnd(6, '0'))
  return midnight * 1000 + (minutes * 60 + second) * 1_000_000 + micros
}

/** Microseconds since 1970 of an instant of valid time, which no version stands for. */
export function instantMicros(instant: Date | string): number {
  if (typeof instant === 'string' || isDate(instant)) return microsOf(instant)
  throw timeError(`an instant of valid time is a Date or an ISO string, not ${describe(instant)}`)
}

/** A moment for the native side. */
export function nativeMoment(moment: Moment): NativeMoment {
  if (typeof moment === 'bigint') {
    if (moment < 0n || moment > BigInt(Number.MAX_SAFE_INTEGER)) throw timeError(`${moment} is no version`)
    return { isTime: false, value: Number(moment) }
  }
  if (typeof moment === 'string' || isDate(moment)) return { isTime: true, value: microsOf(moment) }
  throw timeError(`a moment is a version (bigint), a Date or an ISO string, not ${describe(moment)}`)
}

function describe(value: unknown): string {
  return typeof value === 'number'
    ? `the number ${value}: wrap a time in new Date(…), write a version as ${Math.trunc(value)}n`
    : typeof value
}

/** The error for a time that is none. */
export function timeError(message: string): KaryonError {
  return new KaryonError('ERR_KARYON_TIME', message)
}
