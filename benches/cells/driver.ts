/** One actor library, doing what the cases of `cells` ask for in the way its own documentation suggests. */
export interface Actors {
  readonly name: string
  open(): Promise<void> | void
  /** Two actors hand a ball to and fro; resolves, after this many turns of both together, with their number. */
  pingPong(turns: number): Promise<number>
  /** Starts this many actors; resolves once the last of them has answered, with how many there are. */
  spawn(count: number): Promise<number>
  /**
   * This many actors in a ring, each of which passes on what it gets, and `tokens` that go round in it, evenly spread; resolves once every
   * token was passed on `hops` times, with the number of all hops. `begin` is called when all actors are there.
   */
  ring?(size: number, tokens: number, hops: number, begin: () => void): Promise<number>
  /** Every one of the senders, told once, sends its share to one actor; resolves, once that has them all, with their sum. */
  fanIn(senders: number, each: number): Promise<number>
  /**
   * One actor, told once, sends to each of the others in turn, so many times; resolves once all have all, with their number. `begin` as
   * for `ring`.
   */
  fanOut(receivers: number, each: number, begin: () => void): Promise<number>
  /** Ends every actor that was started since the last call; not measured. */
  clear(): Promise<void> | void
  close(): Promise<void> | void
}
