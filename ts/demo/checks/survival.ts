// Nothing acknowledged is lost, nothing half-done stays, whatever was thrown and killed.
import type { Graph } from '../../index.ts'
import { KILLS, type Run } from '../lives.ts'
import { count, digestText } from '../numbers.ts'
import { nameOf } from '../model.ts'
import { check, type Check } from './check.ts'

/** The process was killed as often as planned, while it had work under way. */
export function killsHappened({ kills }: Run): Check {
  const inFlight = kills.reduce((sum, kill) => sum + kill.inFlight, 0)
  const problems = kills.length === KILLS ? [] : [`${kills.length} kills instead of ${KILLS}`]
  if (inFlight === 0) problems.push('no transaction was under way at any of the kills')
  return check(
    'survival/kills',
    `killed with SIGKILL ${count(kills.length, 'time')}, ${count(inFlight, 'transaction')} under way; started again each time`,
    problems,
    `after commits ${kills.map(({ place }) => place.toLocaleString('en-US')).join(', ')}`,
  )
}

/** The cells that were struck are alive again. */
export function cellsRestarted({ restarts }: Run): Check {
  const total = [...restarts.values()].reduce((sum, times) => sum + times, 0)
  const names = [...restarts].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return check(
    'survival/restarts',
    `${count(total, 'crash', 'crashes')} of cells in mid-turn, every one restarted`,
    total === 0 ? ['no cell was restarted'] : [],
    names.map(([path, times]) => `${path.slice(path.lastIndexOf('/') + 1)} ${times}`).join(', '),
  )
}

/** A cell that went on without progress was ended by its lease, over and over, while the others worked. */
export function leasesHeld({ leases }: Run): Check {
  return check(
    'survival/leases',
    `a cell that stopped renewing its lease, ended and started anew ${count(leases, 'time')}`,
    leases === 0 ? ['no lease ran out'] : [],
  )
}

/** A cell that looped for ever lost its worker, over and over, while the others worked. */
export function loopsContained({ loops }: Run): Check {
  return check(
    'survival/loops',
    `a cell that looped for ever in a worker, which was replaced ${count(loops, 'time')}`,
    loops === 0 ? ['no worker was replaced'] : [],
  )
}

/** Each fact whose transaction was acknowledged is there, written by that very transaction and not by a later repair. */
export function nothingMissing(graph: Graph, { acknowledged }: Run): Check {
  const problems: string[] = []
  for (const { target, property, version } of acknowledged) {
    const found = graph.blame(target, property)?.version
    if (found !== version)
      problems.push(`${nameOf(target)}: acknowledged at version ${version}, found at ${found ?? 'none'}`)
  }
  return check(
    'survival/acknowledged',
    `${count(acknowledged.length, 'transaction')} acknowledged, ${problems.length.toLocaleString('en-US')} missing`,
    problems,
  )
}

/** Two stores hold the same at these versions, down to the byte. */
export function sameDigest(id: string, what: string, digest: string, expected: string): Check {
  const problems = digest === expected ? [] : [`${digest} is not ${expected}`]
  return check(id, `${what} ${digestText(digest)}`, problems)
}
