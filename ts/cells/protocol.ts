// The words that the scheduler and this side exchange; `record.rs`, `effect.rs` and `exchange.rs` of its crate draw them.
import type { DeadLetterReason, DeathReason, DownReason } from '../events.ts'

/** Words in a record. */
export const RECORD_WORDS = 6
/** Words in an effect. */
export const EFFECT_WORDS = 4
/** The part of a cell's handle that is its place. */
export const INDEX_MASK = 0xfffff
/** The handle of no cell. */
export const NO_CELL = 0xffffffff
/** What stands for the turn of an ask that was made in `init`. */
export const INIT_TURN = 0xffffffff
/** What stands for the turn of an ask that was made when its turn was over: nobody waits in a turn for it. */
export const NO_TURN = 0xfffffffd
/** The slot of no message. */
export const NO_SLOT = 0xffffffff
/** The credit of a cell that takes no messages any more. */
export const CLOSED = -0x80000000

/** What a record says. */
export const Op = {
  send: 1,
  ask: 2,
  deliver: 3,
  withdraw: 4,
  abandon: 5,
  reply: 6,
  async: 7,
  result: 8,
  settled: 9,
  adopt: 10,
  inited: 11,
  fail: 12,
  stop: 13,
  finish: 14,
  timerSet: 15,
  timerCancel: 16,
  lease: 17,
  pause: 18,
  opened: 19,
  out: 20,
  recalled: 21,
  vacant: 22,
  refund: 23,
} as const

/** Which messages go first, and what bounds them. */
export const Class = { user: 0, control: 1, owed: 2 } as const

/** How a turn came out. */
export const Verdict = {
  ended: 0,
  failed: 1,
  invariant: 2,
  conflict: 3,
  deferred: 4,
  became: 5,
  deferredBecame: 6,
  notRun: 7,
  stopped: 8,
} as const

/** One of the verdicts. */
export type VerdictWord = (typeof Verdict)[keyof typeof Verdict]

/** What an effect says. */
export const Effect = {
  init: 1,
  died: 2,
  restarted: 3,
  gone: 4,
  supervisorGaveUp: 5,
  rootFailed: 6,
  lost: 7,
  admitted: 8,
  askSettled: 9,
  askPath: 10,
  timer: 11,
  abort: 12,
  timerOver: 13,
  warned: 14,
  recall: 15,
  vacant: 16,
  forgotten: 17,
  began: 18,
} as const

/** How an ask was settled. */
export const AskEnd = {
  replied: 1,
  failed: 2,
  conflict: 3,
  timeout: 4,
  abandoned: 5,
  cycle: 6,
  stopped: 7,
  askerDead: 8,
  turnTimeout: 9,
  lostInTurn: 10,
  refused: 11,
} as const

/** Places in the header. */
export const Header = {
  now: 0,
  records: 1,
  ran: 2,
  batch: 3,
  effects: 4,
  more: 5,
  nextDue: 6,
  open: 7,
  first: 8,
  ended: 9,
  turn: 10,
  stopped: 11,
  cpu: 12,
  terms: 13,
} as const

/** Why an incarnation ends, where this side says so. */
export const Death = {
  error: 1,
  timeout: 3,
  ended: 6,
  budget: 11,
  linked: 12,
  cpu: 13,
  collateral: 14,
} as const

/** One of them. */
export type DeathWord = (typeof Death)[keyof typeof Death]

/** Why incarnations end, by word. */
export const DEATHS: readonly DeathReason[] = [
  'stopped', // 0 is never sent
  'error',
  'invariant',
  'timeout',
  'conflict',
  'init',
  'ended',
  'supervisor',
  'stopped',
  'gave-up',
  'lease',
  'budget',
  'linked',
  'cpu',
  'collateral',
]

/** Why cells are gone, by word. */
export const DOWNS: readonly DownReason[] = [
  'stopped', // 0 is never sent
  'stopped',
  'failed',
  'gave-up',
  'supervisor-gave-up',
  'ended',
]

/** Why messages are refused, by word of loss. */
export const REFUSALS: Readonly<Record<number, 'full' | 'withdrawn' | 'cycle'>> = {
  1: 'full',
  2: 'withdrawn',
  3: 'cycle',
}

/** Why messages are dead letters, by word of loss; what is neither met its last conflict. */
export const DEAD_LETTERS: Readonly<Record<number, DeadLetterReason>> = {
  4: 'stopped',
  5: 'lost-in-turn',
  7: 'dropped',
}
