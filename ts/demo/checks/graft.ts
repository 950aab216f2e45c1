// What a package knows comes into a memory, is told apart from the rest, and is taken out of it again.
import { Kernel, planGraft, type Engram, type Graft, type Graph, type Reader } from '../../index.ts'
import { nameOf } from '../model.ts'
import { count, digestText } from '../numbers.ts'
import type { Comparison } from './answers.ts'
import { check, type Check } from './check.ts'
import type { Cutting } from './cutting.ts'

/** Plans, grafts, promotes and detaches in an empty memory. */
export async function graftComesAndGoes(
  engram: Engram,
  answersOf: (view: Reader) => Comparison,
  cutting: Cutting,
): Promise<Check[]> {
  await using host = Kernel.memory()
  const { graph } = host
  const empty = graph.digest()
  const { counts, graft: begin } = await planGraft(host, engram)
  const graft = await begin()
  const { problems } = answersOf(graft.view)
  const { added, same, conflicting } = counts
  const grafted = check(
    'transplant/graft',
    `grafted into an empty memory, ${count(added, 'new fact')} as planned: its view answers the same, the graph itself shows none`,
    [
      ...(added === cutting.facts && same === 0 && conflicting === 0
        ? []
        : [`${added} new, ${same} known, ${conflicting} conflicting planned; ${cutting.facts} are packed`]),
      ...(graph.digest() === empty ? [] : ['the graph shows what is quarantined']),
      ...problems,
    ],
  )
  return [grafted, await isTakenOut(graph, graft, answersOf, cutting, empty)]
}

/** First it becomes the graph's own, in the name of its principal; then it is there no more. */
async function isTakenOut(
  graph: Graph,
  graft: Graft,
  answersOf: (view: Reader) => Comparison,
  { keys }: Cutting,
  empty: string,
): Promise<Check> {
  await graft.promote()
  const promoted = graph.digest()
  const problems = [...answersOf(graph).problems]
  for (const key of keys) {
    const writer = graph.blame(key)?.principal
    if (writer !== graft.principal) problems.push(`${key}: blame names ${writer}, not ${graft.principal}`)
  }
  const { kept } = await graft.detach()
  const after = graph.digest()
  if (promoted === empty) problems.push('the promotion changed nothing')
  for (const { target, slot, reason } of kept) problems.push(`${nameOf(target)} ${slot} is kept: ${reason}`)
  if (after !== empty) problems.push(`${after} is not ${empty}`)
  return check(
    'transplant/detach',
    `promoted, the graph answers the same; detached, digest ${digestText(promoted)} back to ${digestText(after)}, the empty memory's`,
    problems,
    `in the name of ${graft.principal}`,
  )
}
