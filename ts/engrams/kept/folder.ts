// A folder of kept packages: what its files are called, who may write, and what is left over.
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { KaryonError, badArgument } from '../../errors.ts'
import { KeptList, type PackName } from './list.ts'
import { syncDirectory } from '../output.ts'
import { withFile } from '../refusals.ts'

const ROOT = /^[\da-f]{64}$/
const LIST = /^([\da-f]{64})\.list$/
const PACK = /^[\da-f]{64}(?:-[1-9]\d{0,9})?\.pack$/
const TEMPORARY = /^[\da-f]{64}(?:-[1-9]\d{0,9})?\.(?:list|pack)\.[\da-f-]{36}\.tmp$/
/** What stands in a lock: a process, and when it was started. */
const LOCK = /^(\d{1,10}) (\d{1,16})\n$/
/** How far two readings of when a process was started may be apart, in milliseconds. */
const STARTED_APART_MS = 2_000

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

/** Who of this isolate writes last, by folder. */
const queues = new Map<string, Promise<unknown>>()

/** Does something in a folder while nobody else writes in it: in turn in this isolate, with a lock among processes and workers. */
export function alone<T>(folder: string, act: () => Promise<T> | T): Promise<T> {
  const key = withFile(folder, () => realpathSync(folder))
  const turn = locked(folder, act, queues.get(key))
  queues.set(key, turn)
  void forget(key, turn)
  return turn
}

async function locked<T>(
  folder: string,
  act: () => Promise<T> | T,
  before: Promise<unknown> | undefined,
): Promise<T> {
  await settled(before)
  const path = join(folder, 'lock')
  withFile(path, () => lock(path))
  try {
    return await act()
  } finally {
    rmSync(path, { force: true })
  }
}

/** What fails is told to who has asked for it. */
async function settled(turn: Promise<unknown> | undefined): Promise<void> {
  await Promise.allSettled([turn])
}

async function forget(key: string, turn: Promise<unknown>): Promise<void> {
  await settled(turn)
  if (queues.get(key) === turn) queues.delete(key)
}

/** When this process was started: with its number it is told from one that had that number before. */
function startedMs(): number {
  return Math.round(Date.now() - process.uptime() * 1_000)
}

/** Takes a lock, or throws `ERR_KARYON_OWNED`. */
function lock(path: string): void {
  if (isTaken(path)) return
  const holder = readHolder(path)
  if (holder === undefined || isAlive(holder)) throw owned(path, holder)
  // Somebody else may have put his own in its place meanwhile: what is taken away is looked at again.
  const away = `${path}.${randomUUID()}.tmp`
  renameSync(path, away)
  const taken = readHolder(away)
  if (taken !== holder) {
    renameSync(away, path)
    throw owned(path, taken)
  }
  rmSync(away)
  if (!isTaken(path)) throw owned(path, readHolder(path))
}

/** Whether there was no lock, and now is ours. */
function isTaken(path: string): boolean {
  let file: number
  try {
    file = openSync(path, 'wx')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
  try {
    writeSync(file, `${process.pid} ${startedMs()}\n`)
    return true
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}

/** What stands in a lock; nothing where it is gone meanwhile, or not written yet. */
function readHolder(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'latin1')
    return LOCK.test(text) ? text : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function isAlive(holder: string): boolean {
  const [, pid = '', started = ''] = LOCK.exec(holder)!
  if (Number(pid) === process.pid) return Math.abs(Number(started) - startedMs()) < STARTED_APART_MS
  try {
    process.kill(Number(pid), 0)
    return true
  } catch (error) {
    // It is there, but somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function owned(path: string, holder: string | undefined): KaryonError {
  const pid = holder === undefined ? undefined : Number(LOCK.exec(holder)![1])
  const message = `${pid === undefined ? 'somebody' : `process ${pid}`} is writing in the folder of ${path}; try again later, and remove that file if nobody is`
  return new KaryonError('ERR_KARYON_OWNED', message, {
    details: { path, ...(pid !== undefined && { pid }) },
  })
}
