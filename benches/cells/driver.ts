/** One actor library, doing what the cases of `cells` ask for in the way its own documentation suggests. */
export interface Actors {
  readonly name: string
  open(): Promise<void> | void
  /** Two actors hand a ball to and fro; resolves, after this many turns of both together, with their number. */
  pingPong(turns: number): Promise<number>
  /** Starts this many actors; resolves once the last of them has answered, with how many there are. */
  spawn(count: number): Promise<number>
  /** Ends every actor that was started since the last call; not measured. */
  clear(): Promise<void> | void
  close(): Promise<void> | void
}
