// Copies of stores.
import { answer } from '../exchange.ts'
import { withInstant } from './past.ts'
import type { Salvaged } from './types.ts'

/** What a copy holds, and of a salvaged one what it does not. */
export function copied(length: number): Salvaged {
  return withInstant(answer(length).value() as unknown as Salvaged)
}
