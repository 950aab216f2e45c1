import type { AnyRow, Edge, Node } from '../../ts/index.ts'

/** Rows as text, sorted: `author=ann wrote=ann-WROTE->p1`. */
export function texts(rows: Iterable<object>): string[] {
  return Array.from(rows, (row) => textOf(row as AnyRow)).toSorted()
}

export function textOf(row: AnyRow): string {
  return Object.entries(row)
    .map(([name, held]) => `${name}=${held === undefined ? '-' : textOfHeld(held)}`)
    .join(' ')
}

function textOfHeld(held: Node | Edge | readonly Edge[]): string {
  if (Array.isArray(held)) return `[${held.map(textOfHeld).join(', ')}]`
  const one = held as Node | Edge
  return 'labels' in one ? one.key : `${one.from}-${one.type}${one.key && `:${one.key}`}->${one.to}`
}
