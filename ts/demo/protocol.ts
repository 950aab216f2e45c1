// What the process that does the work and the one that watches over it say to each other.
import type { DeathReason, Target, Version } from '../index.ts'
import type { Lie } from './cells/poisoner.ts'

/** How long an answer of a cell may take: a turn may wait for a whole commit queue to reach a slow disk. */
export const TURN_ANSWER_MS = 120_000

/** What one life of the worker is to do; handed over when it starts. */
export interface Orders {
  /** The repository's own directory, not that of its work tree. */
  readonly repository: string
  /** The last commit of the line. */
  readonly head: string
  /** The store's directory. */
  readonly directory: string
  readonly seed: number
  /** Which life this is; 0 is a run that nothing disturbs. */
  readonly life: number
  /** The place on the line where everything read so far is waited for and the version is told. */
  readonly markAt: number
  /** The watcher will kill this life in the middle of its work: it must stop at this place, and never ends by itself. */
  readonly doomedBefore?: number
  /** Whether the poisoner is at work after the mark. */
  readonly poison: boolean
}

/** A fact that must be in the store, at exactly this version, because its transaction was acknowledged. */
export interface Evidence {
  readonly target: Target
  /** Undefined: the target's existence is the fact. */
  readonly property?: string
  readonly version: Version
}

/** What the worker reports. An acknowledgement is sent only after the promise of the transaction has resolved. */
export type Report =
  | { readonly type: 'ready'; readonly resumedAt: number }
  | {
      readonly type: 'acknowledged'
      readonly evidence: Evidence
      /** Commits of the line that are in the store by this; only the ledger's transactions have it. */
      readonly place?: number
      /** Transactions of the ledger that are under way and not acknowledged. */
      readonly inFlight: number
    }
  | { readonly type: 'restarted'; readonly cell: string; readonly reason: DeathReason }
  | { readonly type: 'marked'; readonly version: Version }
  | { readonly type: 'lied'; readonly lie: Lie }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string }
