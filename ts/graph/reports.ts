// Reports of the native side: their fields in the order in which `wire.rs` and `past.rs` in crates/kernel/src tell them.
import type { Recovery } from '../kernel.ts'
import type { ByteReader } from '../values/decode.ts'
import { HOLDS, hasIntervals, readIntervalsOf } from './reader.ts'
import type { NativeSession } from './session.ts'
import type {
  Archived,
  Blame,
  Change,
  Commit,
  FeedChange,
  ForkInfo,
  GraphStats,
  IndexRules,
  MergeReport,
  Provenance,
  RevertReport,
  Salvaged,
  Target,
  VerifyReport,
} from './types.ts'

type Names = Pick<NativeSession, 'name'>

/** What opening found. */
export function recovery(bytes: ByteReader): Omit<Recovery, 'version'> {
  const found = {
    created: bytes.flag(),
    checkpoint: bytes.version(),
    replayed: bytes.varint(),
    sealed: bytes.flag(),
  }
  if (!bytes.flag()) return found
  const cut = { segment: bytes.varint(), offset: bytes.varint(), bytes: bytes.varint(), file: bytes.text() }
  return { ...found, cut }
}

/** Counts and sizes. */
export function stats(bytes: ByteReader): GraphStats {
  return {
    head: bytes.version(),
    durable: bytes.version(),
    nodes: bytes.varint(),
    edges: bytes.varint(),
    memoryBytes: bytes.varint(),
    waiting: bytes.varint(),
    frames: bytes.varint(),
    tailBytes: bytes.varint(),
    since: bytes.version(),
    archived: bytes.version(),
  }
}

/** A digest, in hex. */
export function digest(bytes: ByteReader): string {
  return Buffer.from(bytes.copy(32)).toString('hex')
}

/** What was verified. */
export function verified(bytes: ByteReader): VerifyReport {
  return {
    version: bytes.version(),
    frames: bytes.varint(),
    nodes: bytes.varint(),
    edges: bytes.varint(),
    chapters: bytes.varint(),
    digest: digest(bytes),
  }
}

function commit(bytes: ByteReader): Commit {
  return { version: bytes.version(), time: bytes.instant() }
}

/** What an archive keeps, and what it has freed. */
export function archived(bytes: ByteReader): Archived {
  return {
    ...commit(bytes),
    since: bytes.version(),
    kept: bytes.varint(),
    bytesBefore: bytes.varint(),
    bytesAfter: bytes.varint(),
  }
}

/** What a copy holds, and of a salvaged one what it does not. */
export function copied(bytes: ByteReader): Salvaged {
  const copy = { ...commit(bytes), bytes: bytes.varint() }
  const damage = bytes.flag() && { damage: bytes.text() }
  const lost = bytes.flag() && { lost: Array.from({ length: bytes.varint() }, () => lostPart(bytes)) }
  const checkpoint = bytes.flag() && { checkpoint: bytes.version() }
  return { ...copy, ...damage, ...lost, ...checkpoint } as Salvaged
}

function lostPart(bytes: ByteReader): Salvaged['lost'][number] {
  const part = { segment: bytes.varint(), offset: bytes.varint(), bytes: bytes.varint() }
  if (!bytes.flag()) return { ...part, reason: bytes.text() }
  const [first, last] = [commit(bytes), commit(bytes)]
  const times = [first.time, last.time] as const
  return { ...part, versions: [first.version, last.version], times, reason: bytes.text() }
}

/** Who made a commit. */
export function blamed(names: Names, bytes: ByteReader): Blame {
  const made = { ...commit(bytes), principal: names.name(bytes), incarnation: bytes.varint() }
  return bytes.flag() ? { ...made, cause: bytes.version() } : made
}

/** Who made a commit, and what it had read. */
export function provenance(names: Names, bytes: ByteReader): Provenance {
  return { ...blamed(names, bytes), parents: versions(bytes), coarse: bytes.flag() }
}

function versions(bytes: ByteReader): bigint[] {
  return Array.from({ length: bytes.varint() }, () => bytes.version())
}

const KINDS = [
  ['removed', 'created'],
  ['unlabelled', 'labelled'],
  ['unset', 'set'],
] as const

/** What a change of a slot is told with. */
const FIELDS = [
  ['before', 'intervalsBefore'],
  ['after', 'intervalsAfter'],
] as const

/** One change. */
export function change(names: Names, bytes: ByteReader): Change {
  const made = blamed(names, bytes)
  return { ...made, ...slotChange(names, bytes) }
}

/** One change, with what it is of and its place in its commit. */
export function feedChange(names: Names, bytes: ByteReader): FeedChange {
  const made = blamed(names, bytes)
  return { ...made, target: target(bytes), place: bytes.varint(), ...slotChange(names, bytes) }
}

function slotChange(names: Names, bytes: ByteReader): Pick<Change, 'kind'> {
  const [slot, name] = readSlot(names, bytes)
  const told: Record<string, unknown> = {}
  let held = 0
  for (const [value, intervals] of FIELDS) {
    held = bytes.byte()
    if (slot < 2 || held === 0) continue
    if (hasIntervals(bytes)) told[intervals] = readIntervalsOf(bytes)
    else told[value] = bytes.value()
  }
  // Without a property it is told when an edge holds.
  const where = slot === 1 ? { label: name } : slot === 2 && name !== HOLDS && { property: name }
  return { kind: (KINDS[slot] as (typeof KINDS)[number])[held > 0 ? 1 : 0], ...where, ...told }
}

function readSlot(names: Names, bytes: ByteReader): [slot: number, name: string] {
  const slot = bytes.byte()
  return [slot, slot === 0 ? '' : names.name(bytes)]
}

function target(bytes: ByteReader): Target {
  if (!bytes.flag()) return bytes.text()
  return { from: bytes.text(), type: bytes.text(), to: bytes.text(), key: bytes.text() }
}

/** What a slot is called. */
function slotName(names: Names, bytes: ByteReader): string {
  const [slot, name] = readSlot(names, bytes)
  if (slot === 0) return 'existence'
  if (slot === 1) return `label:${name}`
  return name === HOLDS ? 'valid' : `property:${name}`
}

function places(names: Names, bytes: ByteReader): RevertReport['kept'] {
  return Array.from({ length: bytes.varint() }, () => ({
    target: target(bytes),
    slot: slotName(names, bytes),
    reason: bytes.text(),
  }))
}

/** What a revert did, or would do. */
export function reverted(names: Names, bytes: ByteReader): RevertReport {
  const done = { restored: bytes.varint(), kept: places(names, bytes) }
  const committed = bytes.flag() && { version: bytes.version() }
  return { ...done, descendants: versions(bytes), ...committed }
}

/** What a merge did, or would do. */
export function merged(names: Names, bytes: ByteReader): MergeReport {
  const done = { applied: bytes.varint(), conflicts: places(names, bytes) }
  return { ...done, ...(bytes.flag() && { version: bytes.version() }) }
}

/** A fork. */
export function forkInfo(names: Names, bytes: ByteReader): ForkInfo {
  return { name: names.name(bytes), from: bytes.version(), created: bytes.version() }
}

/** The rules of a property of a label. */
export function indexRules(names: Names, bytes: ByteReader): IndexRules {
  const [label, property, rules] = [names.name(bytes), names.name(bytes), bytes.byte()]
  return {
    label,
    property,
    indexed: (rules & 1) > 0,
    unique: (rules & 2) > 0,
    required: (rules & 4) > 0,
  }
}
