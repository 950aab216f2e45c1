// One writer's work is found and taken back, and nobody else's.
import type { Graph, Version } from '../../index.ts'
import { falseSubject, kindOf, LIES, targetOf, type Lie } from '../cells/poisoner.ts'
import { commitKey, nameOf } from '../model.ts'
import { count, digestText } from '../numbers.ts'
import { check, type Check } from './check.ts'

const POISONER = 'root/poisoner'

/** Blames, reverts, and compares with the digest of the run that had no poison. */
export async function poisonIsUndone(
  graph: Graph,
  lies: readonly Lie[],
  since: Version,
  undisturbed: string,
): Promise<Check[]> {
  const poisoned = graph.digest()
  const named = check(
    'poison/blame',
    `${count(LIES, 'false fact')} among the true ones; blame names ${POISONER} for every one`,
    [...(lies.length === LIES ? [] : [`${lies.length} lies were told`]), ...notBlamed(graph, lies)],
  )
  const altered = lies.find((lie) => kindOf(lie) === 'altered')
  const toldAt = altered && graph.blame(commitKey(altered.commit), 'subject')?.version
  const report = await graph.revert({ principal: POISONER, since })
  const restored = graph.digest()
  const undone = check(
    'poison/revert',
    `revert: digest ${digestText(poisoned)} back to ${digestText(restored)}, the undisturbed run's`,
    [
      ...(poisoned === undisturbed ? ['the lies changed nothing'] : []),
      ...report.kept.map(({ target, reason }) => `${nameOf(target)} was kept: ${reason}`),
      ...(restored === undisturbed ? [] : [`${restored} is not ${undisturbed}`]),
    ],
    `${count(report.restored, 'fact')} put back`,
  )
  return [named, undone, ...(altered && toldAt ? [stillInThePast(graph, altered, toldAt)] : [])]
}

function notBlamed(graph: Graph, lies: readonly Lie[]): string[] {
  const problems: string[] = []
  for (const lie of lies) {
    const { target, property } = targetOf(lie)
    const writer =
      kindOf(lie) === 'removed'
        ? [...graph.history(target)].at(-1)?.principal
        : graph.blame(target, property)?.principal
    if (writer !== POISONER) problems.push(`${nameOf(target)} ${kindOf(lie)}: blame names ${writer}`)
  }
  return problems
}

/** Undoing adds to history and takes nothing from it. */
function stillInThePast(graph: Graph, lie: Lie, toldAt: Version): Check {
  using view = graph.at(toldAt)
  const then = view.get(commitKey(lie.commit))?.props['subject']
  const now = graph.get(commitKey(lie.commit))?.props['subject']
  const problems: string[] = []
  if (then !== falseSubject(lie)) problems.push(`as of version ${toldAt} the commit says ${String(then)}`)
  if (now === falseSubject(lie)) problems.push('the lie is still told')
  return check(
    'poison/past',
    `as of version ${toldAt.toLocaleString('en-US')} the lie is still what was believed then`,
    problems,
  )
}
