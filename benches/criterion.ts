import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { turned } from './measure.ts'
import type { Row } from './measure.ts'
import { ROOT } from './project.ts'

/** A function of this name within a criterion group is ours; every other one is a peer of that name. */
const OURS = 'ours'

interface Estimate {
  readonly point_estimate: number
  readonly confidence_interval: { readonly lower_bound: number; readonly upper_bound: number }
}

interface Measured {
  readonly group: string
  readonly side: string
  readonly parameter: string | null
  readonly median: Estimate
}

/** The rooms that are measured from Rust: the bench targets of the root package. */
export function roomsInRust(): string[] {
  const text = execFileSync('cargo', ['metadata', '--no-deps', '--format-version', '1'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const { packages } = JSON.parse(text) as {
    packages: readonly { name: string; targets: readonly { name: string; kind: readonly string[] }[] }[]
  }
  const root = packages.find(({ name }) => name === 'karyon')
  return (root?.targets ?? []).filter(({ kind }) => kind.includes('bench')).map(({ name }) => name)
}

/**
 * Runs one criterion bench and makes rows of its groups, which are named `room/case`. Criterion measures one
 * function after the other, not in turns, and the CPU time of none: the note says so.
 */
export function measureRust(room: string): Row[] {
  const home = mkdtempSync(join(tmpdir(), 'karyon-criterion-'))
  try {
    const { status } = spawnSync('cargo', ['bench', '--package', 'karyon', '--bench', room], {
      cwd: ROOT,
      // Criterion's own report goes to stderr: stdout is the table's.
      stdio: ['ignore', 2, 2],
      env: { ...process.env, CRITERION_HOME: home },
    })
    if (status !== 0) throw new Error(`cargo bench --bench ${room} failed (${status})`)
    return [...rowsOf(readResults(home)), ...ownRows(home)]
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** What a bench has compared by itself, in turns, and not by criterion. */
function ownRows(home: string): Row[] {
  const file = join(home, 'rows.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Row[]) : []
}

function readResults(home: string): Measured[] {
  return readdirSync(home, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(join('new', 'benchmark.json')))
    .toSorted()
    .map((file) => {
      const read = (name: string): unknown =>
        JSON.parse(readFileSync(join(home, dirname(file), name), 'utf8'))
      const id = read('benchmark.json') as {
        group_id: string
        function_id: string | null
        value_str: string | null
      }
      const { median } = read('estimates.json') as { median: Estimate }
      return { group: id.group_id, side: id.function_id ?? OURS, parameter: id.value_str, median }
    })
}

function rowsOf(measured: readonly Measured[]): Row[] {
  return measured
    .filter(({ side }) => side !== OURS)
    .map((peer) => {
      const ours = measured.find(
        ({ side, group, parameter }) => side === OURS && group === peer.group && parameter === peer.parameter,
      )
      if (!ours) throw new Error(`${peer.group} has a peer, ${peer.side}, and nothing of ours`)
      const widest = Math.max(relativeWidth(ours.median), relativeWidth(peer.median))
      return {
        name: peer.parameter === null ? peer.group : `${peer.group}/${peer.parameter}`,
        unit: 'ns/op',
        ours: ours.median.point_estimate,
        peer: peer.median.point_estimate,
        peerName: peer.side,
        ratio: turned('ns/op', ours.median.point_estimate, peer.median.point_estimate),
        spread: widest,
        note: 'criterion, not interleaved; spread is the wider 95 % interval of the two medians',
      }
    })
}

function relativeWidth({ point_estimate, confidence_interval }: Estimate): number {
  return (confidence_interval.upper_bound - confidence_interval.lower_bound) / point_estimate
}
