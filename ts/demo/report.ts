// The result of a run, for people and for machines.
import type { Check } from './checks/check.ts'
import { bytesText, count, dayText } from './numbers.ts'

/** One run of the worker in numbers. */
export interface RunNumbers {
  readonly transactions: number
  readonly seconds: number
}

/** Everything a run of the demonstration has to say. */
export interface Findings {
  readonly seed: number
  readonly repository: {
    readonly path: string
    readonly generatedBecause: string | undefined
    readonly commits: number
    readonly commitsLeftOut: number
    readonly fromSeconds: number
    readonly toSeconds: number
    readonly head: string
  }
  readonly graph: {
    readonly nodes: number
    readonly edges: number
    readonly versions: number
    readonly bytes: number
  }
  readonly undisturbed: RunNumbers
  readonly sabotaged: RunNumbers
  readonly chapters: readonly Chapter[]
  readonly seconds: number
}

/** Checks that tell one thing together. */
export interface Chapter {
  readonly title: string
  readonly checks: readonly Check[]
}

/** Whether every check held. */
export function allHeld({ chapters }: Findings): boolean {
  return chapters.every(({ checks }) => checks.every(({ held }) => held))
}

/** The findings as one JSON document. Its keys are stable; `checks` come with their ids. */
export function jsonReport(findings: Findings): string {
  const { chapters, ...numbers } = findings
  return JSON.stringify(
    { ok: allHeld(findings), ...numbers, checks: chapters.flatMap(({ checks }) => checks) },
    undefined,
    2,
  )
}

/** The findings as a page of text, with colour if wanted. */
export function textReport(findings: Findings, colour: boolean): string {
  const ink = inks(colour)
  const { repository, graph, seed, chapters } = findings
  const checks = chapters.flatMap(({ checks }) => checks)
  const held = checks.filter((check) => check.held).length
  const lines = [
    '',
    `  ${ink.strong('Karyon')} · the time machine of a git repository, with a saboteur`,
    '',
    ...facts(ink, [
      ['repository', repositoryText(repository)],
      ['', repository.generatedBecause === undefined ? '' : `because ${repository.generatedBecause}`],
      ['history', historyText(repository)],
      [
        'graph',
        `${count(graph.nodes, 'node')} · ${count(graph.edges, 'edge')} · ${count(graph.versions, 'version')} · ${bytesText(graph.bytes)} on disk`,
      ],
      ['seed', `${seed} ${ink.dim(`repeat with --seed ${seed}`)}`],
    ]),
    '',
  ]
  for (const [at, { title, checks }] of chapters.entries()) {
    lines.push(`  ${ink.dim(at === 0 ? '┌' : '├')} ${ink.strong(title)}`)
    for (const check of checks) lines.push(...checkLines(ink, check))
  }
  lines.push(`  ${ink.dim('└')}`)
  lines.push(
    `  ${held === checks.length ? ink.good('✓') : ink.bad('✗')} ${held} of ${checks.length} checks held in ${findings.seconds.toFixed(1)} s`,
    `    ${ink.dim(`${rate(findings.undisturbed)} undisturbed, ${rate(findings.sabotaged)} under sabotage; every one on disk before it was acknowledged`)}`,
    '',
  )
  return lines.join('\n')
}

function checkLines(ink: Inks, { held, says, problems, aside }: Check): string[] {
  const bar = ink.dim('│')
  return [
    `  ${bar} ${held ? ink.good('✓') : ink.bad('✗')} ${says}`,
    ...(aside === undefined || aside === '' ? [] : [`  ${bar}   ${ink.dim(aside)}`]),
    ...problems.map((problem) => `  ${bar}   ${ink.bad(problem)}`),
  ]
}

function facts(ink: Inks, rows: readonly (readonly [string, string])[]): string[] {
  return rows.filter(([, text]) => text !== '').map(([name, text]) => `  ${ink.dim(name.padEnd(11))}${text}`)
}

function repositoryText({ path, generatedBecause }: Findings['repository']): string {
  return generatedBecause === undefined ? path : 'generated, the same on every machine'
}

function historyText({ commits, commitsLeftOut, fromSeconds, toSeconds }: Findings['repository']): string {
  const left = commitsLeftOut === 0 ? '' : ` (the newest ${commitsLeftOut.toLocaleString('en-US')} left out)`
  return `${count(commits, 'commit')} on the first-parent line${left} · ${dayText(fromSeconds)} to ${dayText(toSeconds)}`
}

function rate({ transactions, seconds }: RunNumbers): string {
  return `${Math.round(transactions / seconds).toLocaleString('en-US')} transactions/s`
}

interface Inks {
  readonly strong: (text: string) => string
  readonly dim: (text: string) => string
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
}

function inks(colour: boolean): Inks {
  const ink =
    (on: number, off: number) =>
    (text: string): string =>
      colour ? `\u001b[${on}m${text}\u001b[${off}m` : text
  return { strong: ink(1, 22), dim: ink(2, 22), good: ink(32, 39), bad: ink(31, 39) }
}
