import type { Row } from './measure.ts'

const COLUMNS = ['case', 'ours', 'peer', 'ratio', 'spread', 'note'] as const
const WIDTHS = [36, 16, 34, 8, 8]

export function heading(): string {
  return line(COLUMNS)
}

export function lineOf(row: Row): string {
  const ours = `${compact(row.ours)} ${row.unit}`
  const peer = `${compact(row.peer)} ${row.unit} ${row.peerName}`
  return line([
    row.name,
    ours,
    peer,
    `${row.ratio.toFixed(2)}×`,
    `${(row.spread * 100).toFixed(0)} %`,
    row.note,
  ])
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, at) => cell.padEnd(WIDTHS[at] ?? 0))
    .join(' ')
    .trimEnd()
}

/** Three digits that can be read: 1.23 M, 45.6 k, 789, 0.0123. */
function compact(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`
  if (value >= 1e3) return `${(value / 1e3).toPrecision(3)} k`
  return value.toPrecision(3)
}
