// Options, read once: a field that nobody would read is a slip of the pen.
import { badArgument } from '../../errors.ts'

/** Passes options on. Throws when they are no object, or have a field that is not among those that are named. */
export function checkedOptions<T extends object>(options: T, ...fields: readonly (keyof T & string)[]): T {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw badArgument('options are an object')
  for (const name in options) {
    if (fields.includes(name)) continue
    throw badArgument(`there is no option ${name}; the options are ${fields.join(', ')}`, { name })
  }
  return options
}

/** Passes true and false on. */
export function checkedBoolean(name: string, value: boolean): boolean {
  if (typeof value !== 'boolean') throw badArgument(`${name} is true or false`)
  return value
}
