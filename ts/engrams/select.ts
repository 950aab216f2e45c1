// Which part of a graph is packed.
import { KaryonError, badArgument } from '../errors.ts'
import type { Edge, Node } from '../graph/types.ts'
import { compareUtf8 } from '../values/encode.ts'
import { checkName, checkNodeKey } from '../values/keys.ts'
import { isWellFormed, malformed } from '../values/writer.ts'
import { checkedOptions, listOf } from '../graph/arguments.ts'
import type { Origin } from './content.ts'
import { PRINCIPAL_BYTES_MAX, WRITERS_MAX, checkLimit } from './limits.ts'
import type { Selection } from './types.ts'

/** The largest number of 32 bits. */
const HOPS_MAX = 2 ** 32 - 1

/** A selection that was read and checked. */
export interface Chosen {
  readonly labels: readonly string[] | undefined
  readonly types: readonly string[] | undefined
  readonly around: { readonly keys: readonly string[]; readonly hops: number } | undefined
  readonly writers: readonly string[] | undefined
  readonly trust: { readonly property: string; readonly atLeast: number } | undefined
}

/** Reads and checks a selection, without its moment. */
export function chosenOf({ labels, types, around, writers, trust }: Selection): Chosen {
  return {
    labels: labels && namesOf(labels, 'labels are an array of strings'),
    types: types && namesOf(types, 'types are an array of strings'),
    around: around && aroundOf(around),
    writers: writers && writersOf(writers),
    trust: trust && trustOf(trust),
  }
}

/** Whether nothing is left out. */
export function isAll({ labels, types, around, writers, trust }: Chosen): boolean {
  return [labels, types, around, writers, trust].every((said) => said === undefined)
}

function namesOf(names: readonly string[], what: string): string[] {
  const copy = listOf(names, what)
  copy.forEach(checkName)
  return [...new Set(copy)].toSorted(compareUtf8)
}

function aroundOf(around: NonNullable<Selection['around']>): NonNullable<Chosen['around']> {
  const { keys, hops } = checkedOptions(around, 'keys', 'hops')
  const copy = listOf(keys, 'around has keys, an array of strings')
  copy.forEach(checkNodeKey)
  if (!Number.isSafeInteger(hops) || hops < 0 || hops > HOPS_MAX)
    throw badArgument('hops are a count of edges')
  return { keys: copy, hops }
}

function writersOf(writers: readonly string[]): string[] {
  const copy = listOf(writers, 'writers are an array of principals’ paths')
  if (copy.length > WRITERS_MAX) throw badArgument(`writers are at most ${WRITERS_MAX} principals’ paths`)
  copy.forEach(checkPrincipal)
  return [...new Set(copy)]
}

function checkPrincipal(path: unknown): asserts path is string {
  if (typeof path !== 'string') throw badArgument('a principal’s path is a string, as root/crew/ledger')
  const isPath =
    path.split('/').every((name) => name !== '') && Buffer.byteLength(path) <= PRINCIPAL_BYTES_MAX
  if (!isPath) {
    const message = `a principal’s path is names with slashes between them, as root/crew/ledger, of at most ${PRINCIPAL_BYTES_MAX} bytes`
    throw badArgument(message, { path: path.slice(0, 256) })
  }
  if (!isWellFormed(path)) throw malformed(path)
}

function trustOf(trust: NonNullable<Selection['trust']>): NonNullable<Chosen['trust']> {
  const { property, atLeast } = checkedOptions(trust, 'property', 'atLeast')
  checkName(property)
  if (typeof atLeast !== 'number' || !(atLeast >= 0 && atLeast <= 1)) {
    throw badArgument('trust is atLeast a number from 0 to 1', { atLeast })
  }
  return { property, atLeast }
}

/** What is read to select nodes, and told of those that are. */
export interface Selecting {
  readonly reader: Origin
  readonly chosen: Chosen
  readonly nodesMax: number
  /** Awaited now and then, so that others have theirs. */
  readonly turn: () => Promise<void> | undefined
  /** Reads nodes or edges: none of their values is looked at. */
  readonly read: <T>(some: () => T) => T
  /** Told of each node that is met, once. What it returns is kept with the node's key. */
  readonly met: (node: Node) => number
}

/** What is kept with a key whose node was not met yet. */
export const UNMET = -1

/** The keys of the nodes that are packed, and what is kept with each. */
export async function selectedKeys(selecting: Selecting): Promise<Map<string, number>> {
  const { reader, chosen, nodesMax, turn, read, met } = selecting
  const { labels, around } = chosen
  const near = around && (await within(reader, chosen, around, turn))
  const keys = new Map<string, number>()
  const scans = labels ? labels.map((label) => ({ label })) : near ? [] : [{}]
  for (const query of scans) {
    const nodes = reader.nodes(query)
    const next = (): IteratorResult<Node> => nodes.next()
    for (let node = read(next); node.done !== true; node = read(next)) {
      const { key } = node.value
      if ((!near || near.has(key)) && !keys.has(key)) keys.set(key, met(node.value))
      checkLimit('the number of nodes', keys.size, nodesMax)
      const others = turn()
      if (others) await others
    }
  }
  if (!labels && near) for (const key of near) keys.set(key, UNMET)
  checkLimit('the number of nodes', keys.size, nodesMax)
  return keys
}

/** The nodes within some edges of others, in either direction. */
async function within(
  reader: Origin,
  { types, writers, trust }: Chosen,
  { keys, hops }: NonNullable<Chosen['around']>,
  turn: () => Promise<void> | undefined,
): Promise<Set<string>> {
  const reached = new Set(keys)
  const missing = keys.find((key) => !isThere(reader, key))
  if (missing !== undefined) {
    const message = `there is no node ${JSON.stringify(missing)} to pack what is around it; name one that is there, and not left out`
    throw new KaryonError('ERR_KARYON_NODE_MISSING', message, { details: { key: missing } })
  }
  let edge = [...reached]
  for (let hop = 0; hop < hops && edge.length > 0; hop++) {
    const next: string[] = []
    for (const key of edge) {
      for (const direction of ['out', 'in'] as const) {
        for (const { from, to } of edgesOf(reader, key, direction, types)) {
          const other = direction === 'out' ? to : from
          if (reached.has(other)) continue
          reached.add(other)
          next.push(other)
        }
      }
      const others = turn()
      if (others) await others
    }
    // What is left out leads nowhere.
    edge = writers || trust ? next.filter((key) => isThere(reader, key)) : next
  }
  return new Set([...reached].filter((key) => isThere(reader, key)))
}

/** Whether a node can be seen: one that is hidden may have edges that are not. */
function isThere(reader: Origin, key: string): boolean {
  try {
    return reader.get(key) !== undefined
  } catch (error) {
    if (error instanceof KaryonError && error.code === 'ERR_KARYON_ACCESS') return false
    throw error
  }
}

/** The edges of a node, of some types or all. */
export function* edgesOf(
  reader: Origin,
  key: string,
  direction: 'out' | 'in',
  types: readonly string[] | undefined,
): Generator<Edge, void, undefined> {
  if (types === undefined) yield* reader[direction](key)
  else for (const type of types) yield* reader[direction](key, type)
}
