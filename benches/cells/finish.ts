/** A promise that an actor's behaviour settles. */
export interface Finish {
  readonly reached: Promise<number>
  reach(value: number): void
}

export function finish(): Finish {
  let reach!: (value: number) => void
  const reached = new Promise<number>((resolve) => (reach = resolve))
  return { reached, reach }
}
