// Random graphs for packages: whatever a graph can hold, and what a package has to say of it.
import type { Edge, Graph, Node, Reader, Transaction } from '../../ts/index.ts'
import { compareUtf8 } from '../../ts/values/encode.ts'
import { type Random, below, pick, randomText, randomValue } from '../values/random.ts'

export const LABELS: readonly string[] = ['Fact', 'Person', 'é', '𐀀label', '\uffff', 'a', 'constructor']
export const TYPES: readonly string[] = ['KNOWS', 'IS', 'ü', '\ue000', '𝒳']
export const NAMES: readonly string[] = ['n', 'text', 'Fact', 'KNOWS', 'prop', '𐀀', '\uffff', 'toString']
const DAYS = ['2026-01-01', '2026-02-01T10:00:00.000001Z', '2026-03-01', '2026-04-01', '1890-04-01']

/** Keys: plain ones, those of every length of UTF-8, the longest one, some that begin alike. */
export function randomKeys(random: Random, count: number): string[] {
  const keys = new Set(['a', 'ab', 'abc', 'k'.repeat(1024), '\0', '𐀀', '\uffff', ' '])
  while (keys.size < count) keys.add(`${randomText(random, 10)}${below(random, 1000)}`)
  return [...keys].slice(0, count)
}

function someOf<T>(random: Random, from: readonly T[], most: number): T[] {
  return Array.from({ length: below(random, most + 1) }, () => pick(random, from))
}

function randomProps(random: Random): Record<string, ReturnType<typeof randomValue>> {
  return Object.fromEntries(someOf(random, NAMES, 4).map((name) => [name, randomValue(random)]))
}

/** Days that follow each other, one of them perhaps open. */
function randomValid(random: Random): { from?: string; to?: string } {
  const [a, b] = [pick(random, DAYS), pick(random, DAYS)].toSorted()
  if (a === b) return below(random, 2) === 0 ? { from: a! } : { to: a! }
  return { from: a!, to: b! }
}

/** Some verbs; ends that are missing are put first. */
export function change(random: Random, tx: Transaction, keys: readonly string[], verbs: number): void {
  for (let verb = 0; verb < verbs; verb++) {
    const [key, other] = [pick(random, keys), pick(random, keys)]
    switch (below(random, 9)) {
      case 0:
      case 1:
        tx.put(key, { labels: someOf(random, LABELS, 3), props: randomProps(random) })
        break
      case 2:
        tx.patch(key, { labels: someOf(random, LABELS, 2), props: randomProps(random) })
        break
      case 3:
        tx.patch(key, { props: randomProps(random), valid: randomValid(random) })
        break
      case 4:
        if (below(random, 4) === 0) tx.remove(key, { detach: true })
        break
      default: {
        for (const end of [key, other]) if (!tx.get(end)) tx.put(end)
        const valid = below(random, 4) === 0 ? { valid: randomValid(random) } : {}
        const [type, parallel] = [pick(random, TYPES), pick(random, ['', '', 'again', '𝒳'])]
        tx.link(key, type, below(random, 8) === 0 ? key : other, {
          key: parallel,
          props: below(random, 2) === 0 ? randomProps(random) : {},
          ...valid,
        })
      }
    }
  }
}

/** A random graph, written in several commits. */
export async function randomWorld(random: Random, graph: Graph, size: number): Promise<readonly string[]> {
  const keys = randomKeys(random, size)
  for (let commit = 0; commit < 4; commit++) await graph.write((tx) => change(random, tx, keys, size))
  return keys
}

/** What a graph holds, in the order of packages, without versions. */
export interface Plain {
  readonly nodes: readonly object[]
  readonly edges: readonly object[]
}

/** A plain copy of everything that a reader shows. */
export function plainOf(reader: Reader): Plain {
  const nodes = [...reader.nodes()].toSorted((a, b) => compareUtf8(a.key, b.key))
  const edges = nodes.flatMap(({ key }) => [...reader.out(key)]).toSorted(byIdentity)
  return { nodes: nodes.map(plainNode), edges: edges.map(plainEdge) }
}

export function byIdentity(a: Edge, b: Edge): number {
  return (
    compareUtf8(a.from, b.from) ||
    compareUtf8(a.type, b.type) ||
    compareUtf8(a.to, b.to) ||
    compareUtf8(a.key, b.key)
  )
}

export function plainNode({ version: _version, labels, ...node }: Node): object {
  return { ...node, labels: labels.toSorted(compareUtf8) }
}

export function plainEdge({ version: _version, ...edge }: Edge): object {
  return edge
}

/** Writes what one reader shows into a graph, in a given order. Names come in the order of packages first. */
export async function copyInto(
  graph: Graph,
  { nodes, edges }: { readonly nodes: readonly Node[]; readonly edges: readonly Edge[] },
): Promise<void> {
  const names = new Set([
    ...nodes.flatMap((node) => [...node.labels, ...namesIn(node)]),
    ...edges.flatMap((edge) => [edge.type, ...namesIn(edge)]),
  ])
  await graph.write((tx) => {
    tx.put('names of a package')
    for (const type of [...names].toSorted(compareUtf8))
      tx.link('names of a package', type, 'names of a package')
  })
  await graph.write((tx) => {
    tx.remove('names of a package', { detach: true })
    for (const { key, labels, props, intervals = {} } of nodes) {
      tx.put(key, { labels, props })
      for (const [name, held] of Object.entries(intervals)) {
        for (const { value, ...valid } of held) tx.patch(key, { props: { [name]: value }, valid })
      }
    }
    for (const edge of edges) {
      const { from, type, to, key, props, intervals = {}, valid } = edge
      if (valid) for (const span of valid) tx.link(from, type, to, { key, valid: span })
      else tx.link(from, type, to, { key })
      tx.patch(edge, { props })
      for (const [name, held] of Object.entries(intervals)) {
        for (const { value, ...valid } of held) tx.patch(edge, { props: { [name]: value }, valid })
      }
    }
  })
}

function namesIn({ props, intervals = {} }: Node | Edge): string[] {
  return [...Object.keys(props), ...Object.keys(intervals)]
}

export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const all = [...items]
  for (let at = all.length - 1; at > 0; at--) {
    const other = below(random, at + 1)
    ;[all[at], all[other]] = [all[other]!, all[at]!]
  }
  return all
}
