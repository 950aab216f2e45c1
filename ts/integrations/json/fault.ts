// Where a text ceases to be JSON: engines say so in words that differ, or not at all.

const BLANK = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
/** As much of a number as may still become one. */
const BEGUN_NUMBER = /-?(?:(?:0|[1-9]\d*)(?:\.(?![0-9])|(?:\.\d+)?(?:[eE][+-]?\d*)?))?/y
const WORDS = ['true', 'false', 'null']

/** What may come next. */
type Expected = 'value' | 'value or end' | 'name' | 'name or end' | 'colon' | 'comma or end'

/** The place, from 0, of the first unit of a text that is not JSON that JSON would not have there; its length where it only ends too soon. */
export function faultOf(text: string): number {
  const around: ('{' | '[')[] = []
  let expected: Expected = 'value'
  let at = 0
  for (;;) {
    at = past(BLANK, text, at)
    const unit = text[at]
    const inside = around.at(-1)
    if (unit === undefined) return at
    if ((unit === '}' || unit === ']') && expected.endsWith('end') && inside === (unit === '}' ? '{' : '[')) {
      around.pop()
      at++
    } else if (expected === 'colon') {
      if (unit !== ':') return at
      expected = 'value'
      at++
      continue
    } else if (expected === 'comma or end') {
      if (unit !== ',' || inside === undefined) return at
      expected = inside === '{' ? 'name' : 'value'
      at++
      continue
    } else if (unit === '"') {
      const { end, isWhole } = string(text, at)
      at = end
      if (!isWhole) return at
      if (expected.startsWith('name')) {
        expected = 'colon'
        continue
      }
    } else if (expected.startsWith('name')) {
      return at
    } else if (unit === '{' || unit === '[') {
      around.push(unit)
      expected = unit === '{' ? 'name or end' : 'value or end'
      at++
      continue
    } else {
      const { end, isWhole } = atom(text, at)
      at = end
      if (!isWhole) return at
    }
    // A value has ended.
    expected = 'comma or end'
    if (around.length === 0) return past(BLANK, text, at)
  }
}

/** Where something ends, or where it ceases to be what it began as. */
interface Ended {
  readonly end: number
  readonly isWhole: boolean
}

function atom(text: string, start: number): Ended {
  const word = WORDS.find((each) => each[0] === text[start])
  if (word === undefined) {
    const end = past(BEGUN_NUMBER, text, start)
    return { end, isWhole: end > start && past(NUMBER, text, start) === end }
  }
  let length = 0
  while (length < word.length && text[start + length] === word[length]) length++
  return { end: start + length, isWhole: length === word.length }
}

function past(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})/y

function string(text: string, start: number): Ended {
  let at = start + 1
  for (; at < text.length;) {
    if (text[at] === '"') return { end: at + 1, isWhole: true }
    if (text.charCodeAt(at) < 0x20) return { end: at, isWhole: false }
    const end = text[at] === '\\' ? past(ESCAPE, text, at) : at + 1
    if (end === at) return { end: at, isWhole: false }
    at = end
  }
  return { end: at, isWhole: false }
}
