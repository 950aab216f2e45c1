/** One actor library. */
export interface Library {
  readonly name: string
  open(): Promise<void> | void
  /** Ends every actor that was started since the last call; not measured. */
  clear(): Promise<void> | void
  close(): Promise<void> | void
}

/** What the cases of `cells` ask of a library, done in the way its own documentation suggests. */
export interface Work {
  /** Two actors hand a ball to and fro; resolves, after this many turns of both together, with their number. */
  pingPong(turns: number): Promise<number>
  /** Starts this many actors; resolves once the last of them has answered, with how many there are. */
  spawn(count: number): Promise<number>
  /**
   * This many actors in a ring, each of which passes on what it gets, and `tokens` that go round in it, evenly spread; resolves once every
   * token was passed on `hops` times, with the number of all hops. `begin` is called when all actors are there.
   */
  ring(size: number, tokens: number, hops: number, begin: () => void): Promise<number>
  /** Every one of the senders, told once, sends its share to one actor; resolves, once that has them all, with their sum. */
  fanIn(senders: number, each: number): Promise<number>
  /** As `fanIn`, with flat records; the sum is that of their values. */
  fanInRecords(senders: number, each: number): Promise<number>
  /** As `fanIn`, with bare numbers. */
  fanInNumbers(senders: number, each: number): Promise<number>
  /**
   * One actor, told once, sends to each of the others in turn, so many times; resolves once all have all, with their number. `begin` as
   * for `ring`.
   */
  fanOut(receivers: number, each: number, begin: () => void): Promise<number>
  /** Starts an actor of which at most so many messages wait, for the shapes of Savina. */
  role(name: string, handlers: RoleHandlers, mailbox: number): Promise<Role> | Role
}

/** A library that does the work of these cases. */
export type Actors<Case extends keyof Work = never> = Library & Pick<Work, Case>

/** An actor's messages; each carries a number. */
export type RoleHandlers = Readonly<Record<string, (value: number) => void>>

/** A reference to an actor. */
export interface Role {
  send(message: string, value: number): void
}

/** A flat record as a sensor would send it. */
export interface Reading {
  readonly sensor: number
  readonly at: number
  readonly value: number
  readonly quality: number
}

export function reading(sensor: number, value: number): Reading {
  return { sensor, at: 1_700_000_000_000 + value, value, quality: 0.5 }
}
