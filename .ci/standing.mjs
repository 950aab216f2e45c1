// Where the demonstration is run from: a path is relative to where the command was typed; without one it reads this
// clone, wherever that was. The words are the command's own, so only its own parser can tell a path from a value.
export function standingFor(words, { clone, caller }, parse) {
  try {
    return parse(['demo', ...words]).options?.path === undefined ? clone : caller
  } catch {
    // Words that mean nothing are the command's to refuse.
    return clone
  }
}
