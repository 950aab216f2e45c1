// Questions about the past.
import { KaryonError, badArgument } from '../errors.ts'
import { answer, putWritten } from '../exchange.ts'
import { native } from '../native.ts'
import { Instant, type Moment } from '../time.ts'
import type { ByteReader } from '../values/decode.ts'
import { NEWEST, putOptional, putTarget, question, readEdge, readNode } from './reader.ts'
import type { NativeSession } from './session.ts'
import type { Blame, Change, Difference, Edge, Node, RevertReport, Target, VerifyReport } from './types.ts'

/** The digest as of a version, in hex. */
export function digestAt(session: NativeSession, source: number): string {
  const length = session.checked(native.readDigest(session.handle, source))
  return Buffer.from(answer(length).copy(length)).toString('hex')
}

function ask(target: Target, property: string | undefined): number {
  const asked = question()
  putTarget(asked, target)
  putOptional(asked, property)
  return putWritten(asked)
}

/** The commit's time is an `Instant`, also when its microseconds happen to be whole milliseconds. */
function withInstant<T extends { readonly time: Date }>(found: T): T & { readonly time: Instant } {
  const { time } = found
  if (time instanceof Instant) return { ...found, time }
  return { ...found, time: Instant.fromMicros(BigInt(time.getTime()) * 1000n) }
}

/** Who made a property or the existence what it is. */
export function blame(
  session: NativeSession,
  target: Target,
  property: string | undefined,
): Blame | undefined {
  const length = session.checked(native.readBlame(session.handle, NEWEST, ask(target, property)))
  const found = answer(length).value() as unknown as Blame | null
  return found === null ? undefined : withInstant(found)
}

/** A target's changes, newest first, page by page. */
export function* history(
  session: NativeSession,
  target: Target,
  property: string | undefined,
  after: number,
  until: number,
): IterableIterator<Change> {
  let last: number | undefined = until
  while (last !== undefined) {
    session.connection.checkOpen()
    const asked = ask(target, property)
    const length = session.checked(native.readHistory(session.handle, after, last, asked))
    const page = answer(length).value() as unknown as { changes: Change[]; next?: bigint }
    last = page.next === undefined ? undefined : Number(page.next) - 1
    for (const change of page.changes) yield withInstant(change)
  }
}

/** What differs between two versions, page by page. */
export function* diff(session: NativeSession, from: number, to: number): IterableIterator<Difference> {
  let start = 0
  do {
    session.connection.checkOpen()
    const bytes = answer(session.checked(native.pageDiff(session.handle, from, to, start)))
    const page: Difference[] = []
    while (bytes.byte() === 1) page.push(readDifference(session, bytes))
    start = bytes.varint()
    yield* page
  } while (start > 0)
}

function readDifference(session: NativeSession, bytes: ByteReader): Difference {
  const isNode = bytes.byte() === 'N'.charCodeAt(0)
  return isNode
    ? difference(readSide(bytes, session, readNode), readSide(bytes, session, readNode), (node) => node.key)
    : difference(readSide(bytes, session, readEdge), readSide(bytes, session, readEdge), identityOf)
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

function difference<T extends Node | Edge, I>(
  before: T | undefined,
  after: T | undefined,
  identity: (side: T) => I,
): Difference {
  const kind = before ? (after ? 'changed' : 'removed') : 'created'
  const target = identity((after ?? before) as T)
  const sides = { ...(before && { before }), ...(after && { after }) }
  return { target, kind, ...sides } as unknown as Difference
}

/** Takes back what a principal wrote. */
export async function revert(
  session: NativeSession,
  principal: string,
  since: number,
  dryRun: boolean,
): Promise<RevertReport> {
  if (typeof principal !== 'string') throw badArgument('principal is the path of a cell, such as root/alice')
  const asked = question()
  asked.text(principal)
  const task = native.revertPrincipal(session.handle, since, dryRun, putWritten(asked))
  const length = await session.background(task)
  const report = answer(length).value() as unknown as RevertReport
  if (report.version !== undefined) await session.connection.visibleAt(Number(report.version))
  return report
}

/** Reads everything on disk again and compares it with memory. */
export async function verify(session: NativeSession): Promise<VerifyReport> {
  const length = await session.background(native.verifyStore(session.connection.handle))
  return answer(length).value() as unknown as VerifyReport
}

/** Refuses a span whose end lies before its beginning. */
export function checkSpan(from: number, to: number, names: readonly [Moment, Moment]): void {
  if (from <= to) return
  const message = `the span ends (version ${to}) before it begins (version ${from}); swap the two moments`
  throw new KaryonError('ERR_KARYON_TIME', message, { details: { from: names[0], to: names[1] } })
}
