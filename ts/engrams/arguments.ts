// What only packages are given; all other arguments are read as the graph reads its own.
import { badArgument } from '../errors.ts'

/** Passes a file's path on. */
export function checkedPath(path: string): string {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw badArgument('the path of a package is a text')
  }
  return path
}
