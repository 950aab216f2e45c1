// What is handed in to be grafted, and how: what else is given is a slip of the pen.
import { badArgument } from '../../errors.ts'
import { Kernel } from '../../kernel.ts'
import type { Engram, GraftOptions } from '../types.ts'

/** What every package that can be read has. */
const READS = ['nodes', 'edges', 'source'] as const

/** What is done about nodes that clash. */
export type Clashes = NonNullable<GraftOptions['clashes']>

const CLASHES: readonly string[] = ['refuse', 'skip', 'merge'] satisfies Clashes[]

/** Passes on what is done about nodes that clash. */
export function checkedClashes(clashes: Clashes): Clashes {
  if (CLASHES.includes(clashes)) return clashes
  throw badArgument(`clashes is one of ${CLASHES.join(', ')}`)
}

/** Passes true and false on. */
export function checkedBoolean(name: string, value: boolean): boolean {
  if (typeof value !== 'boolean') throw badArgument(`${name} is true or false`)
  return value
}

/** Passes a kernel on. */
export function checkedKernel(kernel: Kernel): Kernel {
  if (!(kernel instanceof Kernel)) throw badArgument('a graft is one of a kernel: Kernel.open(path)')
  return kernel
}

/** Passes an open package on. */
export function checkedEngram(engram: Engram): Engram {
  const given = engram as Partial<Engram> | null | undefined
  if (given?.manifest && READS.every((name) => typeof given[name] === 'function')) return engram
  throw badArgument('what is grafted is an open engram: openEngram(path)')
}

/** Passes a filter on, of which no answer but true and false counts; without one all is meant. */
export function checkedFilter<T>(name: string, filter: ((of: T) => boolean) | undefined): (of: T) => boolean {
  if (filter === undefined) return () => true
  if (typeof filter !== 'function') throw badArgument(`${name} is a function that says which are promoted`)
  return (of) => checkedBoolean(`what the function ${name} returns`, filter(of))
}
