import test from 'ava'
import { gramsOf, HEADS } from '../../ts/recall/grams.ts'
import { Memory } from '../../ts/recall/memory.ts'
import { type Cue, PLAIN } from '../../ts/recall/search.ts'
import { Slots } from '../../ts/recall/slots.ts'
import { chooseSeed, seededRandom } from '../values/random.ts'

const TEXTS = 3_300
/** Of rows whose heads fall together by accident more do so where there are fewer slots, but none with all heads. */
const ALL: Cue = { limit: 1_000, minHeads: HEADS, minConfidence: 0, minTrust: 0, at: TEXTS }
const VERSIONS_BACK = 40

/** What happens to a memory: texts are added, and some of them end a while later. */
function historyOf(seed: number, common: string): readonly ((memory: Memory) => void)[] {
  const random = seededRandom(seed)
  const below = (count: number): number => Math.floor(random() * count)
  return Array.from({ length: TEXTS }, (_, row) => {
    const text = Array.from({ length: 9 }, () => `w${below(900)}`).join(' ')
    const ended = row > VERSIONS_BACK && row % 3 === 0 ? row - 1 - below(VERSIONS_BACK) : undefined
    return (memory) => {
      memory.add(String(row).padStart(6, '0'), `${common}${text}`, row, PLAIN)
      if (ended !== undefined) memory.end(ended, row)
    }
  })
}

const CUES = Array.from({ length: 30 }, (_, at) => `w${at * 29} w${at} w${at + 1}`)

test('while slots become twice as many all answers are those of a memory that had room', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const [grown, roomy] = [new Memory(), new Memory(300_000)]
  const [few, many] = [grown.stats.slots, roomy.stats.slots]
  const seen = new Set<string>()
  for (const [row, happen] of historyOf(seed, '').entries()) {
    happen(grown)
    happen(roomy)
    const { slots, load } = grown.stats
    if (row % 150 !== 0 && row !== TEXTS - 1) continue
    seen.add(slots > few ? 'after' : load > 16 ? 'meanwhile' : 'before')
    for (const at of [row, row - VERSIONS_BACK / 2]) {
      for (const cue of CUES) {
        const [found, expected] = [grown, roomy].map((memory) => memory.find(cue, { ...ALL, at }))
        t.deepEqual(found, expected, `${cue} at ${at} of ${row}, KARYON_SEED=${seed}`)
      }
    }
  }
  t.deepEqual([...seen], ['before', 'meanwhile', 'after'])
  t.is(grown.stats.slots, 2 * few)
  t.is(roomy.stats.slots, many)
})

test('no text that is added waits for all others to be moved', (t) => {
  const memory = new Memory()
  const puts = Slots.prototype.put
  let count = 0
  Slots.prototype.put = function (...given) {
    count++
    puts.apply(this, given)
  }
  t.teardown(() => (Slots.prototype.put = puts))
  const words = Array.from({ length: 40 }, (_, at) => `word${at}`)
  const longest = HEADS * gramsOf(words.join(' ')).count
  const { slots } = memory.stats
  let [before, row] = [0, 0]
  while (memory.stats.slots < 4 * slots) {
    const text = words.slice(0, (row * 7) % 41).join(' ')
    before = count
    memory.add(String(row++), text, 0, PLAIN)
    const own = HEADS * gramsOf(text).count
    t.true(count - before <= 5 * own + HEADS + longest, `${count - before} of row ${row}`)
  }
  t.true(count < 4 * HEADS * memory.stats.load * memory.stats.slots)
})

test('what has happened decides what is found, and not when it was asked for', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const [asked, silent] = [new Memory(), new Memory()]
  // A word of all texts: its slots are full, and rows of the past make room.
  for (const [row, happen] of historyOf(seed, 'common ').entries()) {
    happen(asked)
    happen(silent)
    if (row % 97 === 0) asked.find(`common w${row % 900}`, ALL)
  }
  t.true(asked.stats.overflow > 0)
  t.deepEqual(asked.stats, silent.stats)
  t.true(asked.find('common', ALL).length > 100)
  for (const cue of ['common', ...CUES.map((cue) => `common ${cue}`)])
    t.deepEqual(asked.find(cue, ALL), silent.find(cue, ALL), `${cue}, KARYON_SEED=${seed}`)
})
