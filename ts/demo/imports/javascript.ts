import { withoutComments } from './comments.ts'

/** A quoted name: the same quote at both ends. */
const NAME = `(?:'([^'\\n]+)'|"([^"\\n]+)")`

/** How far a `from` may be from its `import` or `export`: what is generated without end must not be read again and again. */
const CLAUSE_CHARS_MAX = 8_000

/** `import 'x'`, `import … from 'x'`, `export … from 'x'`: statements, at the beginning of a line or after `;` or `}`. */
const STATEMENT = new RegExp(
  String.raw`(?:^|[;}])[ \t]*(?:import[ \t]*${NAME}|(?:import|export)\b(?:[\s\w$*{},]|'[^'\n]*'(?=\s+as\b)){0,${CLAUSE_CHARS_MAX}}?\bfrom\s*${NAME})`,
  'gm',
)

/** `import('x')` and `require('x')`, as expressions anywhere; not `this.require('x')`. */
const CALL = new RegExp(String.raw`(?<![\w$.])(?:import|require)\s*\(\s*${NAME}\s*[,)]`, 'g')

/** Static and dynamic imports, re-exports and `require`, in JavaScript and TypeScript. */
export function* importsOfJavaScript(text: string): Generator<string> {
  const code = withoutComments(text, { quotes: '"\'', longQuotes: '`', nested: false })
  for (const pattern of [STATEMENT, CALL]) {
    for (const match of code.matchAll(pattern)) yield match.slice(1).find((name) => name !== undefined) ?? ''
  }
}
