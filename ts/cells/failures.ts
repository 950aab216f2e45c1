// What cells are refused with, in words.
import { KaryonError, badArgument } from '../errors.ts'
import type { Cell } from './cell.ts'

/** A whole number within its bounds, or an error that names both. */
export function bounded(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw badArgument(`${name} is a whole number from ${least} to ${most}, not ${value}`, { value })
}

/** The cell takes no messages any more. */
export function goneError(cell: Cell): KaryonError {
  const { path } = cell
  return new KaryonError('ERR_KARYON_CELL_DEAD', `${path} is gone or stops; it takes no messages`, {
    details: { path },
  })
}

/** A turn broke the invariant. */
export function invariantError(cell: Cell): KaryonError {
  const { path } = cell
  return new KaryonError(
    'ERR_KARYON_INVARIANT',
    `the turn left ${path} in a state that breaks its invariant`,
    {
      details: { path },
    },
  )
}

/** A supervisor gave up. */
export function gaveUpError(cell: Cell): KaryonError {
  const { path } = cell
  return new KaryonError(
    'ERR_KARYON_RESTART_INTENSITY',
    `supervisor ${path} gave up: its children failed too often`,
    {
      details: { path },
    },
  )
}
