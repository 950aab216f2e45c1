// What is known of a package without reading what it knows: its head, manifest and signatures, all of them checked.
import { badArgument } from '../errors.ts'
import { checkedOptions } from '../graph/arguments.ts'
import { checkedPath } from './arguments.ts'
import { Blocks } from './blocks.ts'
import { Cursor } from './cursor.ts'
import { type Sections, decodeSections, tableEnd } from './layout.ts'
import { checkLimit, limitsOf } from './limits.ts'
import { checkManifest, decodeManifest } from './manifest.ts'
import { malformed } from './refusals.ts'
import { COUNT_BYTES, namesOf, readSignatures, signatureBytes } from './signatures.ts'
import type { EngramOptions, Inspected, Signature } from './types.ts'

const CACHE_BYTES: number = 64 * 1024 * 1024

/** A package whose head and manifest are checked, and its file, which is still open. */
export interface Looked {
  readonly blocks: Blocks
  readonly sections: Sections
  readonly inspected: Inspected
}

/**
 * Opens a package far enough to say what it is; with `verify: 'full'` all of it is verified. `admit` may refuse who has signed it, before anything
 * is read that they would vouch for.
 */
export function lookAt(
  path: string,
  options: EngramOptions,
  admit: (signatures: readonly Signature[]) => void = () => {},
): Looked {
  const {
    verify = 'root',
    keys = {},
    limits,
    cacheBytes = CACHE_BYTES,
  } = checkedOptions(options, 'verify', 'keys', 'limits', 'cacheBytes')
  if (verify !== 'root' && verify !== 'full') throw badArgument("verify is 'root' or 'full'")
  if (!Number.isSafeInteger(cacheBytes) || cacheBytes < 0) throw badArgument('cacheBytes is a count of bytes')
  const [most, names] = [limitsOf(limits), namesOf(keys)]
  const blocks = new Blocks(checkedPath(path), cacheBytes, most.bytes)
  try {
    const signatures = signaturesOf(blocks, names)
    admit(signatures)
    const end = tableEnd(blocks.frame.format)
    const head = new Cursor(blocks, 0, end)
    head.need(end)
    const sections = decodeSections(head.bytes.subarray(head.at, head.at + end), blocks.frame)
    const manifest = manifestOf(blocks, sections, most)
    if (verify === 'full') {
      blocks.verifyAll()
      checkGaps(blocks, sections)
    }
    const root = blocks.root.toString('hex')
    return { blocks, sections, inspected: { manifest, root, bytes: blocks.fileBytes, signatures } }
  } catch (error) {
    blocks.close()
    throw error
  }
}

/** What stands behind the tree, up to the end of the file. */
function signaturesOf(blocks: Blocks, names: ReadonlyMap<string, string>): Signature[] {
  const { treeEnd, fileBytes } = blocks
  if (fileBytes - treeEnd < COUNT_BYTES) throw malformed('it is cut short')
  const bytes = signatureBytes(blocks.unverified(treeEnd, COUNT_BYTES).readUInt32LE(0))
  if (fileBytes - treeEnd !== bytes) throw malformed('its signatures do not end where the file does')
  return readSignatures(blocks.unverified(treeEnd, bytes), blocks.root, names)
}

function manifestOf(
  blocks: Blocks,
  sections: Sections,
  most: ReturnType<typeof limitsOf>,
): Inspected['manifest'] {
  const { offset, bytes, entries } = sections.manifest
  checkManifest(bytes, most.manifestBytes)
  const cursor = new Cursor(blocks, offset, offset + bytes)
  cursor.need(bytes)
  const manifest = decodeManifest(cursor.bytes.subarray(cursor.at, cursor.at + bytes))
  const { nodes, edges, changes = 0 } = manifest.counts
  checkLimit('the number of nodes', nodes, most.nodes)
  checkLimit('the number of edges', edges, most.edges)
  checkLimit('the number of changes', changes, most.changes)
  if (entries !== 1 || manifest.format !== blocks.frame.format || !isCounted(manifest, sections)) {
    throw malformed('its manifest counts other things than its sections')
  }
  return manifest
}

/** Whether a manifest counts what there is, and its counts are sums of each other. */
function isCounted({ counts, schema, history, recall }: Inspected['manifest'], sections: Sections): boolean {
  const { nodes, edges, facts, sources, changes = 0 } = counts
  const [labels, types, properties, named] = [
    schema.labels,
    schema.types,
    schema.properties,
    schema.changes ?? {},
  ].map((named) => Object.values(named).reduce((sum, count) => sum + count, 0)) as [
    number,
    number,
    number,
    number,
  ]
  const pasts = sections.history?.entries ?? 0
  const names = new Set(Object.values(schema).flatMap((named) => Object.keys(named)))
  return (
    nodes === sections.nodes.entries &&
    edges === types &&
    facts === nodes + edges + labels + properties &&
    sources === sections.sources.entries &&
    sections.names.entries === names.size &&
    sections.links.entries <= nodes &&
    sections.labels.entries === Object.keys(schema.labels).length &&
    named <= changes &&
    pasts <= nodes + edges &&
    (history !== undefined || !sections.history?.bytes) &&
    (sections.recall?.entries ?? 0) === (recall?.tables.length ?? 0) &&
    (recall?.tables ?? []).every(({ label, texts }) => texts <= countOf(schema.labels, label)) &&
    (pasts > 0 || changes === 0)
  )
}

function countOf(counts: Readonly<Record<string, number>>, name: string): number {
  return Object.hasOwn(counts, name) ? counts[name]! : 0
}

/** Refuses anything but zeros between sections. */
export function checkGaps(blocks: Blocks, sections: Sections): void {
  const all = Object.values(sections)
  const starts = [...all.slice(1).map(({ offset }) => offset), blocks.frame.bytes]
  const ends = all.map(({ offset, bytes }) => offset + bytes)
  const gaps = [[tableEnd(blocks.frame.format), all[0]!.offset], ...ends.map((end, at) => [end, starts[at]!])]
  for (const [from = 0, to = 0] of gaps) {
    const cursor = new Cursor(blocks, from, to)
    while (cursor.left > 0) if (cursor.byte() !== 0) throw malformed('something stands between its sections')
  }
}
