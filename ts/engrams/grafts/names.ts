// What grafts are called, and their forks, their principals, and the nodes that say what was grafted.
import { badArgument } from '../../errors.ts'
import { isWellFormed } from '../../values/writer.ts'
import type { Description } from '../types.ts'

/** Bytes of a graft's name. */
const NAME_BYTES_MAX = 900
/** Hex digits of a root in the name of a principal. */
const ROOT_DIGITS = 12
/** Characters of a package's name, and of its version, in the name of a principal. */
const PART_MAX = 100

const PACKAGE_NAME = /^[\w./-]{1,128}$/
const ROOT = /^[0-9a-f]{64}$/
const FORK = /^engram:([0-9a-f]{64}):(.+)$/s

/** Passes the name of a graft on, or makes the one of a package that is grafted without. */
export function checkedGraftName(name: string): string {
  const isName = typeof name === 'string' && name !== '' && isWellFormed(name)
  if (isName && name.length <= NAME_BYTES_MAX && Buffer.byteLength(name) <= NAME_BYTES_MAX) return name
  throw badArgument(`the name of a graft is text of 1 to ${NAME_BYTES_MAX} bytes without lone surrogates`)
}

/** What says which package it is. */
interface Identified {
  readonly manifest: Pick<Description, 'name' | 'version'>
  readonly root: string
}

/** Passes on what says which package it is; refuses what no package can be called. */
export function checkedIdentity({ manifest, root }: Identified): {
  readonly name: string
  readonly version: string
  readonly root: string
} {
  const { name, version } = manifest
  if (typeof name !== 'string' || !PACKAGE_NAME.test(name))
    throw badArgument('the name of a package is 1 to 128 letters, digits, ".", "_", "-" and "/"')
  if (typeof root !== 'string' || !ROOT.test(root))
    throw badArgument('the root of a package is 64 hex digits, in lower case')
  return { name, version, root }
}

/** The name of the cell in whose name a package is grafted. */
export function principalName(name: string, version: string, root: string): string {
  const [safe, short] = [name.replaceAll('/', ':'), version.slice(0, PART_MAX)]
  return `engram ${safe.slice(0, PART_MAX)} ${short} ${root.slice(0, ROOT_DIGITS)}`
}

/** The principal in whose name a package is grafted. */
export function principalOf(name: string, version: string, root: string): string {
  return `root/${principalName(name, version, root)}`
}

/** The name of a graft's fork. */
export function forkName(root: string, name: string): string {
  return `engram:${root}:${name}`
}

/** Which graft a fork is of, by its name; undefined where it is of none. */
export function graftOf(fork: string): { readonly root: string; readonly name: string } | undefined {
  const found = FORK.exec(fork)
  return found ? { root: found[1]!, name: found[2]! } : undefined
}

/** The key of the node that says in a fork what was grafted. */
export function recordKey(root: string): string {
  return `engram:${root}`
}
