// Checked by the compiler alone: what is inferred, and what must not be.
import {
  type Blame,
  type Change,
  type Difference,
  type Edge,
  type Graph,
  type Instant,
  type KaryonError,
  type KaryonErrorCode,
  Kernel,
  type Node,
  type OpenTransaction,
  type Reader,
  type RevertReport,
  type Transaction,
  type ValidValue,
  type Value,
  type View,
  type Written,
} from '../../ts/index.ts'
import { same } from './same.ts'

export async function inference(kernel: Kernel, error: KaryonError): Promise<void> {
  const { graph } = kernel
  same<typeof graph, Graph>(true)

  const counted = await graph.write((tx) => tx.count())
  same<typeof counted, Written<number>>(true)
  same<typeof counted.value, number>(true)
  same<typeof counted.version, bigint>(true)
  same<typeof counted.time, Instant>(true)
  const nothing = await graph.write((tx) => tx.put('a'))
  same<typeof nothing.value, void>(true)
  const read = await graph.write((tx) => {
    same<typeof tx, Transaction>(true)
    return { node: tx.get('a'), n: 1 as const }
  })
  same<typeof read.value, { node: Node | undefined; n: 1 }>(true)

  const node = graph.get('a')
  same<typeof node, Node | undefined>(true)
  const property = node?.props['n']
  same<typeof property, Value | undefined>(true)
  if (typeof property === 'number') same<typeof property, number>(true)
  same<ReturnType<Graph['getMany']>, (Node | undefined)[]>(true)
  for (const edge of graph.out('a', 'T')) {
    same<typeof edge, Edge>(true)
    // What was read can be passed on as a target.
    await graph.write((tx) => tx.patch(edge, { props: { seen: true } }))
  }
  for (const each of graph.nodes({ label: 'L' })) same<typeof each, Node>(true)

  // Everything that reads can stand for a reader.
  const readers: readonly Reader[] = [graph, graph.snapshot(), graph.at(1n), graph.begin()]
  same<(typeof readers)[number], Reader>(true)
  using view = graph.at(kernel.now())
  same<typeof view, View>(true)
  using tx = graph.begin({ timeoutMs: 5, isolation: 'snapshot' })
  same<typeof tx, OpenTransaction>(true)

  same<typeof node, Node | undefined>(true)
  same<NonNullable<Node['intervals']>[string], readonly ValidValue[]>(true)
  same<ValidValue['value'], Value>(true)
  same<NonNullable<Edge['valid']>[number]['from'], Date | undefined>(true)
  const then = graph.at(1n).validAt(kernel.now()).validAt('2026-01-01')
  same<typeof then, View>(true)
  same<typeof then.valid, Instant | undefined>(true)

  for (const change of graph.history('a')) {
    same<typeof change, Change>(true)
    same<typeof change.after, Value | undefined>(true)
    same<typeof change.intervalsAfter, readonly ValidValue[] | undefined>(true)
  }
  for (const difference of graph.diff(0n, '2026-11-23')) {
    same<typeof difference, Difference>(true)
    if (typeof difference.target === 'string') same<typeof difference.target, string>(true)
  }
  same<ReturnType<Graph['blame']>, Blame | undefined>(true)
  const report = await graph.revert({ principal: 'root/mallory', since: new Date() })
  same<typeof report, RevertReport>(true)
  same<typeof error.code, KaryonErrorCode>(true)
  same<Awaited<ReturnType<typeof Kernel.open>>, Kernel>(true)
}

export function refused(graph: Graph, tx: Transaction): void {
  // @ts-expect-error isolation is 'serializable' or 'snapshot'
  graph.begin({ isolation: 'read committed' })
  // @ts-expect-error a bare number is no moment
  graph.at(5)
  // @ts-expect-error a function is no value
  tx.put('a', { props: { f: () => 1 } })
  // @ts-expect-error a Map is no value
  tx.put('a', { props: { m: new Map() } })
  // @ts-expect-error undefined in a list is no value
  tx.put('a', { props: { list: [undefined] } })
  // @ts-expect-error a property stands in props
  tx.put('a', { text: 'blue' })
  // @ts-expect-error a number cannot be appended
  tx.append('a', 'n', 1)
  // @ts-expect-error an edge has a type
  tx.patch({ from: 'a', to: 'b' }, {})
  // @ts-expect-error a principal is needed
  void graph.revert({ since: 0n })
  // @ts-expect-error what was read is not to be changed
  graph.get('a')!.props['n'] = 1
  // @ts-expect-error a version is no instant of valid time
  graph.validAt(5n)
  // @ts-expect-error nor is a bare number
  tx.patch('a', { valid: { from: 5 } })
  // @ts-expect-error valid is a span
  tx.patch('a', { valid: new Date() })
  // @ts-expect-error a removal is about existence, which has no valid time
  tx.remove('a', { valid: { to: '2026-01-01' } })
  // @ts-expect-error a transaction shows intervals, and no single instant
  tx.validAt('2026-01-01')
  // An edge ends, and what is put, linked or patched may begin and end.
  tx.unlink('a', 'T', 'b', { valid: { from: new Date() } })
  tx.link('a', 'T', 'b', { valid: { from: '2026-01-01', to: new Date() } })
  tx.put('a', { expireAt: '2026-01-01' })
  // @ts-expect-error a direction is 'out' or 'in'
  graph.degree('a', 'both')
  // @ts-expect-error only the kernel makes kernels
  void new Kernel(1, true)
  // An entry of undefined unsets, in a patch and in a map.
  tx.patch('a', { props: { gone: undefined, map: { gone: undefined } } })
  // Values that programs have: constants, read-only lists, records.
  const constant = { list: [1, 'two', { three: 3n }], when: new Date() } as const
  tx.put('a', { labels: ['L'] as const, props: { constant } })
}
