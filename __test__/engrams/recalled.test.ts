// Recall tables as a forger makes them: their hashes are right, and what they say is not.
import test, { type ExecutionContext } from 'ava'
import { join } from 'node:path'
import { exportEngram, openEngram } from '../../ts/engrams/index.ts'
import type { Section } from '../../ts/engrams/layout.ts'
import { type Candidate, KaryonError, Kernel, openRecall } from '../../ts/index.ts'
import { gramsOf } from '../../ts/recall/grams.ts'
import { slotIn } from '../../ts/recall/search.ts'
import { SLOT_ROWS_MAX } from '../../ts/recall/tables.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { below, chooseSeed, pick, seededRandom } from '../values/random.ts'
import { bodyOf, rowOf, seal, sectionsOf } from './forge.ts'
import { allTables, REFUSALS, readTables } from './reading.ts'

const FACTS = { label: 'Fact', text: 'text' }
const SLOTS = 4_096
const [HEAD, ROW, GROUPS] = [32, 12, (8 * SLOTS) / 32]

interface Packed {
  readonly path: string
  readonly body: Buffer
  readonly recall: Section
}

/** A package with tables of these texts, under the keys `0`, `1`, …; and a node without a text, `x`, and one without the label, `y`. */
async function packed(t: ExecutionContext, texts: readonly string[]): Promise<Packed> {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    texts.forEach((text, at) => tx.put(String(at).padStart(4, '0'), { labels: ['Fact'], props: { text } }))
    tx.put('x', { labels: ['Fact'], props: { other: 'zebra' } })
    tx.put('y', { labels: ['Rumour'], props: { text: 'zebra' } })
  })
  const path = join(freshDirectory(t), 'a.engram')
  await exportEngram(graph, path, { name: 'forged', version: '1.0.0', recall: [{ ...FACTS, weight: 'w' }] })
  const body = bodyOf(path)
  return { path, body, recall: sectionsOf(body).recall! }
}

/** Where of a word the first head has its group, and in that its slot. */
function placeOf({ body, recall }: Packed, rows: number, word: string): { group: number; postings: number } {
  const slot = slotIn(SLOTS, gramsOf(word), 0, 0)
  const ends = recall.offset + HEAD + rows * ROW
  const start = slot < 32 ? 0 : body.readUInt32LE(ends + ((slot >>> 5) - 1) * 4)
  const group = ends + (GROUPS + start) * 4
  const bits = body.readUInt32LE(group)
  const held = bits.toString(2).replaceAll('0', '').length
  return { group, postings: group + 4 * (1 + held) }
}

async function found(path: string, cue: string): Promise<readonly Candidate[]> {
  using engram = openEngram(path)
  const recall = await openRecall(engram, { ...FACTS, weight: 'w' })
  return recall.find(cue, { limit: 1_000 })
}

test('every bit of a table counts, but those that say how much something counts', async (t) => {
  const made = await packed(t, ['zebra'])
  const { path, body, recall } = made
  const groups = recall.offset + HEAD + ROW + GROUPS * 4
  t.is(recall.offset + recall.bytes, groups + 8 * 12)
  const ends = Array.from({ length: GROUPS * 4 }, (_, at) => recall.offset + HEAD + ROW + at)
  const others = Array.from({ length: recall.bytes }, (_, at) => recall.offset + at).filter(
    (at) => !ends.includes(at),
  )
  /** Fields in which something else is as good: n-grams and what found no room, what a row says, an impact. */
  const isFree = (at: number): boolean => {
    const from = at - recall.offset
    if (from < HEAD) return from >= 8 && from < 24
    if (from < HEAD + ROW) return from - HEAD >= 6 && from - HEAD < 11
    return at >= groups && (at - groups) % 12 === 11
  }
  let taken = 0
  for (const at of [...others, ...ends.filter((_, place) => place % 149 === 0)]) {
    for (let bit = 0; bit < 8; bit++) {
      const forged = Buffer.from(body)
      forged[at] = forged[at]! ^ (1 << bit)
      seal(path, forged)
      try {
        using engram = openEngram(path)
        for (const tables of allTables(engram)) readTables(tables)
        t.true(isFree(at), `byte ${at - recall.offset} bit ${bit}`)
        taken++
      } catch (error) {
        t.true(error instanceof KaryonError && REFUSALS.includes(error.code), String(error))
      }
    }
  }
  t.true(taken > 100, `${taken}`)
})

/** What a forger may write over a table of three texts, and what cannot be told of then. */
const FORGERIES: Readonly<Record<string, (body: Buffer, made: Packed) => void>> = {
  'no slots': (body, { recall }) => body.writeUInt32LE(0, recall.offset),
  'slots that are no power of two': (body, { recall }) => body.writeUInt32LE(4_097, recall.offset),
  'more slots than there are bytes': (body, { recall }) => body.writeUInt32LE(2 ** 31, recall.offset),
  'fewer slots than ever': (body, { recall }) => body.writeUInt32LE(2_048, recall.offset),
  'a table beyond its section': (body, { recall }) =>
    body.writeBigUInt64LE(BigInt(recall.bytes + 4), recall.offset + 24),
  'a table that leaves something': (body, { recall }) =>
    body.writeBigUInt64LE(BigInt(recall.bytes - 4), recall.offset + 24),
  'a table of 2^48 bytes': (body, { recall }) => body.writeBigUInt64LE(2n ** 48n - 4n, recall.offset + 24),
  'more of a number than has 48 bits': (body, { recall }) =>
    body.writeBigUInt64LE(2n ** 63n, recall.offset + 8),
  'a group that ends beyond all': (body, { recall }) =>
    body.fill(0xff, recall.offset + HEAD + 3 * ROW, recall.offset + HEAD + 3 * ROW + GROUPS * 4),
  'groups that end before all is told': (body, { recall }) =>
    body.fill(0, recall.offset + HEAD + 3 * ROW, recall.offset + HEAD + 3 * ROW + GROUPS * 4),
  'a group that ends before it begins': (body, { recall }) => {
    const end = recall.offset + HEAD + 3 * ROW + (slotIn(SLOTS, gramsOf('zebra'), 0, 0) >>> 5) * 4
    body.writeUInt32LE(body.readUInt32LE(end) + 1, end - 4)
  },
  'a group of nothing': (body, made) => body.writeUInt32LE(0, placeOf(made, 3, 'zebra').group),
  'a group of all slots': (body, made) => body.writeUInt32LE(2 ** 32 - 1, placeOf(made, 3, 'zebra').group),
  'a slot of nothing': (body, made) => body.writeUInt32LE(0, placeOf(made, 3, 'zebra').group + 4),
  'a slot of very many': (body, made) => body.writeUInt32LE(2 ** 32 - 1, placeOf(made, 3, 'zebra').group + 4),
  'a posting of a row that is not there': (body, made) => {
    const { postings } = placeOf(made, 3, 'zebra')
    body.writeUInt32LE(body.readUInt32LE(postings) | 0xffffff, postings)
  },
  'a posting that tells too much': (body, made) => {
    body.writeUInt32LE(0, placeOf(made, 3, 'zebra').postings)
  },
  'postings out of order': (body, made) => {
    const { postings } = placeOf(made, 3, 'zebra')
    const [one, other] = [body.readUInt32LE(postings), body.readUInt32LE(postings + 4)]
    body.writeUInt32LE(other, postings)
    body.writeUInt32LE(one, postings + 4)
  },
  'a row that leads to no node': (body, { recall }) => body.writeUIntLE(0, recall.offset + HEAD, 6),
  'a row that leads into a node': (body, { recall }) =>
    body.writeUIntLE(body.readUIntLE(recall.offset + HEAD, 6) + 1, recall.offset + HEAD, 6),
  'a row that leads far away': (body, { recall }) =>
    body.fill(0xff, recall.offset + HEAD, recall.offset + HEAD + 6),
  'a row of a node without a text': (body, made) => leadTo(body, made, 'x'),
  'a row of a node without the label': (body, made) => leadTo(body, made, 'y'),
  'two rows of one node': (body, { recall }) =>
    body.copyWithin(recall.offset + HEAD, recall.offset + HEAD + ROW, recall.offset + HEAD + ROW + 6),
  'two rows in each other’s place': (body, { recall }) => {
    const rows = recall.offset + HEAD
    const first = Buffer.from(body.subarray(rows, rows + ROW))
    body.copyWithin(rows, rows + ROW, rows + 2 * ROW)
    first.copy(body, rows + ROW)
  },
}

/** Has the last row lead to the node of a key. */
function leadTo(body: Buffer, { recall }: Packed, key: string): void {
  const { nodes } = sectionsOf(body)
  const at = body.indexOf(Buffer.from(`\u0001${key}`, 'latin1'), nodes.offset)
  body.writeUIntLE(at - 1, recall.offset + HEAD + 2 * ROW, 6)
}

test('a table that says what cannot be is refused, as soon as that is read', async (t) => {
  const made = await packed(t, ['zebra', 'zebra and gnu', 'a zebra'])
  t.is((await found(made.path, 'zebra')).length, 3)
  for (const [what, forge] of Object.entries(FORGERIES)) {
    const body = Buffer.from(made.body)
    forge(body, made)
    t.false(body.equals(made.body), what)
    seal(made.path, body)
    await refused(t, 'ERR_KARYON_PACKAGE', found(made.path, 'zebra'), what)
    // What is elsewhere is read all the same.
    using engram = openEngram(made.path)
    t.is(engram.get('0000')?.props['text'], 'zebra', what)
  }
})

test('a recall that was refused in the middle forgets that cue', async (t) => {
  const made = await packed(t, ['zebra', 'zebra and gnu', 'a zebra', 'lions'])
  const body = Buffer.from(made.body)
  body.writeUIntLE(0, made.recall.offset + HEAD, 6)
  seal(made.path, body)
  using engram = openEngram(made.path)
  const recall = await openRecall(engram, { ...FACTS, weight: 'w' })
  const before = recall.find('gnu lions')
  t.is(before.length, 2)
  t.throws(() => recall.find('zebra lions'), { code: 'ERR_KARYON_PACKAGE' })
  t.deepEqual(recall.find('gnu lions'), before)
})

test('a full slot has room for so many, whatever it counts', async (t) => {
  const made = await packed(
    t,
    Array.from({ length: SLOT_ROWS_MAX + 40 }, (_, at) => `zebra ${at}`),
  )
  const rows = SLOT_ROWS_MAX + 40
  const { group } = placeOf(made, rows, 'zebra')
  const honest = await found(made.path, 'zebra')
  t.is(honest.length, SLOT_ROWS_MAX)
  const bits = made.body.readUInt32LE(group).toString(2).replaceAll('0', '').length
  const counts = Array.from({ length: bits }, (_, at) => group + 4 + 4 * at)
  const full = counts.find((at) => made.body.readUInt32LE(at) >= rows)!
  // As many as there are n-grams in all may be said to fall there; more may not, nor fewer than there are postings.
  const grams = made.body.readUIntLE(made.recall.offset + 8, 6)
  for (const [count, isTaken] of [
    [grams, true],
    [SLOT_ROWS_MAX, true],
    [grams + 1, false],
    [SLOT_ROWS_MAX - 1, false],
    [2 ** 32 - 1, false],
  ] as const) {
    const body = Buffer.from(made.body)
    body.writeUInt32LE(count, full)
    seal(made.path, body)
    if (isTaken) t.is((await found(made.path, 'zebra')).length, SLOT_ROWS_MAX, `${count}`)
    else await refused(t, 'ERR_KARYON_PACKAGE', found(made.path, 'zebra'), `${count}`)
  }
})

test('tables of other versions of normaliser or n-grams are not used: the recall is built', async (t) => {
  const made = await packed(t, ['zebra', 'zebra and gnu'])
  const { manifest } = sectionsOf(made.body)
  const text = made.body.subarray(manifest.offset, manifest.offset + manifest.bytes).toString()
  const honest = await found(made.path, 'zebra')
  for (const field of ['normaliser', 'grams']) {
    const body = Buffer.from(made.body)
    body.write(text.replace(`"${field}":1`, `"${field}":2`), manifest.offset)
    // Whatever they are to others, here they are nothing.
    body.fill(0xff, made.recall.offset, made.recall.offset + made.recall.bytes)
    seal(made.path, body)
    using engram = openEngram(made.path)
    const recall = await openRecall(engram, { ...FACTS, weight: 'w' })
    t.false(recall.stats().inPlace)
    t.deepEqual(recall.find('zebra', { limit: 1_000 }), honest)
  }
})

test('there are as many tables as the manifest says, with as many rows', async (t) => {
  const made = await packed(t, ['zebra', 'zebra and gnu', 'a zebra'])
  for (const count of [0, 2, 9, 2 ** 40]) {
    const body = Buffer.from(made.body)
    body.writeBigUInt64LE(BigInt(count), rowOf('recall') + 24)
    seal(made.path, body)
    await refused(t, 'ERR_KARYON_PACKAGE', () => openEngram(made.path), `${count} tables`)
  }
  const { manifest } = sectionsOf(made.body)
  const text = made.body.subarray(manifest.offset, manifest.offset + manifest.bytes).toString()
  for (const texts of [0, 1, 2, 4, 5, 9]) {
    const body = Buffer.from(made.body)
    body.write(text.replace('"texts":3', `"texts":${texts}`), manifest.offset)
    seal(made.path, body)
    await refused(t, 'ERR_KARYON_PACKAGE', found(made.path, 'zebra gnu a and'), `${texts} texts`)
  }
})

test('whatever a forger makes of tables, who asks is answered with nodes that have a text, or refused', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const texts = Array.from({ length: 30 }, () =>
    Array.from({ length: 1 + below(random, 5) }, () => `w${below(random, 9)}`).join(' '),
  )
  const made = await packed(t, texts)
  const { path, recall } = made
  let answered = 0
  for (let round = 0; round < 300; round++) {
    const body = Buffer.from(made.body)
    for (let left = 1 + below(random, 3); left > 0; left--) {
      // Heads, rows and the rest as often as each other.
      const from = pick(random, [0, HEAD, HEAD + 30 * ROW, HEAD + 30 * ROW + GROUPS * 4])
      const at =
        recall.offset +
        from +
        below(random, Math.min(recall.bytes - from, pick(random, [64, 4_096, 2 ** 20])))
      if (below(random, 2) === 0) body[at] = pick(random, [0, 1, 0x7f, 0xff, below(random, 256)])
      else
        body.copyWithin(
          at,
          recall.offset + below(random, recall.bytes - 16),
          recall.offset + recall.bytes - 8,
        )
      body.fill(0, recall.offset + recall.bytes)
    }
    seal(path, body)
    using engram = openEngram(path)
    try {
      const remembered = await openRecall(engram, { ...FACTS, weight: 'w' })
      t.true(remembered.stats().inPlace)
      for (let word = 0; word < 9; word++) {
        const candidates = remembered.find(`w${word} w${(word + 1) % 9}`, { limit: 100, minHeads: 1 })
        const keys = candidates.map(({ key }) => key)
        t.is(new Set(keys).size, keys.length)
        for (const node of engram.getMany(keys)) {
          t.is(typeof node?.props['text'], 'string')
          t.true(node?.labels.includes('Fact'))
        }
        t.true(candidates.every(({ score }, at) => at === 0 || score <= candidates[at - 1]!.score))
        answered++
      }
    } catch (error) {
      t.true(
        error instanceof KaryonError && REFUSALS.includes(error.code),
        `${String(error)}, KARYON_SEED=${seed}`,
      )
    }
  }
  t.true(answered > 100, `${answered}`)
})
