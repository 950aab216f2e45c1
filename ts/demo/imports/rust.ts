import { withoutComments } from './comments.ts'

/** Deeper groups of `use` than anyone writes end the reading of that statement. */
const GROUP_DEPTH_MAX = 16

/** `use a::{b, c::d};` as `a::b` and `a::c::d`, and `extern crate e;`. */
export function* usesOfRust(text: string): Generator<string> {
  // A lifetime is no string, so only double quotes count; the quote as a character and raw strings go first.
  const quotesPaired = text.replace(/'\\?"'/g, "' '").replace(/\br(#+)"[^]*?"\1/g, '""')
  const code = withoutComments(quotesPaired, { quotes: '', longQuotes: '"', nested: true })
  for (const [, tree, name] of code.matchAll(
    /(?:^|[;{}\]])\s*(?:pub(?:\([^)]*\))?\s+)?(?:use\s+([^;]+);|extern\s+crate\s+(\w+))/gm,
  )) {
    if (name !== undefined) yield name
    if (tree !== undefined) yield* branches(tree.replace(/\s+/g, ' ').trim(), '', 0)
  }
}

/** The paths of one `use` tree. `as` names and the `*` of a glob say nothing about what is imported. */
function* branches(tree: string, prefix: string, depth: number): Generator<string> {
  const open = tree.indexOf('{')
  if (open < 0) {
    const path = (tree.split(' as ')[0] ?? '').replaceAll(' ', '').replace(/(^|::)(?:\*|self)$/, '')
    const whole = (prefix + path).replace(/^::|::$/g, '')
    if (/^[\w:#$]+$/.test(whole)) yield whole
    return
  }
  const close = tree.lastIndexOf('}')
  if (close < open || depth === GROUP_DEPTH_MAX) return
  const inner = prefix + tree.slice(0, open).replaceAll(' ', '')
  for (const branch of split(tree.slice(open + 1, close))) yield* branches(branch.trim(), inner, depth + 1)
}

/** The parts between the commas that lie in no inner group. */
function* split(group: string): Generator<string> {
  let depth = 0
  let from = 0
  for (let at = 0; at < group.length; at++) {
    const character = group.charAt(at)
    if (character === '{') depth += 1
    else if (character === '}') depth -= 1
    else if (character === ',' && depth === 0) {
      yield group.slice(from, at)
      from = at + 1
    }
  }
  if (from < group.length) yield group.slice(from)
}
