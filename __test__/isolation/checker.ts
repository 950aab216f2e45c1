// A small checker of isolation: what histories must not show, after Adya (1999) and Elle (Kingsbury and Alvaro, 2020).
//
// From what transactions read and wrote it finds who depends on whom, and looks for cycles:
//
//   ww  the second wrote over, or after, what the first wrote
//   wr  the second read what the first wrote
//   rw  the second wrote over what the first read: an anti-dependency
//
// The order of a list's versions is in the longest read of it. Registers are ordered by the commits that wrote them.
import { isMember, type Attempt, type History, type Step } from './history.ts'

/** From what nothing may show to what only serializable transactions may not show. */
export type Anomaly =
  /** A transaction does not see its own writes, or sees two versions of one key. */
  | 'internal'
  /** An element stands twice in a list, or two reads of a list contradict each other. */
  | 'incompatible-order'
  /** What an aborted transaction wrote was read. */
  | 'G1a'
  /** What a transaction wrote over itself was read. */
  | 'G1b'
  /** A cycle of ww: writes of two transactions are interleaved. */
  | 'G0'
  /** A cycle of ww and wr: information flows in a circle. */
  | 'G1c'
  /** A cycle with one rw: read skew, or a lost update. */
  | 'G-single'
  /** A cycle with several rw, no two of them in a row: long forks, for one. */
  | 'G-nonadjacent'
  /** A cycle with two rw in a row: write skew. */
  | 'G2-item'
  /** The same, where a scan did not find what was added later: a phantom. */
  | 'G2'

export type Level = 'serializable' | 'snapshot'

export interface Found {
  readonly anomaly: Anomaly
  readonly story: string
}

/** What a level lets happen. */
const ALLOWED: Readonly<Record<Level, readonly Anomaly[]>> = {
  serializable: [],
  snapshot: ['G2-item', 'G2'],
}

/** What a history shows and a level forbids. */
export function forbidden(history: History, level: Level): Found[] {
  return anomalies(history).filter(({ anomaly }) => !ALLOWED[level].includes(anomaly))
}

/** Every kind of anomaly in a history, with one example of each. */
export function anomalies(history: History): Found[] {
  const found = new Map<Anomaly, Found>()
  const report: Report = (anomaly, story) => {
    if (!found.has(anomaly)) found.set(anomaly, { anomaly, story })
  }
  const writers = writersOf(history)
  for (const attempt of history) {
    if (!attempt.committed) continue
    checkWithin(attempt, report)
    checkSources(attempt, history, writers, report)
  }
  const committed = history.filter((attempt) => attempt.committed)
  new Dependencies(committed, report).searchCycles(report)
  return [...found.values()]
}

type Report = (anomaly: Anomaly, story: string) => void

/** Who wrote a value of a key. Values are unique for a key. */
function writersOf(history: History): Map<string, Attempt> {
  const writers = new Map<string, Attempt>()
  for (const attempt of history) {
    for (const [kind, key, value] of attempt.steps) {
      if (kind !== 'r') writers.set(`${key}=${value}`, attempt)
    }
  }
  return writers
}

/** Own writes are seen, and nothing changes between two reads of a transaction. */
function checkWithin({ steps }: Attempt, report: Report): void {
  const expected = new Map<string, readonly number[] | number | null>()
  /** Appended to lists that were not read before. */
  const tails = new Map<string, number[]>()
  for (const [kind, key, value] of steps) {
    const known = expected.get(key)
    if (kind === 'w') expected.set(key, value)
    else if (kind === 'append') {
      if (known === undefined) tails.set(key, [...(tails.get(key) ?? []), value])
      else expected.set(key, [...listOf(known), value])
    } else {
      const tail = tails.get(key) ?? []
      const fits =
        known === undefined
          ? tail.length === 0 || sameList(listOf(value).slice(-tail.length), tail)
          : Array.isArray(known)
            ? sameList(listOf(value), known as readonly number[])
            : known === value
      if (!fits) report('internal', `${key} was read as ${JSON.stringify(value)} in ${tell(steps)}`)
      expected.set(key, value)
      tails.delete(key)
    }
  }
}

/** What was read was committed, and was the last word of whoever wrote it. */
function checkSources(
  reader: Attempt,
  history: History,
  writers: ReadonlyMap<string, Attempt>,
  report: Report,
): void {
  for (const [kind, key, value] of reader.steps) {
    if (kind !== 'r' || value === null) continue
    const values = Array.isArray(value) ? (value as readonly number[]) : [value as number]
    for (const [at, read] of values.entries()) {
      const writer = writers.get(`${key}=${read}`)
      if (!writer || writer === reader) continue
      const story = `${tell(reader.steps)} read ${key}=${read} of ${tell(writer.steps)}`
      if (!writer.committed) report('G1a', story)
      const own = writer.steps.filter((step) => step[0] !== 'r' && step[1] === key).map((step) => step[2])
      if (at === values.length - 1 && own.at(-1) !== read) report('G1b', story)
    }
  }
}

type Kind = 'ww' | 'wr' | 'rw'

interface Edge {
  readonly to: number
  readonly kind: Kind
  readonly key: string
}

/** Who depends on whom, by place in the list of what was committed. */
class Dependencies {
  readonly #attempts: readonly Attempt[]
  readonly #edges: Edge[][]

  constructor(attempts: readonly Attempt[], report: Report) {
    this.#attempts = attempts
    this.#edges = attempts.map(() => [])
    for (const [key, uses] of this.#usesByKey()) this.#connect(key, uses, report)
  }

  #usesByKey(): Map<string, Uses> {
    const byKey = new Map<string, Uses>()
    for (const [at, { steps, version }] of this.#attempts.entries()) {
      const wrote = new Set<string>()
      for (const [kind, key, value] of steps) {
        let uses = byKey.get(key)
        if (!uses) byKey.set(key, (uses = { writes: [], reads: [], isList: false }))
        if (kind === 'r') {
          uses.isList ||= Array.isArray(value)
          // What comes after an own write says nothing about others.
          if (!wrote.has(key)) uses.reads.push({ at, value })
          else if (Array.isArray(value)) uses.reads.push({ at, value: null, whole: value as number[] })
          continue
        }
        uses.isList ||= kind === 'append'
        uses.writes.push({ at, value, version: version ?? 0 })
        wrote.add(key)
      }
    }
    return byKey
  }

  #connect(key: string, { writes, reads, isList }: Uses, report: Report): void {
    const order = isList ? listOrder(key, writes, reads, report) : registerOrder(writes)
    const writerOf = new Map(writes.map(({ at, value }) => [value, at]))
    /** The place in the order, or after everything for what nobody has seen. */
    const placeOf = new Map(order.map((value, place) => [value, place]))
    const unseen = writes.filter(({ value }) => isList && !placeOf.has(value)).map(({ at }) => at)
    const after = (place: number): number[] => {
      const next = order[place + 1]
      if (next === undefined) return unseen
      const writer = writerOf.get(next)
      return writer === undefined ? [] : [writer]
    }
    for (const [place, value] of order.entries()) {
      const writer = writerOf.get(value)
      if (writer !== undefined) for (const next of after(place)) this.#add(writer, next, 'ww', key)
    }
    for (const read of reads) {
      if (read.whole) continue
      const last = Array.isArray(read.value) ? (read.value as readonly number[]).at(-1) : read.value
      const place = last === undefined || last === null ? -1 : placeOf.get(last as number)
      if (place === undefined) continue
      const writer = place < 0 ? undefined : writerOf.get(order[place]!)
      if (writer !== undefined) this.#add(writer, read.at, 'wr', key)
      for (const next of overwriters(read.at, place, order, writerOf, after)) {
        this.#add(read.at, next, 'rw', key)
      }
    }
  }

  #add(from: number, to: number, kind: Kind, key: string): void {
    if (from !== to) this.#edges[from]!.push({ to, kind, key })
  }

  searchCycles(report: Report): void {
    const component = components(this.#edges)
    const inside = this.#edges.map((edges, from) =>
      edges.filter(({ to }) => component[to] === component[from]),
    )
    const seek = (anomaly: Anomaly, first: Kind, mayFollow: MayFollow): void => {
      for (const [from, edges] of inside.entries()) {
        for (const edge of edges) {
          if (edge.kind !== first || !mayFollow(edge, undefined)) continue
          const way = back(inside, from, edge, mayFollow)
          if (way) return report(anomaly, this.#tell(from, way))
        }
      }
    }
    seek('G0', 'ww', ({ kind }) => kind === 'ww')
    seek('G1c', 'wr', ({ kind }) => kind !== 'rw')
    for (const [from, edges] of inside.entries()) {
      for (const edge of edges) {
        const [anomaly, way] = (edge.kind === 'rw' && this.#worst(inside, from, edge)) || []
        if (anomaly && way) report(anomaly, this.#tell(from, way))
      }
    }
  }

  /** The most severe anomaly that an anti-dependency is part of. */
  #worst(inside: readonly Edge[][], from: number, edge: Edge): [Anomaly, readonly Edge[]] | undefined {
    const single = back(inside, from, edge, ({ kind }, before) => before === undefined || kind !== 'rw')
    if (single) return ['G-single', single]
    const apart = back(
      inside,
      from,
      edge,
      ({ kind }, before) => kind !== 'rw' || before?.kind !== 'rw',
      ({ kind }) => kind !== 'rw',
    )
    if (apart) return ['G-nonadjacent', apart]
    const isItem = ({ kind, key }: Edge): boolean => kind !== 'rw' || !isMember(key)
    const items = isItem(edge) && back(inside, from, edge, isItem)
    if (items) return ['G2-item', items]
    const any = back(inside, from, edge, () => true)
    return any && ['G2', any]
  }

  #tell(from: number, way: readonly Edge[]): string {
    let story = `T${from} ${tell(this.#attempts[from]!.steps)}`
    for (const { to, kind, key } of way)
      story += `\n  —${kind} ${key}→ T${to} ${tell(this.#attempts[to]!.steps)}`
    return story
  }
}

interface Uses {
  readonly writes: { readonly at: number; readonly value: number; readonly version: number }[]
  readonly reads: {
    readonly at: number
    readonly value: readonly number[] | number | null
    /** A list that the reader itself had added to: it tells the order, and nothing else. */
    readonly whole?: readonly number[]
  }[]
  isList: boolean
}

/** The longest read of a list; every other one is its beginning. */
function listOrder(key: string, writes: Uses['writes'], reads: Uses['reads'], report: Report): number[] {
  const lists = reads.map(({ value, whole }) => whole ?? listOf(value))
  const longest = lists.reduce((a, b) => (b.length > a.length ? b : a), [])
  for (const list of lists) {
    const fits = sameList(list, longest.slice(0, list.length)) && new Set(list).size === list.length
    if (!fits) report('incompatible-order', `${key} was read as [${list}] and as [${longest}]`)
  }
  const known = new Set(writes.map(({ value }) => value))
  return longest.filter((value) => known.has(value))
}

/** By commit; within one, the last write is the version. */
function registerOrder(writes: Uses['writes']): number[] {
  const last = new Map(writes.map((write) => [write.at, write]))
  return [...last.values()].toSorted((a, b) => a.version - b.version).map(({ value }) => value)
}

/** Who wrote next after what was read; of several appends of one transaction the reader's own are passed over. */
function overwriters(
  reader: number,
  place: number,
  order: readonly number[],
  writerOf: ReadonlyMap<number, number>,
  after: (place: number) => readonly number[],
): readonly number[] {
  let at = place
  while (at + 1 < order.length && writerOf.get(order[at + 1]!) === reader) at++
  // A reader that wrote next itself is followed as a writer.
  return at === place ? after(at) : []
}

type MayFollow = (edge: Edge, before: Edge | undefined) => boolean

/** The shortest way around: from a node over an edge and back, over edges that may follow each other. */
function back(
  edges: readonly (readonly Edge[])[],
  from: number,
  first: Edge,
  mayFollow: MayFollow,
  mayEnd: (edge: Edge) => boolean = () => true,
): readonly Edge[] | undefined {
  if (!mayFollow(first, undefined)) return undefined
  interface Walk {
    readonly edge: Edge
    readonly before: Walk | undefined
  }
  const queue: Walk[] = [{ edge: first, before: undefined }]
  // How a node was come to decides where the walk may go from there.
  const stateOf = ({ to, kind }: Edge): number => to * 2 + (kind === 'rw' ? 1 : 0)
  const seen = new Set([stateOf(first)])
  for (const walk of queue) {
    if (walk.edge.to === from && mayEnd(walk.edge)) {
      const way: Edge[] = []
      for (let at: Walk | undefined = walk; at; at = at.before) way.unshift(at.edge)
      return way
    }
    for (const edge of edges[walk.edge.to]!) {
      const state = stateOf(edge)
      if (seen.has(state) || !mayFollow(edge, walk.edge)) continue
      seen.add(state)
      queue.push({ edge, before: walk })
    }
  }
  return undefined
}

/** Numbers the strongly connected components (Tarjan, without recursion). */
function components(edges: readonly (readonly Edge[])[]): number[] {
  const [index, low, component] = [0, 0, 0].map(() => edges.map(() => -1)) as [number[], number[], number[]]
  const stack: number[] = []
  let [next, count] = [0, 0]
  for (const root of edges.keys()) {
    if (index[root] !== -1) continue
    const path: { readonly node: number; edge: number }[] = [{ node: root, edge: 0 }]
    index[root] = low[root] = next++
    stack.push(root)
    while (path.length > 0) {
      const top = path.at(-1)!
      const { node } = top
      const to = edges[node]![top.edge++]?.to
      if (to !== undefined) {
        if (index[to] === -1) {
          index[to] = low[to] = next++
          stack.push(to)
          path.push({ node: to, edge: 0 })
        } else if (component[to] === -1) low[node] = Math.min(low[node]!, index[to]!)
        continue
      }
      path.pop()
      const parent = path.at(-1)?.node
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[node]!)
      if (low[node] !== index[node]) continue
      for (let popped = -1; popped !== node;) {
        popped = stack.pop()!
        component[popped] = count
      }
      count++
    }
  }
  return component
}

function listOf(value: readonly number[] | number | null): readonly number[] {
  return Array.isArray(value) ? (value as readonly number[]) : []
}

function sameList(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at])
}

/** Steps in short; what a scan did not find is left out. */
function tell(steps: readonly Step[]): string {
  const shown = steps.filter(
    ([kind, key, value]) => kind !== 'r' || !isMember(key) || listOf(value).length > 0,
  )
  return `{${shown.map(([kind, key, value]) => `${kind} ${key} ${JSON.stringify(value)}`).join(', ')}}`
}
