import test, { type ExecutionContext } from 'ava'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportEngram, inspectEngram, openEngram } from '../../ts/engrams/index.ts'
import { RECORD_MEMORY_MAX } from '../../ts/engrams/limits.ts'
import { Kernel, type Value } from '../../ts/index.ts'
import { Writer } from '../../ts/values/writer.ts'
import { Child } from '../kernel/child.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { bodyOf, seal, sealed, sectionsOf } from './forge.ts'
import { type Anatomy, apart, recount, together } from './fuzz/anatomy.ts'

/** Numbers that count far more than there is. */
const ABSURD = [2 ** 24, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]

function bytesOf(...parts: readonly (number | Buffer | string)[]): Buffer {
  const writer = new Writer()
  for (const part of parts) {
    if (typeof part === 'number') writer.varint(part)
    else if (typeof part === 'string') writer.text(part)
    else writer.append({ bytes: part, length: part.length })
  }
  return Buffer.from(writer.bytes.subarray(0, writer.length))
}

/** A package of two nodes with a property each, and an edge with one, taken apart. */
async function small(t: ExecutionContext): Promise<{ readonly path: string; readonly anatomy: Anatomy }> {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (const key of ['a', 'b']) tx.put(key, { labels: ['L'], props: { p: 1 } })
    tx.link('a', 'T', 'b', { props: { p: 1 } })
  })
  const path = join(freshDirectory(t), 'a.engram')
  await exportEngram(graph, path, { name: 'bomb', version: '1.0.0' })
  return { path, anatomy: apart(bodyOf(path)) }
}

/** What follows the key of a node: without labels, with one property, which is that of the number 1 of the names L, T and p. */
function holding(value: Buffer): Buffer {
  return bytesOf(0, 0, 1, 2, 0, value)
}

/** A package whose first node, or whose edge, holds a value as it is encoded. */
function forge(path: string, anatomy: Anatomy, value: Buffer, where: 'node' | 'edge' = 'node'): void {
  const copy = structuredCopy(anatomy)
  if (where === 'node') copy.nodes[0]!.rest = holding(value)
  else copy.links[0]!.out[0]!.ends[0]!.content = bytesOf(0, 0, 1, 2, 0, value)
  seal(path, together(copy))
}

function structuredCopy(anatomy: Anatomy): Anatomy {
  return {
    ...anatomy,
    nodes: anatomy.nodes.map((node) => ({ ...node })),
    links: anatomy.links.map((links) => ({
      ...links,
      out: links.out.map((group) => ({ ...group, ends: group.ends.map((end) => ({ ...end })) })),
    })),
  }
}

/** Reads both nodes and the edge. */
function readAll(path: string): void {
  using engram = openEngram(path)
  engram.getMany(['a', 'b'])
  for (const _ of engram.edges());
}

test('a value may be nested as deeply as in a graph, and no deeper, however deep it is', async (t) => {
  const { path, anatomy } = await small(t)
  for (const [list, end] of [
    [Buffer.of(9, 1), Buffer.of(0)],
    [Buffer.of(10, 1, 1, 97), Buffer.of(0)],
  ] as const) {
    const nested = (depth: number): Buffer =>
      Buffer.concat([...Array.from({ length: depth }, () => list), end])
    forge(path, anatomy, nested(32))
    t.notThrows(() => readAll(path))
    for (const where of ['node', 'edge'] as const) {
      for (const depth of [33, 1_000, 1_000_000]) {
        forge(path, anatomy, nested(depth), where)
        await refused(t, 'ERR_KARYON_PACKAGE', () => readAll(path), `${depth} deep`)
      }
    }
  }
})

test('what counts more than there are bytes is refused before room is made for it', async (t) => {
  const { path, anatomy } = await small(t)
  const counted: Record<string, (count: number) => Buffer> = {
    text: (count) => bytesOf(6, count, Buffer.from('abc')),
    bytes: (count) => bytesOf(7, count, Buffer.from('abc')),
    list: (count) => bytesOf(9, count, Buffer.alloc(9)),
    map: (count) => bytesOf(10, count, '', Buffer.of(0)),
    floats: (count) => bytesOf(11, count, Buffer.alloc(8)),
    intervals: (count) => bytesOf(Buffer.of(255), count, Buffer.of(1, 2, 0)),
  }
  for (const [what, value] of Object.entries(counted)) {
    for (const count of ABSURD) {
      for (const where of ['node', 'edge'] as const) {
        forge(path, anatomy, value(count), where)
        await refused(t, 'ERR_KARYON_PACKAGE', () => readAll(path), `${count} ${what}`)
      }
    }
  }
  const elsewhere: Record<string, (copy: Anatomy, count: number) => void> = {
    labels: ({ nodes }, count) => (nodes[0]!.rest = bytesOf(0, count, Buffer.alloc(8))),
    properties: ({ nodes }, count) => (nodes[0]!.rest = bytesOf(0, 0, count, Buffer.alloc(8))),
    'times of an edge': ({ links }, count) =>
      (links[0]!.out[0]!.ends[0]!.content = bytesOf(0, count, Buffer.alloc(8))),
    principals: (copy, count) => (copy.sources = bytesOf(count, 'root', Buffer.alloc(12))),
  }
  for (const [what, change] of Object.entries(elsewhere)) {
    for (const count of ABSURD) {
      const copy = structuredCopy(anatomy)
      change(copy, count)
      seal(path, together(copy))
      const read = (): void => {
        readAll(path)
        using engram = openEngram(path)
        engram.source('b')
      }
      await refused(t, 'ERR_KARYON_PACKAGE', read, `${count} ${what}`)
    }
  }
})

test('heads of edges that count more than there are bytes are refused', async (t) => {
  const { path, anatomy } = await small(t)
  const honest = together(anatomy)
  const { links } = sectionsOf(honest)
  // Its length and the node's key; one type of edges that leave, its name, how many, in how many bytes.
  const head = links.offset + 1 + 2
  t.deepEqual([...honest.subarray(head, head + 3)], [1, 1, 1])
  for (const at of [head, head + 2, head + 3]) {
    for (const byte of [0, 0x7f, 0x80, 0xff]) {
      if (honest[at] === byte) continue
      const forged = Buffer.from(honest)
      forged[at] = byte
      seal(path, forged)
      await refused(t, 'ERR_KARYON_PACKAGE', () => readAll(path), `byte ${at - head} is ${byte}`)
    }
  }
})

test('a manifest that is nested, or lists more than there is, is refused', async (t) => {
  const { path, anatomy } = await small(t)
  const nested = (depth: number): unknown => (depth === 0 ? [] : [nested(depth - 1)])
  const schema = anatomy.manifest['schema'] as Record<string, object>
  const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`n${n}`, 1]))
  for (const change of [
    { description: nested(1_000) },
    { parents: nested(1_000) },
    { policies: { a: nested(100) } },
    { schema: { ...schema, labels: nested(1_000) } },
    { schema: { ...schema, labels: many } },
    { parents: Array.from({ length: 257 }, (_, n) => n.toString(16).padStart(64, '0')) },
    { description: 'x'.repeat(65_537) },
    { counts: { edges: 2 ** 53 - 1, facts: 2 ** 53 - 1, nodes: 2 ** 53 - 1, sources: 2 ** 53 - 1 } },
  ]) {
    seal(path, together({ ...anatomy, manifest: { ...anatomy.manifest, ...change } }))
    const limits = { nodes: 2 ** 53 - 1, edges: 2 ** 53 - 1 }
    await refused(
      t,
      'ERR_KARYON_PACKAGE',
      () => inspectEngram(path, { limits }),
      JSON.stringify(change).slice(0, 40),
    )
  }
  // As deep as the largest manifest can be.
  const body = together({
    ...anatomy,
    manifest: { ...anatomy.manifest, description: ' '.repeat(2 ** 20 - 4_096) },
  })
  const { manifest } = sectionsOf(body)
  body.fill('[', manifest.offset, manifest.offset + manifest.bytes)
  writeFileSync(path, sealed(body))
  await refused(t, 'ERR_KARYON_PACKAGE', () => inspectEngram(path))
})

/** Values that are small in a file and large in memory, as they are encoded. */
const SWOLLEN = { bytes: '0700', floats: '0b00', map: '0a00', time: '0800' } as const

function listOf(item: Buffer, count: number): Buffer {
  return bytesOf(9, count, Buffer.alloc(item.length * count, item))
}

test('what would take far more memory than it takes in the file is refused, and so it is packed', async (t) => {
  const { path, anatomy } = await small(t)
  const bytes = Buffer.from(SWOLLEN.bytes, 'hex')
  const most = Math.floor(RECORD_MEMORY_MAX / 240) - 1
  forge(path, anatomy, listOf(bytes, most))
  t.notThrows(() => {
    using engram = openEngram(path)
    engram.source('a')
  })
  forge(path, anatomy, listOf(bytes, most + 1))
  const error = await refused(t, 'ERR_KARYON_PACKAGE_LIMIT', () => readAll(path))
  t.is(error.details['limit'], RECORD_MEMORY_MAX)

  // As much in several properties, and in intervals.
  const part = listOf(bytes, Math.ceil(most / 2))
  const copy = structuredCopy(anatomy)
  copy.nodes[0]!.rest = bytesOf(0, 0, 3, ...[0, 1, 2].flatMap((name) => [name, 0, part]))
  seal(path, together(copy))
  await refused(t, 'ERR_KARYON_PACKAGE_LIMIT', () => readAll(path), 'properties')
  const spans = [0, 1, 2].flatMap((n) => [Buffer.of(3, 4 * n + 2, 4 * n + 4), part])
  forge(path, anatomy, bytesOf(Buffer.of(255), 3, ...spans), 'edge')
  await refused(t, 'ERR_KARYON_PACKAGE_LIMIT', () => readAll(path), 'intervals')

  // Nobody packs what nobody may read.
  const { graph } = Kernel.memory()
  const item = new Uint8Array()
  const list = Array.from({ length: most + 1 }, (): Value => item)
  await graph.write((tx) => tx.put('a', { props: { list } }))
  const directory = freshDirectory(t)
  await refused(
    t,
    'ERR_KARYON_PACKAGE_LIMIT',
    exportEngram(graph, join(directory, 'b.engram'), { name: 'bomb', version: '1.0.0' }),
  )
  t.deepEqual(readdirSync(directory), [])
})

const canLimit = process.platform !== 'win32'
;(canLimit ? test : test.skip)('bombs are refused in little memory', async (t) => {
  const { anatomy } = await small(t)
  const directory = freshDirectory(t)
  const paths: string[] = []
  const put = (write: (path: string) => void): void => {
    const path = join(directory, `${paths.length}.engram`)
    write(path)
    paths.push(path)
  }
  for (const bytes of Object.values(SWOLLEN)) {
    // 8 MB, that would take up to 960.
    for (const where of ['node', 'edge'] as const)
      put((path) => forge(path, anatomy, listOf(Buffer.from(bytes, 'hex'), 4_000_000), where))
  }
  const principals = Array.from({ length: 200_000 }, (_, n) => bytesOf(`${n}`.padStart(7, '0')))
  put((path) =>
    seal(
      path,
      together({
        ...anatomy,
        sources: Buffer.concat([bytesOf(200_000), ...principals, anatomy.sources.subarray(-12)]),
      }),
    ),
  )
  const copy = structuredCopy(anatomy)
  recount(copy)
  put((path) => seal(path, together(copy)))
  const limit = 'export NODE_OPTIONS=--max-old-space-size=64'
  const { code, lines, errors } = await new Child('../../engrams/programs/read.ts', paths, limit).ended()
  t.is(code, 0, errors)
  const limited = Array.from({ length: 8 }, () => 'ERR_KARYON_PACKAGE_LIMIT')
  t.deepEqual(lines, [...limited, 'ERR_KARYON_PACKAGE', 'answered'])
})
