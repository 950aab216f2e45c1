import { deepStrictEqual } from 'node:assert/strict'
import { Bench } from 'tinybench'

/** One contestant: the same work as all others of its case, done its own way. */
export interface Side {
  /** The name of the row's peer; ours is `karyon`. */
  readonly name: string
  /** Once, before the first round; not measured. */
  start?(): Promise<void> | void
  /** Before each round; not measured. */
  prepare?(round: number): Promise<void> | void
  /** One round of the case's work; measured until what it returns has settled. */
  run(): Promise<unknown> | unknown
  /** What the round is worth in the unit of the case, where that is not the time it took. */
  figure?(): Promise<number> | number
  /** What the round took, where something else than this process did the work and measured itself. */
  took?(): Taken
  /** After each round; not measured. What it returns must equal ours; a peer without one is a floor, such as a bare sync. */
  answer?(): Promise<unknown> | unknown
  /** Once, after the last round; not measured. */
  stop?(): Promise<void> | void
}

/** The time that work took, and that of processors. */
export interface Taken {
  readonly seconds: number
  readonly cpuSeconds: number
}

/** The units a case is reported in. A rate is better when larger; times, bytes and factors when smaller. */
export type Unit = Rate | 'ns/op' | 'ms' | 'B' | 'B/op' | '×'
type Rate = (typeof RATES)[number]
const RATES = ['op/s', 'op/sync'] as const

/** What is compared. */
export interface Case {
  /** `room/case`, a parameter may follow. */
  readonly name: string
  readonly unit: Unit
  /** Operations of one round. */
  readonly operations: number
  readonly ours: Side
  readonly peers: readonly Side[]
  /** An absolute limit in the case's unit, where there is nobody to compare with. */
  readonly limit?: number
  /** What a reader must know to judge the comparison; a function is asked after the last round. */
  readonly note?: string | (() => string)
  /** Its rounds are long, or not a matter of time: the fewest there may be, and none to warm up. */
  readonly slow?: boolean
}

/** One line of the result; its fields are the public format of `--json`. */
export interface Row {
  readonly name: string
  readonly unit: string
  readonly ours: number
  readonly peer: number
  /** A library, `limit`, or `self: …` where Karyon is compared with itself. */
  readonly peerName: string
  /** Turned so that more than 1 is better for Karyon. */
  readonly ratio: number
  /** The range of the ratio over the rounds, as a part of its median: 0.1 is ±5 %. */
  readonly spread: number
  readonly note: string
}

/** An odd number, so that the median is a round that happened. */
export const ROUNDS = 7
const ROUNDS_MIN = 5

interface Round {
  /** In the unit of the case. */
  readonly value: number
  readonly cpuSeconds: number
}

/**
 * Runs all sides of a case in turns, after one round each that does not count, and makes a row of each
 * comparison. The order changes from round to round, so that nobody always inherits the same warm caches.
 */
export async function measure(work: Case, rounds: number = ROUNDS): Promise<Row[]> {
  if (rounds < ROUNDS_MIN) throw new RangeError(`a median of fewer than ${ROUNDS_MIN} rounds says little`)
  const sides = [work.ours, ...work.peers]
  const [first, last] = work.slow ? [1, ROUNDS_MIN] : [0, rounds]
  const measured = new Map<Side, Round[]>(sides.map((side) => [side, []]))
  const started: Side[] = []
  try {
    for (const side of sides) {
      await side.start?.()
      started.push(side)
    }
    for (let round = first; round <= last; round++) {
      const answers = new Map<Side, unknown>()
      for (let turn = 0; turn < sides.length; turn++) {
        const side = sides[(round + turn) % sides.length]!
        await side.prepare?.(round)
        const result = await oneRound(work, side)
        if (round > 0) measured.get(side)!.push(result)
        answers.set(side, await side.answer?.())
      }
      for (const side of work.peers.filter(({ answer }) => answer !== undefined)) {
        deepStrictEqual(
          answers.get(side),
          answers.get(work.ours),
          `${work.name}: ${side.name} answers differently`,
        )
      }
    }
  } finally {
    for (const side of started.toReversed()) await side.stop?.()
  }
  return rowsOf(work, measured)
}

async function oneRound({ unit, operations }: Case, side: Side): Promise<Round> {
  // Garbage of the side before must not be collected in this one's time. Needs --expose-gc.
  globalThis.gc?.()
  // tinybench is the stopwatch; the turns, the equal answers and the CPU time are ours.
  const bench = new Bench({ name: side.name, iterations: 1, time: 0, warmup: false, throws: true })
  bench.add(side.name, async () => {
    await side.run()
  })
  const cpuBefore = process.cpuUsage()
  const [task] = await bench.run()
  const cpu = process.cpuUsage(cpuBefore)
  const result = task!.result
  if (result.state !== 'completed')
    throw new Error(`${side.name}: the round did not complete (${result.state})`)
  const { seconds, cpuSeconds } = side.took?.() ?? {
    seconds: result.latency.mean / 1e3,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
  }
  return { value: (await side.figure?.()) ?? inUnit(unit, operations, seconds), cpuSeconds }
}

function rowsOf(work: Case, measured: ReadonlyMap<Side, readonly Round[]>): Row[] {
  const { name, unit } = work
  const ours = measured.get(work.ours)!
  const mine = medianOf(ours, 'value')
  const rows = work.peers.map((side): Row => {
    const theirs = measured.get(side)!
    const ratios = ours.map((round, at) => turned(unit, round.value, theirs[at]!.value))
    const peer = medianOf(theirs, 'value')
    return {
      name,
      unit,
      ours: mine,
      peer,
      peerName: side.name,
      ratio: turned(unit, mine, peer),
      spread: spread(ratios),
      note: noteOf(work, ours, theirs),
    }
  })
  if (work.limit !== undefined) {
    const ratio = turned(unit, mine, work.limit)
    const range = spread(ours.map((round) => round.value))
    const note = noteOf(work, ours)
    rows.push({ name, unit, ours: mine, peer: work.limit, peerName: 'limit', ratio, spread: range, note })
  }
  return rows
}

/** What the case says of itself, and the CPU time of the sides where it is time that is measured. */
function noteOf({ note, unit, operations }: Case, ...sides: readonly (readonly Round[])[]): string {
  const cpu = sides.map((rounds) => cpuText(medianOf(rounds, 'cpuSeconds') / operations)).join(' against ')
  const said = typeof note === 'function' ? note() : note
  return [said, isTime(unit) && `CPU ${cpu}`].filter(Boolean).join('; ')
}

/** More than 1 when ours is better. */
export function turned(unit: string, ours: number, peer: number): number {
  return isRate(unit) ? ours / peer : peer / ours
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values)
}

function medianOf(rounds: readonly Round[], field: keyof Round): number {
  return median(rounds.map((round) => round[field]))
}

function inUnit(unit: Unit, operations: number, seconds: number): number {
  if (unit === 'op/s') return operations / seconds
  if (unit === 'ms') return (seconds * 1e3) / operations
  if (unit === 'ns/op') return (seconds * 1e9) / operations
  throw new Error(`what is measured in ${unit} has a figure of its own`)
}

function isRate(unit: string): boolean {
  return RATES.some((rate) => rate === unit)
}

/** Whether a round takes the time that is measured, or is a way to another figure. */
function isTime(unit: Unit): boolean {
  return unit !== 'B' && unit !== 'B/op' && unit !== '×'
}

function cpuText(seconds: number): string {
  const micros = seconds * 1e6
  return micros < 1_000 ? `${micros.toPrecision(2)} µs/op` : `${(micros / 1e3).toPrecision(3)} ms/op`
}
