import test from 'ava'
import { gramsOf, HEADS, slotOf, tokensOf, wordsOf } from '../../ts/recall/grams.ts'
import { Memory } from '../../ts/recall/memory.ts'
import { PLAIN, type Cue, type RowFacts } from '../../ts/recall/search.ts'
import { SLOT_ROWS_MAX, Slots, type Standing } from '../../ts/recall/slots.ts'
import { chooseSeed, seededRandom } from '../values/random.ts'

const ALL: Cue = { limit: 1_000, minHeads: 5, minConfidence: 0, minTrust: 0, at: 1 }

/** A text of words that are drawn from so many, with a name of its own kind in front of each. */
function textOf(random: () => number, words: number, vocabulary: number, kind = 'w'): string {
  return Array.from({ length: words }, () => `${kind}${Math.floor(random() * vocabulary)}`).join(' ')
}

/** Names in the order of their numbers. */
const nameOf = (at: number): string => String(at).padStart(6, '0')

function memoryOf(texts: readonly string[]): Memory {
  const memory = new Memory()
  for (const [at, text] of texts.entries()) memory.add(nameOf(at), text, 0, PLAIN)
  return memory
}

test('who shares a word with a cue is found, and nobody else', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const texts = Array.from({ length: 500 }, () => textOf(random, 1 + Math.floor(random() * 12), 300))
  const memory = memoryOf(texts)
  for (let round = 0; round < 200; round++) {
    const cue = textOf(random, 1 + Math.floor(random() * 5), 320)
    const words = new Set(cue.split(' '))
    const expected = texts.flatMap((text, row) =>
      text.split(' ').some((word) => words.has(word)) ? [row] : [],
    )
    const found = memory.find(cue, ALL)
    t.deepEqual(
      found.map(({ row }) => row).toSorted((one, other) => one - other),
      expected,
      `${cue}, KARYON_SEED=${seed}`,
    )
    t.true(found.every(({ score }, at) => at === 0 || score <= found[at - 1]!.score))
    t.is(memory.probes, gramsOf(cue).count * HEADS)
  }
})

test('what is added about other things changes nothing about a text', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const texts = Array.from({ length: 300 }, () => textOf(random, 8, 200, 'a'))
  const memory = memoryOf(texts)
  const cues = Array.from({ length: 100 }, () => textOf(random, 4, 200, 'a'))
  const before = cues.map((cue) => memory.find(cue, ALL))
  // Ten times as much about something else, while slots become twice as many.
  for (let more = 0; more < 3_000; more++) memory.add(`more ${more}`, textOf(random, 8, 2_000, 'b'), 0, PLAIN)
  t.deepEqual(
    cues.map((cue) => memory.find(cue, ALL)),
    before,
  )
})

test('a full slot keeps what tells most, and what finds no room is counted', (t) => {
  const memory = new Memory()
  const count = SLOT_ROWS_MAX + 100
  // The shorter the text, the more a word of it tells.
  for (let row = 0; row < count; row++)
    memory.add(nameOf(row), `common ${'x '.repeat(row % 7)}own${row}`, 0, PLAIN)
  const { overflow } = memory.stats
  t.true(overflow >= 100 * HEADS)
  const found = memory.find('common', ALL)
  t.is(found.length, SLOT_ROWS_MAX)
  t.true(found.filter(({ row }) => row % 7 === 0).length >= Math.floor(count / 7))
  t.is(memory.find(`own${count - 1}`, ALL)[0]?.row, count - 1)
})

test('rows of the past make room, and are found as of their time', (t) => {
  const memory = new Memory()
  const count = SLOT_ROWS_MAX
  for (let row = 0; row < count; row++) memory.add(nameOf(row), `common own${row}`, 1, PLAIN)
  for (let row = 0; row < count; row += 2) memory.end(row, 5)
  const late = memory.add('newest', 'common newest', 5, PLAIN)
  const at = (version: number): number[] =>
    memory.find('newest common', { ...ALL, at: version }).map(({ row }) => row)
  t.is(at(5)[0], late)
  t.false(at(4).includes(late))
  t.is(memory.find('own0', { ...ALL, at: 4 })[0]?.row, 0)
  t.is(memory.find('own0', { ...ALL, at: 5 }).length, 0)
})

/** What is found, by its name: rows have other numbers in another memory. */
const named = (memory: Memory, cue: string, at = 1): unknown =>
  memory.find(cue, { ...ALL, at }).map(({ row: _row, ...found }) => found)

test('a text that was edited often is found as one that never was', (t) => {
  const [edited, fresh] = [new Memory(), new Memory()]
  for (const memory of [edited, fresh]) memory.add('other', 'the quick zebra', 1, PLAIN)
  // More versions than a slot has room for.
  const edits = SLOT_ROWS_MAX + 90
  const textOfEdit = (edit: number): string => `zebra crossing ${edit} ${'and '.repeat(edit % 5)}`
  for (let edit = 1; edit <= edits; edit++) {
    const row = edited.add('often', textOfEdit(edit), edit, PLAIN)
    if (edit < edits) edited.end(row, edit + 1)
  }
  fresh.add('often', textOfEdit(edits), edits, PLAIN)
  for (const cue of ['zebra', 'zebra crossing', `zebra ${edits}`, 'and', 'quick'])
    t.deepEqual(named(edited, cue, edits), named(fresh, cue, edits), cue)
  t.is(edited.find('zebra', { ...ALL, at: edits }).length, 2)
  // As of a version that has room still.
  t.deepEqual(named(edited, 'crossing 600', 600), named(memoryAt(600), 'crossing 600', 600))

  function memoryAt(edit: number): Memory {
    const memory = new Memory()
    memory.add('other', 'the quick zebra', 1, PLAIN)
    memory.add('often', textOfEdit(edit), edit, PLAIN)
    return memory
  }
})

test('texts that do not hold any more say nothing about how common a word is', (t) => {
  const [memory, fresh] = [new Memory(), new Memory()]
  const [count, kept] = [SLOT_ROWS_MAX + 100, 10]
  // Those that stay are trusted more, so they have room for sure.
  const factsOfRow = (row: number): RowFacts => (row < kept ? PLAIN : { ...PLAIN, trust: 254 })
  for (let row = 0; row < count; row++) memory.add(nameOf(row), 'common', 0, factsOfRow(row))
  const crowded = memory.find('common', ALL)[0]!.score
  for (let row = kept; row < count - 1; row++) memory.end(row, 1)
  // An end is one end, also where a row is forgotten later.
  for (const row of [kept, count - 1]) memory.forget(row)
  for (let row = 0; row < kept; row++) fresh.add(nameOf(row), 'common', 0, PLAIN)
  t.deepEqual(named(memory, 'common'), named(fresh, 'common'))
  t.true(memory.find('common', ALL)[0]!.score > crowded)
  // Of the past: at least as many as have room.
  const then = memory.find('common', { ...ALL, at: 0 })
  t.true(then.length >= SLOT_ROWS_MAX - 2)
  t.true(then[0]!.score < memory.find('common', ALL)[0]!.score)
})

test('weight, threshold, confidence and trust decide, and each is one row’s alone', (t) => {
  const memory = memoryOf(['the red house', 'the red car', 'the red hat'])
  const ask = (cue: Partial<Cue> = {}): number[] =>
    memory.find('red house', { ...ALL, ...cue }).map(({ row }) => row)
  t.is(ask()[0], 0)
  memory.set(2, { ...PLAIN, weight: 65_535 })
  t.is(ask()[0], 2)
  memory.set(2, { ...PLAIN, threshold: 200 })
  t.false(ask().includes(2))
  memory.set(1, { ...PLAIN, confidence: 100, trust: 50 })
  t.deepEqual(ask({ minConfidence: 101 }), [0])
  t.deepEqual(ask({ minTrust: 51 }), [0])
  t.true(ask({ minConfidence: 100, minTrust: 50 }).includes(1))
  t.deepEqual(memory.find('', ALL), [])
  t.deepEqual(memory.find('?!', ALL), [])
})

test('the heads share slots as chance would have it', (t) => {
  // Distinct words, each in a text of its own; a word is hidden where all heads have it in a slot that another one has too.
  const slots = 4_096
  for (const load of [0.5, 1, 2, 4]) {
    const count = slots * load
    const taken = Array.from({ length: HEADS }, () => new Uint16Array(slots))
    const places: number[][] = []
    for (let word = 0; word < count; word++) {
      const { halves } = gramsOf(`word${word}of${load}`)
      places.push(taken.map((head, at) => slotOf(halves[0]!, halves[1]!, at, slots)))
      places.at(-1)!.forEach((slot, at) => taken[at]![slot]!++)
    }
    const shared = (word: number[], at: number): boolean => taken[at]![word[at]!]! > 1
    const ideal = 1 - Math.exp(-load)
    const one = places.filter((word) => shared(word, 0)).length / count
    const all = places.filter((word) => word.every((_, at) => shared(word, at))).length / count
    // Five standard deviations, and what the slots' number being finite is worth.
    const near = (found: number, chance: number): boolean =>
      Math.abs(found - chance) <= 5 * Math.sqrt((chance * (1 - chance)) / count) + 2 / slots
    t.true(near(one, ideal), `one head at ${load}: ${one} for ${ideal}`)
    t.true(near(all, ideal ** HEADS), `all heads at ${load}: ${all} for ${ideal ** HEADS}`)
  }
})

const WORDS: Readonly<Record<string, readonly string[]>> = {
  '': [],
  ' \t…—!? ': [],
  'Hooks in React, v18.2': ['hooks', 'in', 'react', 'v18', '2'],
  'snake_case and kebab-case': ['snake', 'case', 'and', 'kebab', 'case'],
  'naïve café São Köln Ωμέγα Ёлка': ['naive', 'cafe', 'sao', 'koln', 'ωμεγα', 'елка'],
  'ﬁle ① ２ Å': ['file', '1', '2', 'a'],
  'İstanbul ISTANBUL': ['istanbul', 'istanbul'],
  'Straße STRASSE': ['straße', 'strasse'],
  '日本語 カナ and text': ['日', '本', '語', 'カ', 'ナ', 'and', 'text'],
  'हिन्दी भाषा': ['हिन्दी', 'भाषा'],
  'a\u0301b\u0301': ['ab'],
  'x🙂y': ['x', 'y'],
  '𝒳𝟙 𐐀': ['x1', '𐐨'],
}

test('words are told apart, and written one way', (t) => {
  for (const [text, words] of Object.entries(WORDS)) t.deepEqual(wordsOf(text), words, text)
  t.is(wordsOf('w '.repeat(5_000)).length, 4_096)
  t.is(tokensOf('𐐀'.repeat(1_000)).length, 2)
  t.throws(() => wordsOf('\ud800'), { code: 'ERR_KARYON_STRING_MALFORMED' })
})

test('tokens, n-grams and slots are those that they always were', (t) => {
  const named = (text: string): string => Buffer.from(new Uint32Array(tokensOf(text)).buffer).toString('hex')
  t.is(named('Café'), named('cafe'))
  t.snapshot({ tokens: named('Naïve hooks, 日本 v18'), empty: named(' …') })
  const { count, halves, kinds, times, length } = gramsOf('to be or not to be')
  t.snapshot({ count, kinds: [...kinds.subarray(0, count)], times: [...times.subarray(0, count)], length })
  t.snapshot(
    Array.from({ length: 4 }, (_, gram) =>
      Array.from({ length: HEADS }, (_head, head) =>
        slotOf(halves[2 * gram]!, halves[2 * gram + 1]!, head, 2 ** 20),
      ),
    ),
  )
})

test('slots hold what was put into them, in order', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const below = (most: number): number => Math.floor(random() * most)
  for (const ranks of [1, 4]) {
    const rows = Array.from({ length: 4_000 }, (_, row) => ({
      row,
      slot: below(4),
      impact: below(2) * 60 + below(4),
      rank: below(ranks),
      tie: below(1_000),
    }))
    const standing: Standing = {
      rank: (row) => rows[row]!.rank,
      tie: (row) => rows[row]!.tie,
      isMixed: ranks > 1,
    }
    const slots = new Slots(1, 4)
    const order = rows.map((one) => ({ one, at: random() })).toSorted((one, other) => one.at - other.at)
    for (const { one } of order) slots.put(one.slot, one.row, one.impact, standing)
    for (let slot = 0; slot < 4; slot++) {
      const found: [number, number][] = []
      slots.visit(slot, (row, impact) => found.push([row, impact]))
      const staying = rows
        .filter((one) => one.slot === slot)
        .toSorted((a, b) => b.rank - a.rank || b.impact - a.impact || a.tie - b.tie || a.row - b.row)
        .slice(0, SLOT_ROWS_MAX)
        .toSorted((a, b) => b.impact - a.impact || a.row - b.row)
      t.deepEqual(
        found,
        staying.map(({ row, impact }): [number, number] => [row, impact]),
        `KARYON_SEED=${seed}`,
      )
    }
  }
})

test('which rows have room in full slots is no matter of when they came', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const texts = Array.from({ length: 700 }, (_, row) => ({
    key: nameOf(row),
    text: `common ${'word '.repeat(Math.floor(random() * 3))}`,
    facts: { ...PLAIN, trust: 254 + Math.floor(random() * 2) },
  }))
  const other = texts.map((one) => ({ one, at: random() })).toSorted((a, b) => a.at - b.at)
  const [memory, shuffled] = [new Memory(), new Memory()]
  for (const { key, text, facts } of texts) memory.add(key, text, 0, facts)
  for (const { one } of other) shuffled.add(one.key, one.text, 0, one.facts)
  for (const cue of ['common', 'common word', 'word word'])
    t.deepEqual(named(memory, cue), named(shuffled, cue), `KARYON_SEED=${seed}`)
})

test('many who are not trusted have no room where those are who are', (t) => {
  const memory = new Memory()
  memory.add('doctor', 'the penicillin dosage in units a day', 0, PLAIN)
  for (let row = 0; row < 3 * SLOT_ROWS_MAX; row++)
    memory.add(nameOf(row), ['penicillin', 'dosage', 'penicillin dosage'][row % 3]!, 0, {
      ...PLAIN,
      trust: 0,
    })
  const trusted = memory.find('penicillin dosage', { ...ALL, minTrust: 200 })
  t.deepEqual(
    trusted.map(({ key }) => key),
    ['doctor'],
  )
})
