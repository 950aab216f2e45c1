// Long work in short turns, so that others have theirs.

/** How long others wait for their turn at most. */
const TURN_MS = 8

/** Asked now and then, it says when others are to have their turn. */
export function turns(): () => Promise<void> | undefined {
  let begun = performance.now()
  return () => {
    if (performance.now() - begun < TURN_MS) return undefined
    return new Promise((resolve) => {
      setImmediate(() => {
        begun = performance.now()
        resolve()
      })
    })
  }
}
