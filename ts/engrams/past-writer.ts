// The past of nodes and edges as it is packed: looked through once for names, counts and principals, and once more to be written.
import { KaryonError } from '../errors.ts'
import type { Target } from '../graph/types.ts'
import { Writer } from '../values/writer.ts'
import {
  type Author,
  type SlotChange,
  heldAfter,
  heldBefore,
  isValued,
  putCommit,
  slotOf,
} from './changes.ts'
import type { Content } from './content.ts'
import { PAST_BYTES } from './layout.ts'
import { CHANGES_MAX, checkLimit } from './limits.ts'
import type { Names } from './names.ts'
import type { Output, Spool } from './output.ts'
import { notKept } from './refusals.ts'
import { type Gathered, microsOf } from './sources.ts'
import { Tally } from './tally.ts'
import type { PackedChange } from './types.ts'

/** Bytes of rows that are written at once. */
const ROWS_BYTES = 65_536

/** What the past of everything that is packed is written with. */
export interface PastJob {
  readonly content: Pick<Content, 'changes' | 'covers'>
  readonly output: Output
  readonly turn: () => Promise<void> | undefined
  /** Changes that may be told. */
  readonly most: number
}

/** The history of one export. Nodes and edges come in the order of the file, in both passes. */
export class PastWriter {
  readonly #job: PastJob
  readonly #writer = new Writer()
  /** Where edges stand, in their order. */
  readonly #edges: Spool
  /** Of each node and edge that has a past: where it stands, and where that does. */
  readonly #found: Spool
  #rows = 0
  #written = 0
  /** How often each label and property has changed. */
  readonly named: Tally = new Tally()
  /** All that has changed. */
  total = 0

  constructor(job: PastJob) {
    this.#job = job
    this.#edges = job.output.spool('edges')
    this.#found = job.output.spool('history')
  }

  close(): void {
    this.#edges.close()
    this.#found.close()
  }

  /** Looks through a past for the names and principals in it. */
  async survey(target: Target, sources: Gathered): Promise<void> {
    for await (const commit of this.#commits(target)) {
      sources.name(commit[0]!.principal)
      for (const { label, property } of commit) {
        const name = label ?? property
        if (name !== undefined) this.named.add(name)
      }
      this.total += commit.length
      checkLimit('the number of changes', this.total, this.#job.most)
    }
  }

  /** Notes where an edge stands. */
  edgeAt(offset: number): void {
    this.#edges.putLong(offset)
  }

  /** From now on edges are written in the order in which they were noted. */
  rewind(): void {
    this.#edges.rewind()
  }

  /** Writes the past of the next edge. */
  async edge(target: Target, names: Names, sources: Gathered): Promise<void> {
    await this.node(target, this.#edges.takeLong(), names, sources)
  }

  /** Writes the past of what stands at an offset. */
  async node(target: Target, offset: number, names: Names, sources: Gathered): Promise<void> {
    const { output, content } = this.#job
    const start = output.position
    const gaps = content.covers ? undefined : new Gaps()
    const commits = this.#commits(target)
    let isCut = false
    let count = 0
    const put = (changes: readonly SlotChange[], by?: Author): void => {
      if (changes.length === 0) return
      putCommit(this.#writer, by, changes)
      output.take(this.#writer)
      count += changes.length
      checkLimit('the number of changes of a node or edge', count, CHANGES_MAX)
    }
    for (;;) {
      const next = await commits.next()
      if (next.done) {
        isCut = next.value
        break
      }
      const { principal, time } = next.value[0]!
      const told = changesOf(next.value, names)
      if (gaps) put(gaps.before(told))
      put(told, { principal: sources.principal(principal), micros: microsOf(time) })
      this.#written += told.length
    }
    if (gaps) put(gaps.rest())
    if (count === 0 && !isCut) return
    this.#writer.byte(isCut ? 1 : 0)
    output.take(this.#writer)
    this.#found.putLong(offset)
    this.#found.putLong(start)
    this.#rows++
  }

  /** Writes where everything is, behind it. Resolves with how many rows that are. */
  async rows(): Promise<number> {
    const { output, turn } = this.#job
    if (this.#written !== this.total)
      throw notKept('the past was let go of while it was packed; pack it again')
    this.#found.rewind()
    for (let left = this.#rows; left > 0;) {
      const count = Math.min(left, Math.floor(ROWS_BYTES / PAST_BYTES))
      const rows = Buffer.alloc(count * PAST_BYTES)
      for (let at = 0; at < rows.length; at += PAST_BYTES / 2) rows.writeUIntLE(this.#found.takeLong(), at, 6)
      output.write(rows)
      left -= count
      await turn()
    }
    return this.#rows
  }

  /** What was changed together, the newest first; in the end whether what is older is not kept. */
  async *#commits(target: Target): AsyncGenerator<PackedChange[], boolean, undefined> {
    const { content, turn } = this.#job
    let commit: PackedChange[] = []
    try {
      for (const change of content.changes(target)) {
        const others = turn()
        if (others) await others
        if (content.covers && !content.covers(change.principal)) continue
        if (commit.length > 0 && microsOf(commit[0]!.time) !== microsOf(change.time)) {
          yield commit
          commit = []
        }
        commit.push(change)
      }
    } catch (error) {
      if (!(error instanceof KaryonError) || error.code !== 'ERR_KARYON_HORIZON') throw error
      if (commit.length > 0) yield commit
      return true
    }
    if (commit.length > 0) yield commit
    return false
  }
}

/** A change, and what was held before it. */
interface Told extends SlotChange {
  readonly before: Buffer | undefined
}

/** The changes of a commit in their order. */
function changesOf(commit: readonly PackedChange[], names: Names): Told[] {
  const told = commit.map((change): Told => {
    const slot = slotOf(change, names)
    const before = isValued(slot) ? heldBefore(change, slot) : undefined
    return { slot, held: heldAfter(change, slot), before }
  })
  return told.toSorted((a, b) => a.slot - b.slot)
}

/**
 * What was held in between without a word of who wrote it: before what is kept of the past, or by changes that may not be seen. What holds before
 * a change is what the next older one says; where it is not, this tells it.
 */
class Gaps {
  /** What was held before the oldest change of each slot so far. */
  readonly #due = new Map<number, Buffer | undefined>()

  /** What was held that a commit does not say, which comes next. */
  before(commit: readonly Told[]): SlotChange[] {
    const valued = commit.filter(({ slot }) => isValued(slot))
    const untold = valued
      .filter(({ slot, held }) => this.#due.has(slot) && !isSame(this.#due.get(slot), held))
      .map(({ slot }) => ({ slot, held: this.#due.get(slot) }))
    for (const { slot, before } of valued) this.#due.set(slot, before)
    return untold
  }

  /** What was held before all that is told. */
  rest(): SlotChange[] {
    const untold = [...this.#due].map(([slot, held]) => ({ slot, held })).filter(({ held }) => held)
    return untold.toSorted((a, b) => a.slot - b.slot)
  }
}

function isSame(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b)
}
