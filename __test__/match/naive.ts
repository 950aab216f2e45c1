// Patterns as data, and what they mean, said again as simply as it can be: try everything.
import type { AnyRow, Condition, Edge, Node, Reader } from '../../ts/index.ts'

/** What the pieces of random patterns say of a node. */
export interface Said {
  readonly key?: string
  readonly label?: string
  readonly where?: Condition
}

export interface Drawn {
  readonly verb: 'out' | 'in' | 'both'
  readonly edge: {
    readonly as?: string
    readonly type?: string
    readonly key?: string
    readonly where?: Condition
    readonly hops?: readonly [number, number]
  }
  readonly name: string
  readonly said: Said
}

export type Piece =
  | { readonly verb: 'node'; readonly name: string; readonly said: Said }
  | Drawn
  /** Two names are to stand for different things. */
  | { readonly verb: 'filter'; readonly differ: readonly [string, string] }
  | { readonly verb: 'optional'; readonly pieces: readonly Piece[] }

/** All that a reader sees. */
export interface World {
  readonly nodes: readonly Node[]
  readonly edges: readonly Edge[]
}

export function worldOf(reader: Reader): World {
  const nodes = [...reader.nodes()]
  return { nodes, edges: nodes.flatMap(({ key }) => [...reader.out(key)]) }
}

/** A row, and the edges that stand in it. */
interface Found {
  readonly row: AnyRow
  readonly used: readonly Edge[]
}

/** Every row of a pattern. */
export function naiveRows(world: World, pieces: readonly Piece[]): AnyRow[] {
  const names = namesOf(pieces)
  return extended(world, pieces, { row: {}, used: [] }, undefined).map(({ row }) =>
    Object.fromEntries(names.map((name) => [name, row[name]])),
  )
}

/** The names of a pattern, as they are mentioned. */
export function namesOf(pieces: readonly Piece[]): string[] {
  const names = pieces.flatMap((piece) => {
    if (piece.verb === 'optional') return namesOf(piece.pieces)
    if (piece.verb === 'filter') return []
    const edge = piece.verb !== 'node' && piece.edge.as
    return edge ? [edge, piece.name] : [piece.name]
  })
  return [...new Set(names)]
}

/** Every way to add pieces to what is found: nodes first, then edges, then what is optional, and last the filters. */
function extended(world: World, pieces: readonly Piece[], found: Found, at: string | undefined): Found[] {
  let rows = [found]
  for (const piece of pieces) {
    if (piece.verb === 'filter' || piece.verb === 'optional') continue
    rows = rows.flatMap(({ row, used }) =>
      world.nodes
        .filter((node) => meets(node, piece.said) && (row[piece.name] ?? node) === node)
        .map((node) => ({ row: { ...row, [piece.name]: node }, used })),
    )
  }
  let last = at
  const optional: [readonly Piece[], string | undefined][] = []
  for (const piece of pieces) {
    if (piece.verb === 'filter') continue
    if (piece.verb === 'optional') {
      optional.push([piece.pieces, last])
      continue
    }
    const from = last
    if (piece.verb !== 'node') rows = rows.flatMap((found) => withEdge(world, piece, from!, found))
    last = piece.name
  }
  for (const [more, at] of optional) {
    rows = rows.flatMap((found) => {
      const ways = extended(world, more, found, at)
      return ways.length > 0 ? ways : [found]
    })
  }
  const filters = pieces.filter((piece) => piece.verb === 'filter')
  return rows.filter(({ row }) => filters.every(({ differ: [a, b] }) => row[a] !== row[b]))
}

function withEdge(world: World, { verb, edge, name }: Drawn, from: string, { row, used }: Found): Found[] {
  const [least, most] = edge.hops ?? [1, 1]
  const goal = (row[name] as Node).key
  const found: Found[] = []
  const walk = (key: string, path: readonly Edge[]): void => {
    if (path.length >= least && key === goal) {
      const held = edge.hops ? path : path[0]!
      found.push({ row: edge.as ? { ...row, [edge.as]: held } : row, used: [...used, ...path] })
    }
    if (path.length === most) return
    for (const next of world.edges) {
      if ([...used, ...path].includes(next) || !isMeant(next, edge)) continue
      if (verb !== 'in' && next.from === key) walk(next.to, [...path, next])
      else if (verb !== 'out' && next.to === key) walk(next.from, [...path, next])
    }
  }
  walk((row[from] as Node).key, [])
  return found
}

function isMeant({ type, key, props }: Edge, said: Drawn['edge']): boolean {
  return (
    (said.type === undefined || type === said.type) &&
    (said.key === undefined || key === said.key) &&
    holds(props['n'], said.where)
  )
}

function meets({ key, labels, props }: Node, said: Said): boolean {
  return (
    (said.key === undefined || key === said.key) &&
    (said.label === undefined || labels.includes(said.label)) &&
    holds(props['n'], said.where)
  )
}

/** Conditions of random patterns ask for numbers. */
function holds(held: unknown, where: Condition | undefined): boolean {
  if (!where) return true
  if (typeof held !== 'number') return false
  if ('equals' in where) return held === where.equals
  return 'from' in where && held >= (where.from as number)
}
