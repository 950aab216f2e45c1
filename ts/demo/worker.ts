// The process that does the work. It may be killed at any instruction: started again, it goes on from what the graph says.
import { Kernel, type KernelEvent } from '../index.ts'
import { startCrew, startIdlers } from './cells/crew.ts'
import { poisoner } from './cells/poisoner.ts'
import { firstParentHistory, firstParentLine } from './history.ts'
import { LineFeeder } from './line.ts'
import { commitKey, LABEL } from './model.ts'
import { chooseLies, Poisoning } from './poisoning.ts'
import type { Evidence, Orders, Report } from './protocol.ts'
import { Readers } from './readers.ts'
import { noAccidents, Saboteur } from './saboteur.ts'

/** One life: from what the graph holds to the end of the line, or to the kill. */
export async function work(orders: Orders, report: (report: Report) => void): Promise<void> {
  const kernel = await Kernel.open(orders.directory)
  const { graph } = kernel
  const events = countRestarts(kernel.events(), report)
  const line = await firstParentLine(orders.repository, orders.head)
  const resumedAt = graph.count({ label: LABEL.commit })
  report({ type: 'ready', resumedAt })

  const strike = orders.life === 0 ? noAccidents : new Saboteur(orders.seed, orders.life).strike
  const crew = startCrew(kernel, orders.repository, strike)
  if (orders.life > 0) startIdlers(kernel)
  let place = resumedAt
  let poisoning: Poisoning | undefined
  const acknowledged = (evidence: Evidence, at?: number): void =>
    report({
      type: 'acknowledged',
      evidence,
      inFlight: ledger.inFlight,
      ...(at === undefined ? {} : { place: at }),
    })
  const ledger = new LineFeeder(crew.ledger, ({ hash }, reply) => {
    place += 1
    const target = commitKey(hash)
    if (reply === 'recorded') acknowledged({ target, version: graph.blame(target)?.version ?? 0n }, place)
    poisoning?.upTo((place - orders.markAt) / (line.length - orders.markAt))
  })
  const readers = new Readers(graph, crew, acknowledged)

  const mark = async (): Promise<void> => {
    await Promise.all([ledger.drained(), readers.drained()])
    report({ type: 'marked', version: newestVersion(kernel) })
    if (!orders.poison) return
    const lies = chooseLies(graph, line.slice(0, orders.markAt), orders.seed)
    poisoning = new Poisoning(kernel.spawn(poisoner()), lies, (lie) => report({ type: 'lied', lie }))
  }

  const end = Math.min(line.length, orders.doomedBefore ?? line.length)
  await readers.resume(line.slice(0, resumedAt))
  let next = resumedAt
  if (next < end) {
    for await (const commit of firstParentHistory(
      orders.repository,
      orders.head,
      line[resumedAt - 1]?.hash,
    )) {
      if (next === orders.markAt) await mark()
      await ledger.feed(commit)
      await readers.offer(commit)
      if (++next === end) break
    }
  }
  await Promise.all([ledger.drained(), readers.drained(), poisoning?.finished()])
  // A doomed life has nothing to tidy up: it is to die with its store open.
  if (orders.doomedBefore !== undefined) return
  await kernel.close()
  await events
  report({ type: 'done' })
}

async function countRestarts(
  events: AsyncIterable<KernelEvent>,
  report: (report: Report) => void,
): Promise<void> {
  for await (const event of events)
    if (event.type === 'cell.restarted') report({ type: 'restarted', cell: event.path, reason: event.reason })
}

function newestVersion(kernel: Kernel): bigint {
  using view = kernel.graph.snapshot()
  return view.version
}
