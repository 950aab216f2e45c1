// True or false: what else is given is a slip of the pen.
import { badArgument } from '../../errors.ts'

/** Passes true and false on. */
export function checkedBoolean(name: string, value: boolean): boolean {
  if (typeof value !== 'boolean') throw badArgument(`${name} is true or false`)
  return value
}
