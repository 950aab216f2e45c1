// What a package says of itself: JSON in its one canonical form.
import { badArgument } from '../errors.ts'
import { compareUtf8 } from '../values/encode.ts'
import { checkName } from '../values/keys.ts'
import { isWellFormed, malformed as malformedText } from '../values/writer.ts'
import { ROWS_MAX, SAYING } from '../recall/tables.ts'
import { formatOf } from './layout.ts'
import { DESCRIPTION_BYTES_MAX, PARENTS_MAX, RECALLS_MAX, checkLimit } from './limits.ts'
import { malformed } from './refusals.ts'
import { compareRecalls } from './recalls/asked.ts'
import type { ConflictPolicy, Description, Manifest, PackedRecall } from './types.ts'

/** The one function of the lookup that there is. */
export const HASH = 'xxh3-128'

const NAME = /^[\w./-]{1,128}$/
/** As semver.org has it: numbers have no zeros in front, also those of a prerelease. */
const VERSION =
  /^(?:0|[1-9]\d{0,15})\.(?:0|[1-9]\d{0,15})\.(?:0|[1-9]\d{0,15})(?:-(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*))*)?(?:\+[\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*)?$/
/** Characters of a version: those that are compared when it is grafted. */
const VERSION_MAX = 128
/** Bytes of an SPDX expression. */
const TEXT_MAX = 256
const ROOT = /^[\da-f]{64}$/
const POLICIES: readonly ConflictPolicy[] = [
  'keep-host',
  'take-package',
  'newest-valid',
  'keep-both',
  'reject',
]

/** A description, checked, with nothing in it that says nothing. */
export function descriptionOf(said: Description): Description & { readonly parents: readonly string[] } {
  const { name, version, description, licence, parents = [], policies } = said
  const wrong = wrongIn(said)
  if (wrong !== undefined) throw badArgument(wrong)
  for (const text of [description, licence]) {
    if (text !== undefined && !isWellFormed(text)) throw malformedText(text)
  }
  return {
    name,
    version,
    ...(description !== undefined && { description }),
    ...(licence !== undefined && { licence }),
    parents: [...new Set(parents)].toSorted(),
    ...(policies !== undefined && { policies: { ...policies } }),
  }
}

/** What is wrong in a description, if anything is. */
function wrongIn({
  name,
  version,
  description,
  licence,
  parents,
  policies,
}: Description): string | undefined {
  if (typeof name !== 'string' || !NAME.test(name)) {
    return 'a package’s name is of letters, digits, ".", "_", "-" and "/", at most 128 of them'
  }
  if (typeof version !== 'string' || version.length > VERSION_MAX || !VERSION.test(version)) {
    return `a package’s version is a semantic one of at most ${VERSION_MAX} characters, as 1.4.0`
  }
  if (description !== undefined && !isText(description, DESCRIPTION_BYTES_MAX)) {
    return `a description is a text of at most ${DESCRIPTION_BYTES_MAX} bytes`
  }
  if (licence !== undefined && !isText(licence, TEXT_MAX)) return 'a licence is an SPDX expression'
  if (parents !== undefined && !isParents(parents)) {
    return `parents are the roots of at most ${PARENTS_MAX} packages, in hex`
  }
  if (policies !== undefined && !isPolicies(policies)) {
    return `policies are by property, each one of ${POLICIES.join(', ')}`
  }
  return undefined
}

function isText(text: unknown, most: number): boolean {
  return typeof text === 'string' && Buffer.byteLength(text) <= most
}

function isParents(parents: readonly string[]): boolean {
  return (
    Array.isArray(parents) &&
    parents.length <= PARENTS_MAX &&
    parents.every((parent) => typeof parent === 'string' && ROOT.test(parent))
  )
}

function isPolicies(policies: unknown): boolean {
  return (
    isRecord(policies) &&
    Object.entries(policies).every(([, policy]) => POLICIES.includes(policy as ConflictPolicy)) &&
    namesAreGood(policies)
  )
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function namesAreGood(record: object): boolean {
  try {
    Object.keys(record).forEach((name) => {
      checkName(name)
      if (!isWellFormed(name)) throw malformedText(name)
    })
    return true
  } catch {
    return false
  }
}

/** Writes a manifest. */
export function encodeManifest(manifest: Manifest): Buffer {
  return Buffer.from(canonical(manifest))
}

/** JSON with the keys of every object in the order of their UTF-8, and no blanks. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isRecord(value)) return JSON.stringify(value)
  const entries = Object.entries(value).filter(([, held]) => held !== undefined)
  entries.sort(([a], [b]) => compareUtf8(a, b))
  return `{${entries.map(([key, held]) => `${JSON.stringify(key)}:${canonical(held)}`).join(',')}}`
}

const FIELDS = [
  'counts',
  'description',
  'format',
  'hash',
  'history',
  'licence',
  'name',
  'parents',
  'policies',
  'recall',
  'schema',
  'version',
]

/** Reads a manifest. Throws when it is none, or not in its one form. */
export function decodeManifest(bytes: Buffer): Manifest {
  const said = parsed(bytes)
  if (!isRecord(said) || Object.keys(said).some((name) => !FIELDS.includes(name))) {
    throw malformed('its manifest has other fields')
  }
  const manifest = said as unknown as Manifest
  const wrong = wrongIn(manifest)
  if (wrong !== undefined) throw malformed(`its manifest is refused: ${wrong}`)
  const { format, hash, history, recall, parents, counts, schema } = manifest
  const changes = history === undefined ? [] : ['changes']
  const isWhole =
    format === formatOf(history !== undefined, recall !== undefined) &&
    hash === HASH &&
    (history === undefined || history === 'kept') &&
    (recall === undefined || isRecall(recall)) &&
    parents !== undefined &&
    isCounts(counts, [...changes, 'edges', 'facts', 'nodes', 'sources']) &&
    isRecord(schema) &&
    Object.keys(schema).join() === [...changes, 'labels', 'properties', 'types'].join() &&
    Object.values(schema).every((counts) => isCounts(counts) && namesAreGood(counts))
  if (!isWhole) throw malformed('its manifest lacks something')
  // Of one thing that may be said in several ways only one is taken: what is signed is what is meant.
  const again = encodeManifest({ ...manifest, parents: [...new Set(parents)].toSorted() })
  if (!again.equals(bytes)) throw malformed('its manifest is not in canonical form')
  return manifest
}

/** Whether these are recalls, each once and in order, and versions; which ones there are, newer Karyons say. */
function isRecall(recall: unknown): boolean {
  if (!isRecord(recall) || Object.keys(recall).join() !== 'grams,normaliser,tables') return false
  const { grams, normaliser, tables } = recall
  return (
    [grams, normaliser].every((version) => Number.isSafeInteger(version) && (version as number) > 0) &&
    Array.isArray(tables) &&
    tables.length > 0 &&
    tables.length <= RECALLS_MAX &&
    tables.every(isTable) &&
    tables.every((table, at) => at === 0 || compareRecalls(tables[at - 1] as PackedRecall, table) < 0)
  )
}

const TABLE_FIELDS: readonly string[] = ['label', 'text', 'texts', ...SAYING]

function isTable(table: unknown): table is PackedRecall {
  if (!isRecord(table) || Object.keys(table).some((name) => !TABLE_FIELDS.includes(name))) return false
  const { texts, label, text, ...saying } = table
  return (
    Number.isSafeInteger(texts) &&
    (texts as number) >= 0 &&
    (texts as number) <= ROWS_MAX &&
    [label, text, ...Object.values(saying)].every(
      (name) => typeof name === 'string' && namesAreGood({ [name]: 0 }),
    )
  )
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw malformed('its manifest is no JSON')
  }
}

/** Whether these are counts, under these names or any. */
function isCounts(counts: unknown, names?: readonly string[]): boolean {
  return (
    isRecord(counts) &&
    (names === undefined || Object.keys(counts).join() === names.join()) &&
    Object.values(counts).every((count) => Number.isSafeInteger(count) && (count as number) >= 0)
  )
}

/** The size of a manifest, or the error when it is beyond the limit. */
export function checkManifest(bytes: number, most: number): void {
  checkLimit('the size of the manifest in bytes', bytes, most)
}
