// Questions about the past.
import { KaryonError } from '../errors.ts'
import { answer, putWritten } from '../exchange.ts'
import { native } from '../native.ts'
import { Instant, type Moment } from '../time.ts'
import type { ByteReader } from '../values/decode.ts'
import { checkName } from '../values/keys.ts'
import { type PlainEdge, plainTarget } from './arguments.ts'
import { NEWEST, putTarget, question, readEdge, readNode } from './reader.ts'
import type { NativeSession } from './session.ts'
import type {
  Blame,
  Change,
  Difference,
  Edge,
  MergeReport,
  Node,
  Provenance,
  RevertReport,
  Target,
  VerifyReport,
} from './types.ts'

/** The digest as of a version, in hex. */
export function digestAt(session: NativeSession, source: number): string {
  const length = session.checked(native.readDigest(session.handle, source))
  return Buffer.from(answer(length).copy(length)).toString('hex')
}

/** What is asked about: a target, and one of its properties or all of it. */
export interface Question {
  readonly target: string | PlainEdge
  readonly property: string | undefined
}

/** Reads and checks what is asked about. */
export function questionOf(target: Target, property: string | undefined): Question {
  if (property !== undefined) checkName(property)
  return { target: plainTarget(target), property }
}

function ask({ target, property }: Question): number {
  const asked = question()
  putTarget(asked, target)
  asked.optionalText(property)
  return putWritten(asked)
}

/** The commit's time is an `Instant`, also when its microseconds happen to be whole milliseconds. */
export function withInstant<T extends { readonly time: Date }>(found: T): T & { readonly time: Instant } {
  const { time } = found
  if (time instanceof Instant) return { ...found, time }
  return { ...found, time: Instant.fromMicros(BigInt(time.getTime()) * 1000n) }
}

/** Who made a property or the existence what it is. */
export function blame(session: NativeSession, about: Question): Blame | undefined {
  const length = session.checked(native.readBlame(session.handle, NEWEST, ask(about)))
  const found = answer(length).value() as unknown as Blame | null
  return found === null ? undefined : withInstant(found)
}

/** The commit that made something what it is, then those that wrote what it had read, and so on, the newest first. */
export function* why(session: NativeSession, about: Question): IterableIterator<Provenance> {
  const start = blame(session, about)
  const due = new Set<bigint>(start ? [start.version] : [])
  while (due.size > 0) {
    const version = [...due].reduce((a, b) => (a > b ? a : b))
    due.delete(version)
    session.connection.checkOpen()
    const length = session.checked(native.readCommit(session.handle, Number(version)))
    const commit = withInstant(answer(length).value() as unknown as Provenance)
    for (const parent of commit.parents) due.add(parent)
    yield commit
  }
}

/** A target's changes, newest first, page by page. */
export function* history(
  session: NativeSession,
  about: Question,
  after: number,
  until: number,
): IterableIterator<Change> {
  let last: number | undefined = until
  while (last !== undefined) {
    session.connection.checkOpen()
    const length = session.checked(native.readHistory(session.handle, after, last, ask(about)))
    const page = answer(length).value() as unknown as { changes: Change[]; next?: bigint }
    last = page.next === undefined ? undefined : Number(page.next) - 1
    for (const change of page.changes) yield withInstant(change)
  }
}

/** What differs between two versions, page by page. */
export function* diff(session: NativeSession, from: number, to: number): IterableIterator<Difference> {
  let [start, through] = [0, 0]
  do {
    session.connection.checkOpen()
    const bytes = answer(session.checked(native.pageDiff(session.handle, from, to, start, through)))
    const page: Difference[] = []
    while (bytes.byte() === 1) page.push(readDifference(session, bytes))
    start = bytes.varint()
    through = bytes.varint()
    yield* page
  } while (start > 0)
}

function readDifference(session: NativeSession, bytes: ByteReader): Difference {
  const isNode = bytes.byte() === 'N'.charCodeAt(0)
  const read: (session: NativeSession, bytes: ByteReader) => Node | Edge = isNode ? readNode : readEdge
  const before = readSide(bytes, session, read)
  const after = readSide(bytes, session, read)
  const side = (after ?? before) as Node | Edge
  return {
    entity: isNode ? 'node' : 'edge',
    target: 'from' in side ? identityOf(side) : side.key,
    kind: before ? (after ? 'changed' : 'removed') : 'created',
    ...(before && { before }),
    ...(after && { after }),
  } as Difference
}

function readSide<T>(
  bytes: ByteReader,
  session: NativeSession,
  read: (session: NativeSession, bytes: ByteReader) => T,
): T | undefined {
  return bytes.byte() === 0 ? undefined : read(session, bytes)
}

function identityOf({ from, type, to, key }: Edge): { from: string; type: string; to: string; key: string } {
  return { from, type, to, key }
}

/** Takes back what a principal wrote. */
export async function revert(
  session: NativeSession,
  principal: string,
  since: number,
  dryRun: boolean,
): Promise<RevertReport> {
  const report = await session.background(
    () => {
      const asked = question()
      asked.text(principal)
      return native.revertPrincipal(session.handle, since, dryRun, putWritten(asked))
    },
    (length) => answer(length).value() as unknown as RevertReport,
  )
  if (report.version !== undefined) await session.connection.durableAt(Number(report.version))
  return report
}

/** Merges the fork that a session reads, into what it stands on where `into` is empty: 0, preferring nobody; 1, that; 2, the fork. */
export async function merge(session: NativeSession, into: string, prefer: number): Promise<MergeReport> {
  const report = await session.background(
    () => {
      const asked = question()
      asked.text(into)
      return native.mergeFork(session.handle, prefer, putWritten(asked))
    },
    (length) => answer(length).value() as unknown as MergeReport,
  )
  if (report.version !== undefined) await session.connection.durableAt(Number(report.version))
  return report
}

/** Reads everything on disk again and compares it with memory. */
export function verify(session: NativeSession): Promise<VerifyReport> {
  return session.background(
    () => native.verifyStore(session.handle),
    (length) => answer(length).value() as unknown as VerifyReport,
  )
}

/** Refuses a span whose end lies before its beginning. */
export function checkSpan(from: number, to: number, names: readonly [Moment, Moment]): void {
  if (from <= to) return
  const message = `the span ends (version ${to}) before it begins (version ${from}); swap the two moments`
  throw new KaryonError('ERR_KARYON_TIME', message, { details: { from: names[0], to: names[1] } })
}
