// Copies of stores, and archives of what is kept of one.
import { answer } from '../exchange.ts'
import { withInstant } from './past.ts'
import type { Archived, Salvaged } from './types.ts'

/** What a copy holds, and of a salvaged one what it does not. */
export function copied(length: number): Salvaged {
  return withInstant(answer(length).value() as unknown as Salvaged)
}

/** What an archive keeps, and what it has freed. */
export function archived(length: number): Archived {
  return withInstant(answer(length).value() as unknown as Archived)
}
