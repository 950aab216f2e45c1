// Everything that a package can be asked, whoever has made it.
import type { Engram } from '../../ts/engrams/index.ts'
import type { KaryonErrorCode } from '../../ts/index.ts'
import { type RecallTables, tablesOf } from '../../ts/engrams/recalled.ts'
import { HEADS, SLOT_ROWS_MAX, VERSIONS } from '../../ts/recall/tables.ts'
import { NAMES, TYPES } from './worlds.ts'

/** What may be said of a file that is not what somebody packed. */
export const REFUSALS: readonly KaryonErrorCode[] = [
  'ERR_KARYON_PACKAGE',
  'ERR_KARYON_PACKAGE_ROOT',
  'ERR_KARYON_PACKAGE_LIMIT',
  'ERR_KARYON_FORMAT_NEWER',
  'ERR_KARYON_SIGNATURE',
]

/** Reads everything that there is, in every way there is. */
export function readAll(engram: Engram, keys: readonly string[]): void {
  const nodes = [...engram.nodes()]
  const edges = [...engram.edges()]
  const all = [...keys, ...nodes.map(({ key }) => key)]
  engram.getMany(all)
  const handles = engram.handles(all)
  engram.keys(handles)
  engram.numbers(handles, NAMES[0]!)
  for (const label of Object.keys(engram.manifest.schema.labels)) {
    const listed = [...engram.nodes({ label })]
    engram.count({ label, where: { property: NAMES[0]!, from: 0 } })
    engram.count({ label })
    for (const { key } of listed) engram.get(key)
  }
  for (const key of all) {
    for (const direction of ['out', 'in'] as const) {
      for (const edge of engram[direction](key)) engram.edge(edge)
      engram.degree(key, direction)
      engram.neighbours(key, direction, TYPES[0]!)
    }
    engram.within(key, { hops: 2, direction: 'both' })
    engram.path(key, all[0]!, { direction: 'both' })
    engram.source(key)
    engram.source(key, NAMES[0]!)
  }
  for (const edge of edges) engram.source(edge)
  for (const tables of allTables(engram)) readTables(tables)
  if (engram.manifest.history === undefined) return
  for (const target of [...all, ...edges]) {
    for (const _ of engram.history(target));
    for (const _ of engram.history(target, { property: NAMES[0]!, from: new Date(0) }));
  }
}

/** The recall tables of a package that this Karyon uses. */
export function allTables(engram: Engram): RecallTables[] {
  const { tables = [] } = engram.manifest.recall ?? {}
  return tables.flatMap(({ texts: _texts, ...options }) => tablesOf(engram, options, VERSIONS) ?? [])
}

/** Reads every slot and every row. Returns of each slot how many n-grams fall there, and the postings. */
export function readTables(tables: RecallTables): { readonly fallen: number; readonly postings: number[] }[] {
  const postings = new Uint32Array(SLOT_ROWS_MAX)
  const rows = Array.from({ length: tables.rows }, (_, row) => row)
  for (const row of rows) tables.facts(row)
  tables.keys(rows)
  return Array.from({ length: HEADS * tables.slots }, (_, slot) => {
    const fallen = tables.read(slot, postings)
    return { fallen, postings: [...postings.subarray(0, Math.min(fallen, SLOT_ROWS_MAX))] }
  })
}
