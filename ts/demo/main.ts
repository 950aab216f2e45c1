// The demonstration: a git history recorded by cells that crash, in a process that is killed, and every answer checked.
import { randomInt } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kernel, type Graph } from '../index.ts'
import { poisonIsUndone } from './checks/poison.ts'
import { visitorIsRefused } from './checks/refusal.ts'
import {
  cellsRestarted,
  killsHappened,
  leasesHeld,
  loopsContained,
  nothingMissing,
  sameDigest,
} from './checks/survival.ts'
import { Timetable } from './checks/timetable.ts'
import { transplantHolds } from './checks/transplant.ts'
import { Travel } from './checks/travel.ts'
import { KILLS, sabotagedRun, undisturbedRun, type Run, type RunPlan, type RunState } from './lives.ts'
import { count } from './numbers.ts'
import { Progress, type Screen } from './progress.ts'
import { allHeld, jsonReport, textReport, type Chapter, type Findings } from './report.ts'
import { chooseRepository, type Repository } from './repository.ts'

/** How the demonstration is run. */
export interface DemoOptions {
  /** A path in a git repository; the current directory by default. */
  readonly path?: string
  /** One JSON document on the output instead of the page of text. */
  readonly json?: boolean
  /** Draws kills, accidents, lies and questions, 0 to 2^32 − 1; a new one by default, and printed. */
  readonly seed?: number
  /** Where the report goes, and nothing else. */
  readonly output: Screen
  /** Where progress is shown. */
  readonly progress: Screen
  readonly colour: boolean
  /** Ends the run early: workers are killed, files are removed, the promise rejects with the signal's reason. */
  readonly signal: AbortSignal
}

/** Directories of the two stores. */
const UNDISTURBED = 'undisturbed'
const SABOTAGED = 'sabotaged'
/** Where packages are written. */
const PACKAGES = 'packages'

/** The digests of a run that nothing disturbed: what every other run has to arrive at. */
interface Digests {
  readonly atMark: string
  readonly atEnd: string
}

/** Runs everything and resolves to whether every check held. Needs `git`; touches nothing but a directory of its own. */
export async function demo(options: DemoOptions): Promise<boolean> {
  const scratch = await mkdtemp(join(tmpdir(), 'karyon-demo-'))
  const progress = new Progress(options.progress)
  let held = false
  try {
    const findings = await travel(options, scratch, progress)
    held = allHeld(findings)
    progress.end()
    options.output.write(
      options.json === true ? `${jsonReport(findings)}\n` : textReport(findings, options.colour),
    )
    return held
  } finally {
    progress.end()
    // Stores that did not pass are evidence.
    const isEvidence = !held && !options.signal.aborted && (await readdir(scratch)).includes(SABOTAGED)
    if (isEvidence) options.progress.write(`the stores of this run are kept in ${scratch}\n`)
    else await rm(scratch, { recursive: true, force: true })
  }
}

async function travel(options: DemoOptions, scratch: string, progress: Progress): Promise<Findings> {
  const started = performance.now()
  const seed = options.seed ?? randomInt(2 ** 32)
  progress.begin('reading')
  const repository = await chooseRepository(options.path ?? '.', scratch)
  options.signal.throwIfAborted()
  const plan = (directory: string): RunPlan => ({
    repository: repository.gitDirectory,
    head: repository.head,
    commits: repository.line.length,
    directory: join(scratch, directory),
    seed,
  })
  const watch = (state: RunState): void =>
    progress.update(state.place / repository.line.length, stateText(state, repository.line.length))

  progress.begin('recording')
  const undisturbed = await undisturbedRun(plan(UNDISTURBED), watch, options.signal)
  progress.begin('sabotaged')
  const sabotaged = await sabotagedRun(plan(SABOTAGED), watch, options.signal)
  progress.begin('checking against git')
  const digests = await digestsOf(undisturbed)
  const { chapters, graph } = await ask(repository, sabotaged, digests, {
    directory: join(scratch, PACKAGES),
    seed,
  })
  const dates = repository.line.map(({ committedAtSeconds }) => committedAtSeconds)
  return {
    seed,
    repository: {
      path: repository.path,
      generatedBecause: repository.generatedBecause,
      commits: repository.line.length,
      commitsLeftOut: repository.commitsLeftOut,
      fromSeconds: Math.min(...dates),
      toSeconds: Math.max(...dates),
      head: repository.head,
    },
    graph: { ...graph, bytes: await bytesIn(sabotaged.directory) },
    undisturbed: { transactions: undisturbed.acknowledged.length, seconds: undisturbed.seconds },
    sabotaged: {
      transactions: sabotaged.acknowledged.length + sabotaged.lies.length,
      seconds: sabotaged.seconds,
    },
    chapters,
    seconds: (performance.now() - started) / 1_000,
  }
}

async function digestsOf(run: Run): Promise<Digests> {
  await using kernel = await Kernel.open(run.directory)
  return { atMark: kernel.graph.digest(run.mark), atEnd: kernel.graph.digest() }
}

/** Every check, in the order in which it is told; the poison is taken back on the way. */
async function ask(
  repository: Repository,
  run: Run,
  expected: Digests,
  { directory, seed }: { readonly directory: string; readonly seed: number },
): Promise<{ chapters: Chapter[]; graph: Omit<Findings['graph'], 'bytes'> }> {
  await using kernel = await Kernel.open(run.directory)
  const { graph } = kernel
  const size = sizeOf(graph)
  const survives = [
    killsHappened(run),
    cellsRestarted(run),
    leasesHeld(run),
    loopsContained(run),
    nothingMissing(graph, run),
    sameDigest(
      'survival/digest',
      'digest equal to the undisturbed run’s',
      graph.digest(run.mark),
      expected.atMark,
    ),
  ]
  const undoes = await poisonIsUndone(graph, run.lies, run.mark, expected.atEnd)
  const remembers = await new Travel(graph, repository, new Timetable(graph, repository.line), seed).checks()
  const travels = await transplantHolds(graph, directory, seed)
  const guards = [await visitorIsRefused(kernel, repository.head)]
  return {
    graph: size,
    chapters: [
      { title: 'It survives', checks: survives },
      { title: 'It remembers', checks: remembers },
      { title: 'It takes back', checks: undoes },
      { title: 'It travels', checks: travels },
      { title: 'It guards', checks: guards },
    ],
  }
}

function sizeOf(graph: Graph): Omit<Findings['graph'], 'bytes'> {
  using view = graph.snapshot()
  let nodes = 0
  let edges = 0
  for (const { key } of view.nodes()) {
    nodes += 1
    edges += view.degree(key, 'out')
  }
  return { nodes, edges, versions: Number(view.version) }
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size
  return bytes
}

function stateText({ place, kills, restarts, lies }: RunState, commits: number): string {
  const parts = [`${place.toLocaleString('en-US')} of ${count(commits, 'commit')}`]
  if (kills > 0) parts.push(`killed ${kills} of ${count(KILLS, 'time')}`)
  if (restarts > 0) parts.push(count(restarts, 'restart'))
  if (lies > 0) parts.push(count(lies, 'lie'))
  return parts.join(' · ')
}
