/** How a language of the C family writes what is not code. */
export interface Lexicon {
  /** Quotes of strings that may end only on their own line. */
  readonly quotes: string
  /** Quotes of strings that may span lines. */
  readonly longQuotes: string
  /** Whether a block comment may hold another one. */
  readonly nested: boolean
}

/**
 * The text with its comments and long strings blanked, so that what looks like an import in them is none. Strings on one
 * line are kept (they name the modules). Where such a quote is no quote (in a regular expression) the next line sets it
 * right; a long one that is no quote hides text up to the next, which costs imports but invents none.
 */
export function withoutComments(text: string, lexicon: Lexicon): string {
  let code = ''
  let at = 0
  while (at < text.length) {
    const character = text.charAt(at)
    const end = notCodeEnd(text, at, lexicon)
    if (end > at) {
      // Line feeds stay: a statement that began on its own line still does.
      code += ' ' + text.slice(at, end).replace(/[^\n]+/g, '')
      at = end
    } else if (lexicon.quotes.includes(character)) {
      const close = shortStringEnd(text, at, character)
      code += text.slice(at, close)
      at = close
    } else {
      code += character
      at += 1
    }
  }
  return code
}

/** The end of the comment or long string that begins here, or `at` where none does. */
function notCodeEnd(text: string, at: number, lexicon: Lexicon): number {
  if (text.startsWith('//', at)) {
    const end = text.indexOf('\n', at)
    return end < 0 ? text.length : end
  }
  if (text.startsWith('/*', at)) return blockEnd(text, at, lexicon.nested)
  const quote = text.charAt(at)
  if (!lexicon.longQuotes.includes(quote)) return at
  for (let next = at + 1; next < text.length; next++) {
    if (text.charAt(next) === '\\') next += 1
    else if (text.charAt(next) === quote) return next + 1
  }
  return text.length
}

function blockEnd(text: string, at: number, nested: boolean): number {
  const mark = /\/\*|\*\//g
  mark.lastIndex = at + 2
  let depth = 1
  for (let found = mark.exec(text); found !== null; found = mark.exec(text)) {
    if (found[0] === '*/') depth -= 1
    else if (nested) depth += 1
    if (depth === 0) return mark.lastIndex
  }
  return text.length
}

function shortStringEnd(text: string, at: number, quote: string): number {
  for (let next = at + 1; next < text.length; next++) {
    const character = text.charAt(next)
    if (character === '\n') return next
    if (character === '\\') next += 1
    else if (character === quote) return next + 1
  }
  return text.length
}
