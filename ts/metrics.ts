// Counts and sizes for Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats.
import type { KernelStats } from './kernel.ts'

interface Metric {
  readonly name: string
  readonly kind: 'counter' | 'gauge'
  readonly help: string
  /** One for each value of its label, if it has one. */
  readonly samples: readonly (readonly [labels: string, value: number | bigint])[]
}

/** The text that a scraper reads. */
export function prometheus({ cells, graph }: KernelStats): string {
  const one = (value: number | bigint): Metric['samples'] => [['', value]]
  const outcome = (name: string, value: number) => [`{outcome="${name}"}`, value] as const
  const counter = (name: string, help: string, samples: Metric['samples']): Metric => ({
    name,
    kind: 'counter',
    help,
    samples,
  })
  const gauge = (name: string, help: string, value: number | bigint): Metric => ({
    name,
    kind: 'gauge',
    help,
    samples: one(value),
  })
  const metrics = [
    counter('karyon_messages_sent_total', 'Messages sent, of every kind.', one(cells.sent)),
    counter('karyon_messages_total', 'Messages by outcome.', [
      outcome('ended', cells.ended),
      outcome('failed', cells.failed),
      outcome('refused', cells.refused),
      outcome('dead-letter', cells.deadLetters),
      outcome('conflict', cells.conflicts),
    ]),
    counter('karyon_cell_restarts_total', 'Incarnations after the first ones.', one(cells.restarts)),
    counter(
      'karyon_late_settlements_total',
      'Turns that settled after their incarnation was dead.',
      one(cells.lateSettlements),
    ),
    gauge('karyon_cells', 'Cells and supervisors alive.', cells.cells),
    gauge('karyon_asks', 'Asks without an answer.', cells.asks),
    gauge('karyon_graph_nodes', 'Nodes.', graph.nodes),
    gauge('karyon_graph_edges', 'Edges.', graph.edges),
    gauge('karyon_graph_memory_bytes', 'Bytes of the present state.', graph.memoryBytes),
    gauge('karyon_commit_head', 'The newest version.', graph.head),
    gauge('karyon_commit_durable', 'The newest version that is durable.', graph.durable),
    gauge('karyon_commit_queue', 'Commits that wait for the disk.', graph.waiting),
  ]
  const text = metrics.map(({ name, kind, help, samples }) => {
    const lines = samples.map(([labels, value]) => `${name}${labels} ${value}\n`)
    return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${lines.join('')}`
  })
  return text.join('')
}
