// What a file says is not believed because its hashes are right.
import test, { type ExecutionContext } from 'ava'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportEngram, graftEngram, inspectEngram, openEngram } from '../../ts/engrams/index.ts'
import { BLOCK_BYTES, FORMAT_CUT, HEAD_BYTES, tableEnd } from '../../ts/engrams/layout.ts'
import { levelsOver } from '../../ts/engrams/tree.ts'
import { KaryonError, Kernel, type Transaction } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { bodyOf, seal, sealed, sectionsOf } from './forge.ts'
import { type Anatomy, apart, recount, together } from './fuzz/anatomy.ts'
import { REFUSALS, readAll } from './reading.ts'

const ABOUT = { name: 'world', version: '1.0.0' }

async function packed(t: ExecutionContext, fill: (tx: Transaction) => void): Promise<string> {
  const { graph } = Kernel.memory()
  await graph.write(fill)
  const path = join(freshDirectory(t), 'a.engram')
  await exportEngram(graph, path, ABOUT)
  return path
}

function some(tx: Transaction): void {
  for (const key of ['a', 'b', 'c']) tx.put(key, { labels: ['L', 'M'], props: { n: 1, text: key } })
  for (const key of ['', 'again']) tx.link('a', 'T', 'b', { key, props: { n: 2 } })
  tx.link('b', 'U', 'a')
}

function read(path: string): void {
  using engram = openEngram(path, { verify: 'full' })
  readAll(engram, ['a', 'b', 'c', 'd'])
  for (const key of ['a', 'b', 'c']) engram.source(key, 'text')
}

test('every bit of the head and of the table of sections counts, though the hashes are right', async (t) => {
  const path = await packed(t, some)
  const honest = bodyOf(path)
  for (let at = 0; at < tableEnd(FORMAT_CUT); at++) {
    for (let bit = 0; bit < 8; bit++) {
      const body = Buffer.from(honest)
      body[at] = body[at]! ^ (1 << bit)
      writeFileSync(path, sealed(body))
      const error = t.throws<KaryonError>(
        () => read(path),
        { instanceOf: KaryonError },
        `byte ${at} bit ${bit}`,
      )
      t.true(REFUSALS.includes(error!.code), `byte ${at} bit ${bit}: ${error!.code}`)
    }
  }
})

test('every section may end or begin where it does, and nowhere else', async (t) => {
  const path = await packed(t, some)
  const honest = bodyOf(path)
  const sections = sectionsOf(honest)
  for (const [name, { offset, bytes }] of Object.entries(sections)) {
    const row = HEAD_BYTES + Object.keys(sections).indexOf(name) * 32
    for (const [field, was] of [
      [8, offset],
      [16, bytes],
    ] as const) {
      for (const value of [...Array.from({ length: 129 }, (_, step) => was - 64 + step), 0, honest.length]) {
        if (value === was || value < 0) continue
        const body = Buffer.from(honest)
        body.writeBigUInt64LE(BigInt(value), row + field)
        seal(path, body)
        await refused(t, 'ERR_KARYON_PACKAGE', () => read(path), `${name}: ${was} as ${value}`)
      }
    }
  }
})

test('what is cut short anywhere is refused, though its head says so and its hashes are right', async (t) => {
  const path = await packed(t, (tx) => {
    some(tx)
    for (let n = 0; n < 200; n++) tx.put(`filler ${n}`, { props: { bytes: new Uint8Array(1_000).fill(n) } })
  })
  const honest = bodyOf(path)
  t.true(honest.length > 3 * BLOCK_BYTES)
  const ends = Object.values(sectionsOf(honest)).flatMap(({ offset, bytes }) => [offset, offset + bytes])
  const blocks = Array.from({ length: Math.ceil(honest.length / BLOCK_BYTES) }, (_, at) => at * BLOCK_BYTES)
  for (const end of [...ends, ...blocks, 64, tableEnd(FORMAT_CUT), honest.length - 64]) {
    const length = Math.floor(end / 64) * 64
    if (length === honest.length) continue
    const body = Buffer.from(honest.subarray(0, length))
    if (length >= HEAD_BYTES) {
      body.writeBigUInt64LE(BigInt(length), 16)
      body.writeUInt32LE(levelsOver(length).length, 28)
    }
    writeFileSync(path, length === 0 ? body : sealed(body))
    await refused(t, 'ERR_KARYON_PACKAGE', () => inspectEngram(path), `${length} bytes`)
  }
})

/** What is there twice: two nodes of one key, and whatever else has one identity. */
const DOUBLES: Readonly<Record<string, (anatomy: Anatomy) => unknown>> = {
  nodes: ({ nodes }) => nodes.splice(1, 0, nodes[0]!),
  'nodes that differ': ({ nodes }) => (nodes[1] = { key: nodes[0]!.key, rest: nodes[1]!.rest }),
  'edges that leave': ({ links }) => links[0]!.out[0]!.ends.splice(1, 0, links[0]!.out[0]!.ends[0]!),
  'edges that leave and differ': ({ links }) => {
    const { ends } = links[0]!.out[0]!
    ends[1] = { ...ends[1]!, key: ends[0]!.key }
  },
  'edges that enter': ({ links }) => links[1]!.in[0]!.ends.splice(1, 0, links[1]!.in[0]!.ends[0]!),
  'types of one node': ({ links }) => links[0]!.out.splice(1, 0, links[0]!.out[0]!),
  'lists of edges': ({ links }) => links.splice(1, 0, links[0]!),
  names: ({ names }) => names.splice(1, 0, names[0]!),
  'names that differ in number': ({ names }) => (names[1] = names[0]!),
  labels: ({ labels }) => labels.splice(1, 0, labels[0]!),
  'nodes of a label': ({ labels }) => labels[0]!.nodes.splice(1, 0, labels[0]!.nodes[0]!),
  'labels of a node': ({ nodes }) => (nodes[0]!.rest[3] = nodes[0]!.rest[2]!),
  principals: (anatomy) => {
    anatomy.sources = Buffer.concat([
      Buffer.from('\u0002\u0004root\u0004root'),
      ...[0, 0].map(() => anatomy.sources.subarray(-12)),
    ])
    anatomy.cited = 2
  },
  'principals from whom nothing comes': (anatomy) =>
    (anatomy.sources = Buffer.concat([
      Buffer.from('\u0002\u0004root\u0005stray'),
      anatomy.sources.subarray(-12),
    ])),
}

test('whatever is there twice is refused', async (t) => {
  const path = await packed(t, some)
  const honest = bodyOf(path)
  for (const [what, double] of Object.entries(DOUBLES)) {
    const anatomy = apart(Buffer.from(honest))
    double(anatomy)
    recount(anatomy)
    seal(path, together(anatomy))
    await refused(t, 'ERR_KARYON_PACKAGE', () => read(path), what)
    const kernel = Kernel.memory()
    try {
      using engram = openEngram(path)
      const graft = await graftEngram(kernel, engram)
      // What only the lookup, a label or a source says twice is no knowledge: what is listed is.
      t.is(graft.view.count(), 4, what)
      await graft.detach()
    } catch (error) {
      t.true(error instanceof KaryonError, `${what}: ${String(error)}`)
    }
    t.deepEqual([kernel.graph.count(), kernel.graph.forks()], [0, []], what)
  }
})

test('a row of the lookup leads to the node of its key, whatever tag it has', async (t) => {
  const path = await packed(t, some)
  const honest = bodyOf(path)
  const { keys: table, nodes } = sectionsOf(honest)
  for (let row = table.offset; row < table.offset + table.bytes; row += 32) {
    if (honest.readUIntLE(row + 16, 6) === 0) continue
    for (let at = nodes.offset - 2; at < nodes.offset + nodes.bytes + 2; at++) {
      const body = Buffer.from(honest)
      body.writeUIntLE(at, row + 16, 6)
      seal(path, body)
      using engram = openEngram(path)
      for (const key of ['a', 'b', 'c']) {
        try {
          t.true([key, undefined].includes(engram.get(key)?.key))
        } catch (error) {
          t.is((error as KaryonError).code, 'ERR_KARYON_PACKAGE')
        }
      }
    }
  }
})
