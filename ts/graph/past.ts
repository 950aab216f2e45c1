// Questions about the past.
import { KaryonError } from '../errors.ts'
import { answer } from '../exchange.ts'
import type { Moment } from '../time.ts'
import type { ByteReader } from '../values/decode.ts'
import { checkName } from '../values/keys.ts'
import { type PlainEdge, plainTarget } from './arguments.ts'
import { Ask, aboutTarget, optional } from './ask.ts'
import { readEdge, readNode } from './reader.ts'
import { blamed, change, digest, merged, provenance, reverted } from './reports.ts'
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
} from './types.ts'

/** The digest as of a version, in hex. */
export function digestAt(session: NativeSession, source: number): string {
  return digest(session.ask(Ask.digest, session.fixed(source)))
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

/** Who made a property or the existence what it is. */
export function blame(session: NativeSession, { target, property }: Question): Blame | undefined {
  const { visible } = session.connection
  const length = session.askFor(Ask.blame, ...aboutTarget(target), ...optional(property), visible)
  return length === 0 ? undefined : blamed(session, answer(length))
}

/** The commit that made something what it is, then those that wrote what it had read, and so on, the newest first. */
export function* why(session: NativeSession, about: Question): IterableIterator<Provenance> {
  const start = blame(session, about)
  const due = new Set<bigint>(start ? [start.version] : [])
  while (due.size > 0) {
    const version = [...due].reduce((a, b) => (a > b ? a : b))
    due.delete(version)
    session.connection.checkOpen()
    const commit = provenance(session, session.ask(Ask.commit, Number(version)))
    for (const parent of commit.parents) due.add(parent)
    yield commit
  }
}

/** A target's changes, newest first, page by page. */
export function* history(
  session: NativeSession,
  { target, property }: Question,
  after: number,
  until: number,
): IterableIterator<Change> {
  const about = [...aboutTarget(target), ...optional(property)]
  let last: number | undefined = until
  while (last !== undefined) {
    session.connection.checkOpen()
    const bytes = session.ask(Ask.history, ...about, last, after)
    const page = bytes.several(() => change(session, bytes))
    last = bytes.flag() ? bytes.varint() - 1 : undefined
    yield* page
  }
}

/** What differs between two versions, page by page. */
export function* diff(session: NativeSession, from: number, to: number): IterableIterator<Difference> {
  let [start, through] = [0, 0]
  do {
    session.connection.checkOpen()
    const bytes = session.ask(Ask.diff, from, to, start, through)
    const page = bytes.several(() => readDifference(session, bytes))
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
  const report = await session.askInBackground(
    (bytes) => reverted(session, bytes),
    Ask.revert,
    principal,
    since,
    Number(dryRun),
  )
  if (report.version !== undefined) await session.connection.durableAt(Number(report.version))
  return report
}

/** Merges the fork that a session reads, into what it stands on where `into` is empty: 0, preferring nobody; 1, that; 2, the fork. */
export async function merge(session: NativeSession, into: string, prefer: number): Promise<MergeReport> {
  const report = await session.askInBackground((bytes) => merged(session, bytes), Ask.merge, prefer, into)
  if (report.version !== undefined) await session.connection.durableAt(Number(report.version))
  return report
}

/** Refuses a span whose end lies before its beginning. */
export function checkSpan(from: number, to: number, names: readonly [Moment, Moment]): void {
  if (from <= to) return
  const message = `the span ends (version ${to}) before it begins (version ${from}); swap the two moments`
  throw new KaryonError('ERR_KARYON_TIME', message, { details: { from: names[0], to: names[1] } })
}
