// A folder of kept packages: what its files are called, and what is left over.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { KaryonError, badArgument } from '../../errors.ts'
import { KeptList, Pack, type PackName } from './list.ts'
import { syncDirectory } from '../output.ts'
import { withFile } from '../refusals.ts'

const ROOT = /^[\da-f]{64}$/
const LIST = /^([\da-f]{64})\.list$/
const PACK = /^[\da-f]{64}(?:-[1-9]\d{0,9})?\.pack$/
const TEMPORARY = /^[\da-f]{64}(?:-[1-9]\d{0,9})?\.(?:list|pack)\.[\da-f-]{36}\.tmp$/
/** Passes a root on. */
export function checkedRoot(root: string): string {
  if (typeof root !== 'string' || !ROOT.test(root)) {
    throw badArgument('a root is the SHA-256 of a package, 64 digits in lower hex')
  }
  return root
}

/** The file of a list. */
export function listPath(folder: string, root: string): string {
  return join(folder, 'packages', `${root}.list`)
}

/** The file of a pack. */
export function packPath(folder: string, { root, number }: PackName): string {
  return join(folder, 'packs', `${root}${number === 0 ? '' : `-${number}`}.pack`)
}

/** What a new pack of a package is called: as no file is, and none that a list names, be it there or lost. */
export function freeName(folder: string, root: string, named: readonly PackName[]): PackName {
  const taken = new Set(named.map((name) => packPath(folder, name)))
  let number = 0
  for (;;) {
    const path = packPath(folder, { root, number })
    if (!taken.has(path) && !existsSync(path)) return { root, number }
    number++
  }
}

/** Bytes of a pack; none of one that is lost, or another one. */
export function bytesOf(path: string, name: PackName): number {
  try {
    using pack = new Pack(path, name)
    return pack.bytes
  } catch (error) {
    if (error instanceof KaryonError) return 0
    throw error
  }
}

/** The roots of the packages that are kept, ascending. None where there is no such folder. */
export function rootsIn(folder: string): string[] {
  return namesIn(join(folder, 'packages')).flatMap((name) => LIST.exec(name)?.[1] ?? [])
}

function namesIn(directory: string): string[] {
  try {
    return withFile(directory, () => readdirSync(directory)).toSorted()
  } catch (error) {
    if (error instanceof KaryonError && error.details['system'] === 'ENOENT') return []
    throw error
  }
}

/** Makes a folder for packages, if it is none: it is there after a crash, too. */
export function makeFolder(folder: string): void {
  withFile(folder, () => {
    makeDirectory(resolve(folder))
    for (const name of ['packages', 'packs']) mkdirSync(join(folder, name), { recursive: true })
    syncDirectory(folder)
  })
}

/** Makes a directory, and those around it that are missing, whose names are durable once what holds them is. */
function makeDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true })
  if (first === undefined) return
  for (let made = path; made.length >= first.length; made = dirname(made)) syncDirectory(dirname(made))
}

/** Removes packs that no list names, and what was not finished. */
export function sweep(folder: string): void {
  const used = new Set<string>()
  for (const root of rootsIn(folder)) {
    using list = new KeptList(listPath(folder, root), root)
    for (const pack of list.head.packs) used.add(packPath(folder, pack))
  }
  for (const place of ['packages', 'packs']) {
    for (const name of namesIn(join(folder, place))) {
      const path = join(folder, place, name)
      const isOver = TEMPORARY.test(name) || (PACK.test(name) && !used.has(path))
      if (isOver) withFile(path, () => rmSync(path, { force: true }))
    }
  }
}
