// The second opinion: the crate `adya`, through a program of crates/testkit.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { ROOT } from '../house/source.ts'
import type { Level } from './checker.ts'
import { toJsonLines, type History } from './history.ts'

export interface Case {
  readonly history: History
  readonly level: Level
}

/** What `adya` finds in each history that its level forbids, in our words and in order; nothing when it holds. */
export async function secondOpinions(cases: readonly Case[]): Promise<string[][]> {
  const program = ['run', '--quiet', '--package', 'karyon-testkit', '--example', 'judge']
  const child = spawn('cargo', program, { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = once(child, 'close')
  const [output, errors] = [text(child.stdout), text(child.stderr)]
  child.stdin.end(cases.map(asked).join('\n'))
  const [code] = await ended
  if (code !== 0) throw new Error(`the judge ended with ${code}: ${await errors}`)
  const lines = (await output).trim().split('\n')
  return lines.map((line) => inOurWords(JSON.parse(line) as string[]))
}

/** It tells cycles over items from those over predicates, names a lost update beside its cycle, and notes when there are no cycles. */
function inOurWords(anomalies: readonly string[]): string[] {
  return anomalies
    .filter((name) => name !== 'lost-update' && name !== 'empty-transaction-graph')
    .map((name) => name.replace(/^(G-single|G-nonadjacent)-item$/, '$1'))
    .toSorted()
}

function asked({ history, level }: Case): string {
  const model = level === 'snapshot' ? 'snapshot-isolation' : level
  const isList = history.every(({ steps }) => steps.every(([kind, , value]) => fitsLists(kind, value)))
  const head = { workload: isList ? 'list-append' : 'rw-register', model }
  return `${JSON.stringify(head)}\n${toJsonLines(history)}`
}

function fitsLists(kind: 'append' | 'w' | 'r', value: unknown): boolean {
  return kind === 'append' || (kind === 'r' && Array.isArray(value))
}
