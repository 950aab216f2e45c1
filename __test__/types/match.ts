// Checked by the compiler alone: the rows of patterns, and what cannot be written.
import {
  type AnyRow,
  type Edge,
  type Graph,
  type Node,
  type NodePattern,
  type Pattern,
  type Reader,
  type Transaction,
  type View,
  match,
} from '../../ts/index.ts'
import { same } from './same.ts'

type RowOf<P> = P extends Pattern<infer Row> ? Row : never

export function inference(graph: Graph, view: View, tx: Transaction): void {
  // Whatever reads can be matched.
  for (const reader of [graph, view, tx]) pair(reader).count()

  const wrote = match(graph)
    .node('author', { label: 'Person', where: { property: 'age', from: 18 } })
    .out({ as: 'wrote', type: 'WROTE' }, 'paper', { label: 'Document' })
    .in('CITES', 'other')
  for (const row of wrote.rows()) {
    same<
      typeof row,
      { readonly author: Node; readonly wrote: Edge; readonly paper: Node; readonly other: Node }
    >(true)
  }
  same<ReturnType<typeof wrote.count>, number>(true)

  const again = wrote
    .node('paper', { key: 'p' })
    .both({}, 'author')
    .in({ hops: [0, 2] }, 'paper')
  same<typeof again, typeof wrote>(true)

  const path = match(view)
    .node('a')
    .out({ as: 'path', hops: [1, 3] }, 'b')
  same<RowOf<typeof path>, { readonly a: Node; readonly path: readonly Edge[]; readonly b: Node }>(true)

  const filtered = wrote.filter((row) => {
    same<typeof row, RowOf<typeof wrote>>(true)
    return row.author.key !== row.other.key
  })
  same<typeof filtered, typeof wrote>(true)

  const optional = match(tx)
    .node('a')
    .optional((part) => {
      same<typeof part, Pattern<{ readonly a: Node }>>(true)
      return part
        .out({ as: 'e' }, 'b')
        .filter(({ b }) => b.key !== 'x')
        .optional((deeper) => deeper.out({ as: 'path', hops: [1, 2] }, 'c'))
    })
    .filter(({ a, b }) => a.key !== b?.key)
  same<
    RowOf<typeof optional>,
    {
      readonly a: Node
      readonly e: Edge | undefined
      readonly b: Node | undefined
      readonly path: readonly Edge[] | undefined
      readonly c: Node | undefined
    }
  >(true)

  // Names that are not known to the compiler.
  const name: string = graph.digest()
  const some = match(graph).node(name).out({ as: name }, name)
  same<RowOf<typeof some>, AnyRow>(true)
  const said: NodePattern = { label: 'L' }
  match(graph).node('a', said)
}

function pair(reader: Reader): Pattern<{ readonly a: Node; readonly b: Node }> {
  return match(reader).node('a').node('b')
}

export function refused(graph: Graph): void {
  const pattern = match(graph).node('a').out({ as: 'e', type: 'T' }, 'b')
  const optional = pattern.optional((part) => part.out('T', 'c'))
  // @ts-expect-error a pattern begins with a node
  match(graph).out('T', 'b')
  // @ts-expect-error no graph
  match('graph')
  // @ts-expect-error an edge is no node
  pattern.node('e')
  // @ts-expect-error an edge is no node
  pattern.out('T', 'e')
  // @ts-expect-error a node is no edge
  pattern.out({ as: 'a' }, 'c')
  // @ts-expect-error an edge is mentioned once
  pattern.in({ as: 'e' }, 'c')
  // @ts-expect-error an edge and its end have two names
  pattern.both({ as: 'c' }, 'c')
  // @ts-expect-error what is optional is gone on from inside
  optional.node('c')
  // @ts-expect-error what is optional is gone on from inside
  optional.in('T', 'c')
  // @ts-expect-error an edge leads to a node
  pattern.out('T')
  // @ts-expect-error a slip of the pen
  pattern.out({ typ: 'T' }, 'c')
  // @ts-expect-error a slip of the pen
  pattern.node('c', { labels: ['L'] })
  // @ts-expect-error hops are two numbers
  pattern.out({ hops: 3 }, 'c')
  // @ts-expect-error hops are two numbers
  pattern.out({ hops: [1, 2, 3] }, 'c')
  // @ts-expect-error a condition asks for something
  pattern.node('c', { where: { property: 'age' } })
  // @ts-expect-error a filter knows the names before it
  pattern.filter(({ c }) => c.key === 'c')
  // @ts-expect-error a filter answers yes or no
  pattern.filter(({ a }) => a.key)
  // @ts-expect-error what is optional may be missing
  optional.filter(({ c }) => c.key === 'c')
  // @ts-expect-error an optional part continues the pattern
  pattern.optional(() => undefined)
  for (const row of pattern.rows()) {
    // @ts-expect-error a row has the names of its pattern
    void row.c
    // @ts-expect-error what was read is not to be changed
    row.a = row.b
  }
}
