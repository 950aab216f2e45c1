// What grafting means, over plain maps: small, and obviously right.
import { inspect, isDeepStrictEqual } from 'node:util'
import type { ConflictPolicy, PlanCounts, Source } from '../../ts/engrams/types.ts'
import type {
  EdgeIdentity,
  Graph,
  Intervals,
  Node,
  Reader,
  Target,
  Transaction,
  Value,
} from '../../ts/index.ts'
import { below, pick, type Random, randomValue } from '../values/random.ts'

/** What a property holds: `{ value }`, or `{ times }`; an edge itself is a property without a name. */
export type Content = { readonly value: Value } | { readonly times: unknown }

/** A node or an edge. */
export interface Thing {
  readonly target: Target
  readonly labels: readonly string[]
  readonly contents: ReadonlyMap<string, Content>
}

/** All nodes and edges, by what they are called. */
export type Model = ReadonlyMap<string, Thing>

/** The name under which an edge's own times are kept: no property can have it. */
export const ITSELF = ''

/** Everything that can be read. */
export function modelOf(reader: Reader, without?: string): Map<string, Thing> {
  const model = new Map<string, Thing>()
  for (const node of [...reader.nodes()].filter(({ key }) => key !== without)) {
    model.set(nameOf(node.key), {
      target: node.key,
      labels: node.labels.toSorted(),
      contents: contentsOf(node),
    })
    for (const { from, type, to, key, valid, ...rest } of reader.out(node.key)) {
      const contents = contentsOf(rest).set(ITSELF, { times: valid ?? [] })
      const target = { from, type, to, key }
      model.set(nameOf(target), { target, labels: [], contents: sorted(contents) })
    }
  }
  return sorted(model)
}

export function nameOf(target: Target): string {
  // A node may be called as an edge is written.
  if (typeof target === 'string') return `node ${target}`
  return JSON.stringify([target.from, target.type, target.to, target.key ?? ''])
}

function contentsOf({
  props,
  intervals = {},
}: Pick<Node, 'props'> & { intervals?: Intervals }): Map<string, Content> {
  const values = Object.entries(props).map(([name, value]): [string, Content] => [name, { value }])
  const times = Object.entries(intervals).map(([name, times]): [string, Content] => [name, { times }])
  return sorted(new Map([...values, ...times]))
}

export function sorted<T>(map: ReadonlyMap<string, T>): Map<string, T> {
  return new Map([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** What two models do not agree on, to be read. */
export function differing(actual: Model, expected: Model): string[] {
  const names = [...new Set([...actual.keys(), ...expected.keys()])]
  const unlike = names.filter((name) => !isDeepStrictEqual(actual.get(name), expected.get(name)))
  return unlike.map((name) =>
    inspect({ name, actual: actual.get(name), expected: expected.get(name) }, { depth: 8 }),
  )
}

/** How two are made one. */
export interface Rules {
  readonly policies: Readonly<Record<string, ConflictPolicy>>
  readonly clashes: 'skip' | 'merge'
  readonly newer: (target: Target, property: string) => boolean
}

function policyOf({ policies }: Rules, property: string): ConflictPolicy {
  const own = property !== ITSELF && Object.hasOwn(policies, property) ? policies[property] : undefined
  return own ?? policies['*'] ?? 'keep-host'
}

/** What is held where two differ. */
export function decided(
  rules: Rules,
  target: Target,
  property: string,
  host: Content,
  other: Content,
): Content {
  switch (policyOf(rules, property)) {
    case 'take-package':
      return other
    case 'newest-valid':
      return rules.newer(target, property) ? other : host
    case 'keep-both': {
      if (!('value' in host && 'value' in other)) return host
      const list = [host.value, other.value].flatMap((value) =>
        Array.isArray(value) ? (value as Value[]) : [value],
      )
      const distinct = list.filter(
        (value, at) => list.findIndex((each) => isDeepStrictEqual(each, value)) === at,
      )
      const first = Array.isArray(host.value) ? (host.value as Value[]) : [host.value]
      const nothingNew = distinct.every((value) => first.some((each) => isDeepStrictEqual(each, value)))
      return nothingNew ? host : { value: distinct }
    }
    default:
      return host
  }
}

/** Whether a node is another thing than the host's. */
export function isClash(thing: Thing, host: Thing | undefined): boolean {
  if (host === undefined || thing.labels.length === 0 || host.labels.length === 0) return false
  return thing.labels.every((label) => !host.labels.includes(label))
}

/** What a graft shows, and what a plan counts. */
export function grafted(
  host: Model,
  other: Model,
  rules: Rules,
): { readonly view: Model; readonly counts: PlanCounts; readonly clashes: number } {
  const view = new Map(host)
  const counts = { added: 0, same: 0, conflicting: 0 }
  const clashing = new Set(
    [...other.values()]
      .filter((thing) => typeof thing.target === 'string' && isClash(thing, host.get(nameOf(thing.target))))
      .map(({ target }) => target),
  )
  for (const [name, thing] of other) {
    const there = host.get(name)
    const contents = new Map(there?.contents)
    if (typeof thing.target === 'string') counts[there ? 'same' : 'added']++
    for (const label of thing.labels) counts[there?.labels.includes(label) ? 'same' : 'added']++
    for (const [property, content] of thing.contents) {
      const held = there?.contents.get(property)
      if (held === undefined) {
        counts.added++
        contents.set(property, content)
      } else if (isDeepStrictEqual(held, content)) counts.same++
      else {
        counts.conflicting++
        contents.set(property, decided(rules, thing.target, property, held, content))
      }
    }
    const touched = typeof thing.target === 'string' ? [thing.target] : [thing.target.from, thing.target.to]
    if (rules.clashes === 'skip' && touched.some((key) => clashing.has(key))) continue
    const labels = [...new Set([...(there?.labels ?? []), ...thing.labels])].toSorted()
    view.set(name, { target: thing.target, labels, contents: sorted(contents) })
  }
  return { view: sorted(view), counts, clashes: clashing.size }
}

/** What of a content is the package's: where both are kept, what the host did not have. */
function ownOf(rules: Rules, property: string, before: Thing | undefined, content: Content): Content {
  const was = before?.contents.get(property)
  if (policyOf(rules, property) !== 'keep-both' || was === undefined) return content
  if (!('value' in was && 'value' in content)) return content
  const had = Array.isArray(was.value) ? (was.value as Value[]) : [was.value]
  const list = content.value as Value[]
  return { value: list.filter((value) => !had.some((each) => isDeepStrictEqual(each, value))) }
}

/** What the graph holds after all of a graft is promoted: as it was, as the graft has it, as it is. */
export function promoted(was: Model, graft: Model, is: Model, rules: Rules): Model {
  const result = new Map(is)
  const left = new Set<string>()
  const nodesFirst = [...graft.values()].toSorted(
    (a, b) => Number(typeof a.target !== 'string') - Number(typeof b.target !== 'string'),
  )
  for (const thing of nodesFirst) {
    const name = nameOf(thing.target)
    const [before, now] = [was.get(name), is.get(name)]
    if (isDeepStrictEqual(before, thing)) continue
    if (typeof thing.target !== 'string') {
      const { from, to } = thing.target
      if ([from, to].some((end) => !result.has(nameOf(end)) || left.has(nameOf(end)))) continue
    }
    const own = new Map(
      [...thing.contents]
        .filter(([property, content]) => !isDeepStrictEqual(before?.contents.get(property), content))
        .map(([property, content]) => [property, ownOf(rules, property, before, content)] as const),
    )
    const labels = thing.labels.filter((label) => !before?.labels.includes(label))
    if (now === undefined) {
      const mine = ['take-package', 'keep-both'].includes(policyOf(rules, ITSELF))
      const times = thing.contents.get(ITSELF)
      if (times !== undefined) own.set(ITSELF, times)
      if (before === undefined || mine)
        result.set(name, { target: thing.target, labels, contents: sorted(own) })
      continue
    }
    if (isClash(thing, now) && rules.clashes === 'skip') {
      left.add(name)
      continue
    }
    const contents = new Map(now.contents)
    for (const [property, content] of thing.contents) {
      const [old, held] = [before?.contents.get(property), now.contents.get(property)]
      if (isDeepStrictEqual(old, content)) continue
      if (isDeepStrictEqual(old, held)) contents.set(property, content)
      else if (held !== undefined)
        contents.set(
          property,
          decided({ ...rules, newer: () => false }, thing.target, property, held, own.get(property)!),
        )
      else if (['take-package', 'keep-both'].includes(policyOf(rules, property)))
        contents.set(property, own.get(property)!)
    }
    result.set(name, {
      target: thing.target,
      labels: [...new Set([...now.labels, ...labels])].toSorted(),
      contents: sorted(contents),
    })
  }
  return sorted(result)
}

const KEYS = [
  'a',
  'b',
  'c',
  'd',
  'e',
  'f',
  '__proto__',
  'toString',
  'engram:',
  'ü/\u{1f600}',
  '["a","T","b",""]',
  ' ',
]
const LABELS = ['A', 'B', 'constructor']
const TYPES = ['T', 'hasOwnProperty']
const PROPERTIES = ['p', 'q', 'constructor', 'toString', '*']
const DAYS = ['2026-01-01', '2026-02-01T12:00:00.000001', '2026-03-01', '2026-04-01']
export const POLICIES: readonly ConflictPolicy[] = ['keep-host', 'take-package', 'newest-valid', 'keep-both']

/** Policies of some properties and perhaps of all others. */
export function randomPolicies(random: Random): Record<string, ConflictPolicy> {
  const some = [...PROPERTIES, 'r'].filter(() => random() < 0.6)
  return Object.fromEntries(some.map((property) => [property, pick(random, POLICIES)]))
}

/** Values of which some are met often. */
function someValue(random: Random): Value {
  if (random() < 0.7)
    return pick<Value>(random, [1, 1n, 2, 'x', ['x', 1], [1], null, Number.NaN, -0, 0, new Date(5)])
  return randomValue(random, 2)
}

/** Writes something at random into a graph: nodes and edges made, changed, and, where it is asked for, removed. */
export async function scribble(random: Random, graph: Graph, removals = false): Promise<void> {
  await graph.write((tx) => {
    for (const key of KEYS.filter(() => random() < 0.5)) {
      if (removals && random() < 0.2) tx.remove(key, { detach: true })
      else {
        tx.patch(key, { labels: LABELS.filter(() => random() < 0.4) })
        change(random, tx, key, removals)
      }
    }
  })
  await graph.write((tx) => {
    const there = [...tx.nodes()].map(({ key }) => key)
    for (let n = 0; n < 12 && there.length > 0; n++) {
      const [from, to] = [pick(random, there), pick(random, there)]
      const edge = { from, type: pick(random, TYPES), to, key: pick(random, ['', 'k']) }
      if (removals && random() < 0.2) tx.unlink(from, edge.type, to, { key: edge.key })
      else {
        if (random() < 0.3)
          for (const valid of times(random)) tx.link(from, edge.type, to, { key: edge.key, valid })
        else tx.link(from, edge.type, to, { key: edge.key })
        change(random, tx, edge, removals)
      }
    }
  })
}

function change(random: Random, tx: Transaction, target: string | EdgeIdentity, removals: boolean): void {
  for (const property of PROPERTIES.filter(() => random() < 0.4)) {
    if (random() < 0.2)
      for (const valid of times(random)) tx.patch(target, { props: { [property]: someValue(random) }, valid })
    else
      tx.patch(target, { props: { [property]: removals && random() < 0.2 ? undefined : someValue(random) } })
  }
}

/** Intervals that do not overlap. */
function times(random: Random): { from?: string; to?: string }[] {
  const bounds = DAYS.filter(() => random() < 0.7)
  if (bounds.length < 2) return [{ from: DAYS[below(random, DAYS.length)]! }]
  const pairs = bounds.slice(1).map((to, at) => ({ from: bounds[at]!, to }))
  const some = pairs.filter(() => random() < 0.7)
  return some.length === 0 ? [{ to: bounds[0]! }] : some
}

/** Where a package says that facts come from: from before everything, from far ahead, or nothing. */
export function sourceOf(target: Target, property?: string): Source | undefined {
  const sum = [...`${nameOf(target)} ${property ?? ITSELF}`].reduce(
    (sum, unit) => sum + unit.codePointAt(0)!,
    0,
  )
  if (sum % 3 === 0) return undefined
  return { principal: 'root/elsewhere', time: new Date(Date.UTC(sum % 3 === 1 ? 2020 : 2100, 0)) }
}

export function isNewer(target: Target, property: string): boolean {
  const source = property === ITSELF ? sourceOf(target) : sourceOf(target, property)
  return source !== undefined && source.time.getUTCFullYear() === 2100
}
