import test from 'ava'
import { match, Kernel, type AnyRow, type Pattern, type Reader, type Transaction } from '../../ts/index.ts'
import { type Random, below, chooseSeed, pick, seededRandom } from '../values/random.ts'
import { type Drawn, type Piece, type Said, namesOf, naiveRows, worldOf } from './naive.ts'
import { texts } from './rows.ts'

const WORLDS = 12
const PATTERNS = 80
/** A pattern that means more than this is left to larger machines. */
const ROWS_MAX = 5_000

const KEYS = ['a', 'b', 'c', 'd', 'e']
const LABELS = ['A', 'B']
const TYPES = ['T', 'U']

/** Changes that leave the ends of every edge in place. */
function change(random: Random, tx: Transaction, verbs: number): void {
  for (const key of KEYS) if (!tx.get(key)) tx.put(key, { labels: [pick(random, LABELS)] })
  for (let verb = 0; verb < verbs; verb++) {
    const [from, type, to] = [pick(random, KEYS), pick(random, TYPES), pick(random, KEYS)]
    const key = below(random, 4) === 0 ? 'again' : ''
    switch (below(random, 8)) {
      case 0:
        tx.remove(from, { detach: true })
        tx.put(from, { labels: LABELS.filter(() => below(random, 2) === 0) })
        break
      case 1:
        tx.unlink(from, type, to, { key })
        break
      case 2:
        tx.patch(from, { labels: [pick(random, LABELS)], props: { n: below(random, 3) } })
        break
      default:
        tx.link(from, type, to, { key, props: { n: below(random, 3) } })
    }
  }
}

function maybe<T extends object>(random: Random, one: () => T, of = 3): T | object {
  return below(random, of) === 0 ? one() : {}
}

function condition(random: Random): object {
  const n = below(random, 3)
  return { where: { property: 'n', ...(below(random, 2) === 0 ? { equals: n } : { from: n }) } }
}

function said(random: Random): Said {
  return {
    ...maybe(random, () => ({ key: pick(random, KEYS) }), 6),
    ...maybe(random, () => ({ label: pick(random, LABELS) })),
    ...maybe(random, () => condition(random), 4),
  }
}

/** Pieces, given the names that may be mentioned again. */
function pieces(random: Random, known: readonly string[], prefix: string, depth: number): Piece[] {
  const made: Piece[] = []
  const nodes = [...known]
  const length = 1 + below(random, 3)
  for (let at = 0; at < length; at++) {
    const fresh = nodes.length === 0 || below(random, 3) > 0
    const name = fresh ? `${prefix}n${at}` : pick(random, nodes)
    const choice = nodes.length === 0 ? 0 : below(random, 9)
    if (choice === 8 && depth > 0) {
      made.push({ verb: 'optional', pieces: pieces(random, nodes, `${prefix}${at}`, depth - 1) })
    } else if (choice === 7) {
      const names = [...known, ...namesOf(made)]
      made.push({ verb: 'filter', differ: [pick(random, names), pick(random, names)] })
    } else {
      const hops = [below(random, 2), 1 + below(random, 2)] as const
      const edge = {
        ...maybe(random, () => ({ as: `${prefix}e${at}` }), 2),
        ...maybe(random, () => ({ type: pick(random, TYPES) }), 2),
        ...maybe(random, () => ({ key: pick(random, ['', 'again']) }), 3),
        ...maybe(random, () => condition(random), 6),
        ...maybe(random, () => ({ hops }), 5),
      }
      const verb = choice === 0 ? 'node' : pick(random, ['out', 'in', 'both'] as const)
      if (verb === 'node') made.push({ verb, name, said: said(random) })
      else made.push({ verb, edge, name, said: said(random) } as Drawn)
      nodes.push(name)
    }
  }
  return made
}

function written(pattern: Pattern<AnyRow>, made: readonly Piece[]): Pattern<AnyRow> {
  return made.reduce((pattern, piece) => {
    switch (piece.verb) {
      case 'node':
        return pattern.node(piece.name, piece.said)
      case 'filter':
        return pattern.filter(({ [piece.differ[0]]: a, [piece.differ[1]]: b }) => textOf(a) !== textOf(b))
      case 'optional':
        return pattern.optional((part) => written(part, piece.pieces))
      default:
        return pattern[piece.verb](piece.edge, piece.name, piece.said)
    }
  }, pattern)
}

/** What is the same thing has the same text, also where it was read twice. */
function textOf(held: AnyRow[string]): string {
  return texts([{ held }]).join()
}

test('random patterns find what trying everything finds, now, in the past and in a transaction', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  let [rows, empty] = [0, 0]
  for (let world = 0; world < WORLDS; world++) {
    const { graph } = Kernel.memory()
    const past = await graph.write((tx) => change(random, tx, 20))
    if (world % 2 === 0) await graph.index({ label: 'A', property: 'n' })
    await graph.write((tx) => change(random, tx, 10))
    using tx = graph.begin()
    change(random, tx, 6)
    const readers: Record<string, Reader> = { graph, past: graph.at(past.version), transaction: tx }
    const worlds = Object.entries(readers).map(([name, reader]) => ({ name, reader, world: worldOf(reader) }))
    for (let round = 0; round < PATTERNS; round++) {
      const made = pieces(random, [], '', 2)
      for (const { name, reader, world: seen } of worlds) {
        const wanted = naiveRows(seen, made)
        if (wanted.length > ROWS_MAX) continue
        const pattern = written(match(reader) as unknown as Pattern<AnyRow>, made)
        const what = `KARYON_SEED=${seed}, world ${world}, round ${round}, ${name}: ${JSON.stringify(made)}`
        t.deepEqual(texts(pattern.rows()), texts(wanted), what)
        t.is(pattern.count(), wanted.length, what)
        rows += wanted.length
        if (wanted.length === 0) empty++
      }
    }
  }
  t.log(`${rows} rows; ${empty} of ${WORLDS * PATTERNS * 3} patterns with none`)
  t.true(empty < (WORLDS * PATTERNS * 3 * 3) / 4, 'patterns mean something')
})
