// Where an incarnation stands, in words that every message looks at.

/** How far an incarnation is; once it is at the end it is dead. */
export const Stage = { starting: 0, up: 1, closing: 2, dead: 3 } as const
export type StageWord = (typeof Stage)[keyof typeof Stage]

/** Who says that a message of an incarnation may run. */
export const Standing = {
  /** The scheduler, next: it is not known to be up, or its last message went another way. */
  waits: 0,
  /** Nobody needs to: it is up, as the scheduler knows too. */
  issued: 1,
  /** The scheduler alone, until further notice: it is paused or quiescent. */
  barred: 2,
} as const
export type StandingWord = (typeof Standing)[keyof typeof Standing]
