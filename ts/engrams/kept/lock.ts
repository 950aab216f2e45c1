// Who may write in a folder of kept packages: one at a time.
import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KaryonError } from '../../errors.ts'
import { withFile } from '../refusals.ts'

/** What stands in a lock: a process, and when it was started, in ticks since the machine was where it can be asked of others, else in milliseconds. */
const LOCK = /^(\d{1,10}) (\d{1,20})\n$/
const TEMPORARY = /^lock(?:\.over)?\.[\da-f-]{36}\.tmp$/
/** How far two readings of when a process was started may be apart where it is told in milliseconds. */
const STARTED_APART_MS = 2_000
/** How long a lock may have nothing in it, in milliseconds: on a disk without links it is made first and written then. */
const EMPTY_MS = 10_000
/** What a disk says that has no links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

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
    withFile(folder, () => clear(folder))
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

/** Removes what processes have left that ended while they took a lock. */
function clear(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!TEMPORARY.test(name)) continue
    const path = join(folder, name)
    if (isOld(path)) rmSync(path, { force: true })
  }
}

/** Whether a file was written so long ago that nobody is about to write it. */
function isOld(path: string): boolean {
  const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Infinity }
  return mtimeMs <= Date.now() - EMPTY_MS
}

/** When a process was started, as Linux tells it; nothing where it is over, or elsewhere. */
function ticksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // Its name, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[19]
  } catch {
    return undefined
  }
}

/** When this process was started: with its number it is told from one that had that number before. */
function started(): string {
  return ticksOf(process.pid) ?? String(startedMs())
}

function startedMs(): number {
  return Math.round(Date.now() - process.uptime() * 1_000)
}

/** Takes a lock, or throws `ERR_KARYON_OWNED`. */
function lock(path: string): void {
  if (isTaken(path)) return
  const holder = readHolder(path)
  if (holder === undefined || isHeld(path, holder)) throw owned(path, holder)
  // One at a time takes away what a dead one has left: else he could take that of somebody who has come meanwhile.
  const over = `${path}.over`
  if (!isTaken(over)) {
    const other = readHolder(over)
    if (isOld(over)) rmSync(over, { force: true })
    throw owned(path, other)
  }
  try {
    if (readHolder(path) === holder) rmSync(path, { force: true })
    if (!isTaken(path)) throw owned(path, readHolder(path))
  } finally {
    rmSync(over, { force: true })
  }
}

/** Whether there was no lock, and now is ours: it has its name once it is written, so that no crash leaves an empty one. */
function isTaken(path: string): boolean {
  const own = `${process.pid} ${started()}\n`
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    writeFileSync(temporary, own, { flag: 'wx' })
    linkSync(temporary, path)
    return true
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (NO_LINKS.has(code)) return isMade(path, own)
    throw error
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** The same where there are no links. */
function isMade(path: string, own: string): boolean {
  try {
    writeFileSync(path, own, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** What stands in a lock; nothing where it is gone meanwhile. */
function readHolder(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether whoever has a lock may be at work. */
function isHeld(path: string, holder: string): boolean {
  const [, pid, since] = LOCK.exec(holder) ?? []
  if (pid !== undefined) return isAlive(Number(pid), since!)
  return !isOld(path)
}

function isAlive(pid: number, since: string): boolean {
  const ticks = ticksOf(pid)
  if (pid === process.pid) {
    return ticks === undefined ? Math.abs(Number(since) - startedMs()) < STARTED_APART_MS : ticks === since
  }
  try {
    process.kill(pid, 0)
  } catch (error) {
    // Else it is there, but somebody else's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  // Its number may be that of another one by now.
  return ticks === undefined || ticks === since
}

function owned(path: string, holder: string | undefined): KaryonError {
  const found = LOCK.exec(holder ?? '')?.[1]
  const pid = found === undefined ? undefined : Number(found)
  const message = `${pid === undefined ? 'somebody' : `process ${pid}`} is writing in the folder of ${path}; try again later, and remove that file if nobody is`
  return new KaryonError('ERR_KARYON_OWNED', message, {
    details: { path, ...(pid !== undefined && { pid }) },
  })
}
