// N-Quads as text to quads: the whole grammar of RDF 1.1 N-Quads, by hand, a line at a time.
import { wrongAt } from '../failures.ts'
import { LANGUAGE_TAG_MAX } from '../limits.ts'
import { XSD_STRING, type Literal, type Quad } from './types.ts'

const BLANKS = /[ \t]*/y
/** What no IRI holds, escaped or not. */
// oxlint-disable-next-line no-control-regex
const NOT_IN_IRI = /[\u0000-\u0020<>"{}|^`\\]/
// oxlint-disable-next-line no-control-regex
const NOT_EVEN_ESCAPED = /[\u0000-\u0020<"{}|^`]/
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/
const ESCAPE = /\\(?:([tbnrf"'\\])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|)/g

const LETTERS =
  'A-Za-z\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u02ff\\u0370-\\u037d\\u037f-\\u1fff\\u200c\\u200d\\u2070-\\u218f' +
  '\\u2c00-\\u2fef\\u3001-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufffd\\u{10000}-\\u{effff}_'
const MORE = `${LETTERS}0-9\\-\\u00b7\\u0300-\\u036f\\u203f\\u2040`
// No colon: the grammar's text has one, its tests and Turtle do not.
const BLANK_NODE = new RegExp(`_:[${LETTERS}0-9][${MORE}.]*`, 'uy')
const WHOLE_BLANK_NODE = new RegExp(`^_:[${LETTERS}0-9](?:[${MORE}.]*[${MORE}])?$`, 'u')
const LANGUAGE = /@[A-Za-z0-9-]*/y
const WHOLE_LANGUAGE = /^[A-Za-z]+(?:-[A-Za-z0-9]+)*$/

/** What stands for one unit behind a backslash. */
const SHORT: Readonly<Record<string, string>> = {
  t: '\t',
  b: '\b',
  n: '\n',
  r: '\r',
  f: '\f',
  '"': '"',
  "'": "'",
  '\\': '\\',
}

/** Whether a text is an absolute IRI, as it stands between `<` and `>`. */
export function isIri(text: string): boolean {
  return SCHEME.test(text) && !NOT_IN_IRI.test(text)
}

/** Whether a text is a blank node with its label, `_:b0`. */
export function isBlankNode(text: string): boolean {
  return WHOLE_BLANK_NODE.test(text)
}

/** Whether a text is a language tag. */
export function isLanguageTag(text: string): boolean {
  return text.length <= LANGUAGE_TAG_MAX && WHOLE_LANGUAGE.test(text)
}

/**
 * The quad that a line of N-Quads says; `undefined` for one that is blank or a comment. Throws `ERR_KARYON_ARGUMENT` with `details.line` and
 * `details.column` for anything else.
 */
export function quadOf(text: string, line: number): Quad | undefined {
  return new LineParser(text, line).quad()
}

class LineParser {
  readonly #text: string
  readonly #line: number
  #at = 0

  constructor(text: string, line: number) {
    this.#text = text
    this.#line = line
  }

  quad(): Quad | undefined {
    if (this.#isOver()) return undefined
    const subject = this.#node('a subject is an IRI in <…> or a blank node _:…')
    const predicate = this.#next() === '<' ? this.#iri() : this.#fail('a predicate is an IRI in <…>')
    const object =
      this.#next() === '"' ? this.#literal() : this.#node('an object is an IRI, a blank node or a literal')
    const graph =
      this.#next() === '.' ? '' : this.#node('a quad ends with a graph label, if it has one, and a dot')
    if (this.#next() !== '.') this.#fail('a quad ends with a dot')
    this.#at++
    if (!this.#isOver()) this.#fail('a line holds one quad; behind its dot there is at most a comment')
    return { subject, predicate, object, graph }
  }

  /** Whether nothing but a comment follows. */
  #isOver(): boolean {
    const next = this.#next()
    return next === undefined || next === '#'
  }

  /** The next unit that is no blank. */
  #next(): string | undefined {
    BLANKS.lastIndex = this.#at
    BLANKS.test(this.#text)
    this.#at = BLANKS.lastIndex
    return this.#text[this.#at]
  }

  #node(expected: string): string {
    const next = this.#next()
    if (next === '<') return this.#iri()
    if (next !== '_') return this.#fail(expected)
    BLANK_NODE.lastIndex = this.#at
    const found = BLANK_NODE.exec(this.#text)?.[0]
    if (found === undefined)
      return this.#fail('a blank node is _: and a label that begins with a letter or digit')
    // Dots at the end are the quad's.
    let length = found.length
    while (found[length - 1] === '.') length--
    this.#at += length
    return found.slice(0, length)
  }

  #iri(): string {
    const start = this.#at + 1
    const end = this.#text.indexOf('>', start)
    if (end < 0) return this.#fail('an IRI ends with >', this.#text.length)
    const raw = this.#text.slice(start, end)
    const escaped = raw.includes('\\')
    const wrong = escaped ? raw.search(NOT_EVEN_ESCAPED) : raw.search(NOT_IN_IRI)
    if (wrong >= 0) return this.#fail('an IRI holds no such character', start + wrong)
    const iri = escaped ? this.#unescaped(raw, start, false) : raw
    if (escaped && NOT_IN_IRI.test(iri))
      return this.#fail('an IRI holds no such character, escaped either', start)
    if (!SCHEME.test(iri)) return this.#fail('an IRI is absolute: it begins with a scheme and a colon', start)
    this.#at = end + 1
    return iri
  }

  #literal(): Literal {
    const start = this.#at + 1
    const end = this.#closingQuote(start)
    const raw = this.#text.slice(start, end)
    const value = raw.includes('\\') ? this.#unescaped(raw, start, true) : raw
    this.#at = end + 1
    const next = this.#text[this.#at]
    if (next === '@') return { value, language: this.#language() }
    if (next !== '^') return { value }
    if (this.#text[this.#at + 1] !== '^' || this.#text[this.#at + 2] !== '<') {
      return this.#fail('a datatype is ^^ and an IRI in <…>')
    }
    this.#at += 2
    return { value, datatype: this.#iri() }
  }

  /** Where the quote stands that no backslash precedes, or two of them. */
  #closingQuote(start: number): number {
    for (let at = start; ; at++) {
      at = this.#text.indexOf('"', at)
      if (at < 0) return this.#fail('a literal ends with a quotation mark', this.#text.length)
      let slashes = 0
      while (at - slashes > start && this.#text[at - slashes - 1] === '\\') slashes++
      if (slashes % 2 === 0) return at
    }
  }

  #language(): string {
    LANGUAGE.lastIndex = this.#at
    const tag = LANGUAGE.exec(this.#text)?.[0].slice(1) ?? ''
    if (!isLanguageTag(tag)) {
      return this.#fail(
        `a language tag is letters, and -, letters and digits behind them, ${LANGUAGE_TAG_MAX} at most`,
      )
    }
    this.#at += tag.length + 1
    return tag
  }

  #unescaped(raw: string, start: number, short: boolean): string {
    return raw.replace(
      ESCAPE,
      (found, letter: string | undefined, four: string, eight: string, at: number) => {
        if (letter !== undefined && short) return SHORT[letter]!
        const code = Number.parseInt(four ?? eight ?? '', 16)
        const isScalar = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)
        if (letter === undefined && isScalar) return String.fromCodePoint(code)
        return this.#fail(`${found === '\\' ? 'this' : found} is no escape of a character here`, start + at)
      },
    )
  }

  #fail(message: string, at: number = this.#at): never {
    throw wrongAt({ line: this.#line, column: at + 1 }, message)
  }
}

/** A quad as a line of N-Quads, with its end. Its IRIs, blank nodes and tags have to be such. */
export function lineOf({ subject, predicate, object, graph }: Quad): string {
  const label = graph === '' ? '' : ` ${nodeText(graph)}`
  return `${nodeText(subject)} <${predicate}> ${termText(object)}${label} .\n`
}

function termText(object: string | Literal): string {
  if (typeof object === 'string') return nodeText(object)
  const { value, datatype, language } = object
  const isString = datatype === undefined || datatype === XSD_STRING
  const type = isString ? '' : `^^<${datatype}>`
  const tail = language === undefined ? type : `@${language}`
  return `"${escaped(value)}"${tail}`
}

function nodeText(term: string): string {
  return term.startsWith('_:') ? term : `<${term}>`
}

// oxlint-disable-next-line no-control-regex
const TO_ESCAPE = /["\\\u0000-\u001f\u007f]/g
const ESCAPED: Readonly<Record<string, string>> = {
  '\t': '\\t',
  '\b': '\\b',
  '\n': '\\n',
  '\r': '\\r',
  '\f': '\\f',
  '"': '\\"',
  '\\': '\\\\',
}

function escaped(text: string): string {
  return text.replaceAll(
    TO_ESCAPE,
    (unit) => ESCAPED[unit] ?? `\\u${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
  )
}
