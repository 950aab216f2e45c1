// Knowledge as plain lists and maps, made up before any graph has it, and what is to be answered about it: small, and obviously right.
import { isDeepStrictEqual } from 'node:util'
import type { Edge, Graph, Node, Value } from '../../ts/index.ts'
import { compareUtf8 } from '../../ts/values/encode.ts'
import { type Random, below, pick, randomValue } from '../values/random.ts'
import { LABELS, NAMES, TYPES, byIdentity, copyInto, randomKeys } from './worlds.ts'

/** Everything that is known: nodes by key, edges in the order of their identity. */
export interface Knowledge {
  readonly nodes: ReadonlyMap<string, Node>
  readonly edges: readonly Edge[]
}

type Timed = { readonly from?: Date; readonly to?: Date; readonly value: Value }

/** Instants at which values begin and end. */
const TIMES = ['1890-04-01', '2026-01-01', '2026-02-01T10:00:00.001Z', '2026-03-01', '2026-04-01'].map(
  (day) => new Date(day),
)

/** Instants to ask at: on the bounds, between them, before and after. */
export const MOMENTS: readonly string[] = [
  '1800-01-01',
  '1890-04-01',
  '1999-12-31',
  '2026-01-01',
  '2026-01-15',
  '2026-02-01T10:00:00.001Z',
  '2026-03-31T23:59:59.999Z',
  '2026-04-01',
  '2200-01-01',
]

/** Makes up knowledge: values of all kinds, nodes without edges, edges side by side and to oneself, what holds at times. */
export function randomKnowledge(random: Random, size: number): Knowledge {
  const keys = randomKeys(random, size)
  const nodes = new Map<string, Node>()
  for (const key of keys) {
    const labels = [...new Set(Array.from({ length: below(random, 4) }, () => pick(random, LABELS)))]
    nodes.set(key, { key, labels: labels.toSorted(compareUtf8), ...randomFacts(random), version: 0n })
  }
  const edges: Edge[] = []
  // The last ones stay alone.
  const linked = keys.slice(0, Math.ceil(keys.length * 0.8))
  for (let n = 0; n < size * 3; n++) {
    const edge = {
      from: pick(random, linked),
      type: pick(random, TYPES),
      to: pick(random, linked),
      key: pick(random, ['', '', 'again', '𝒳']),
      ...randomFacts(random),
      ...(below(random, 3) === 0 && { valid: randomSpans(random) }),
      version: 0n,
    }
    if (edges.every((other) => byIdentity(edge, other) !== 0)) edges.push(edge)
  }
  return { nodes, edges: edges.toSorted(byIdentity) }
}

function randomFacts(random: Random): Pick<Node, 'props' | 'intervals'> {
  const props: Record<string, Value> = {}
  const intervals: Record<string, Timed[]> = {}
  for (const name of NAMES.filter(() => below(random, 3) === 0)) {
    if (below(random, 4) > 0) {
      props[name] = name === 'n' ? below(random, 20) - 10 : randomValue(random)
      continue
    }
    const timed: Timed[] = []
    for (const span of randomSpans(random)) {
      const value = randomValue(random, 2)
      // Two that touch and say the same would be one.
      if (!isDeepStrictEqual(timed.at(-1)?.value, value)) timed.push({ ...span, value })
    }
    intervals[name] = timed
  }
  return Object.keys(intervals).length > 0 ? { props, intervals } : { props }
}

/** Times that do not touch each other, one at least. */
function randomSpans(random: Random): { from?: Date; to?: Date }[] {
  const first = below(random, TIMES.length - 1)
  const [from, to] = [TIMES[first]!, TIMES[first + 1]!]
  switch (below(random, 4)) {
    case 0:
      return [{ to: from }]
    case 1:
      return [{ from }]
    case 2:
      return first < 2 ? [{ from, to }, { from: TIMES[first + 2]! }] : [{ from, to }]
    default:
      return first > 1 ? [{ to: TIMES[0]! }, { from, to }] : [{ from, to }]
  }
}

/** Writes all of it into a graph. */
export async function teach(graph: Graph, { nodes, edges }: Knowledge): Promise<void> {
  await copyInto(graph, { nodes: [...nodes.values()], edges })
}

/** What of it holds at an instant. */
export function heldAt({ nodes, edges }: Knowledge, moment: string): Knowledge {
  const at = new Date(moment).getTime()
  const holds = ({ from, to }: { from?: Date; to?: Date }): boolean =>
    (from === undefined || from.getTime() <= at) && (to === undefined || at < to.getTime())
  const now = <T extends Node | Edge>({
    props,
    intervals = {},
    valid: _valid,
    ...rest
  }: T & { valid?: unknown }): T => {
    const held = { ...props }
    for (const [name, timed] of Object.entries(intervals)) {
      const [found] = timed.filter(holds)
      if (found) held[name] = found.value
    }
    return { ...rest, props: held } as unknown as T
  }
  return {
    nodes: new Map([...nodes].map(([key, node]) => [key, now(node)])),
    edges: edges.filter(({ valid }) => valid === undefined || valid.some(holds)).map(now),
  }
}
