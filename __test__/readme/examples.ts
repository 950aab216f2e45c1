/** A program of the README, as a reader would copy it. */
export interface Example {
  /** Line of the README where the code begins, counted from 1. */
  readonly line: number
  readonly code: string
}

/** Every block of a Markdown text that is fenced as ```js. */
export function examplesOf(markdown: string): Example[] {
  const examples: Example[] = []
  const lines = markdown.split(/\r?\n/)
  for (let at = 0; at < lines.length; at++) {
    if (!/^```js\s*$/.test(lines[at]!)) continue
    const end = lines.findIndex((line, index) => index > at && /^```\s*$/.test(line))
    if (end < 0) throw new Error(`the code at line ${at + 1} has no end`)
    examples.push({ line: at + 2, code: `${lines.slice(at + 1, end).join('\n')}\n` })
    at = end
  }
  return examples
}

const STRING = String.raw`'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"`
const ATOM = `(?:${STRING}|-?\\d[\\d_]*(?:\\.\\d+)?n?|true|false|null|undefined)`
const LITERAL = `(?:${ATOM}|\\[(?:${ATOM}(?:, )?)*\\]|\\{(?: ?\\w+: ${ATOM},?)* ?\\})`
const SAYS_WHAT_IT_IS = new RegExp(`^(\\s*)(\\S.*?);?\\s+//\\s*(${LITERAL})\\s*$`)
const NO_EXPRESSION =
  /^(?:const|let|var|import|export|return|throw|if|for|while|else|class|function|using)\b|^[.})\]]/

/**
 * The program with its comments held to their word: an expression of one line that ends in `// literal`
 * becomes an assertion that it is that.
 */
export function withAssertions(code: string): { program: string; assertions: number } {
  let assertions = 0
  const lines = code.split('\n').map((line) => {
    const [, indent = '', expression = '', literal = ''] = SAYS_WHAT_IT_IS.exec(line) ?? []
    if (!literal || NO_EXPRESSION.test(expression) || expression.endsWith(',') || !balanced(expression))
      return line
    assertions++
    return `${indent};assert.deepStrictEqual(${expression}, ${literal})`
  })
  const program = ["import assert from 'node:assert/strict'", ...lines].join('\n')
  return { program, assertions }
}

/** Whether a line closes all that it opens; a bracket inside a string is none. */
function balanced(expression: string): boolean {
  const bare = expression.replaceAll(new RegExp(STRING, 'g'), '')
  let depth = 0
  for (const letter of bare) {
    if ('([{'.includes(letter)) depth++
    if (')]}'.includes(letter) && --depth < 0) return false
  }
  return depth === 0
}
