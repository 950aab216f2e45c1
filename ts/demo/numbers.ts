// Numbers as people read them.

/** `1 kill`, `2 kills`, `1,000 kills`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? one : many}`
}

/** Bytes in the largest binary unit that leaves a number of at least 1. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  let size = bytes
  let unit = 0
  while (size >= 1_024 && unit < units.length - 1) {
    size /= 1_024
    unit += 1
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}

/** The ends of a digest: enough to compare by eye. */
export function digestText(digest: string): string {
  return `${digest.slice(0, 8)}…${digest.slice(-8)}`
}

/** A day of the calendar, UTC. */
export function dayText(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(0, 10)
}
