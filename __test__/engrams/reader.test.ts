import test, { type ExecutionContext } from 'ava'
import { join } from 'node:path'
import { exportEngram, openEngram, type Engram } from '../../ts/engrams/index.ts'
import { Kernel, KaryonError, match, type Condition, type Graph, type Reader } from '../../ts/index.ts'
import { compareUtf8 } from '../../ts/values/encode.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { type Random, below, chooseSeed, pick, randomValue, seededRandom } from '../values/random.ts'
import { LABELS, NAMES, TYPES, copyInto, randomWorld } from './worlds.ts'

const ABOUT = { name: 'world', version: '1.0.0' }
const WORLDS = 5
const QUESTIONS = 150

/** A graph that was written in the order of packages, whose own orders are then theirs, and a package of it. */
async function pair(
  t: ExecutionContext,
  random: Random,
  size: number,
): Promise<{ graph: Graph; engram: Engram; keys: readonly string[] }> {
  const wild = Kernel.memory().graph
  const keys = await randomWorld(random, wild, size)
  const path = join(freshDirectory(t), 'a.engram')
  await exportEngram(wild, path, ABOUT)
  const engram = openEngram(path)
  const { graph } = Kernel.memory()
  await copyInto(graph, { nodes: [...engram.nodes()], edges: [...engram.edges()] })
  return { graph, engram, keys }
}

/** What a reader answers or throws; versions and handles are nobody else's. */
function answer(reader: Reader, ask: (reader: Reader) => unknown): unknown {
  try {
    return plain(ask(reader))
  } catch (error) {
    if (!(error instanceof KaryonError)) throw error
    return error.code
  }
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value
  const entries = Object.entries(value).filter(([name]) => name !== 'version')
  return Object.fromEntries(
    entries.map(([name, held]) => [name, name === 'props' || name === 'intervals' ? held : plain(held)]),
  )
}

function randomCondition(random: Random, reader: Reader): Condition {
  const property = pick(random, [...NAMES, 'unknown'])
  const held = [...reader.nodes()].map((node) => node.props[property]).filter((value) => value !== undefined)
  const value = held.length > 0 && below(random, 3) > 0 ? pick(random, held)! : randomValue(random)
  const other = held.length > 0 ? pick(random, held)! : randomValue(random)
  switch (below(random, 6)) {
    case 0:
      return { property, from: value, to: other }
    case 1:
      return { property, from: value }
    case 2:
      return { property, to: value }
    case 3:
      return { property, prefix: (typeof value === 'string' ? value.slice(0, 2) : value) as string }
    default:
      return { property, equals: value }
  }
}

/** Any question to a reader. */
function question(random: Random, keys: readonly string[], graph: Graph): (reader: Reader) => unknown {
  const key = pick(random, [...keys, 'nobody'])
  const other = pick(random, [...keys, 'nobody'])
  const type = pick(random, [...TYPES, undefined, undefined, 'UNKNOWN', LABELS[0]])
  const direction = pick(random, ['out', 'in'] as const)
  const some = Array.from({ length: below(random, 6) }, () => pick(random, [...keys, 'nobody']))
  const label = pick(random, [...LABELS, 'UNKNOWN', TYPES[0]!])
  const conditions = Array.from({ length: below(random, 3) }, () => randomCondition(random, graph))
  const query = {
    ...(below(random, 2) === 0 && { label }),
    ...(conditions.length > 0 && { where: conditions }),
  }
  const walk = {
    ...(type !== undefined && { type }),
    ...(below(random, 3) > 0 && { direction: pick(random, ['out', 'in', 'both'] as const) }),
    ...(below(random, 3) > 0 && { hops: below(random, 5) }),
  }
  const [property, limit] = [pick(random, [...NAMES, 'unknown']), 1 + below(random, 9)]
  const choices: ((reader: Reader) => unknown)[] = [
    (reader) => reader.get(key),
    (reader) => reader.getMany(some),
    (reader) => reader.keys(reader.handles(some)),
    (reader) => [...reader.numbers(reader.handles(some), property)],
    (reader) => reader.number(reader.handles([key])[0]!, property),
    (reader) => [...reader.out(key, type)],
    (reader) => [...reader.in(key, type)],
    (reader) => [...reader.nodes(query)],
    (reader) => reader.count(query),
    (reader) => reader.degree(key, direction, type),
    (reader) => reader.keys(reader.neighbours(key, direction, type)),
    (reader) => reader.within(key, { ...walk, limit }),
    (reader) => reader.within(key, walk),
    (reader) => reader.path(key, other, walk),
    (reader) => [...reader.out(key)].map((edge) => reader.edge(edge)),
    (reader) => reader.edge({ from: key, type: TYPES[0]!, to: other }),
  ]
  return pick(random, choices)
}

test('a package answers everything as the graph does, in the same order', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  for (let world = 0; world < WORLDS; world++) {
    const { graph, engram, keys } = await pair(t, random, 12 + world * 9)
    for (let asked = 0; asked < QUESTIONS; asked++) {
      const ask = question(random, keys, graph)
      t.deepEqual(answer(engram, ask), answer(graph, ask), `${ask}, question ${asked} of world ${world}`)
    }
    for (const { key, labels } of graph.nodes()) {
      t.deepEqual(engram.get(key)?.labels, labels.toSorted(compareUtf8))
      for (const reader of [graph, engram]) t.is(reader.keys(reader.handles([key]))[0], key)
    }
    engram.close()
  }
})

test('patterns find in a package what they find in the graph', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const { graph, engram, keys } = await pair(t, random, 30)
  const [one, two] = TYPES as [string, string]
  const key = pick(random, keys)
  const ways: ((reader: Reader) => Iterable<object>)[] = [
    (reader) => match(reader).node('a', { label: 'Fact' }).out(one, 'b').rows(),
    (reader) => match(reader).node('a').in({ as: 'edge', type: two }, 'b', { label: 'Person' }).rows(),
    (reader) =>
      match(reader)
        .node('a', { key })
        .both({ as: 'path', hops: [1, 2] }, 'b')
        .rows(),
    (reader) =>
      match(reader)
        .node('a', { where: { property: 'n', from: 0 } })
        .out(one, 'b')
        .rows(),
    (reader) =>
      match(reader)
        .node('a', { label: 'a' })
        .optional((part) => part.node('a').out(one, 'b'))
        .rows(),
  ]
  let rows = 0
  for (const way of ways) {
    const [theirs, own] = [graph, engram].map((reader) =>
      Array.from(way(reader), (row) => JSON.stringify(plain(row), tagged)).toSorted(),
    ) as [string[], string[]]
    t.deepEqual(own, theirs)
    rows += own.length
  }
  t.true(rows > 0)
})

/** JSON says nothing of some values. */
function tagged(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  return Object.is(value, -0) || (typeof value === 'number' && !Number.isFinite(value))
    ? `number ${value}`
    : value
}

test('what is asked wrongly is refused as the graph refuses it', async (t) => {
  const { graph, engram } = await pair(t, seededRandom(1), 12)
  const wrong: ((reader: Reader) => unknown)[] = [
    (reader) => reader.get(5 as unknown as string),
    (reader) => reader.get('k'.repeat(1025)),
    (reader) => reader.get('\ud800'),
    (reader) => reader.getMany('a' as unknown as string[]),
    (reader) => reader.getMany(['a', null as unknown as string]),
    (reader) => reader.keys([1] as unknown as Uint32Array),
    (reader) => reader.number(-1, 'n'),
    (reader) => reader.number(0, ''),
    (reader) => reader.numbers(new Uint32Array(1), '__proto__'),
    (reader) => reader.edge('a' as unknown as { from: string; type: string; to: string }),
    (reader) => reader.edge({ from: 'a', type: '', to: 'b' }),
    (reader) => reader.edge({ from: '', type: 'T', to: 'b' }),
    (reader) =>
      reader.edge({ from: 'a', type: 'T', to: 'b', kee: '' } as unknown as {
        from: string
        type: string
        to: string
      }),
    (reader) => reader.out('a', ''),
    (reader) => reader.in(undefined as unknown as string),
    (reader) => reader.nodes({ lable: 'L' } as object),
    (reader) => reader.nodes({ where: { property: 'n' } as unknown as Condition }),
    (reader) => reader.nodes({ where: { property: 'n', equals: 1, from: 2 } as Condition }),
    (reader) => [
      ...reader.nodes({
        where: [
          { property: 'n', from: 1, to: 'x' },
          { property: 'n', equals: '\ud800' },
        ],
      }),
    ],
    (reader) => reader.nodes({ where: { property: 'n', equals: 2 ** 60 } }),
    (reader) => reader.count({ where: { property: 'n', from: 1, to: 'b' } }),
    (reader) => reader.count({ where: { property: 'n', from: [1] } }),
    (reader) => reader.count({ where: { property: 'n', prefix: 1 as unknown as string } }),
    (reader) => reader.degree('a', 'up' as 'out'),
    (reader) => reader.neighbours('a', 'both' as 'out'),
    (reader) => reader.within('a', { hops: -1 }),
    (reader) => reader.within('a', { limit: 0 }),
    (reader) => reader.within('a', { limit: 65_537 }),
    (reader) => reader.within('a', { direction: 'up' as 'out' }),
    (reader) => reader.within('a', { depth: 1 } as object),
    (reader) => reader.path('a', 'b', { limit: 1 } as object),
    (reader) => reader.path('a', 5 as unknown as string),
  ]
  for (const ask of wrong) {
    const [own, theirs] = [answer(engram, ask), answer(graph, ask)]
    t.regex(String(theirs), /^ERR_KARYON_/, String(ask))
    t.is(own, theirs, String(ask))
  }
})

test('a closed package says so, also to who is in the middle of it', async (t) => {
  const { engram, keys } = await pair(t, seededRandom(2), 20)
  const nodes = engram.nodes()
  const edges = engram.edges()
  nodes.next()
  edges.next()
  engram.close()
  engram.close()
  const late: (() => unknown)[] = [
    () => nodes.next(),
    () => edges.next(),
    () => engram.get(keys[0]!),
    () => engram.getMany([]),
    () => engram.count(),
    () => engram.nodes(),
    () => engram.out(keys[0]!),
    () => engram.within(keys[0]!),
    () => engram.source(keys[0]!),
    () => engram.number(1, 'n'),
  ]
  for (const act of late) await refused(t, 'ERR_KARYON_CLOSED', act, String(act))
  t.is(engram.manifest.name, 'world', 'what it says of itself is still known')
})
