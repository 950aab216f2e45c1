// Timestamps as text.
import { Instant } from '../index.ts'

const TIME =
  /^(-?\d{4,6}|\+\d{6})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d:\d\d)?)?$/

/** An ISO 8601 time with up to six decimals, which without an offset is UTC; `undefined` for what is none. */
export function parseTime(text: string): Date | undefined {
  const parts = TIME.exec(text)
  if (!parts) return undefined
  const [, year = '', month = '', day = '', hour = '00', minute = '00', second = '00', fraction = ''] = parts
  const date = `${yearOfDate(year)}-${month}-${day}`
  const midnight = Date.parse(`${date}T00:00:00Z`)
  // What is no day of its month would be one of the next.
  if (Number.isNaN(midnight) || new Date(midnight).getUTCDate() !== Number(day)) return undefined
  const ms = Date.parse(`${date}T${hour}:${minute}:${second}.000${parts[8] ?? 'Z'}`)
  if (Number.isNaN(ms)) return undefined
  const micros = Number(fraction.padEnd(6, '0'))
  if (micros % 1000 === 0) return dateOf(ms + micros / 1000)
  try {
    return Instant.fromMicros(BigInt(ms) * 1000n + BigInt(micros))
  } catch {
    return undefined
  }
}

function dateOf(ms: number): Date | undefined {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? undefined : date
}

/** A year as a `Date` writes it: four digits, or a sign and six. */
function yearOfDate(year: string): string {
  const number = Number(year)
  if (number >= 0 && number <= 9999) return String(number).padStart(4, '0')
  return `${number < 0 ? '-' : '+'}${String(Math.abs(number)).padStart(6, '0')}`
}
